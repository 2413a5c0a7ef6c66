//! Where a friend's browser wants to be woken, and what it says then.

use channel_plugin::{Host, Request, Response, Subscription, WakeError};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::auth::Nothing;
use super::{Done, Problem, body, signed_in};
use crate::markdown;
use crate::rates::Act;
use crate::service::Service;

/// Bytes of an endpoint at most; those of the services in use have some two to five hundred.
const MAX_ENDPOINT_BYTES: usize = 2_048;

#[derive(Serialize)]
struct Notifications {
    /// What a browser subscribes with, as it takes it; none where it cannot be woken.
    key: Option<String>,
    /// The agent's newest entry, unless it was seen.
    unseen: Option<Unseen>,
}

#[derive(Serialize)]
struct Unseen {
    id: i64,
    /// How it begins, as plain text.
    text: String,
}

/// A `PushSubscription` as browsers write it (Push API, `toJSON`).
#[derive(Deserialize)]
struct SubscriptionBody {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

/// `GET /api/notifications`.
pub(super) fn notifications(
    service: &mut Service,
    host: &mut dyn Host,
    request: &Request,
) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let key = host.wake_key().map(|key| BASE64URL_NOPAD.encode(&key));
    let newest = service.store.newest_unseen(session.friend_id, host.now_ms())?;
    let unseen = newest.map(|entry| Unseen {
        id: entry.id,
        text: markdown::excerpt(&entry.text),
    });
    Ok(Response::json(200, &Notifications { key, unseen }))
}

/// `POST /api/notifications/on`: this browser is to be woken. May be repeated.
pub(super) fn on(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let SubscriptionBody { endpoint, keys } = body(request)?;
    if endpoint.len() > MAX_ENDPOINT_BYTES {
        return Err(Problem::Shape("endpoint must have at most 2048 bytes".to_owned()));
    }
    let subscription = Subscription {
        endpoint,
        p256dh: bytes("keys.p256dh", &keys.p256dh)?,
        auth: bytes("keys.auth", &keys.auth)?,
    };
    host.check_wake(&subscription).map_err(|error| match error {
        WakeError::Refused(sentence) => Problem::Shape(sentence),
        other => Problem::Shape(other.to_string()),
    })?;
    service.rates.take(session.friend_id, Act::Change, host.now_ms())?;
    service.store.subscribe(&session, &subscription)?;
    Ok(Response::json(200, &Done { ok: true }))
}

/// `POST /api/notifications/off`. May be repeated.
pub(super) fn off(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let Nothing {} = body(request)?;
    service.silence(host, session.friend_id, Some(session.id))?;
    service.store.unsubscribe(session.id)?;
    Ok(Response::json(200, &Done { ok: true }))
}

fn bytes(name: &str, text: &str) -> Result<Vec<u8>, Problem> {
    BASE64URL_NOPAD
        .decode(text.trim_end_matches('=').as_bytes())
        .map_err(|_| Problem::Shape(format!("{name} must be base64url")))
}
