//! The routes: each turns a request into a response, and everything that can be wrong with a request into one
//! `Problem`, so that a friend reads the same plain words for the same thing everywhere.

use channel_plugin::{Host, MAX_BODY_BYTES, Request, Response};

mod auth;
pub(crate) mod chat;
mod history;
mod notes;
mod notifications;
mod page;
mod problem;
pub(crate) mod stream;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use problem::Problem;

use crate::origin;
use crate::router::{self, NoRoute, Route};
use crate::service::Service;
use crate::store::Session;

/// Seconds for which the host may say for this plugin that all is well, while its instance lives.
const HEALTHY_S: u32 = 1;

#[derive(Serialize)]
struct Health {
    ok: bool,
    service: &'static str,
}

#[derive(Serialize)]
struct Done {
    ok: bool,
}

/// Answers a request; every request gets an answer.
pub(crate) fn answer(service: &mut Service, host: &mut dyn Host, request: &Request) -> Response {
    let route = match router::find(&request.method, &request.path) {
        Ok(route) => route,
        Err(NoRoute::NotFound) => return finished(request, Response::error(404, "Not found")),
        Err(NoRoute::MethodNotAllowed(allowed)) => {
            let sentence = format!("This address takes {allowed} only");
            return finished(request, Response::error(405, &sentence).with("allow", allowed));
        }
    };
    let response = dispatch(service, host, request, route).unwrap_or_else(Problem::into_response);
    finished(request, response)
}

fn dispatch(service: &mut Service, host: &mut dyn Host, request: &Request, route: Route) -> Result<Response, Problem> {
    if request.body.len() > MAX_BODY_BYTES {
        return Err(Problem::TooLarge);
    }
    if request.method == "POST" && !origin::is_own(request, &service.settings.base_url) {
        return Err(Problem::CrossSite);
    }
    match route {
        Route::Page => page::page(service, host, request),
        Route::Worker => page::worker(request),
        Route::Manifest => page::manifest(&service.settings.agent_name),
        Route::Asset(asset) => Ok(page::asset(request, asset)),
        Route::Health => {
            let health = Health {
                ok: true,
                service: "friends-chat",
            };
            Ok(Response::json(200, &health).kept_by_host(HEALTHY_S))
        }
        Route::AuthStatus => auth::status(service, host, request),
        Route::Invite => auth::invite(service, host, request),
        Route::Redeem => auth::redeem(service, host, request),
        Route::Link => auth::link(service, host, request),
        Route::Logout => auth::logout(service, host, request),
        Route::Nickname => auth::nickname(service, host, request),
        Route::Language => page::language(service, request),
        Route::Notes => notes::notes(service, host, request),
        Route::Forget => notes::forget(service, host, request),
        Route::Chat => chat::say(service, host, request),
        Route::Stop => chat::stop(service, host, request),
        Route::History => history::history(service, host, request),
        Route::Seen => history::seen(service, host, request),
        Route::Notifications => notifications::notifications(service, host, request),
        Route::NotificationsOn => notifications::on(service, host, request),
        Route::NotificationsOff => notifications::off(service, host, request),
        Route::Stream => stream::stream(service, host, request),
        Route::Socket => Ok(Response::error(426, "This address is for WebSockets").with("upgrade", "websocket")),
    }
}

fn finished(request: &Request, response: Response) -> Response {
    if request.method == "HEAD" {
        response.without_body()
    } else {
        response
    }
}

/// Who a request is from; nobody is a problem.
pub(crate) fn signed_in(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Session, Problem> {
    service.session(host, request)?.ok_or(Problem::SignedOut)
}

/// The body as the object that a route takes. Fields it does not know are ignored, so that pages may send more.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let is_json = request.header("content-type").is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(Problem::NotSaidToBeJson);
    }
    let value: serde_json::Value = serde_json::from_slice(&request.body).map_err(|_| Problem::NotJson)?;
    if !value.is_object() {
        return Err(Problem::Shape("The body must be a JSON object".to_owned()));
    }
    serde_json::from_value(value).map_err(|error| Problem::Shape(format!("The body does not fit: {error}")))
}

/// A query parameter that is a number not below zero.
fn number(request: &Request, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = request.query_value(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if number >= 0 => Ok(Some(number)),
        _ => Err(Problem::Shape(format!("{name} must be a whole number"))),
    }
}
