//! Takes the owner's requests, one a connection: a line of JSON there and one back, or, for a message to the agent, as many as
//! there is to say. Closing the connection cancels the agent.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::desk::Request;
use super::{Answer, Desk, Desks, Happening, Status};
use crate::request_id::RequestId;

/// Bytes of a command: a message of 64 KiB with every character escaped.
const COMMAND_BYTES: u64 = 512 << 10;

/// Time for a command to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The socket for the owner's commands. It is removed when this is dropped.
#[derive(Debug)]
pub struct OwnerServer {
    listener: UnixListener,
    path: PathBuf,
}

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("making the owner's socket {}: {source}: choose a data directory with a shorter path, on a file system that has sockets", path.display())]
pub struct OwnerServerError {
    path: PathBuf,
    source: io::Error,
}

impl OwnerServer {
    /// Makes the socket. The caller holds the lock of the data directory, so one that lies there is left over.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn bind(path: &Path) -> Result<Self, OwnerServerError> {
        let bind = || {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(path)?;
            // The directory is its user's only; this holds where the directory was made by somebody else.
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let listener = bind().map_err(|source| OwnerServerError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Takes requests, for ever.
    pub async fn run(&self, desks: Desks) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(desks.clone(), stream))),
                Err(error) => {
                    tracing::warn!(%error, "accepting an owner's command");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Drop for OwnerServer {
    fn drop(&mut self) {
        // What is left lying is replaced by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(desks: Desks, mut stream: UnixStream) {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(COMMAND_BYTES));
    let request = match tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await {
        Ok(Ok(_)) => serde_json::from_str::<Request>(&line)
            .map_err(|error| format!("this is no command of this version: {error}")),
        Ok(Err(error)) => Err(format!("the command cannot be read: {error}")),
        Err(_) => Err("the command did not arrive".to_owned()),
    };
    // An owner who has gone does not want the answer.
    let _ = match request {
        Ok(request) => match desks.answer(&request).await {
            Some(answer) => write(&mut writer, &answer).await,
            None => {
                let is_chat = request.is_chat();
                match desks.seat(request).await {
                    Ok((seat, request)) => seat.tell(at(seat.desk(), request, reader, writer)).await,
                    Err(why) if is_chat => write(&mut writer, &Happening::Failed(why)).await,
                    Err(why) => write(&mut writer, &Answer::Err(why)).await,
                }
            }
        },
        Err(refusal) => write(&mut writer, &Answer::Err(refusal)).await,
    };
}

/// The answer to a request for one desk, both in JSON; a conversation is none that is answered so.
pub(crate) async fn answer(desk: &Desk, request: &str) -> String {
    let refusal = |why: String| serde_json::to_string(&Answer::Err(why));
    let answer = match serde_json::from_str::<Request>(request) {
        Ok(Request::Status) => serde_json::to_string(&Status::of(desk)),
        Ok(Request::Command(command)) => serde_json::to_string(&command.run(&desk.plugin).await),
        Ok(_) => refusal("this cannot be asked from another machine: ask on the one that has the tenant".to_owned()),
        Err(error) => refusal(format!("this is no command of this version: {error}")),
    };
    // Text and numbers, which does not fail.
    answer.unwrap_or_default()
}

/// Answers a request at the desk that it is for.
async fn at(
    desk: &Desk,
    request: Request,
    reader: impl AsyncBufRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    match request {
        Request::Chat(message) => {
            chat(desk, message, reader, writer).await;
            Ok(())
        }
        Request::Status => write(&mut writer, &Status::of(desk)).await,
        Request::Command(command) => write(&mut writer, &command.run(&desk.plugin).await).await,
        Request::Of(..) | Request::Look(_) => {
            write(&mut writer, &Answer::Err("nobody is below a tenant".to_owned())).await
        }
    }
}

/// Writes what happens as it happens; what comes back are consents. The turn ends when the connection does.
async fn chat(
    desk: &Desk,
    message: String,
    mut reader: impl AsyncBufRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) {
    let (sender, mut happenings) = mpsc::channel(1);
    let (consent, consents) = mpsc::channel(1);
    let turn = desk.chat.turn(message, sender, consents);
    let relay = async move {
        let there = async {
            while let Some(happening) = happenings.recv().await {
                if write(&mut writer, &happening).await.is_err() {
                    break;
                }
            }
        };
        let back = async {
            let mut line = String::new();
            while matches!(reader.read_line(&mut line).await, Ok(read) if read > 0) {
                // Anything but a clear yes is no.
                if consent.send(line.trim_end() == "true").await.is_err() {
                    std::future::pending::<()>().await;
                }
                line.clear();
            }
        };
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    };
    tokio::join!(RequestId::new().scope(turn), relay);
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(what)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await
}
