//! The connection with NATS, and where everything is there.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions};

/// First token of every subject, and beginning of every name in JetStream. Two clusters at one server have accounts of their own.
pub const PREFIX: &str = "chats";

/// Time for an answer that NATS itself gives. A server that has gone is noticed by then.
const ANSWER: Duration = Duration::from_secs(2);

/// Time between two looks whether the server is still there.
const PING: Duration = Duration::from_secs(2);

/// Longest pause between two tries to connect anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How NATS is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Addresses as `nats://host:4222`, or `tls://…`; several servers of one cluster are separated by commas.
    pub url: String,
    /// File of credentials, as NATS makes them for a user.
    pub credentials: Option<PathBuf>,
    /// File of PEM with the certificates that the server's is checked by, instead of the system's.
    pub ca: Option<PathBuf>,
}

/// NATS is not reached.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The file of credentials cannot be read.
    #[error("reading the credentials {}: {source}: give the file that NATS made for this user with --nats-credentials", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server is not there, or refuses.
    #[error("NATS at {url}: {source}: see that it runs, that --nats names it, and that its credentials are right")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        source: async_nats::ConnectError,
    },
    /// The server has no JetStream, or has no room.
    #[error("JetStream: {doing}: {source}: start nats-server with `--jetstream`, and give it room")]
    JetStream {
        /// What was being done.
        doing: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A connection with NATS. Clones share it. It comes back by itself when the server does.
#[derive(Debug, Clone)]
pub struct Link {
    client: Client,
    jetstream: jetstream::Context,
}

impl Link {
    /// Connects. `name` is what the server's operator sees.
    ///
    /// # Errors
    /// When the server is not there, or refuses.
    pub async fn open(access: &Access, name: &str) -> Result<Self, LinkError> {
        let mut options = ConnectOptions::new()
            .name(name)
            .ping_interval(PING)
            .request_timeout(Some(ANSWER))
            .reconnect_delay_callback(|tries| {
                LONGEST_PAUSE.min(Duration::from_millis(50).saturating_mul(u32::try_from(tries).unwrap_or(u32::MAX)))
            });
        if let Some(path) = &access.credentials {
            let unreadable = |source| LinkError::Credentials {
                path: path.clone(),
                source,
            };
            options = options.credentials_file(path).await.map_err(unreadable)?;
        }
        if let Some(ca) = &access.ca {
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        let servers: Vec<&str> = access.url.split(',').map(str::trim).collect();
        let unreachable = |source| LinkError::Unreachable {
            url: access.url.clone(),
            source,
        };
        let client = options.connect(servers).await.map_err(unreachable)?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(ANSWER);
        Ok(Self { client, jetstream })
    }

    /// Messages that nobody keeps.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What is kept.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// Whether the server is there at the moment.
    pub fn is_up(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}

/// The text as one token of a subject: what a subject cannot hold, and `_`, is written in hexadecimal behind a `_`.
pub fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len() + 1);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => token.push(byte.into()),
            _ => token.push_str(&format!("_{byte:02x}")),
        }
    }
    match token.is_empty() {
        true => "_".to_owned(),
        false => token,
    }
}

/// The text that a token was made of.
pub fn text(token: &str) -> String {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'_').then(|| [rest.next(), rest.next()]);
        match digits {
            None => bytes.push(byte),
            Some([Some(high), Some(low)]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.extend(digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low));
            }
            Some(_) => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{text, token};

    #[test]
    fn different_texts_are_different_tokens() {
        assert_eq!(token("friend:jo"), "friend_3ajo");
        assert_eq!(token("a.b > *"), "a_2eb_20_3e_20_2a");
        assert_ne!(token("_3a"), token(":"));
        assert_eq!(token(""), "_");
        for whole in ["", "friend:jo", "a.b > *", "_3a", "é"] {
            assert_eq!(text(&token(whole)), whole);
        }
    }
}
