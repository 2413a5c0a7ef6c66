//! Frames, answers and ends of connections, for a proxy that publishes what it is posted as Pushpin is.

use std::cell::RefCell;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{Component, log, random};
use crate::bindings::exports::tinyclaw::plugin::push::{Error, Guest, Reason, Response};
use crate::journal::Journal;
use crate::post::post;
use crate::recent::{Ids, Item, Recent};

const MAX_TOPIC_BYTES: usize = 256;
/// A few pieces of an answer fit, and a request with one frame stays below what Pushpin takes.
const MAX_FRAME_BYTES: u32 = 256 * 1024;
/// Bytes of frames in one request, below what Pushpin takes after they have grown by a third.
const MAX_BATCH_BYTES: usize = 512 * 1024;
/// Bytes of an id that nobody can guess.
const SECRET_BYTES: u64 = 16;

const GIVEN_UP: &str = r#"{"error":"This was given up. Please try again."}"#;

#[derive(Serialize)]
struct Batch {
    items: Vec<Publication>,
}

/// One item, as the proxy wants it.
#[derive(Serialize)]
struct Publication {
    channel: String,
    id: String,
    #[serde(rename = "prev-id")]
    before: String,
    formats: Formats,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Formats {
    #[serde(skip_serializing_if = "Option::is_none")]
    http_stream: Option<StreamFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<ResponseFormat>,
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum StreamFormat {
    Send {
        #[serde(rename = "content-bin", with = "crate::base64")]
        content: Vec<u8>,
    },
    Close,
}

#[derive(Clone, Deserialize, Serialize)]
pub(super) struct ResponseFormat {
    pub(super) code: u16,
    pub(super) headers: Vec<(String, String)>,
    #[serde(rename = "body-bin", with = "crate::base64")]
    pub(super) body: Vec<u8>,
}

impl AsRef<[u8]> for ResponseFormat {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// What was published of late, and where it is written down; nowhere if that cannot be done.
struct Published {
    recent: Recent<ResponseFormat>,
    journal: Option<Journal>,
}

thread_local! {
    static WAITING: RefCell<Vec<(String, Item<ResponseFormat>)>> = RefCell::default();
    static PUBLISHED: RefCell<Published> = RefCell::new(Published::open());
}

impl Guest for Component {
    fn publish(topic: String, frame: Vec<u8>) -> Result<u32, Error> {
        if frame.len() > MAX_FRAME_BYTES as usize {
            return Err(Error::FrameTooLong(MAX_FRAME_BYTES));
        }
        wait(topic, Item::Frame(frame))
    }

    fn listeners(_topic: String) -> u32 {
        0
    }

    fn respond(topic: String, response: Response) -> Result<u32, Error> {
        if response.body.len() > MAX_FRAME_BYTES as usize {
            return Err(Error::FrameTooLong(MAX_FRAME_BYTES));
        }
        let headers = response.headers.into_iter();
        let answer = ResponseFormat {
            code: response.status,
            headers: headers
                .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
                .collect(),
            body: response.body,
        };
        wait(topic, Item::Answer(answer))
    }

    fn close(topic: String, _reason: Reason) -> Result<u32, Error> {
        wait(topic, Item::End)
    }
}

/// The proxy does not say who listens, so nobody is counted.
fn wait(topic: String, item: Item<ResponseFormat>) -> Result<u32, Error> {
    if topic.is_empty() || topic.len() > MAX_TOPIC_BYTES {
        return Err(Error::InvalidTopic);
    }
    WAITING.with_borrow_mut(|waiting| waiting.push((topic, item)));
    Ok(0)
}

/// Looks at what was published of late, and writes down what has changed by that.
pub(super) fn recent<T>(look: impl FnOnce(&mut Recent<ResponseFormat>) -> T) -> T {
    PUBLISHED.with_borrow_mut(|published| {
        let seen = look(&mut published.recent);
        published.write_down();
        seen
    })
}

impl Published {
    fn open() -> Self {
        let mut recent = Recent::new(|| HEXLOWER.encode(&random(SECRET_BYTES)));
        let journal = match Journal::open() {
            Ok((journal, changes)) => {
                recent.repeat(changes.into_iter());
                Some(journal)
            }
            Err(error) => {
                log::warn(&format!("what was published is not read: {error:?}"));
                None
            }
        };
        Self { recent, journal }
    }

    fn write_down(&mut self) {
        let changes = self.recent.changes();
        let Some(journal) = self.journal.as_mut().filter(|_| !changes.is_empty()) else {
            return;
        };
        let written = if journal.is_long() {
            journal.rewrite(&self.recent.outline())
        } else {
            journal.append(&changes)
        };
        if let Err(error) = written {
            log::warn(&format!("what was published is not written down: {error:?}"));
            self.journal = None;
        }
    }
}

/// Publishes what waits, in order.
pub(super) fn publish() {
    let mut batch = Batch { items: Vec::new() };
    let mut bytes = 0;
    for (topic, item) in WAITING.take() {
        let size = match &item {
            Item::Frame(frame) => frame.len(),
            Item::Answer(answer) => answer.body.len(),
            Item::End => 0,
        };
        if bytes + size > MAX_BATCH_BYTES {
            send(&mut batch);
            bytes = 0;
        }
        bytes += size;
        let formats = formats(&item);
        let Ids { id, before } = PUBLISHED.with_borrow_mut(|published| published.recent.add(&topic, item));
        batch.items.push(Publication {
            channel: topic,
            id,
            before,
            formats,
        });
    }
    if !batch.items.is_empty() {
        PUBLISHED.with_borrow_mut(Published::write_down);
        send(&mut batch);
    }
}

/// What does not arrive leaves a gap in the ids, of which each connection is told by the proxy with the next item.
fn send(batch: &mut Batch) {
    if let Err(error) = post("BRIDGE_PUBLISH", batch) {
        log::warn(&format!("{} items were not published: {error}", batch.items.len()));
    }
    batch.items.clear();
}

fn formats(item: &Item<ResponseFormat>) -> Formats {
    let (http_stream, http_response) = match item {
        Item::Frame(frame) => (Some(StreamFormat::Send { content: frame.clone() }), None),
        Item::Answer(answer) => (None, Some(answer.clone())),
        Item::End => (
            Some(StreamFormat::Close),
            Some(ResponseFormat {
                code: 503,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: GIVEN_UP.as_bytes().to_vec(),
            }),
        ),
    };
    Formats {
        http_stream,
        http_response,
    }
}
