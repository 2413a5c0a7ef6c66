//! Gives again what the plugin has answered before, where the plugin allows that (RFC 9111), without asking it: a page
//! that everybody loads costs it nothing.
//!
//! The plugin says for how long in the field `Host-Cache-Control`, a targeted field of RFC 9213, which goes no further
//! than here. What an instance has answered is forgotten with it. Only plain requests are answered so; whoever asks for
//! anything special, such as a part or a fresh answer, is answered by the plugin.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, PRAGMA, RANGE, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_cache_semantics::CachePolicy;

use crate::limits::{Limit, Limits};
use crate::plugin::Generation;

/// The plugin's field.
pub(super) const HOST_CACHE_CONTROL: HeaderName = HeaderName::from_static("host-cache-control");

/// A request with one of these is not a plain one.
const SPECIAL: [HeaderName; 8] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    PRAGMA,
    RANGE,
];

/// What was answered before.
#[derive(Debug)]
pub(super) struct Cache {
    state: Mutex<State>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct State {
    hasher: RandomState,
    /// Of which instance all this is.
    generation: Generation,
    /// By path and query.
    resources: HashMap<String, Resource>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Resource {
    /// The fields of a request on which its answer depends.
    vary: Vec<HeaderName>,
    /// By the hash of those fields' values.
    answers: HashMap<u64, Stored>,
}

#[derive(Debug)]
struct Stored {
    until: Instant,
    /// The fields on which the answer depends, as they were.
    asked: Vec<Option<HeaderValue>>,
    headers: HeaderMap,
    body: Bytes,
}

impl Cache {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: Mutex::default(),
            limits: limits.clone(),
        }
    }

    /// What a request can be answered with at once.
    pub(super) fn find<B>(&self, generation: Generation, request: &Request<B>) -> Option<Response<Bytes>> {
        if !is_plain(request) {
            return None;
        }
        let state = self.state();
        if state.generation != generation {
            return None;
        }
        let resource = state.resources.get(target(request))?;
        let stored = resource.answers.get(&resource.key(&state.hasher, request.headers()))?;
        let is_same = resource
            .asked(request.headers())
            .eq(stored.asked.iter().map(Option::as_ref));
        if !is_same || stored.until <= Instant::now() {
            return None;
        }
        Some(stored.answer(request.headers()))
    }

    /// Keeps an answer if it may be given again.
    pub(super) fn keep<B>(&self, generation: Generation, request: &Request<B>, answer: &Response<Bytes>) {
        let (Some(life), Some(vary)) = (life(request, answer), vary(answer.headers())) else {
            return;
        };
        if !generation.serves() {
            return;
        }
        let mut headers = answer.headers().clone();
        headers.remove(HOST_CACHE_CONTROL);
        let mut state = self.state();
        if state.generation != generation {
            state.forget();
            state.generation = generation;
        }
        let State {
            hasher,
            resources,
            bytes,
            ..
        } = &mut *state;
        let resource = resources.entry(target(request).to_owned()).or_default();
        if resource.vary != vary {
            *resource = Resource {
                vary,
                answers: HashMap::new(),
            };
        }
        let asked: Vec<_> = resource
            .asked(request.headers())
            .map(Option::<&HeaderValue>::cloned)
            .collect();
        // One that is the same for others is kept once.
        let same = |stored: &&Stored| stored.body == answer.body();
        let (body, new_bytes) = match resource.answers.values().find(same) {
            Some(stored) => (stored.body.clone(), 0),
            None => (answer.body().clone(), answer.body().len()),
        };
        let key = resource.key(hasher, request.headers());
        let stored = Stored {
            until: Instant::now() + life,
            asked,
            headers,
            body,
        };
        *bytes += new_bytes + stored.head_bytes() + target(request).len();
        resource.answers.insert(key, stored);
        if *bytes > self.limits.cached_bytes {
            // It is soon there again, and who asks for all that there is gains nothing.
            state.forget();
        } else {
            self.limits.note(Limit::cached_bytes, *bytes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self) {
        self.resources.clear();
        self.bytes = 0;
    }
}

impl Resource {
    /// The fields on which the answer depends, each with an end.
    fn asked<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = Option<&'a HeaderValue>> {
        let values = |name| headers.get_all(name).iter().map(Some).chain([None]);
        self.vary.iter().flat_map(values)
    }

    fn key(&self, hasher: &RandomState, headers: &HeaderMap) -> u64 {
        let mut hasher = hasher.build_hasher();
        self.asked(headers).for_each(|value| value.hash(&mut hasher));
        hasher.finish()
    }
}

impl Stored {
    /// The answer, or that the client has it already.
    fn answer(&self, asked: &HeaderMap) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::new());
        *answer.headers_mut() = self.headers.clone();
        if self.is_held(asked) {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE] {
                answer.headers_mut().remove(name);
            }
        } else {
            *answer.body_mut() = self.body.clone();
        }
        answer
    }

    /// Whether the client says that it has this one (RFC 9110, section 13.1.2).
    fn is_held(&self, asked: &HeaderMap) -> bool {
        let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let Some(tag) = self.headers.get(ETAG).map(|tag| opaque(tag.as_bytes())) else {
            return false;
        };
        asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|held| held == b"*" || opaque(held) == tag)
    }

    fn head_bytes(&self) -> usize {
        let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        let asked = self.asked.iter().flatten().map(HeaderValue::len);
        self.headers.iter().map(field).sum::<usize>() + asked.sum::<usize>()
    }
}

fn is_plain<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && !SPECIAL.iter().any(|name| request.headers().contains_key(name))
}

fn target<B>(request: &Request<B>) -> &str {
    request.uri().path_and_query().map_or("/", |target| target.as_str())
}

/// For how long an answer may be given again, if it may.
fn life<B>(request: &Request<B>, answer: &Response<Bytes>) -> Option<Duration> {
    let for_us = answer.headers().get(HOST_CACHE_CONTROL)?;
    if !is_plain(request) || answer.status() != StatusCode::OK || answer.headers().contains_key(SET_COOKIE) {
        return None;
    }
    // Where there is a field for us, the one for everybody says nothing to us.
    let mut told = Response::new(());
    *told.headers_mut() = answer.headers().clone();
    told.headers_mut().insert(CACHE_CONTROL, for_us.clone());
    let policy = CachePolicy::new(request, &told);
    let life = policy.time_to_live(SystemTime::now());
    (policy.is_storable() && !life.is_zero()).then_some(life)
}

/// The fields of a request on which an answer depends; none where it may depend on anything.
fn vary(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    headers
        .get_all(VARY)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .map(|name| HeaderName::from_bytes(name).ok().filter(|name| name != "*"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const FIRST: Generation = Generation::new(1);

    fn request(headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = "/page?a=b".parse().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    fn answer(headers: &[(&'static str, &'static str)]) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::from_static(b"page"));
        for (name, value) in headers {
            answer.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        answer
    }

    fn kept(answered: &[(&'static str, &'static str)], asked: &[(&'static str, &'static str)]) -> Cache {
        let cache = Cache::new(&Limits::default());
        cache.keep(FIRST, &request(asked), &answer(answered));
        cache
    }

    #[test]
    fn what_the_plugin_lets_be_given_again_is_given_again_while_its_instance_lives() {
        let fields = [
            ("host-cache-control", "max-age=60"),
            ("cache-control", "no-store"),
            ("etag", "\"a\""),
        ];
        let cache = kept(&fields, &[]);
        let found = cache.find(FIRST, &request(&[])).unwrap();
        assert_eq!((found.status(), found.body().as_ref()), (StatusCode::OK, &b"page"[..]));
        assert_eq!(found.headers()["cache-control"], "no-store");
        assert!(!found.headers().contains_key("host-cache-control"));
        for held in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            let found = cache.find(FIRST, &request(&[("if-none-match", held)])).unwrap();
            assert_eq!(
                (found.status(), found.body().len()),
                (StatusCode::NOT_MODIFIED, 0),
                "{held}"
            );
        }
        let found = cache.find(FIRST, &request(&[("if-none-match", "\"b\"")])).unwrap();
        assert_eq!(found.status(), StatusCode::OK);
        assert!(cache.find(Generation::new(2), &request(&[])).is_none());
    }

    #[test]
    fn nothing_else_is_kept() {
        for fields in [
            &[("cache-control", "max-age=60")][..],
            &[("host-cache-control", "no-store")],
            &[("host-cache-control", "max-age=0")],
            &[("host-cache-control", "max-age=60"), ("set-cookie", "a=b")],
            &[("host-cache-control", "max-age=60"), ("vary", "*")],
        ] {
            assert!(kept(fields, &[]).find(FIRST, &request(&[])).is_none(), "{fields:?}");
        }
    }

    #[test]
    fn who_asks_for_something_special_is_answered_by_the_plugin() {
        let cache = kept(&[("host-cache-control", "max-age=60")], &[]);
        for field in [
            ("cache-control", "no-cache"),
            ("range", "bytes=0-1"),
            ("authorization", "x"),
        ] {
            assert!(cache.find(FIRST, &request(&[field])).is_none(), "{field:?}");
        }
        let mut head = request(&[]);
        *head.method_mut() = Method::HEAD;
        assert!(cache.find(FIRST, &head).is_none());
    }

    #[test]
    fn an_answer_is_for_those_only_who_ask_alike() {
        let fields = [
            ("host-cache-control", "max-age=60"),
            ("vary", "cookie, accept-language"),
        ];
        let cache = kept(&fields, &[("cookie", "x")]);
        assert!(cache.find(FIRST, &request(&[("cookie", "x")])).is_some());
        assert!(
            cache
                .find(FIRST, &request(&[("cookie", "x"), ("user-agent", "y")]))
                .is_some()
        );
        for other in [
            &[][..],
            &[("cookie", "y")],
            &[("accept-language", "x")],
            &[("cookie", "x"), ("cookie", "x")],
        ] {
            assert!(cache.find(FIRST, &request(other)).is_none(), "{other:?}");
        }
    }

    #[test]
    fn it_is_no_larger_than_it_may_be() {
        let limits = Limits {
            cached_bytes: 1_000,
            ..Limits::default()
        };
        let cache = Cache::new(&limits);
        let answer = answer(&[("host-cache-control", "max-age=60")]);
        for number in 0..100 {
            let mut request = request(&[]);
            *request.uri_mut() = format!("/{number}").parse().unwrap();
            cache.keep(FIRST, &request, &answer);
            assert!(cache.state().bytes <= 1_000);
        }
        assert!(cache.state().bytes > 0);
    }
}
