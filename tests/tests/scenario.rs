//! What other hosts are tried with, `hosts/scenario.json`, holds in this one too. Observed by playing it, as `hosts/play.mjs` does,
//! at the real harness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;

use friends_chat_tests::{Answer, COOKIE, Connection, Events, Harness};
use serde_json::Value;

const SCENARIO: &str = include_str!("../../hosts/scenario.json");

/// What has been found, and what is open.
struct Scene {
    harness: Harness,
    known: HashMap<String, String>,
    streams: HashMap<String, Events>,
}

/// A text of a step.
fn text<'a>(step: &'a Value, key: &str) -> Option<&'a str> {
    step.get(key).and_then(Value::as_str)
}

impl Scene {
    /// The value with what earlier steps have found.
    fn filled(&self, value: &Value) -> String {
        let filled = |text: String, (name, found): (&String, &String)| text.replace(&format!("{{{name}}}"), found);
        self.known.iter().fold(value.to_string(), filled)
    }

    /// Holds what was said against what a step expects: another text, or one with a part that gets a name.
    fn says(&mut self, said: &str, step: &Value) {
        let Some(expected) = text(step, "says") else {
            return;
        };
        if let Some(known) = expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            assert_eq!(said, self.known[known]);
            return;
        }
        let Some((before, rest)) = expected.split_once("(?<") else {
            assert!(said.contains(expected), "{said}");
            return;
        };
        let (name, pattern) = rest.split_once('>').unwrap();
        let (_, found) = said
            .split_once(before)
            .unwrap_or_else(|| panic!("{before} is not in {said}"));
        let found = match pattern {
            r"\S+)" => found.split_whitespace().next().unwrap(),
            ".*)" => found,
            other => panic!("this test knows nothing of {other}"),
        };
        self.known.insert(name.to_owned(), found.to_owned());
    }

    fn request(&mut self, method: &str, target: &str, step: &Value) {
        let mut headers = Vec::new();
        let body = step.get("body").map_or_else(String::new, |body| self.filled(body));
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let cookie = self
            .known
            .get("cookie")
            .filter(|_| text(step, "without") != Some("cookie"))
            .cloned();
        if let Some(cookie) = &cookie {
            headers.push(("cookie", cookie));
        }
        let mut connection = Connection::open(self.harness.address()).unwrap();
        connection.request(method, target, &headers, body.as_bytes());
        let incoming = connection.response();
        if let Some(name) = text(step, "opens") {
            self.streams.insert(name.to_owned(), Events::read(incoming));
            return;
        }
        let answer = Answer::read(incoming);
        let status = step.get("status").and_then(Value::as_u64).unwrap_or(200);
        assert_eq!(u64::from(answer.status), status, "{step}: {}", answer.text());
        if text(step, "keeps") == Some("cookie") {
            let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
            assert!(cookie.starts_with(COOKIE));
            self.known.insert("cookie".to_owned(), cookie.to_owned());
        }
        self.says(answer.text(), step);
    }

    fn stream(&mut self, name: &str, step: &Value) {
        let events = self.streams.get_mut(name).unwrap();
        let mut pieces = Vec::new();
        loop {
            let Some(event) = events.next_value() else {
                assert_eq!(step["until"], "end", "the stream has ended");
                return;
            };
            if event["type"] == "text" {
                pieces.push(event["content"].as_str().unwrap().to_owned());
            }
            let until = step["until"].as_object();
            if until.is_some_and(|until| until.iter().all(|(key, value)| event[key] == *value)) {
                break;
            }
        }
        if let Some(expected) = text(step, "text") {
            assert!(pieces.len() > 1 && pieces.concat().contains(expected), "{pieces:?}");
        }
    }

    fn play(mut self, step: &Value) -> Self {
        if let Some(tool) = text(step, "tool") {
            let said = self
                .harness
                .owner(&["tool", tool, &self.filled(&step["arguments"])])
                .success();
            self.says(&said, step);
        } else if let Some(user) = text(step, "nudge") {
            self.harness.nudge(user, text(step, "text").unwrap());
        } else if text(step, "restart").is_some() {
            self.harness = self.harness.kill().serve(&[]);
        } else if let Some(target) = text(step, "get") {
            self.request("GET", target, step);
        } else if let Some(target) = text(step, "post") {
            self.request("POST", target, step);
        } else if let Some(name) = text(step, "stream") {
            self.stream(name, step);
        } else {
            panic!("this test knows nothing of {step}");
        }
        self
    }
}

#[test]
fn the_scenario_of_all_hosts_holds() {
    let scenario: Vec<Value> = serde_json::from_str(SCENARIO).unwrap();
    let mut scene = Scene {
        harness: Harness::start(),
        known: HashMap::new(),
        streams: HashMap::new(),
    };
    for part in &scenario {
        for step in part["steps"].as_array().unwrap() {
            scene = scene.play(step);
        }
    }
}
