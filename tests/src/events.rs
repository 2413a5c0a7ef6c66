//! A stream of events, read as they come.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::time::Instant;

use serde_json::Value;

use crate::{DEADLINE, Event, Incoming, Parser};

/// Bytes of one read.
const PIECE_BYTES: usize = 16 << 10;
/// Name of the event that keeps a feed alive.
const HEARTBEAT: &str = "heartbeat";

/// An open stream.
#[derive(Debug)]
pub struct Events {
    incoming: Incoming,
    parser: Parser,
    ready: VecDeque<Event>,
    /// Types of what was read, for the message of a test that fails.
    seen: Vec<String>,
}

impl Events {
    /// Reads a response that is to be a stream of events.
    #[track_caller]
    pub fn read(incoming: Incoming) -> Self {
        let content_type = incoming.headers.iter().find(|(name, _)| name == "content-type");
        let is_stream = content_type.is_some_and(|(_, value)| value.starts_with("text/event-stream"));
        assert!(
            incoming.status == 200 && is_stream,
            "no stream: {} {:?}",
            incoming.status,
            incoming.headers
        );
        Self {
            incoming,
            parser: Parser::default(),
            ready: VecDeque::new(),
            seen: Vec::new(),
        }
    }

    /// The next event; none when the stream has ended as it should.
    #[track_caller]
    pub fn next_event(&mut self) -> Option<Event> {
        match self.try_next() {
            Ok(event) => event,
            Err(error) => panic!("the stream broke off after {:?}: {error}", self.seen),
        }
    }

    /// As [`Events::next_event`], from a harness that may end at any moment.
    ///
    /// # Errors
    /// When the stream breaks off.
    #[track_caller]
    pub fn try_next(&mut self) -> io::Result<Option<Event>> {
        let begin = Instant::now();
        loop {
            let Some(event) = self.try_any()? else { return Ok(None) };
            // What keeps the connection alive is not what a test waits for.
            if event.name != HEARTBEAT {
                assert_eq!(event.name, "message", "only the heartbeat has a name: {event:?}");
                self.seen.push(kind(&value(&event)).to_owned());
                return Ok(Some(event));
            }
            assert!(begin.elapsed() < DEADLINE, "nothing comes after {:?}", self.seen);
        }
    }

    /// The first event that only keeps the connection alive.
    #[track_caller]
    pub fn heartbeat(&mut self) -> Event {
        loop {
            match self.try_any() {
                Ok(Some(event)) if event.name == HEARTBEAT => return event,
                Ok(Some(_)) => {}
                other => panic!("no heartbeat but {other:?}"),
            }
        }
    }

    fn try_any(&mut self) -> io::Result<Option<Event>> {
        while self.ready.is_empty() {
            let mut piece = [0; PIECE_BYTES];
            let read = self.incoming.body.read(&mut piece)?;
            if read == 0 {
                return Ok(None);
            }
            self.ready.extend(self.parser.feed(&piece[..read]));
        }
        Ok(self.ready.pop_front())
    }

    /// The headers of the response: names in lower case, and values.
    pub fn headers(&self) -> &[(String, String)] {
        &self.incoming.headers
    }

    /// The next event's data; none when the stream has ended as it should.
    #[track_caller]
    pub fn next_value(&mut self) -> Option<Value> {
        self.next_event().map(|event| value(&event))
    }

    /// The first event of a type, and before it none of the type `end` or `error`.
    #[track_caller]
    pub fn until(&mut self, wanted: &str) -> Value {
        value(&self.until_event(wanted))
    }

    /// As [`Events::until`], with its id.
    #[track_caller]
    pub fn until_event(&mut self, wanted: &str) -> Event {
        loop {
            let Some(event) = self.next_event() else {
                panic!("the stream ended without {wanted:?}: {:?}", self.seen)
            };
            let json = value(&event);
            if kind(&json) == wanted {
                return event;
            }
            assert!(
                !matches!(kind(&json), "end" | "error"),
                "{json} before {wanted:?}, after {:?}",
                self.seen
            );
        }
    }

    /// Everything up to the end of the stream.
    #[track_caller]
    pub fn rest(mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next_value()).collect()
    }

    /// The time to wait before coming back, in milliseconds, if the stream has said it.
    pub fn retry_ms(&self) -> Option<u64> {
        self.parser.retry_ms
    }

    /// The whole answer from a chat's stream, which ends with it.
    #[track_caller]
    pub fn answer(self) -> String {
        let events = self.rest();
        let last = events.last().map(kind);
        assert_eq!(last, Some("done"), "{events:?}");
        let pieces = events.iter().filter(|event| kind(event) == "text");
        pieces.map(|piece| piece["content"].as_str().unwrap()).collect()
    }
}

fn value(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_else(|error| panic!("{error}: {event:?}"))
}

fn kind(value: &Value) -> &str {
    value["type"].as_str().unwrap_or_default()
}
