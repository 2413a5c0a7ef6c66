//! The owner's conversation with the agent, in a terminal: through the running harness, or by itself when none runs.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::desk::Request;
use super::slash::{HELP, Line};
use super::terminal::{Input, Terminal, harmless};
use super::{ClientError, Command, Conversation, Happening, OwnerChat};
use crate::data_dir::DataLock;
use crate::serve::{Host, ServeError};
use crate::settings::Settings;

/// How a conversation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatEnd {
    /// As the owner wanted.
    Well,
    /// Nobody sat there, and something was not done.
    SomethingFailed,
}

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The terminal cannot be read or written.
    #[error("the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// A part of the program failed.
    #[error("the conversation ended: {0}")]
    Task(#[from] JoinError),
}

/// A conversation.
struct Chat<'a> {
    settings: &'a Settings,
    terminal: Terminal,
    end: ChatEnd,
}

/// A message that is being answered. The turn ends when nobody receives what happens.
struct Running {
    happenings: mpsc::Receiver<Happening>,
    consent: mpsc::Sender<bool>,
    task: JoinHandle<()>,
}

/// Converses until the input ends.
///
/// # Errors
/// When the terminal fails. What does not work is told there, and the conversation goes on.
pub fn chat(settings: &Settings) -> Result<ChatEnd, ChatError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut chat = Chat {
            settings,
            terminal: Terminal::open()?,
            end: ChatEnd::Well,
        };
        chat.run().await?;
        Ok(chat.end)
    })
}

impl Chat<'_> {
    async fn run(&mut self) -> Result<(), ChatError> {
        if self.terminal.is_interactive() {
            // The running harness's agent answers, whatever the settings of this command say.
            let agent = match super::status(self.settings) {
                Ok(Some(status)) => status.agent,
                _ => self.settings.agent.to_string(),
            };
            self.terminal.show_line(&format!(
                "You are talking to {agent}. /help lists commands, Ctrl-D ends."
            ))?;
        }
        loop {
            let line = match self.terminal.line().await? {
                Input::Line(line) => line,
                Input::Interrupt => {
                    self.terminal.show_line("\nNothing is being answered. Ctrl-D ends.")?;
                    continue;
                }
                Input::End => break,
            };
            match Line::parse(&line) {
                Ok(Line::Nothing) => {}
                Ok(Line::Message(message)) => self.turn(message).await?,
                Ok(Line::Command(command)) => self.command(&line, command).await?,
                Ok(Line::Status) => self.status().await?,
                Ok(Line::Help) => self.terminal.show_line(HELP)?,
                Ok(Line::Quit) => return Ok(()),
                Err(error) => self.failed(&error.to_string()),
            }
        }
        if self.terminal.is_interactive() {
            self.terminal.show_line("")?;
        }
        Ok(())
    }

    async fn turn(&mut self, message: String) -> Result<(), ChatError> {
        let mut running = match start(self.settings, message).await {
            Ok(running) => running,
            Err(error) => {
                self.failed(&error.to_string());
                return Ok(());
            }
        };
        let mut is_in_line = false;
        loop {
            let happening = tokio::select! {
                happening = running.happenings.recv() => happening,
                () = self.terminal.interrupted() => {
                    self.terminal.show_line("\n(stopped)")?;
                    break;
                }
            };
            if is_in_line && !matches!(happening, Some(Happening::Delta(_))) {
                self.terminal.show_line("")?;
                is_in_line = false;
            }
            match happening {
                Some(Happening::Delta(text)) => {
                    is_in_line = !text.ends_with('\n');
                    self.terminal.show(&text)?;
                }
                Some(Happening::Status(text)) => self.terminal.show_line(&format!("· {text}"))?,
                Some(Happening::Tool { name, arguments }) => {
                    self.terminal.show_line(&format!("· {name} {arguments}"))?;
                }
                Some(Happening::Consent { name, arguments }) => {
                    let consents = self.consents(&format!("{name} {arguments}")).await?;
                    // A turn that has ended asks nothing any more.
                    let _ = running.consent.send(consents).await;
                }
                Some(Happening::Failed(why)) => {
                    self.failed(&why);
                    break;
                }
                Some(Happening::Done) | None => break,
            }
        }
        // The next turn, or the next harness, finds the data free.
        running.happenings.close();
        drop(running.consent);
        Ok(running.task.await?)
    }

    async fn command(&mut self, line: &str, command: Command) -> Result<(), ChatError> {
        if command.needs_consent() && !self.consents(line).await? {
            return Ok(());
        }
        let settings = self.settings.clone();
        match spawn_blocking(move || super::ask(&settings, command)).await? {
            Ok(Ok(text)) => self.terminal.show_line(&text)?,
            Ok(Err(sentence)) => self.failed(&sentence),
            Err(error) => self.failed(&error.to_string()),
        }
        Ok(())
    }

    async fn status(&mut self) -> Result<(), ChatError> {
        let settings = self.settings.clone();
        match spawn_blocking(move || super::status(&settings)).await? {
            Ok(Some(status)) => self.terminal.show_line(&status.to_string())?,
            Ok(None) => self.terminal.show_line("The harness does not run.")?,
            Err(error) => self.failed(&error.to_string()),
        }
        Ok(())
    }

    /// Whether the owner lets it happen.
    async fn consents(&mut self, what: &str) -> Result<bool, ChatError> {
        let question = format!("It may end access that somebody has: {what}\nCarry it out?");
        let consents = match self.terminal.consents(&question).await? {
            Input::Line(line) => matches!(line.trim().to_lowercase().as_str(), "y" | "yes"),
            Input::Interrupt | Input::End => false,
        };
        if !self.terminal.is_interactive() {
            self.failed(&format!(
                "not carried out, because nobody is there to be asked: {what}: use the command of that name, or `tool`"
            ));
        } else if !consents {
            self.terminal.show_line("Not carried out.")?;
        }
        Ok(consents)
    }

    fn failed(&mut self, why: &str) {
        eprintln!("error: {}", harmless(why));
        if !self.terminal.is_interactive() {
            self.end = ChatEnd::SomethingFailed;
        }
    }
}

/// Has a message answered by the agent of the running harness, or by one that is loaded for it.
async fn start(settings: &Settings, message: String) -> Result<Running, ClientError> {
    let (sender, happenings) = mpsc::channel(1);
    let (consent, consents) = mpsc::channel(1);
    let task = match UnixStream::connect(settings.whole.owner_socket()).await {
        Ok(stream) => {
            let request = Request::Chat(message).with(settings);
            tokio::spawn(ask_running(stream, request, sender, consents))
        }
        Err(_) => {
            let lock = settings.data.lock().map_err(ServeError::from)?;
            tokio::spawn(by_itself(settings.clone(), lock, message, sender, consents))
        }
    };
    Ok(Running {
        happenings,
        consent,
        task,
    })
}

async fn ask_running(
    stream: UnixStream,
    request: Request,
    happenings: mpsc::Sender<Happening>,
    consents: mpsc::Receiver<bool>,
) {
    let failed = tokio::select! {
        relayed = relay(stream, &request, &happenings, consents) => match relayed {
            Ok(()) => return,
            Err(error) => format!("asking the running harness: {error}"),
        },
        // The stream is closed with this: the harness cancels the answer.
        () = happenings.closed() => return,
    };
    let _ = happenings.send(Happening::Failed(failed)).await;
}

async fn relay(
    mut stream: UnixStream,
    request: &Request,
    happenings: &mpsc::Sender<Happening>,
    mut consents: mpsc::Receiver<bool>,
) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let happening: Happening = serde_json::from_str(&line)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is of another version: restart it"))?;
        let is_question = matches!(happening, Happening::Consent { .. });
        let is_last = matches!(happening, Happening::Done | Happening::Failed(_));
        if happenings.send(happening).await.is_err() || is_last {
            return Ok(());
        }
        if is_question {
            let consents = consents.recv().await == Some(true);
            writer.write_all(format!("{consents}\n").as_bytes()).await?;
        }
    }
    Err(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "it ended in the middle of the answer",
    ))
}

async fn by_itself(
    settings: Settings,
    _lock: DataLock,
    message: String,
    happenings: mpsc::Sender<Happening>,
    consents: mpsc::Receiver<bool>,
) {
    let host = match Host::load(&settings, settings.port) {
        Ok(host) => host,
        Err(error) => return drop(happenings.send(Happening::Failed(error.to_string())).await),
    };
    let conversation = Conversation::at(settings.data.owner_chat());
    let chat = OwnerChat::new(host.plugin(), conversation);
    chat.turn(message, happenings, consents).await;
    if let Err(error) = host.plugin().stop().await {
        tracing::error!(%error, "stopping the plugin");
    }
}
