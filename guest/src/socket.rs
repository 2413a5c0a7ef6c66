//! The feed over a WebSocket, with messages, stop and seen in the other direction. The same events and the same
//! rules as over HTTP; only the framing differs.

use channel_plugin::{Hold, Host, Opening, Request, sse};
use serde::Deserialize;

use crate::event::{EndReason, Event};
use crate::routes::stream::{HEARTBEAT_MS, LIFE_MS};
use crate::routes::{self, Problem};
use crate::service::Service;
use crate::store::Session;
use crate::topic::{self, Topic, Wire};
use crate::{broadcast, origin};

const PATH: &str = "/api/socket";
const HEARTBEAT: &str = r#"{"type":"heartbeat"}"#;

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Incoming {
    Message {
        message: String,
        id: Option<String>,
    },
    Stop,
    Seen {
        id: i64,
    },
    /// For clients that want to hear something.
    Ping,
}

impl Service {
    /// Decides about a handshake.
    pub(crate) fn open_socket(&mut self, host: &mut dyn Host, connection: u64, request: &Request) -> Opening {
        match self.try_open_socket(host, connection, request) {
            Ok((hold, messages)) => Opening::Accepted(hold, messages),
            Err(problem) => Opening::Refused(problem.into_response()),
        }
    }

    fn try_open_socket(
        &mut self,
        host: &mut dyn Host,
        connection: u64,
        request: &Request,
    ) -> Result<(Hold, Vec<String>), Problem> {
        if request.path != PATH {
            return Err(Problem::NotFound);
        }
        // A page of another site can open a WebSocket with our cookie, and browsers stop nobody.
        if !origin::is_own(request, &self.settings.base_url) {
            return Err(Problem::CrossSite);
        }
        let session = routes::signed_in(self, host, request)?;
        self.admit_feed(host, &session)?;
        let messages = self
            .greeting(&session, sse::resume_point(request), host.now_ms())?
            .lines
            .into_iter()
            .map(|line| line.json)
            .collect();
        self.sockets.insert(connection, session.id);
        let topics = [
            Topic::Friend(session.friend_id),
            Topic::Session(session.id),
            Topic::Socket(connection),
            Topic::All,
        ];
        let hold = topic::hold(Wire::Socket, &topics, Some((HEARTBEAT, HEARTBEAT_MS)), LIFE_MS);
        Ok((hold, messages))
    }

    /// Takes a message of a client and gives what is said back to it alone.
    pub(crate) fn socket_message(&mut self, host: &mut dyn Host, connection: u64, text: &str) -> Vec<String> {
        let session = match self
            .sockets
            .get(&connection)
            .map(|session_id| self.store.session_by_id(*session_id))
        {
            Some(Ok(session)) => session,
            Some(Err(error)) => return vec![refusal(error.into(), None)],
            None => None,
        };
        let Some(session) = session else {
            // Let in by an earlier instance, or signed out meanwhile: coming back settles it.
            broadcast::end(host, Topic::Socket(connection), EndReason::Reload);
            return Vec::new();
        };
        match serde_json::from_str(text) {
            Ok(incoming) => self.take_incoming(host, &session, incoming),
            Err(_) => {
                let sentence = "This is not a message that the chat understands".to_owned();
                vec![refusal(Problem::Shape(sentence), None)]
            }
        }
    }

    fn take_incoming(&mut self, host: &mut dyn Host, session: &Session, incoming: Incoming) -> Vec<String> {
        let done = match incoming {
            Incoming::Message { message, id } => {
                return match routes::chat::take(self, host, session, &message, id.as_deref()) {
                    Ok(said) => {
                        vec![
                            Event::Accepted {
                                id: said.message_id,
                                client_id: id.as_deref(),
                            }
                            .json(),
                        ]
                    }
                    Err(problem) => vec![refusal(problem, id.as_deref())],
                };
            }
            Incoming::Stop => self.stop_answer(host, session.friend_id),
            Incoming::Seen { id } => self.mark_seen(host, session.friend_id, id),
            Incoming::Ping => return vec![HEARTBEAT.to_owned()],
        };
        done.map_or_else(|error| vec![refusal(error.into(), None)], |()| Vec::new())
    }
}

fn refusal(problem: Problem, client_id: Option<&str>) -> String {
    Event::Error {
        message: None,
        client_id,
        error: &problem.explain().sentence,
    }
    .json()
}
