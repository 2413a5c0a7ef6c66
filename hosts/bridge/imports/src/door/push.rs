//! Frames, answers and ends of connections, for a proxy that publishes what it is posted as Pushpin is.

use std::cell::RefCell;

use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;

use super::{Component, log, random};
use crate::bindings::exports::tinyclaw::plugin::push::{Error, Guest, Reason, Response};
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
    items: Vec<Published>,
}

/// One item, as the proxy wants it.
#[derive(Serialize)]
struct Published {
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
        #[serde(rename = "content-bin")]
        content: String,
    },
    Close,
}

#[derive(Serialize)]
struct ResponseFormat {
    code: u16,
    headers: Vec<(String, String)>,
    #[serde(rename = "body-bin")]
    body: String,
}

#[derive(Default)]
struct Waiting {
    items: Vec<(String, Item<Response>)>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
    static RECENT: RefCell<Recent<Response>> = RefCell::new(Recent::new(|| HEXLOWER.encode(&random(SECRET_BYTES))));
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
        wait(topic, Item::Answer(response))
    }

    fn close(topic: String, _reason: Reason) -> Result<u32, Error> {
        wait(topic, Item::End)
    }
}

/// The proxy does not say who listens, so nobody is counted.
fn wait(topic: String, item: Item<Response>) -> Result<u32, Error> {
    if topic.is_empty() || topic.len() > MAX_TOPIC_BYTES {
        return Err(Error::InvalidTopic);
    }
    WAITING.with_borrow_mut(|waiting| waiting.items.push((topic, item)));
    Ok(0)
}

/// Looks at what was published of late.
pub(super) fn recent<T>(look: impl FnOnce(&mut Recent<Response>) -> T) -> T {
    RECENT.with_borrow_mut(look)
}

/// Publishes what waits, in order.
pub(super) fn publish() {
    let mut batch = Batch { items: Vec::new() };
    let mut bytes = 0;
    for (topic, item) in WAITING.take().items {
        let size = match &item {
            Item::Frame(frame) => frame.len(),
            Item::Answer(response) => response.body.len(),
            Item::End => 0,
        };
        if bytes + size > MAX_BATCH_BYTES {
            send(&mut batch);
            bytes = 0;
        }
        bytes += size;
        let formats = formats(&item);
        let Ids { id, before } = recent(|recent| recent.add(&topic, item));
        batch.items.push(Published {
            channel: topic,
            id,
            before,
            formats,
        });
    }
    if !batch.items.is_empty() {
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

fn formats(item: &Item<Response>) -> Formats {
    let (http_stream, http_response) = match item {
        Item::Frame(frame) => (
            Some(StreamFormat::Send {
                content: BASE64.encode(frame),
            }),
            None,
        ),
        Item::Answer(response) => (
            None,
            Some(ResponseFormat {
                code: response.status,
                headers: response
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()))
                    .collect(),
                body: BASE64.encode(&response.body),
            }),
        ),
        Item::End => (
            Some(StreamFormat::Close),
            Some(ResponseFormat {
                code: 503,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: BASE64.encode(GIVEN_UP.as_bytes()),
            }),
        ),
    };
    Formats {
        http_stream,
        http_response,
    }
}
