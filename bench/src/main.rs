//! `make bench`: measures the harness as it is built for use, over real sockets, and writes what it found to
//! `target/bench/report.md` and `report.json`.

mod cases;
mod client;
mod data;
mod harness;
mod held;
mod limit;
mod load;
mod meter;
mod nchan;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, Subcommand};

use crate::cases::Pace;

/// Measures the harness.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Cases to measure, with commas between them [default: all]
    #[arg(long, env = "CASES", value_delimiter = ',')]
    cases: Vec<String>,
    /// Seconds for each figure
    #[arg(long, env = "BENCH_SECONDS", default_value_t = 3.0)]
    seconds: f64,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The least that a server can do, to compare with
    #[command(hide = true)]
    Limit {
        /// What every request is answered with
        answer: PathBuf,
        /// Where requests are written down before they are answered
        #[arg(long)]
        log: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Role::Limit { answer, log }) = arguments.role {
        return limit::serve(answer, log).await;
    }
    let chosen: Vec<String> = arguments.cases.into_iter().filter(|name| !name.is_empty()).collect();
    for name in &chosen {
        let names = cases::NAMES.join(", ");
        ensure!(
            cases::NAMES.contains(&name.as_str()),
            "`{name}` is no case: choose of {names}"
        );
    }
    let pace = Pace {
        time: Duration::try_from_secs_f64(arguments.seconds)?,
    };
    let report = cases::run(&chosen, pace).await?;
    println!("{}", report.write(&data::workshop()?)?);
    Ok(())
}
