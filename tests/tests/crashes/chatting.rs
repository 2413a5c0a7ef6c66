//! A friend who says one thing after another, each until it is taken, and listens to some of the answers.

use std::collections::VecDeque;
use std::io;

use fastrand::Rng;
use friends_chat_tests::log::{self, Log};
use friends_chat_tests::{Answer, Events, Friend};
use serde_json::{Value, json};

use crate::stage::{Life, Stage};

/// What a friend was told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The number of messages that were taken.
    pub(crate) taken: u64,
    /// Those that the agent could not answer.
    pub(crate) failed: Vec<u64>,
}

/// Chats until nothing new is to begin, and then hears out what is not answered yet.
pub(crate) fn chat(stage: &Stage, friend: &Friend, rng: &mut Rng) -> Told {
    let _part = stage.part();
    let mut chat = Chat {
        stage,
        life: stage.first(),
        friend: friend.at_address(stage.first().address),
        taken: 0,
        unheard: VecDeque::new(),
        failed: Vec::new(),
    };
    while !stage.is_last() {
        if stage.is_resting() {
            chat.hear_all();
            stage.rest();
        }
        chat.say_next(rng.bool());
    }
    chat.hear_all();
    chat.failed.sort_unstable();
    Told {
        taken: chat.taken,
        failed: chat.failed,
    }
}

struct Chat<'a> {
    stage: &'a Stage,
    life: Life,
    friend: Friend,
    taken: u64,
    /// Messages that were taken and whose answer was not heard.
    unheard: VecDeque<u64>,
    failed: Vec<u64>,
}

impl Chat<'_> {
    /// Says the next message, again and again until it is taken.
    fn say_next(&mut self, listen: bool) {
        let number = self.taken;
        loop {
            match self.say(number) {
                Ok(Some(answer)) => {
                    self.taken += 1;
                    self.unheard.push_back(number);
                    self.stage.see();
                    if listen && let Err(error) = self.hear(number, answer) {
                        self.move_on(&error);
                    }
                    return;
                }
                Ok(None) => self.hear_oldest(),
                Err(error) => self.move_on(&error),
            }
        }
    }

    fn hear_all(&mut self) {
        while !self.unheard.is_empty() {
            self.hear_oldest();
        }
    }

    /// Asks for the oldest answer that was not heard, by saying the same message under the same name again.
    fn hear_oldest(&mut self) {
        let Some(number) = self.unheard.front().copied() else {
            return self.stage.come_again("all is heard, and still it is too much");
        };
        match self.say(number) {
            Ok(Some(answer)) => {
                if let Err(error) = self.hear(number, answer) {
                    self.move_on(&error);
                }
            }
            // However often it is said again, which counts.
            Ok(None) => self.stage.come_again("a message that was taken before"),
            Err(error) => self.move_on(&error),
        }
    }

    /// Says something; gives its answer, if it is taken and not too many wait already.
    fn say(&self, number: u64) -> io::Result<Option<Events>> {
        let text = log::message(number);
        let body = json!({ "message": text, "id": text, "stream": true }).to_string();
        let headers = [("content-type", "application/json")];
        let incoming = loop {
            let incoming = self
                .friend
                .try_request("POST", "/api/chat", &headers, body.as_bytes())?;
            match incoming.status {
                503 => self.stage.come_again(Answer::try_read(incoming)?.text()),
                429 => {
                    Answer::try_read(incoming)?;
                    return Ok(None);
                }
                _ => break incoming,
            }
        };
        let mut answer = Events::read(incoming);
        match next(&mut answer)? {
            Some(event) if event["type"] == "accepted" => Ok(Some(answer)),
            other => panic!("{text} got {other:?}"),
        }
    }

    fn hear(&mut self, number: u64, mut answer: Events) -> io::Result<()> {
        let mut said = String::new();
        loop {
            match next(&mut answer)? {
                Some(event) if event["type"] == "text" => said.push_str(event["content"].as_str().unwrap()),
                Some(event) if event["type"] == "done" => break,
                Some(event) if event["type"] == "restarted" && self.stage.heals() => said.clear(),
                Some(event) if event["type"] == "error" && self.stage.heals() => {
                    self.failed.push(number);
                    self.unheard.retain(|unheard| *unheard != number);
                    return Ok(());
                }
                other => panic!("{number} got {other:?} after {said:?}"),
            }
            self.stage.see();
        }
        assert_eq!(said, format!("You said: {}", log::message(number)));
        self.unheard.retain(|unheard| *unheard != number);
        Ok(())
    }

    /// Goes to the next harness, and looks whether it knows what the last one took.
    fn move_on(&mut self, failure: &io::Error) {
        self.life = self.stage.after(self.life, failure);
        self.friend = self.friend.at_address(self.life.address);
        // Should it be gone already, the next request finds out.
        let Ok(log) = Log::latest(&self.friend) else { return };
        let found = log.check();
        let last = found.messages.last().map_or(0, |last| last + 1);
        assert!(
            last == self.taken || last == self.taken + 1,
            "{} messages were taken, and the log ends with {last}",
            self.taken
        );
    }
}

fn next(events: &mut Events) -> io::Result<Option<Value>> {
    let event = events.try_next()?;
    Ok(event.map(|event| serde_json::from_str(&event.data).unwrap()))
}
