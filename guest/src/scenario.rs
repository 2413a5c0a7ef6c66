//! The plugin as a host sees it, in tests: requests in, responses and what was published out, on a real store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod chat;
mod disk;
mod feed;
mod forgetting;
mod growth;
mod life;
mod moving_in;
mod notes;
mod sign_in;
mod together;
mod tools;

use channel_plugin::{AgentEvent, Request, Response, Ticket};
use serde_json::{Value, json};

use crate::plugin::Plugin;
use crate::testing::FakeHost;

/// A plugin on a file of its own, with a host that remembers.
struct Scenario {
    plugin: Plugin,
    host: FakeHost,
}

/// A browser: it keeps a cookie.
#[derive(Clone, Default)]
struct Browser {
    cookie: Option<String>,
}

impl Scenario {
    /// A started plugin. `file` must be this test's own.
    fn started(file: &'static str) -> Self {
        let mut scenario = Self::new(file);
        scenario.plugin.start(&mut scenario.host).unwrap();
        scenario
    }

    fn new(file: &'static str) -> Self {
        let host = FakeHost {
            now_ms: 1_700_000_000_000,
            connections: 1,
            ..FakeHost::default()
        };
        Self {
            plugin: Plugin::on_file(file),
            host,
        }
    }

    /// The same files and host with a new instance, as after a crash.
    fn crash(self, file: &'static str) -> Self {
        let Self { plugin, mut host } = self;
        drop(plugin);
        host.queue.clear();
        host.told.clear();
        let mut scenario = Self {
            plugin: Plugin::on_file(file),
            host,
        };
        scenario.plugin.start(&mut scenario.host).unwrap();
        scenario
    }

    fn tool(&mut self, name: &str, arguments: Value) -> Result<String, channel_plugin::ToolError> {
        self.plugin.call_tool(&mut self.host, name, &arguments.to_string())
    }

    /// Invites a friend and gives the code.
    fn invite(&mut self, username: &str) -> String {
        code_in(
            &self
                .tool("friends_chat_invite", json!({ "username": username }))
                .unwrap(),
        )
    }

    /// A browser that is signed in as a new friend.
    fn friend(&mut self, username: &str) -> Browser {
        let code = self.invite(username);
        let mut browser = Browser::default();
        let response = self.post(&mut browser, "/api/auth/redeem", json!({ "code": code }));
        assert_eq!(response.status, 200);
        browser
    }

    fn request(
        &mut self,
        browser: &mut Browser,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut headers: Vec<(String, Vec<u8>)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        if let Some(cookie) = &browser.cookie {
            headers.push(("cookie".to_owned(), cookie.clone().into_bytes()));
        }
        let request = Request::new(
            method.to_owned(),
            target,
            headers,
            body.to_vec(),
            "192.0.2.1".to_owned(),
        );
        let response = self.plugin.handle(&mut self.host, &request);
        if let Some(cookie) = header(&response, "set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            browser.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        response
    }

    fn get(&mut self, browser: &mut Browser, target: &str) -> Response {
        self.request(browser, "GET", target, &[], b"")
    }

    fn post(&mut self, browser: &mut Browser, target: &str, body: Value) -> Response {
        self.request(
            browser,
            "POST",
            target,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    }

    /// The friend says something; gives the message's id.
    fn say(&mut self, browser: &mut Browser, message: &str) -> i64 {
        let response = self.post(browser, "/api/chat", json!({ "message": message }));
        assert_eq!(response.status, 200);
        events(&response)[0]["id"].as_i64().unwrap()
    }

    fn agent(&mut self, ticket: Ticket, event: AgentEvent) {
        self.plugin.on_agent_event(&mut self.host, ticket, event).unwrap();
    }

    fn answer(&mut self, ticket: Ticket, text: &str) {
        self.agent(ticket, AgentEvent::Started);
        self.agent(ticket, AgentEvent::Delta(text.to_owned()));
        self.agent(ticket, AgentEvent::Done);
    }

    /// The events published to a topic, as JSON.
    fn published(&self, topic: &str) -> Vec<Value> {
        self.host.published(topic).into_iter().flat_map(data_in).collect()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.as_str())
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn events(response: &Response) -> Vec<Value> {
    data_in(std::str::from_utf8(&response.body).unwrap())
}

fn data_in(frames: &str) -> Vec<Value> {
    frames
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn code_in(answer: &str) -> String {
    answer
        .lines()
        .find_map(|line| line.strip_prefix("Invite code: "))
        .unwrap()
        .to_owned()
}
