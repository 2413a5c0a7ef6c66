//! The real program, as it is built for use.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::data::Data;
use crate::meter::Meter;

/// What the harness says when it serves.
const READY: [&str; 2] = ["The chat is at ", " served at "];
/// What does not come within this time never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// What would tell the harness something else than the benchmark does.
const VARIABLES: [&str; 15] = [
    "HARNESS_AGENT",
    "HARNESS_AGENT_KEY",
    "HARNESS_AGENT_KEY_FILE",
    "HARNESS_BASE_URL",
    "HARNESS_CONFIG",
    "HARNESS_DATA",
    "HARNESS_MCP_PORT",
    "HARNESS_PLUGIN",
    "HARNESS_PORT",
    "HARNESS_TENANT",
    "HARNESS_TLS_CERT",
    "HARNESS_TLS_KEY",
    "HARNESS_TRUSTED_PROXIES",
    "HOST",
    "RUST_LOG",
];

/// A harness that serves. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Harness {
    child: Child,
    pub(crate) owner: Owner,
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
}

/// The owner of a running harness, at its socket.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    socket: PathBuf,
}

impl Harness {
    /// Serves `data` on a free port.
    pub(crate) async fn start(data: &Data, arguments: &[&str]) -> anyhow::Result<Self> {
        let log = data.path().join("log");
        let mut command = Command::new(program()?);
        command
            .args(["serve", "--port", "0"])
            .args(arguments)
            .arg("--data")
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        let mut child = command.spawn().context("starting the harness")?;
        let id = child.id().context("the harness ended at once")?;
        let stdout = child.stdout.take().context("reading the harness's output")?;
        let mut lines = BufReader::new(stdout).lines();
        let port = loop {
            match timeout(PATIENCE, lines.next_line()).await?? {
                Some(line) if READY.iter().any(|said| line.contains(said)) => {
                    break line.rsplit(':').next().unwrap_or_default().parse()?;
                }
                Some(_) => {}
                None => bail!("the harness does not serve: {}", std::fs::read_to_string(&log)?),
            }
        };
        Ok(Self {
            child,
            owner: Owner {
                socket: data.path().join("owner.sock"),
            },
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            meter: Meter::new(&[id]),
        })
    }

    /// Asks it to end and waits for that.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        ensure!(status.success(), "the harness ended with {status}");
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(kill_process(id.context("the harness has ended")?, signal)?)
    }
}

impl Owner {
    /// Carries out a command of the owner.
    pub(crate) async fn ask(&self, command: &Value) -> anyhow::Result<String> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(stream).read_line(&mut line)).await??;
        let answer: Value = serde_json::from_str(&line)?;
        let text = answer.get("Ok").and_then(Value::as_str);
        text.map(str::to_owned)
            .with_context(|| format!("the owner is told {answer}"))
    }

    /// Sends a friend a message of the agent's own.
    pub(crate) async fn nudge(&self, user: &str, text: &str) -> anyhow::Result<()> {
        let nudge = json!({ "nudge": { "user": user, "text": text, "source": "bench", "priority": "normal" } });
        self.ask(&nudge).await.map(drop)
    }

    /// Invites a new friend and gives the code.
    pub(crate) async fn invite(&self, user: &str) -> anyhow::Result<String> {
        let arguments = json!({ "username": user }).to_string();
        let command = json!({ "tool-ending": { "suffix": "_invite", "arguments": arguments } });
        let text = self.ask(&command).await?;
        let link = text.split_whitespace().find_map(|word| word.split_once("?invite="));
        let (_, code) = link.with_context(|| format!("no link in {text}"))?;
        Ok(code.to_owned())
    }
}

/// The program that was built together with this one.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("host-harness"))
}
