//! The page and its files, and the invite link that leads to it.

use super::{Problem, auth};
use crate::assets::{self, Asset};
use crate::config::Join;
use crate::fetcher;
use crate::host::Host;
use crate::request::Request;
use crate::response::Response;
use crate::service::Service;
use crate::text::html_escaped;

/// Nothing from elsewhere, nothing inline, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types friends-chat";

/// Where a sentence for the friend goes.
const NOTICE_MARK: &str = "<!--notice-->";

/// What messengers show of an invite link. Says nothing that the link itself does not.
const CARD: &str = include_str!("card.html");
const AGENT_MARK: &str = "<!--agent-->";

const BAD_INVITE: &str =
    "This invite link is not valid any more. Links work once and for a limited time: please ask for a new one.";

const TOO_MANY_CODES: &str =
    "Too many wrong codes were tried. Please wait a little, then open the link again: it has not been used up.";

/// `GET /` and `GET /chat`, with or without an invite.
pub(super) fn page(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let Some(index) = assets::find(assets::PAGE) else {
        return Ok(Response::error(404, "Not found"));
    };
    let Some(code) = request.query_value("invite").filter(|_| request.path == "/chat") else {
        return Ok(secured(asset(request, index)));
    };
    if !fetcher::is_visit(request) {
        return Ok(card(&service.settings.agent_name));
    }
    let joined = match service.settings.join {
        Join::Open => auth::sign_in(service, host, request, &code, false).map(|(_, cookie)| Some(cookie)),
        Join::Click => auth::invited(service, host, request, &code).map(|_| None),
    };
    match joined {
        Ok(Some(cookie)) => Ok(secured(Response::new(302, "text/plain; charset=utf-8", ""))
            .with("location", "/chat")
            .with("set-cookie", cookie)),
        // The page has the code from its address, and asks.
        Ok(None) | Err(Problem::SignedInAs(_)) => Ok(with_notice(index, "")),
        Err(Problem::InvalidCode) => Ok(with_notice(index, BAD_INVITE)),
        Err(Problem::TooManyCodes(too_many)) => {
            let mut page = with_notice(index, TOO_MANY_CODES);
            page.status = 429;
            Ok(page.with("retry-after", too_many.retry_after_ms.div_ceil(1_000).to_string()))
        }
        Err(other) => Err(other),
    }
}

/// A file, as the client can take it, or nothing where the client has it already.
pub(super) fn asset(request: &Request, asset: &'static Asset) -> Response {
    let is_gzipped = accepts_gzip(request);
    let tag = if is_gzipped {
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
    } else if is_gzipped {
        Response::new(200, asset.content_type, asset.gzipped).with("content-encoding", "gzip")
    } else {
        Response::new(200, asset.content_type, asset.content)
    };
    response
        .with("cache-control", "no-cache")
        .with("etag", tag)
        .with("vary", "accept-encoding")
        .with("referrer-policy", "no-referrer")
        .with("cross-origin-resource-policy", "same-origin")
}

fn with_notice(index: &Asset, sentence: &str) -> Response {
    let page = String::from_utf8_lossy(index.content).replace(NOTICE_MARK, &html_escaped(sentence));
    secured(Response::new(200, index.content_type, page))
}

fn card(agent: &str) -> Response {
    let page = CARD.replace(AGENT_MARK, &html_escaped(agent));
    secured(Response::new(200, "text/html; charset=utf-8", page))
}

fn secured(response: Response) -> Response {
    response
        .with("content-security-policy", CONTENT_SECURITY_POLICY)
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
