//! The web side as plain records.

use super::{Component, Exported, enter};
use crate::bindings::exports::tinyclaw::plugin::http::Guest;
use crate::bindings::tinyclaw::plugin::http_types as wit;
use crate::{Error, Request, Response};

impl<P: Exported> Guest for Component<P> {
    fn handle(request: wit::Request) -> wit::Response {
        to_wit(answer::<P>(&from_wit(request)))
    }
}

/// Answers a request by either door.
pub(super) fn answer<P: Exported>(request: &Request) -> Response {
    enter(|plugin: &mut P, host| plugin.handle(host, request))
        .unwrap_or(Err(Error::Busy))
        .unwrap_or_else(Response::from)
}

/// The request as the plugin takes it.
pub(super) fn from_wit(request: wit::Request) -> Request {
    Request::new(
        request.method,
        &request.target,
        request.headers,
        request.body,
        request.client,
    )
}

/// A response as the host takes it.
pub(crate) fn to_wit(response: Response) -> wit::Response {
    let headers = response.headers.into_iter();
    wit::Response {
        status: response.status,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect(),
        body: response.body,
        hold: response.hold,
    }
}
