//! One run: carries out the lines of a script, keeps account of what it may lead to, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Poll, Waker};

use host_harness::agent::{Event, Events};
use host_harness::plugin::{
    CallError, ChannelError, HttpAnswer, OutboundMessage, Priority, Response, SocketAnswer, ToolError,
};
use host_harness::push::{End, Held, Next};
use serde_json::Value;

use super::browser::{Browser, header};
use super::check;
use super::script::{BROWSERS, Line, Word};
use super::world::World;

/// Errors that are the agent's and not ours.
const AGENTS_OWN_ERRORS: [&str; 2] = ["the agent could not answer", "the agent was stopped"];

/// What is known of a session.
#[derive(Debug, Clone)]
struct Session {
    username: String,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    /// Its own browser did something that can end it.
    MayHaveEnded,
    /// The owner ended it.
    Ended,
}

/// A connection that is held.
struct Connection {
    browser: usize,
    username: Option<String>,
    wire: Wire,
    held: Held,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Stream,
    Socket(u64),
    /// One response, later.
    Json,
}

/// A run.
pub(super) struct Run<'a> {
    world: &'a World,
    browsers: Vec<Browser>,
    /// Of the next request.
    headers: Vec<(String, String)>,
    /// By cookie.
    sessions: BTreeMap<String, Session>,
    /// The latest last.
    codes: Vec<String>,
    /// Secrets that somebody has written into a body: they may come back from there.
    told: BTreeSet<String>,
    connections: Vec<Connection>,
    last_socket: u64,
    agent_has_failed: bool,
}

impl<'a> Run<'a> {
    /// Begins anew.
    pub(super) async fn begin(world: &'a World) -> Self {
        world.reset().await;
        let session = |(browser, name): (&Browser, &str)| {
            let session = Session {
                username: name.to_owned(),
                fate: Fate::Lives,
            };
            Some((browser.cookie.clone()?, session))
        };
        Self {
            world,
            browsers: world.browsers.clone(),
            headers: Vec::new(),
            sessions: world.browsers.iter().zip(BROWSERS).filter_map(session).collect(),
            codes: vec![world.code.clone()],
            told: BTreeSet::new(),
            connections: Vec::new(),
            last_socket: 0,
            agent_has_failed: false,
        }
    }

    /// Carries out a line.
    pub(super) async fn carry_out(&mut self, line: Line) {
        let plugin = &self.world.plugin;
        match line {
            Line::Header(name, value) => self.headers.push((name, self.filled(&value))),
            Line::Request {
                browser,
                method,
                target,
                body,
            } => self.request(browser, &method, &target, &body).await,
            Line::Open(browser, target) => self.open(browser, &target).await,
            Line::Says(browser, text) => self.says(browser, &text).await,
            Line::Leaves(browser) => {
                if let Some((at, socket)) = self.socket(browser) {
                    self.connections.remove(at);
                    plugin.socket_closed(socket).await.unwrap();
                }
            }
            Line::Tool(name, arguments) => self.tool(&name, &arguments).await,
            Line::Nudge(user_id, content) => {
                let message = OutboundMessage {
                    content,
                    source: "fuzz".to_owned(),
                    priority: Priority::Normal,
                };
                known_refusal(plugin.send_to_user(&user_id, &message).await);
            }
            Line::History(user_id, limit) => known_refusal(plugin.history(&user_id, limit).await),
            Line::Agent(user, word) => {
                self.agent_has_failed |= matches!(word, Word::Fail(_) | Word::Piece(_));
                self.world.agent.say(&format!("friend:{user}"), word);
            }
            Line::Event(ticket, event) => {
                self.agent_has_failed |= matches!(event, Event::Failed(_) | Event::Delta(_));
                plugin.event(ticket, event).await;
            }
            Line::Restart => self.world.restart().await,
        }
        self.world.settle().await;
        self.read_all();
    }

    /// Looks at what is left at the end.
    pub(super) async fn end(self) {
        let plugin = &self.world.plugin;
        let health = Browser::new(0).get(plugin, "/api/health").await;
        assert_eq!(&health.body[..], br#"{"ok":true,"service":"friends-chat"}"#);
        for (cookie, session) in &self.sessions {
            let status = status(self.world, cookie).await;
            match session.fate {
                Fate::Lives => assert_eq!(status["username"], session.username, "a session ended by itself"),
                Fate::Ended => assert_eq!(status["authenticated"], false, "a session outlived its end"),
                Fate::MayHaveEnded => {}
            }
        }
        for line in self.world.log.take().lines() {
            assert!(
                !self.has_secret(line) && !line.contains("?invite="),
                "a secret is logged: {line}"
            );
            let is_known = AGENTS_OWN_ERRORS.iter().any(|known| line.contains(known));
            assert!(is_known || !line.trim_start().starts_with("ERROR"), "{line}");
        }
    }

    async fn request(&mut self, browser: usize, method: &str, target: &str, body: &str) {
        let headers = std::mem::take(&mut self.headers);
        let (target, body) = (self.filled(target), self.filled(body));
        let Some(request) = self.browsers[browser].request(method, &target, &headers, &body) else {
            return;
        };
        self.tells(&body);
        let sent: Vec<String> = self
            .sessions
            .keys()
            .filter(|cookie| sends(&request, cookie))
            .cloned()
            .collect();
        let username = self.username(&sent);
        let path = request.inner.uri().path().to_owned();
        let answer = self.world.plugin.http(request, &Arc::default()).await;
        let (wire, held) = match answer.unwrap() {
            HttpAnswer::Complete(response) => {
                self.answered(browser, &path, &sent, &response, method == "HEAD").await;
                return;
            }
            HttpAnswer::Stream(response, held) => {
                check::response(&response, false);
                self.keeps_secrets(&response);
                (Wire::Stream, held)
            }
            HttpAnswer::Later(_, held) => (Wire::Json, held),
            HttpAnswer::Full => panic!("the host is full"),
        };
        self.connections.push(Connection {
            browser,
            username,
            wire,
            held,
        });
    }

    async fn answered(&mut self, browser: usize, path: &str, sent: &[String], response: &Response, is_head: bool) {
        check::response(response, is_head);
        assert!(
            response.status != 502 || self.agent_has_failed,
            "the agent has not failed"
        );
        if path == "/api/auth/link" && response.status == 200 {
            let json: Value = serde_json::from_slice(&response.body).unwrap();
            let code = json["code"].as_str().unwrap().to_owned();
            self.told.insert(code.clone());
            self.codes.push(code);
        }
        self.keeps_secrets(response);
        if !self.browsers[browser].keep(response) || path == "/api/auth/status" {
            return;
        }
        for cookie in sent {
            if let Some(session) = self
                .sessions
                .get_mut(cookie)
                .filter(|session| session.fate == Fate::Lives)
            {
                session.fate = Fate::MayHaveEnded;
            }
        }
        if let Some(cookie) = self.browsers[browser].cookie.clone() {
            let status = status(self.world, &cookie).await;
            let session = Session {
                username: status["username"].as_str().unwrap().to_owned(),
                fate: Fate::Lives,
            };
            let earlier = self.sessions.insert(cookie, session);
            assert!(earlier.is_none(), "a token was drawn twice");
        }
    }

    async fn open(&mut self, browser: usize, target: &str) {
        let headers = std::mem::take(&mut self.headers);
        let target = self.filled(target);
        let Some(request) = self.browsers[browser].request("GET", &target, &headers, "") else {
            return;
        };
        let sent: Vec<String> = self
            .sessions
            .keys()
            .filter(|cookie| sends(&request, cookie))
            .cloned()
            .collect();
        self.last_socket += 1;
        let socket = self.last_socket;
        let answer = self.world.plugin.socket_open(socket, request, &Arc::default()).await;
        match answer.unwrap() {
            SocketAnswer::Accepted(messages, held) => {
                messages.iter().for_each(|message| check::event(message));
                let username = self.username(&sent);
                let wire = Wire::Socket(socket);
                self.connections.push(Connection {
                    browser,
                    username,
                    wire,
                    held,
                });
            }
            SocketAnswer::Refused(response) => {
                check::response(&response, false);
                self.keeps_secrets(&response);
            }
            SocketAnswer::Full => panic!("the host is full"),
        }
    }

    async fn says(&mut self, browser: usize, text: &str) {
        let text = self.filled(text);
        self.tells(&text);
        // A socket that nobody has opened is one that an earlier instance has let in.
        let socket = self.socket(browser).map_or(u64::MAX, |(_, socket)| socket);
        for message in self.world.plugin.socket_message(socket, &text).await.unwrap() {
            check::event(&message);
            self.assert_no_secret(&message);
        }
    }

    async fn tool(&mut self, name: &str, arguments: &str) {
        let text = match self.world.plugin.call_tool(name, arguments).await {
            Ok(text) => text,
            Err(CallError::Tool(
                ToolError::InvalidArguments(sentence) | ToolError::Refused(sentence) | ToolError::UnknownTool(sentence),
            )) => {
                assert!(!sentence.contains(".rs") && !sentence.contains("SELECT"), "{sentence}");
                return;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        self.codes.extend(code_in(&text));
        if let Some((count, _)) = text.split_once(" friend").filter(|_| name.ends_with("_list")) {
            let lines = text.lines().count() - 1;
            assert_eq!(count.parse().ok(), Some(lines), "a line is forged: {text}");
        }
        if !["friends_chat_revoke", "friends_chat_reinvite"].contains(&name) {
            return;
        }
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let username = arguments["username"].as_str().unwrap();
        let sessions = self.sessions.values_mut();
        for session in sessions.filter(|session| session.username == username) {
            session.fate = Fate::Ended;
        }
        self.read_all();
        let is_theirs = |connection: &Connection| connection.username.as_deref() == Some(username);
        assert!(!self.connections.iter().any(is_theirs), "a stream outlived {name}");
    }

    /// Reads what has come on every connection, and lets go of those that have ended.
    fn read_all(&mut self) {
        let mut connections = std::mem::take(&mut self.connections);
        connections.retain(|connection| self.read(connection));
        self.connections = connections;
    }

    /// Whether a connection is still held when all that has come is read.
    fn read(&self, connection: &Connection) -> bool {
        loop {
            match (connection.held.poll_next(Waker::noop()), connection.wire) {
                (Poll::Pending, _) => return true,
                (Poll::Ready(Next::Frame(frame)), Wire::Stream) => {
                    check::stream(&frame);
                    self.assert_no_secret(std::str::from_utf8(&frame).unwrap());
                }
                (Poll::Ready(Next::Frame(frame)), Wire::Socket(_)) => {
                    let message = std::str::from_utf8(&frame).unwrap();
                    check::event(message);
                    self.assert_no_secret(message);
                }
                (Poll::Ready(Next::End(End::Closed(reason))), _) => {
                    assert!([1000, 1001, 1012, 4401].contains(&reason.code), "{reason:?}");
                    return false;
                }
                (Poll::Ready(Next::End(End::Answered(response))), Wire::Json) => {
                    check::response(&response, false);
                    assert!(response.status != 502 || self.agent_has_failed);
                    self.keeps_secrets(&response);
                    return false;
                }
                (Poll::Ready(next), _) => panic!("{next:?} does not belong on this connection"),
            }
        }
    }

    /// The latest socket of a browser: its place among the connections, and its number.
    fn socket(&self, browser: usize) -> Option<(usize, u64)> {
        let connections = self.connections.iter().enumerate().rev();
        connections
            .filter(|(_, connection)| connection.browser == browser)
            .find_map(|(at, connection)| match connection.wire {
                Wire::Socket(socket) => Some((at, socket)),
                Wire::Stream | Wire::Json => None,
            })
    }

    /// Whose session was sent, where there is no doubt.
    fn username(&self, sent: &[String]) -> Option<String> {
        match sent {
            [cookie] => self.sessions.get(cookie).map(|session| session.username.clone()),
            _ => None,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.sessions.keys().chain(&self.codes).map(String::as_str)
    }

    /// Whether a text has a secret in it.
    pub(super) fn has_secret(&self, text: &str) -> bool {
        self.secrets().any(|secret| text.contains(secret))
    }

    fn tells(&mut self, text: &str) {
        let told: Vec<String> = self
            .secrets()
            .filter(|secret| text.contains(*secret))
            .map(str::to_owned)
            .collect();
        self.told.extend(told);
    }

    fn keeps_secrets(&self, response: &Response) {
        self.assert_no_secret(&String::from_utf8_lossy(&response.body));
        for (name, value) in &response.headers {
            if name != "set-cookie" {
                self.assert_no_secret(&String::from_utf8_lossy(value));
            }
        }
    }

    fn assert_no_secret(&self, text: &str) {
        let mut secrets = self.secrets().filter(|secret| !self.told.contains(*secret));
        assert!(!secrets.any(|secret| text.contains(secret)), "a secret is told: {text}");
    }

    /// The text with secrets in the place of their names.
    fn filled(&self, text: &str) -> String {
        let code = self.codes.last().map_or("", String::as_str);
        let mut text = text.replace("{code}", code);
        for (browser, name) in self.browsers.iter().zip(BROWSERS) {
            let cookie = browser.cookie.as_deref().unwrap_or_default();
            text = text.replace(&format!("{{{name}}}"), cookie);
        }
        text
    }
}

/// The code in what the owner is told.
pub(super) fn code_in(text: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix("Invite code: "))
        .map(str::to_owned)
}

fn sends(request: &host_harness::plugin::Request, cookie: &str) -> bool {
    let lines = request.inner.headers().get_all("cookie").into_iter();
    lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .any(|line| line.contains(cookie))
}

async fn status(world: &World, cookie: &str) -> Value {
    let response = Browser::with_cookie(cookie)
        .get(&world.plugin, "/api/auth/status")
        .await;
    assert_eq!(response.status, 200);
    assert!(header(&response, "content-type") == Some("application/json"));
    serde_json::from_slice(&response.body).unwrap()
}

fn known_refusal<T>(result: Result<T, CallError>) {
    match result {
        Ok(_)
        | Err(CallError::Channel(
            ChannelError::MalformedUserId(_) | ChannelError::UnknownUser(_) | ChannelError::Invalid(_),
        )) => {}
        Err(error) => panic!("{error}"),
    }
}
