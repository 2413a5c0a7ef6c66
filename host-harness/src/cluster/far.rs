//! A plugin on another machine.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::edge::{Again, Edge};
use super::last_id::last_id;
use super::streams::{Connection, Streams};
use super::wire::{Ask, Holding, Reply};
use crate::limits::{Limit, Limits};
use crate::plugin::{self, Accepted, CallError, HttpAnswer, SocketAnswer};
use crate::push::{Full, Held};
use crate::tenants::Name;

/// A plugin on another machine, and its connections that are held here.
#[derive(Debug)]
pub(crate) struct FarPlugin {
    edge: Weak<Edge>,
    tenant: Name,
    limits: Limits,
    streams: Arc<Streams>,
}

impl FarPlugin {
    pub(super) fn new(edge: &Arc<Edge>, tenant: Name, limits: &Limits) -> Self {
        Self {
            edge: Arc::downgrade(edge),
            streams: Streams::new(edge, tenant.clone(), limits),
            tenant,
            limits: limits.clone(),
        }
    }

    /// The tenant, in the log.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::info_span!("tenant", name = %self.tenant)
    }

    /// The bounds of its connections here.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Its connections that are held here.
    pub(super) fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// As [`crate::plugin::PluginActor::http`].
    pub(crate) async fn http(&self, request: &plugin::Request, cut: &Arc<Notify>) -> Result<HttpAnswer, CallError> {
        let edge = self.edge()?;
        let number = edge.next_connection();
        let is_safe = request.inner.method().is_safe();
        let again = if is_safe { Again::Harmless } else { Again::Never };
        let reply = edge.ask(&self.tenant, Ask::Http(number, request.into()), again).await?;
        let (response, holding, is_later) = match reply {
            Reply::Complete(response) => return Ok(HttpAnswer::Complete(response.into())),
            Reply::Full => return Ok(HttpAnswer::Full),
            Reply::Stream(response, holding) => (plugin::Response::from(response), holding, false),
            Reply::Later(response, holding) => (plugin::Response::from(response), holding, true),
            other => return Err(refusal(&other)),
        };
        let mut connection = Connection::new(number);
        if is_safe && !is_later {
            connection.can_be_asked_again(request.clone(), last_id(&response.body));
        }
        Ok(match self.hold(connection, &holding, cut).await? {
            Err(Full) => HttpAnswer::Full,
            Ok(held) if is_later => HttpAnswer::Later(response, held),
            Ok(held) => HttpAnswer::Stream(response, held),
        })
    }

    /// As [`crate::plugin::PluginActor::socket_open`].
    pub(crate) async fn socket_open(
        &self,
        request: plugin::Request,
        cut: &Arc<Notify>,
    ) -> Result<SocketAnswer, CallError> {
        let edge = self.edge()?;
        let number = edge.next_connection();
        let ask = Ask::Open(number, (&request).into());
        let (messages, holding, by) = match edge.ask(&self.tenant, ask, Again::Harmless).await? {
            Reply::Complete(response) => return Ok(SocketAnswer::Refused(response.into())),
            Reply::Full => return Ok(SocketAnswer::Full),
            Reply::Accepted(messages, holding, by) => (messages, holding, by),
            other => return Err(refusal(&other)),
        };
        let mut connection = Connection::new(number);
        connection.is_socket();
        Ok(match self.hold(connection, &holding, cut).await? {
            Err(Full) => SocketAnswer::Full,
            Ok(held) => SocketAnswer::Accepted(messages, held, Box::new(Accepted::new(number, request, by))),
        })
    }

    /// As [`crate::plugin::PluginActor::socket_message`].
    pub(crate) async fn socket_message(
        &self,
        accepted: &mut Accepted,
        text: &str,
    ) -> Result<Option<Vec<String>>, CallError> {
        let ask = Ask::Message {
            connection: accepted.connection(),
            handshake: accepted.handshake().clone().into(),
            by: accepted.by(),
            text: text.to_owned(),
        };
        match self.edge()?.ask(&self.tenant, ask, Again::Never).await? {
            Reply::Messages(messages, by) => {
                accepted.known_by(by);
                Ok(messages)
            }
            other => Err(refusal(&other)),
        }
    }

    /// As [`crate::plugin::PluginActor::socket_closed`].
    pub(crate) async fn socket_closed(&self, accepted: Accepted) -> Result<(), CallError> {
        let ask = Ask::Closed(accepted.connection());
        self.edge()?.tell(&self.tenant, ask).await;
        Ok(())
    }

    async fn hold(
        &self,
        connection: Connection,
        holding: &Holding,
        cut: &Arc<Notify>,
    ) -> Result<Result<Held, Full>, CallError> {
        self.streams.hold(connection, holding, cut).await
    }

    fn edge(&self) -> Result<Arc<Edge>, CallError> {
        self.edge.upgrade().ok_or(CallError::Trapped)
    }
}

/// What a reply that is no answer means.
pub(super) fn refusal(reply: &Reply) -> CallError {
    match reply {
        Reply::Saturated => CallError::Saturated,
        Reply::Down(after_ms) => CallError::Down {
            retry_after: Duration::from_millis(*after_ms),
        },
        // Which one it is, the node's log says.
        Reply::Unfit => CallError::Unfit(Limit::body_bytes),
        _ => CallError::Down {
            retry_after: Duration::from_secs(1),
        },
    }
}
