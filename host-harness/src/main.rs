//! The command `host-harness`.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use host_harness::agent::Key;
use host_harness::backup;
use host_harness::cluster::{self, ClusterError};
use host_harness::conform::conform;
use host_harness::inspect::{Inspection, inspect};
use host_harness::log;
use host_harness::owner::{self, ChatEnd, Command, Status, Urgency};
use host_harness::serve::{Welcome, serve};
use host_harness::settings::{Overrides, Settings};
use host_harness::source::Source;
use host_harness::tenants::{self, Name};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

mod tenant_command;

/// The key of the agent's server: in the environment, because a command line can be read by everybody on the machine.
const AGENT_KEY: &str = "HARNESS_AGENT_KEY";

/// Runs a channel plugin in a sandbox and connects it with your agent.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    overrides: Overrides,
    /// Whose chat it is about, where the harness serves many owners
    #[arg(long, env = "HARNESS_TENANT", value_name = "NAME", global = true)]
    tenant: Option<Name>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve the chat until it is told to end
    Serve {
        /// On the first start, invite a friend of this name and print the link
        #[arg(long, value_name = "USER")]
        first_friend: Option<String>,
    },
    /// Serve the chats of a cluster to their friends: the sockets, and the streams that are held
    Edge {
        /// What it is called in the cluster, once [default: the machine's name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Run the plugins of a cluster's tenants
    Node {
        /// What it is called in the cluster, once [default: the machine's name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Answer for the agent of a cluster's tenants, whose nodes run with --agent workers
    Worker {
        /// What it is called in the cluster, once [default: the machine's name]
        #[arg(long)]
        name: Option<String>,
        /// Messages that are answered at the same time
        #[arg(long, default_value_t = cluster::AT_ONCE)]
        turns: usize,
    },
    /// Look at a cluster, or have a node hand over what it has
    Cluster {
        #[command(subcommand)]
        what: ClusterAction,
    },
    /// Invite a new friend
    Invite {
        /// 2 to 32 of a-z, 0-9 and _
        user: String,
        /// What the friend is called [default: the name]
        #[arg(long)]
        nickname: Option<String>,
    },
    /// Make a new code for a friend; earlier sessions and codes end
    Reinvite {
        /// The friend's name
        user: String,
    },
    /// End a friend's access at once
    Revoke {
        /// The friend's name
        user: String,
    },
    /// List the friends
    List,
    /// Send a friend a message from the agent
    Nudge {
        /// The friend's name
        user: String,
        /// Markdown
        text: String,
        /// Who says that it sends it
        #[arg(long, default_value = "owner")]
        source: String,
        /// How much it matters
        #[arg(long, value_enum, default_value_t)]
        priority: Urgency,
    },
    /// Say what the plugin is and what it would be given; it is not started
    Inspect {
        /// Another plugin than the one in use: a file, or a reference as oci://REGISTRY/NAME@sha256:DIGEST
        plugin: Option<PathBuf>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Hold a plugin to the contract: play against it what the WIT says, and tell what it does not keep
    Conform {
        /// Another plugin than the one in use: a file, or a reference as oci://REGISTRY/NAME@sha256:DIGEST
        plugin: Option<PathBuf>,
        /// What an owner and a friend do, to be played at it, as hosts/scenario.json
        #[arg(long, value_name = "FILE")]
        scenario: Option<PathBuf>,
    },
    /// Give the running plugin another program; nobody is disconnected. SIGHUP does it too, with the same file
    Reload {
        /// A file, or a reference as oci://REGISTRY/NAME@sha256:DIGEST [default: the file that the running one came from]
        plugin: Option<PathBuf>,
    },
    /// Write all that cannot be made again into one file, while the chat goes on
    Backup {
        /// A file that does not exist yet
        file: PathBuf,
    },
    /// Bring back what a backup holds; what was there before is set aside. The harness must not run
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Talk to your agent in this terminal, and have it manage your friends
    Chat,
    /// Tell how the running harness is doing
    Status {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Let the plugin have what it wants beyond the one before
    Accept,
    /// Manage those who have a chat of their own here
    Tenant {
        #[command(subcommand)]
        what: tenant_command::Action,
    },
    /// Serve the owner's tools to another agent, by MCP on standard input and output
    Mcp,
    /// Call one of the plugin's tools
    Tool {
        /// The tool's name
        name: String,
        /// Its arguments, a JSON object
        #[arg(default_value = "{}")]
        arguments: String,
    },
}

#[derive(Debug, Subcommand)]
enum ClusterAction {
    /// Tell who is there, and who has what
    Status,
    /// Have a node hand over all that it has, while friends chat, and take nothing more
    Drain {
        /// The node's name
        node: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Writes on standard output. Whoever has closed it does not want to know, as `head` when it has enough; what was done is done.
fn say(text: impl Display) {
    let _closed = write!(io::stdout(), "{text}");
}

/// An error with its causes, as far as it does not name them itself.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !sentence.contains(&cause) {
            let joint = if sentence.is_empty() { "" } else { ": " };
            sentence.push_str(joint);
            sentence.push_str(&cause);
        }
    }
    sentence
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (action, mut overrides) = (arguments.action, arguments.overrides);
    let flags = overrides.clone();
    overrides.docker_config = docker_config();
    overrides.agent_key = std::env::var(AGENT_KEY).ok().and_then(|key| Key::new(&key));
    let log_level = if matches!(
        action,
        Action::Serve { .. } | Action::Edge { .. } | Action::Node { .. } | Action::Worker { .. }
    ) {
        LevelFilter::INFO
    } else {
        LevelFilter::ERROR
    };
    let mut settings = Settings::resolve(overrides)?;
    let levels = std::env::var("RUST_LOG").ok().filter(|levels| !levels.is_empty());
    log::to_stderr(settings.log_format, levels.as_deref(), log_level)
        .context("RUST_LOG is no list of targets and levels")?;
    if let Some(name) = arguments.tenant {
        if matches!(
            action,
            Action::Serve { .. }
                | Action::Edge { .. }
                | Action::Node { .. }
                | Action::Worker { .. }
                | Action::Cluster { .. }
                | Action::Tenant { .. }
        ) {
            anyhow::bail!("this command is about all tenants: leave --tenant {name} out");
        }
        match settings.nats {
            // Its files are on the node that has it.
            Some(_) => settings.tenant = Some(name),
            None => settings = settings.of_tenant(&name)?,
        }
    }
    let tool = |suffix: &str, arguments: serde_json::Value| Command::ToolEnding {
        suffix: suffix.to_owned(),
        arguments: arguments.to_string(),
    };
    let command = match action {
        Action::Serve { first_friend } => {
            serve_here(&settings, Welcome { first_friend })?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Edge { name } => {
            let name = name.unwrap_or_else(machine);
            in_a_role(async |say, end| cluster::edge(&settings, &name, say, end).await)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Node { name } => {
            let name = name.unwrap_or_else(machine);
            in_a_role(async |say, end| cluster::node(&settings, &name, say, end).await)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Worker { name, turns } => {
            let name = name.unwrap_or_else(machine);
            in_a_role(async |say, end| cluster::worker(&settings, &name, turns, say, end).await)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Cluster { what } => {
            let told = match what {
                ClusterAction::Status => alone(cluster::status(&settings))??,
                ClusterAction::Drain { node } => alone(cluster::drain(&settings, &node))??,
            };
            say(format_args!("{told}\n"));
            return Ok(ExitCode::SUCCESS);
        }
        Action::Inspect { plugin, json } => {
            settings.plugin = plugin.map(Source::named).transpose()?.or(settings.plugin);
            let inspection = look(&settings)?;
            match json {
                true => say(format_args!("{}\n", serde_json::to_string_pretty(&inspection)?)),
                false => say(inspection),
            }
            return Ok(ExitCode::SUCCESS);
        }
        Action::Conform { plugin, scenario } => {
            settings.plugin = plugin.map(Source::named).transpose()?.or(settings.plugin);
            let report = alone(conform(&settings, scenario.as_deref()))??;
            say(&report);
            return Ok(match report.has_failed() {
                true => ExitCode::FAILURE,
                false => ExitCode::SUCCESS,
            });
        }
        Action::Accept => {
            let inspection = look(&settings)?;
            if let Some(withheld) = inspection.withheld() {
                return Err(withheld.into());
            }
            let wishes = inspection.pin.accept(&settings.data.pin())?;
            say(format_args!(
                "Accepted the plugin with sha256 {}.\n",
                inspection.pin.sha256
            ));
            for wish in wishes {
                say(format_args!("It may have now: {wish}\n"));
            }
            return Ok(ExitCode::SUCCESS);
        }
        Action::Tenant { what } => {
            say(format_args!("{}\n", what.carry_out(&settings, &flags)?));
            return Ok(ExitCode::SUCCESS);
        }
        Action::Chat => {
            return Ok(match owner::chat(&settings)? {
                ChatEnd::Well => ExitCode::SUCCESS,
                ChatEnd::SomethingFailed => ExitCode::FAILURE,
            });
        }
        Action::Status { json } => {
            say(format_args!("{}\n", status_text(owner::status(&settings)?, json)?));
            return Ok(ExitCode::SUCCESS);
        }
        Action::Backup { file } => {
            let done = backup::back_up(&settings, &file).map_err(anyhow::Error::msg)?;
            say(format_args!("{done}\n"));
            return Ok(ExitCode::SUCCESS);
        }
        Action::Restore { file } => {
            let done = backup::restore(&settings, &file).map_err(anyhow::Error::msg)?;
            say(format_args!("{done}\n"));
            return Ok(ExitCode::SUCCESS);
        }
        Action::Mcp => {
            host_harness::mcp::stdio(settings)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Invite { user, nickname: None } => tool("_invite", serde_json::json!({ "username": user })),
        Action::Invite {
            user,
            nickname: Some(nickname),
        } => tool("_invite", serde_json::json!({ "username": user, "nickname": nickname })),
        Action::Reinvite { user } => tool("_reinvite", serde_json::json!({ "username": user })),
        Action::Revoke { user } => tool("_revoke", serde_json::json!({ "username": user })),
        Action::List => tool("_list", serde_json::json!({})),
        Action::Nudge {
            user,
            text,
            source,
            priority,
        } => Command::Nudge {
            user,
            text,
            source,
            priority,
        },
        Action::Reload { plugin } => Command::reload(plugin.map(Source::named).transpose()?.as_ref(), &settings)?,
        Action::Tool { name, arguments } => Command::Tool { name, arguments },
    };
    match owner::ask(&settings, command)? {
        Ok(text) => {
            say(format_args!("{text}\n"));
            Ok(ExitCode::SUCCESS)
        }
        Err(sentence) => {
            eprintln!("error: {sentence}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn status_text(status: Option<Status>, json: bool) -> anyhow::Result<String> {
    if !json {
        return Ok(status.map_or_else(|| "The harness does not run.".to_owned(), |status| status.to_string()));
    }
    let mut fields = serde_json::json!({ "running": status.is_some() });
    if let (Some(status), Some(fields)) = (status, fields.as_object_mut())
        && let serde_json::Value::Object(more) = serde_json::to_value(status)?
    {
        fields.extend(more);
    }
    Ok(fields.to_string())
}

/// Where `docker login` keeps what opens registries, by docker's own rules.
fn docker_config() -> Option<PathBuf> {
    let directory = std::env::var_os("DOCKER_CONFIG").filter(|directory| !directory.is_empty());
    let directory = directory
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".docker")));
    Some(directory?.join("config.json"))
}

fn look(settings: &Settings) -> anyhow::Result<Inspection> {
    Ok(alone(inspect(settings))??)
}

fn alone<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting")?;
    Ok(runtime.block_on(work))
}

fn serve_here(settings: &Settings, welcome: Welcome) -> anyhow::Result<()> {
    // Before signals are waited for: whoever does not want to wait for a download can end it.
    settings.plugin_file()?;
    let has_tenants = settings.tenants.exists();
    let mut runtime = match has_tenants {
        // One tenant's instance keeps the others' waiting for no longer than a thread is left.
        true => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(threads());
            runtime
        }
        // The instance and the sockets take turns on this one thread.
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().context("starting")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let reloading = tokio::spawn(reload_on_hangup(settings.clone()));
        let end = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let told = |line: &str| say(format_args!("{line}\n"));
        let served = match has_tenants {
            true => tenants::serve(settings, told, end).await,
            false => serve(settings, welcome, told, end).await,
        };
        reloading.abort();
        Ok(served?)
    })
}

/// What this machine is called.
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Takes a role in a cluster until it is told to end.
fn in_a_role(
    role: impl AsyncFnOnce(&dyn Fn(&str), Pin<Box<dyn Future<Output = ()>>>) -> Result<(), ClusterError>,
) -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(threads())
        .enable_all()
        .build()
        .context("starting")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let end = Box::pin(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        Ok(role(&|line| say(format_args!("{line}\n")), end).await?)
    })
}

/// Threads for many tenants: beside one that computes without end there is still one for each core.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get() + 1)
}

/// Gives the running plugin the program anew on each SIGHUP, as the owner's command does.
async fn reload_on_hangup(settings: Settings) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    while hangup.recv().await.is_some() {
        let settings = settings.clone();
        let reload = move || owner::ask(&settings, Command::Reload { file: None, name: None });
        match tokio::task::spawn_blocking(reload).await? {
            Ok(Ok(_)) => {}
            Ok(Err(sentence)) => tracing::error!("{sentence}"),
            Err(error) => tracing::error!("{error}"),
        }
    }
    Ok(())
}
