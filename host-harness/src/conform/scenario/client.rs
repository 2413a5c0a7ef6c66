//! A friend's browser, as far as a scenario needs one: a cookie, and streams that stay open.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use serde_json::Value;

use super::script::Request;
use crate::sse::Decoder;

/// A friend's browser.
pub(super) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    cookie: Option<String>,
    streams: HashMap<String, Stream>,
}

/// An answer that goes on.
struct Stream {
    answer: Response,
    decoder: Decoder,
    /// The data of events that came and were not read yet.
    unread: VecDeque<String>,
}

/// What a stream says next.
pub(super) enum Next {
    Event(Value),
    End,
}

impl Client {
    /// A browser that knows nothing yet.
    pub(super) fn of(address: SocketAddr) -> Result<Self, String> {
        let http = crate::crypto::client()
            .map_err(|error| error.to_string())?
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            http,
            address,
            cookie: None,
            streams: HashMap::new(),
        })
    }

    /// Goes to another address from now on.
    pub(super) fn turn_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Makes a request, with this as JSON.
    pub(super) async fn ask(&self, request: &Request<'_>, body: Option<&Value>) -> Result<Answer, String> {
        let url = format!("http://{}{}", self.address, request.target);
        let mut asking = self.http.request(request.method.clone(), url);
        if let Some(cookie) = self.cookie.as_ref().filter(|_| request.with_cookie) {
            asking = asking.header(COOKIE, cookie);
        }
        if let Some(body) = body {
            asking = asking.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = asking.send().await;
        answer
            .map(Answer)
            .map_err(|error| format!("there is no answer: {error}"))
    }

    /// Keeps the first cookie of an answer.
    pub(super) fn keep_cookie(&mut self, Answer(answer): &Answer) -> Result<(), String> {
        let set = answer.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = set.and_then(|set| set.split(';').next()).ok_or("it sets no cookie")?;
        self.cookie = Some(cookie.to_owned());
        Ok(())
    }

    /// Keeps an answer as a stream.
    pub(super) fn hold(&mut self, name: &str, Answer(answer): Answer) {
        let stream = Stream {
            answer,
            decoder: Decoder::default(),
            unread: VecDeque::new(),
        };
        self.streams.insert(name.to_owned(), stream);
    }

    /// Reads a stream to its next event that says something.
    pub(super) async fn next(&mut self, name: &str) -> Result<Next, String> {
        let stream = self.streams.get_mut(name).ok_or("no earlier step opens this stream")?;
        loop {
            if let Some(data) = stream.unread.pop_front() {
                let event = serde_json::from_str(&data).map_err(|error| format!("an event is no JSON: {error}"))?;
                return Ok(Next::Event(event));
            }
            match stream.answer.chunk().await {
                Ok(Some(chunk)) => stream
                    .unread
                    .extend(stream.decoder.feed(&chunk).map_err(|error| error.to_string())?),
                Ok(None) => return Ok(Next::End),
                Err(error) => return Err(format!("the stream breaks off: {error}")),
            }
        }
    }
}

/// What came, of which the status and the headers have been read.
pub(super) struct Answer(Response);

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// Reads the rest.
    pub(super) async fn text(self) -> Result<String, reqwest::Error> {
        self.0.text().await
    }
}
