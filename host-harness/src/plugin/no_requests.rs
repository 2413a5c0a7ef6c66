//! Refuses requests to others, twice over: the interface to make them is not linked either.

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// The types of `wasi:http` without a way out.
pub(super) struct NoRequests;

/// What carries the rest of a connection along.
type Connection = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _body_sent: Connection,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Connection)>> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}
