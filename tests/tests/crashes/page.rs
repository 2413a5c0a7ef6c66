//! A friend's page: it follows the feed from harness to harness, and neither drops nor repeats anything.

use std::io;

use fastrand::Rng;
use friends_chat_tests::{Answer, Events, Friend};
use serde_json::{Value, json};

use crate::stage::Stage;

/// What a page has at the end.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Every event that stands in the log, as it came.
    pub(crate) entries: Vec<Value>,
    /// What may be marked as seen: the latest mark that was confirmed, and those asked for since.
    pub(crate) marks: Vec<i64>,
    epoch: Option<Value>,
}

/// Follows a friend's feed up to a nudge with this text.
pub(crate) fn follow(stage: &Stage, friend: &Friend, rng: &mut Rng, goodbye: &str) -> Page {
    let _part = stage.part();
    let mut page = Page {
        marks: vec![0],
        ..Page::default()
    };
    let mut life = stage.first();
    loop {
        let friend = friend.at_address(life.address);
        match page.connect(&friend, rng) {
            Ok(Err(refusal)) => stage.come_again(&refusal),
            Ok(Ok(mut feed)) => {
                // Broken off or ended, by a kill or because the harness did not want to wait: the page comes back.
                if page
                    .read(stage, &friend, &mut feed, rng, goodbye)
                    .is_ok_and(|is_over| is_over)
                {
                    return page;
                }
            }
            Err(failure) => life = stage.after(life, &failure),
        }
    }
}

impl Page {
    fn last(&self) -> i64 {
        self.entries.last().map_or(0, |entry| entry["id"].as_i64().unwrap())
    }

    /// The feed from where the page is, or the refusal of one who is to come again.
    fn connect(&self, friend: &Friend, rng: &mut Rng) -> io::Result<Result<Events, String>> {
        let last = self.last().to_string();
        let incoming = if rng.bool() {
            friend.try_request("GET", "/api/stream", &[("last-event-id", &last)], b"")?
        } else {
            friend.try_request("GET", &format!("/api/stream?after={last}"), &[], b"")?
        };
        if matches!(incoming.status, 429 | 503) {
            return Ok(Err(Answer::try_read(incoming)?.text().to_owned()));
        }
        Ok(Ok(Events::read(incoming)))
    }

    /// Reads on; gives whether that was all.
    fn read(
        &mut self,
        stage: &Stage,
        friend: &Friend,
        feed: &mut Events,
        rng: &mut Rng,
        goodbye: &str,
    ) -> io::Result<bool> {
        while let Some(event) = feed.try_next()? {
            let json: Value = serde_json::from_str(&event.data).unwrap();
            match json["type"].as_str().unwrap() {
                "hello" => self.check_hello(&json),
                "message" | "reply" | "nudge" => {
                    assert_eq!(event.id, json["id"].to_string());
                    assert!(
                        json["id"].as_i64().unwrap() > self.last(),
                        "{json} comes after {}",
                        self.last()
                    );
                    let is_over = json["type"] == "nudge" && json["content"] == goodbye;
                    self.entries.push(json);
                    if is_over {
                        return Ok(true);
                    }
                    stage.see();
                    if rng.u8(..) < 64 {
                        self.mark_seen(friend)?;
                    }
                }
                "resync" => panic!("nothing was missed for long"),
                _ => {}
            }
        }
        Ok(false)
    }

    fn check_hello(&mut self, hello: &Value) {
        assert!(
            hello["latest"].as_i64().unwrap() >= self.last(),
            "{hello}, but the page has seen {}",
            self.last()
        );
        let epoch = self.epoch.get_or_insert_with(|| hello["epoch"].clone());
        assert_eq!(hello["epoch"], *epoch);
    }

    fn mark_seen(&mut self, friend: &Friend) -> io::Result<()> {
        let mark = self.last();
        self.marks.push(mark);
        let body = json!({ "id": mark }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = Answer::try_read(friend.try_request("POST", "/api/seen", &headers, body.as_bytes())?)?;
        if answer.status == 503 {
            return Err(io::Error::other(answer.text().to_owned()));
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.marks = vec![mark];
        Ok(())
    }
}
