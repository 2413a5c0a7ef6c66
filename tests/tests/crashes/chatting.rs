//! A friend who says one thing after another, each until it is taken, and listens to some of the answers.

use std::collections::VecDeque;
use std::io;

use fastrand::Rng;
use friends_chat_tests::{Answer, Events, Friend};
use serde_json::{Value, json};

use crate::log::{self, Log};
use crate::stage::{Life, Stage};

/// Chats until the last harness serves, and then hears out what is not answered yet. Gives the number of messages
/// that were taken.
pub(crate) fn chat(stage: &Stage, friend: &Friend, rng: &mut Rng) -> u64 {
    let _part = stage.part();
    let mut chat = Chat {
        stage,
        life: stage.first(),
        friend: friend.at_address(stage.first().address),
        taken: 0,
        unheard: VecDeque::new(),
    };
    while !stage.is_last() {
        chat.say_next(rng.bool());
    }
    while !chat.unheard.is_empty() {
        chat.hear_oldest();
    }
    chat.taken
}

struct Chat<'a> {
    stage: &'a Stage,
    life: Life,
    friend: Friend,
    taken: u64,
    /// Messages that were taken and whose answer was not heard.
    unheard: VecDeque<u64>,
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

    /// Asks for the oldest answer that was not heard, by saying the same message under the same name again.
    fn hear_oldest(&mut self) {
        let Some(number) = self.unheard.front().copied() else {
            return;
        };
        match self.say(number) {
            Ok(Some(answer)) => {
                if let Err(error) = self.hear(number, answer) {
                    self.move_on(&error);
                }
            }
            Ok(None) => panic!("{number} was taken before"),
            Err(error) => self.move_on(&error),
        }
    }

    /// Says something; gives its answer, if it is taken and not too many wait already.
    fn say(&self, number: u64) -> io::Result<Option<Events>> {
        let text = log::message(number);
        let body = json!({ "message": text, "id": text, "stream": true }).to_string();
        let headers = [("content-type", "application/json")];
        let incoming = self
            .friend
            .try_request("POST", "/api/chat", &headers, body.as_bytes())?;
        if incoming.status == 429 {
            Answer::try_read(incoming)?;
            return Ok(None);
        }
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
