//! The standard's door of a plugin, `wasi:http/incoming-handler`. The harness itself goes by the other one.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::bindings::tinyclaw::plugin::http_types as wit;
use super::imports::State;

/// What came through the standard's door.
pub(crate) enum StandardAnswer {
    /// A response, which is held if its GRIP headers say so.
    Response(wit::Response),
    /// Something else, said in a few words.
    None(String),
}

/// Asks there. Of the body at most this much is taken.
pub(super) async fn ask(
    door: &Proxy,
    store: &mut Store<State>,
    request: &wit::Request,
    most_bytes: usize,
) -> wasmtime::Result<StandardAnswer> {
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(request.target.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name.as_str(), value.as_slice());
    }
    let body = Full::new(Bytes::from(request.body.clone()));
    let (sender, receiver) = oneshot::channel();
    let mut view = store.data_mut().http();
    let incoming = view.new_incoming_request(Scheme::Http, builder.body(body)?)?;
    let out = view.new_response_outparam(sender)?;
    // The plugin writes the body while it is read.
    let reading = async {
        let (head, body) = match receiver.await {
            Ok(Ok(response)) => response.into_parts(),
            Ok(Err(code)) => return Ok(StandardAnswer::None(format!("the error {code:?}"))),
            Err(_) => return Ok(StandardAnswer::None("no response".to_owned())),
        };
        let body = match Limited::new(body, most_bytes).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(error) => return Ok(StandardAnswer::None(format!("a body that breaks off: {error}"))),
        };
        let headers = head.headers.iter();
        Ok(StandardAnswer::Response(wit::Response {
            status: head.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body,
            hold: None,
        }))
    };
    let handling = door.wasi_http_incoming_handler().call_handle(store, incoming, out);
    let ((), answer) = tokio::try_join!(handling, reading)?;
    Ok(answer)
}
