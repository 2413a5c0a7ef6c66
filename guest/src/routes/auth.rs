//! Signing in and out, and what a friend may change of themselves.

use channel_plugin::{Host, Request, Response};
use serde::{Deserialize, Serialize};

use super::{Done, Problem, body, signed_in};
use crate::broadcast;
use crate::cookie;
use crate::event::{EndReason, Event};
use crate::nickname::Nickname;
use crate::qr::{self, Drawing};
use crate::rates::Act;
use crate::service::Service;
use crate::store::{Friend, InviteKind, Redemption, Session};
use crate::token::Token;
use crate::topic::Topic;

/// Minutes a code for another device is good for: as long as it takes to type it there.
const DEVICE_CODE_MINUTES: u32 = 10;

#[derive(Serialize)]
struct Status<'a> {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a str>,
    agent: &'a str,
}

#[derive(Deserialize)]
struct InviteBody {
    code: String,
}

#[derive(Serialize)]
struct InviteAnswer<'a> {
    username: &'a str,
    nickname: &'a str,
    agent: &'a str,
}

#[derive(Deserialize)]
struct RedeemBody {
    code: String,
    /// Whether a browser that is signed in as somebody else may change over.
    #[serde(default)]
    switch: bool,
}

#[derive(Deserialize)]
struct NicknameBody {
    nickname: String,
}

/// The body of a request that says everything by its address.
#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Serialize)]
struct NicknameAnswer<'a> {
    ok: bool,
    nickname: &'a str,
}

#[derive(Serialize)]
struct LinkAnswer<'a> {
    code: &'a str,
    url: String,
    expires_at: i64,
    /// The QR code of `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<Drawing>,
}

/// `GET /api/auth/status`. The cookie is set anew, so that it lives as long as it is used.
pub(super) fn status(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = service.session(host, request)?;
    let response = Response::json(200, &status_of(session.as_ref(), &service.settings.agent_name));
    Ok(match (session, cookie::read(request)) {
        (Some(_), Some(token)) => response.with("set-cookie", cookie::set(&token, &service.settings.base_url)),
        _ => response,
    })
}

/// `POST /api/auth/invite`: whose invite a code is, for a page that asks before it joins.
pub(super) fn invite(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let InviteBody { code } = body(request)?;
    let invited = invited(service, host, request, &code)?;
    let answer = InviteAnswer {
        username: &invited.username,
        nickname: &invited.nickname,
        agent: &service.settings.agent_name,
    };
    Ok(Response::json(200, &answer))
}

/// Whom a code invites. Spends nothing, and counts as a try all the same.
pub(super) fn invited(
    service: &mut Service,
    host: &mut dyn Host,
    request: &Request,
    code: &str,
) -> Result<Friend, Problem> {
    let now_ms = host.now_ms();
    service.attempts.check(&request.client, now_ms)?;
    let hash = service.code_key.hash(code);
    service.store.invited(&hash, now_ms)?.ok_or_else(|| {
        service.attempts.failed(&request.client, now_ms);
        Problem::InvalidCode
    })
}

/// `POST /api/auth/redeem`.
pub(super) fn redeem(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let RedeemBody { code, switch } = body(request)?;
    let (session, cookie) = sign_in(service, host, request, &code, switch)?;
    let response = Response::json(200, &status_of(Some(&session), &service.settings.agent_name));
    Ok(response.with("set-cookie", cookie))
}

/// Spends a code for a session; gives it with the cookie that carries it.
pub(super) fn sign_in(
    service: &mut Service,
    host: &mut dyn Host,
    request: &Request,
    code: &str,
    may_switch: bool,
) -> Result<(Session, String), Problem> {
    let current = service.session(host, request)?;
    let token = Token::generate(&mut host.random());
    let now_ms = host.now_ms();
    service.attempts.check(&request.client, now_ms)?;
    let hash = service.code_key.hash(code);
    match service
        .store
        .redeem(&hash, &token.hash(), current.as_ref(), may_switch, now_ms)?
    {
        Redemption::Invalid => {
            service.attempts.failed(&request.client, now_ms);
            Err(Problem::InvalidCode)
        }
        Redemption::SignedInAsOther => Err(Problem::SignedInAs(
            current.map(|session| session.nickname).unwrap_or_default(),
        )),
        Redemption::Done(session) => {
            if let Some(left) = current.filter(|left| left.friend_id != session.friend_id) {
                service.silence(host, left.friend_id, Some(left.id))?;
                service.store.end_session(left.id)?;
                service.end_session(host, left.id, EndReason::SignedOut);
            }
            service.attempts.succeeded(&request.client);
            tracing::info!(username = session.username, "a friend signed in");
            Ok((session, cookie::set(&token, &service.settings.base_url)))
        }
    }
}

/// `POST /api/auth/link`: a short-lived code for another device of the same friend.
pub(super) fn link(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let Nothing {} = body(request)?;
    service.rates.take(session.friend_id, Act::Change, host.now_ms())?;
    let (code, invite) = service.new_invite(host, InviteKind::Device, i64::from(DEVICE_CODE_MINUTES) * 60_000);
    let now_ms = host.now_ms();
    service.store.add_device_invite(session.friend_id, &invite, now_ms)?;
    let url = service.settings.base_url.invite_link(code.as_str());
    Ok(Response::json(
        200,
        &LinkAnswer {
            code: code.as_str(),
            qr: qr::drawing(&url),
            url,
            expires_at: invite.expires_at_ms,
        },
    ))
}

/// `POST /api/auth/logout`. Without a session there is nothing to end, which is no error. An answer being made
/// goes on: it waits for the friend's other devices.
pub(super) fn logout(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let Nothing {} = body(request)?;
    if let Some(session) = service.session(host, request)? {
        service.silence(host, session.friend_id, Some(session.id))?;
        service.store.end_session(session.id)?;
        service.end_session(host, session.id, EndReason::SignedOut);
        tracing::info!(username = session.username, "a friend signed out");
    }
    let response = Response::json(200, &Done { ok: true });
    Ok(response.with("set-cookie", cookie::clear(&service.settings.base_url)))
}

/// `POST /api/nickname`.
pub(super) fn nickname(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let NicknameBody { nickname } = body(request)?;
    let nickname = Nickname::parse(&nickname).map_err(|error| Problem::Shape(error.to_string()))?;
    service.rates.take(session.friend_id, Act::Change, host.now_ms())?;
    service.store.set_nickname(session.friend_id, &nickname)?;
    let nickname = nickname.as_str();
    broadcast::send(host, Topic::Friend(session.friend_id), &Event::Nickname { nickname });
    Ok(Response::json(200, &NicknameAnswer { ok: true, nickname }))
}

fn status_of<'a>(session: Option<&'a Session>, agent: &'a str) -> Status<'a> {
    Status {
        authenticated: session.is_some(),
        username: session.map(|session| session.username.as_str()),
        nickname: session.map(|session| session.nickname.as_str()),
        agent,
    }
}
