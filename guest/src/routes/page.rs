//! The page and its files, and the invite link that leads to it.

use channel_plugin::{Host, Request, Response};
use serde::{Deserialize, Serialize};

use super::{Problem, auth, body};
use crate::assets::{self, Asset, Stored};
use crate::config::{DEFAULT_AGENT_NAME, Join};
use crate::cookie;
use crate::fetcher;
use crate::languages::{self, Language};
use crate::service::Service;
use crate::text::html_escaped;

/// Nothing from elsewhere, nothing inline, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types friends-chat friends-chat-worker";

/// A worker fetches what the page does, and has no page of its own.
const WORKER_POLICY: &str = "default-src 'none'; connect-src 'self'";

/// Seconds for which the host may give a file again: its instance has no other ones.
const KEPT_S: u32 = 24 * 60 * 60;

/// Where a sentence for the friend goes.
const NOTICE_MARK: &str = "<!--notice-->";

/// Where the agent's name goes in the card that messengers show of an invite link. The card says nothing that the
/// link itself does not.
const AGENT_MARK: &str = "{agent}";

/// Where the names go that a system gives to the installed page: a full one, and one to fit under an icon.
const NAME_MARK: &str = "\"<!--name-->\"";
const SHORT_NAME_MARK: &str = "\"<!--short-->\"";
const PRODUCT: &str = "Friends Chat";

#[derive(Deserialize)]
struct LanguageBody {
    language: String,
}

#[derive(Serialize)]
struct LanguageAnswer {
    ok: bool,
    language: &'static str,
}

/// `GET /` and `GET /chat`, with or without an invite.
pub(super) fn page(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let language = languages::of(request);
    let Some(code) = request.query_value("invite").filter(|_| request.path == "/chat") else {
        return Ok(secured(language, asset(request, &language.page)));
    };
    if !fetcher::is_visit(request) {
        return Ok(card(language, &service.settings.agent_name));
    }
    let joined = match service.settings.join {
        Join::Open => auth::sign_in(service, host, request, &code, false).map(|(_, cookie)| Some(cookie)),
        Join::Click => auth::invited(service, host, request, &code).map(|_| None),
    };
    match joined {
        Ok(Some(cookie)) => Ok(secured(language, Response::new(302, "text/plain; charset=utf-8", ""))
            .with("location", format!("{}/chat", service.settings.base_url.path()))
            .with("set-cookie", cookie)),
        // The page has the code from its address, and asks.
        Ok(None) | Err(Problem::SignedInAs(_)) => Ok(with_notice(language, "")),
        Err(Problem::InvalidCode) => Ok(with_notice(language, language.bad_invite)),
        Err(Problem::TooManyCodes(too_many)) => {
            let mut page = with_notice(language, language.too_many_codes);
            page.status = 429;
            Ok(page.with("retry-after", too_many.retry_after_ms.div_ceil(1_000).to_string()))
        }
        Err(other) => Err(other),
    }
}

/// `GET /sw.js`.
pub(super) fn worker(request: &Request) -> Result<Response, Problem> {
    let worker = assets::find(assets::WORKER).ok_or(Problem::NotFound)?;
    Ok(asset(request, worker).with("content-security-policy", WORKER_POLICY))
}

/// `GET /assets/manifest.webmanifest`, with the agent's name where the owner has given it one.
pub(super) fn manifest(agent: &str) -> Result<Response, Problem> {
    let manifest = assets::find(assets::MANIFEST).ok_or(Problem::NotFound)?;
    let (name, short_name) = if agent == DEFAULT_AGENT_NAME {
        (PRODUCT.to_owned(), PRODUCT)
    } else {
        (format!("{agent} · {PRODUCT}"), agent)
    };
    let text = String::from_utf8_lossy(&manifest.content())
        .replace(NAME_MARK, &serde_json::Value::from(name).to_string())
        .replace(SHORT_NAME_MARK, &serde_json::Value::from(short_name).to_string());
    Ok(Response::new(200, manifest.content_type, text)
        .with("cache-control", "no-cache")
        .with("referrer-policy", "no-referrer")
        .with("cross-origin-resource-policy", "same-origin"))
}

/// A file, as the client can take it, or nothing where the client has it already.
pub(super) fn asset(request: &Request, asset: &'static Asset) -> Response {
    let gzipped = match asset.stored {
        Stored::Gzipped(gzipped) => Some(gzipped).filter(|_| accepts_gzip(request)),
        Stored::Plain(_) => None,
    };
    let tag = if gzipped.is_some() {
        format!("\"{}-gz\"", asset.tag)
    } else {
        format!("\"{}\"", asset.tag)
    };
    let has_it = request
        .headers_named("if-none-match")
        .flat_map(|line| line.split(','))
        .any(|held| held.trim().trim_start_matches("W/") == tag);
    let response = if has_it {
        Response::new(304, asset.content_type, "")
    } else if let Some(gzipped) = gzipped {
        Response::new(200, asset.content_type, gzipped).with("content-encoding", "gzip")
    } else {
        Response::new(200, asset.content_type, asset.content())
    };
    let cache_control = if assets::is_lasting(&request.path) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    response
        .with("cache-control", cache_control)
        .kept_by_host(KEPT_S)
        .with("etag", tag)
        .with("vary", "accept-encoding")
        .with("referrer-policy", "no-referrer")
        .with("cross-origin-resource-policy", "same-origin")
}

/// `POST /api/language`: the choice of a language, which the browser keeps: it is right before anybody has signed in,
/// and another device has a language of its own.
pub(super) fn language(service: &Service, request: &Request) -> Result<Response, Problem> {
    let LanguageBody { language } = body(request)?;
    let Some(language) = languages::find(&language) else {
        let offered: Vec<&str> = languages::ALL.iter().map(|language| language.tag).collect();
        return Err(Problem::Shape(format!(
            "language must be one of {}",
            offered.join(", ")
        )));
    };
    let answer = LanguageAnswer {
        ok: true,
        language: language.tag,
    };
    let cookie = cookie::set_language(language, &service.settings.base_url);
    Ok(Response::json(200, &answer).with("set-cookie", cookie))
}

fn with_notice(language: &Language, sentence: &str) -> Response {
    let page = &language.page;
    let content = String::from_utf8_lossy(&page.content()).replace(NOTICE_MARK, &html_escaped(sentence));
    secured(language, Response::new(200, page.content_type, content))
}

fn card(language: &Language, agent: &str) -> Response {
    let agent = if agent == DEFAULT_AGENT_NAME {
        language.unnamed_agent
    } else {
        agent
    };
    let page = language.card.replace(AGENT_MARK, &html_escaped(agent));
    secured(language, Response::new(200, language.page.content_type, page))
}

fn secured(language: &Language, response: Response) -> Response {
    response
        .with("content-security-policy", CONTENT_SECURITY_POLICY)
        .with("content-language", language.tag)
        .with("vary", "accept-encoding, accept-language, cookie")
        .with("referrer-policy", "no-referrer")
        .with("cross-origin-opener-policy", "same-origin")
}

fn accepts_gzip(request: &Request) -> bool {
    request
        .headers_named("accept-encoding")
        .flat_map(|line| line.split(','))
        .any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let is_refused = quality
                .trim()
                .strip_prefix("q=")
                .is_some_and(|q| q.trim_matches(['0', '.']).is_empty());
            name.trim().eq_ignore_ascii_case("gzip") && !is_refused
        })
}
