//! One run: carries out the lines of a script, and compares what comes of them with what may.

use std::sync::Arc;

use host_harness::agent::{Event, Events};
use host_harness::plugin::{
    CallError, ChannelError, HttpAnswer, OutboundMessage, Priority, Response, SocketAnswer, ToolError,
};
use serde_json::Value;

use super::account::{Account, Fate};
use super::browser::Browser;
use super::check;
use super::held::{Connection, Connections, Wire};
use super::script::{BROWSERS, Line, Word};
use super::world::World;

/// Errors that are the agent's and not ours.
const AGENTS_OWN_ERRORS: [&str; 2] = ["the agent could not answer", "the agent was stopped"];

/// Tools that end all that a friend has.
const ENDING_TOOLS: [&str; 2] = ["friends_chat_revoke", "friends_chat_reinvite"];

/// A run.
pub(super) struct Run<'a> {
    world: &'a World,
    browsers: Vec<Browser>,
    /// Of the next request.
    headers: Vec<(String, String)>,
    account: Account,
    connections: Connections,
    last_socket: u64,
    agent_has_failed: bool,
}

impl<'a> Run<'a> {
    /// Begins anew.
    pub(super) async fn begin(world: &'a World) -> Self {
        world.reset().await;
        let mut account = Account::default();
        account.made(world.code.clone());
        for (browser, name) in world.browsers.iter().zip(BROWSERS) {
            if let Some(cookie) = browser.cookie.clone() {
                account.signed_in(cookie, name);
            }
        }
        Self {
            world,
            browsers: world.browsers.clone(),
            headers: Vec::new(),
            account,
            connections: Connections::default(),
            last_socket: 0,
            agent_has_failed: false,
        }
    }

    /// Whether a line has a secret in it, rather than the name of one.
    pub(super) fn has_secret(&self, line: &str) -> bool {
        self.account.has_secret(line)
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
                if let Some(socket) = self.connections.take_socket(browser) {
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
            // An agent that says too much fails.
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
        self.connections.read(&self.account, self.agent_has_failed);
    }

    /// Looks at what is left at the end.
    pub(super) async fn end(self) {
        let health = Browser::new(0).get(&self.world.plugin, "/api/health").await;
        assert_eq!(&health.body[..], br#"{"ok":true,"service":"friends-chat"}"#);
        for (cookie, session) in self.account.sessions() {
            let status = status(self.world, cookie).await;
            match session.fate {
                Fate::Lives => assert_eq!(status["username"], session.username, "a session ended by itself"),
                Fate::Ended => assert_eq!(status["authenticated"], false, "a session outlived its end"),
                Fate::MayHaveEnded => {}
            }
        }
        for line in self.world.log.take().lines() {
            let tells = self.account.has_secret(line) || line.contains("?invite=");
            assert!(!tells, "a secret is logged: {line}");
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
        self.account.tells(&body);
        let sent = self.account.sent_in(&request);
        let path = request.inner.uri().path().to_owned();
        let answer = self.world.plugin.http(&request, &Arc::default()).await;
        let (wire, held) = match answer.unwrap() {
            HttpAnswer::Complete(response) => {
                self.answered(browser, &path, &sent, &response, method == "HEAD").await;
                return;
            }
            HttpAnswer::Stream(response, held) => {
                check::response(&response, false);
                self.account.assert_no_secret_in(&response);
                (Wire::Stream, held)
            }
            HttpAnswer::Later(_, held) => (Wire::Json, held),
            HttpAnswer::Full => panic!("the host is full"),
        };
        self.connections.0.push(Connection {
            browser,
            username: self.account.username(&sent),
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
            let code = json["code"].as_str().unwrap();
            self.account.made(code.to_owned());
            self.account.tells(code);
        }
        self.account.assert_no_secret_in(response);
        if !self.browsers[browser].keep(response) || path == "/api/auth/status" {
            return;
        }
        self.account.may_have_ended(sent);
        if let Some(cookie) = self.browsers[browser].cookie.clone() {
            let status = status(self.world, &cookie).await;
            self.account.signed_in(cookie, status["username"].as_str().unwrap());
        }
    }

    async fn open(&mut self, browser: usize, target: &str) {
        let headers = std::mem::take(&mut self.headers);
        let target = self.filled(target);
        let Some(request) = self.browsers[browser].request("GET", &target, &headers, "") else {
            return;
        };
        let sent = self.account.sent_in(&request);
        self.last_socket += 1;
        let answer = self
            .world
            .plugin
            .socket_open(self.last_socket, request, &Arc::default())
            .await;
        match answer.unwrap() {
            SocketAnswer::Accepted(messages, held, socket) => {
                messages.iter().for_each(|message| check::event(message));
                self.connections.0.push(Connection {
                    browser,
                    username: self.account.username(&sent),
                    wire: Wire::Socket(*socket),
                    held,
                });
            }
            SocketAnswer::Refused(response) => {
                check::response(&response, false);
                self.account.assert_no_secret_in(&response);
            }
            SocketAnswer::Full => panic!("the host is full"),
        }
    }

    async fn says(&mut self, browser: usize, text: &str) {
        let text = self.filled(text);
        self.account.tells(&text);
        let Some(socket) = self.connections.socket(browser) else {
            return;
        };
        let answers = self.world.plugin.socket_message(socket, &text).await.unwrap();
        for message in answers.into_iter().flatten() {
            check::event(&message);
            self.account.assert_no_secret(&message);
        }
    }

    async fn tool(&mut self, name: &str, arguments: &str) {
        let text = match self.world.plugin.call_tool(name, arguments).await {
            Ok(text) => text,
            Err(CallError::Tool(
                ToolError::InvalidArguments(_) | ToolError::Refused(_) | ToolError::UnknownTool(_),
            )) => return,
            Err(error) => panic!("{name}: {error}"),
        };
        if let Some(code) = code_in(&text) {
            self.account.made(code);
        }
        if let Some((count, _)) = text.split_once(" friend").filter(|_| name.ends_with("_list")) {
            let lines = text.lines().count() - 1;
            assert_eq!(count.parse().ok(), Some(lines), "a line is forged: {text}");
        }
        if ENDING_TOOLS.contains(&name) {
            let arguments: Value = serde_json::from_str(arguments).unwrap();
            let username = arguments["username"].as_str().unwrap();
            self.account.ended(username);
            self.connections.read(&self.account, self.agent_has_failed);
            assert!(!self.connections.has_any_of(username), "a stream outlived {name}");
        }
    }

    /// The text with secrets in the place of their names.
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{code}", self.account.code());
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

async fn status(world: &World, cookie: &str) -> Value {
    let response = Browser::with_cookie(cookie)
        .get(&world.plugin, "/api/auth/status")
        .await;
    check::response(&response, false);
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
