//! What a channel plugin is.

use crate::{
    AgentEvent, Condition, Delivery, Entry, Error, Hold, Host, Metadata, OutboundMessage, Request, Response, Ticket,
    Tool, ToolError,
};

/// A channel plugin. The functions are those of the contract's interfaces, whose text says when the host calls them and
/// what it makes of each error; what has a default here is what a plugin can do without.
///
/// A new value is a plugin that has not been started. It is there as long as the instance.
pub trait ChannelPlugin: Default + 'static {
    /// `channel.describe`: what this plugin is. The kind is `channel`.
    fn describe() -> Metadata;

    /// `channel.start`: opens the plugin's files, and puts in the agent's queue what waits for an answer.
    ///
    /// # Errors
    /// [`Error::AlreadyStarted`], or what keeps the plugin from serving; it may be started again.
    fn start(&mut self, host: &mut dyn Host) -> Result<(), Error>;

    /// `channel.stop`: ends held connections and closes the files. May be repeated.
    ///
    /// # Errors
    /// When the files could not be closed in order.
    fn stop(&mut self, host: &mut dyn Host) -> Result<(), Error>;

    /// `http.handle`, and the door of `wasi:http`: answers a request, whatever it is.
    ///
    /// # Errors
    /// What keeps it from an answer; the client gets a status for it in its place.
    fn handle(&mut self, host: &mut dyn Host, request: &Request) -> Result<Response, Error>;

    /// `channel.send-to-user`: keeps a message to a user who has not asked, and sends it.
    ///
    /// # Errors
    /// As the contract says; nothing has been sent then.
    fn send_to_user(
        &mut self,
        host: &mut dyn Host,
        user_id: &str,
        message: &OutboundMessage,
    ) -> Result<Delivery, Error>;

    /// `channel.on-agent-event`: what the agent does about the message of a ticket.
    ///
    /// # Errors
    /// [`Error::UnknownTicket`] when nobody waits for that answer any more.
    fn on_agent_event(&mut self, host: &mut dyn Host, ticket: Ticket, event: AgentEvent) -> Result<(), Error>;

    /// `channel.history`: a user's latest messages, oldest first.
    ///
    /// # Errors
    /// As the contract says.
    fn history(&mut self, user_id: &str, limit: u32) -> Result<Vec<Entry>, Error>;

    /// `maintenance.verify`: whether the plugin's files are whole.
    ///
    /// # Errors
    /// When they cannot be read.
    fn verify(&mut self) -> Result<Condition, Error>;

    /// `channel.commit`: makes last what was left open after [`Host::may_wait`] said that it may be. A plugin that asks
    /// nothing leaves nothing open.
    ///
    /// # Errors
    /// When it did not last: this instance is of no use any more.
    fn commit(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// `tools.list-tools`: what the owner's agent can do, in a fixed order.
    fn tools() -> Vec<Tool> {
        Vec::new()
    }

    /// `tools.call-tool`: carries out one of [`tools`](Self::tools); the arguments are a JSON object in text.
    ///
    /// # Errors
    /// As the contract says; nothing was changed then.
    fn call_tool(&mut self, _host: &mut dyn Host, name: &str, _arguments: &str) -> Result<String, ToolError> {
        Err(ToolError::UnknownTool(name.to_owned()))
    }

    /// `socket.open`: decides about a WebSocket's handshake.
    fn open_socket(&mut self, _host: &mut dyn Host, _connection: u64, _request: &Request) -> Opening {
        Opening::Refused(Response::error(404, "There is no WebSocket here"))
    }

    /// `socket.message`: takes a message of a WebSocket and gives what is said back to it alone.
    fn socket_message(&mut self, _host: &mut dyn Host, _connection: u64, _text: &str) -> Vec<String> {
        Vec::new()
    }

    /// What a WebSocket is told whose message comes in the middle of another call.
    fn socket_busy() -> Vec<String> {
        Vec::new()
    }

    /// `socket.closed`: forgets a WebSocket.
    fn socket_closed(&mut self, _connection: u64) {}

    /// `web-push-events.gone`: forgets where a browser was woken that cannot be woken any more.
    fn push_gone(&mut self, _endpoint: &str) {}
}

/// What is decided about a WebSocket's handshake.
#[derive(Debug)]
pub enum Opening {
    /// Let in, with the first messages.
    Accepted(Hold, Vec<String>),
    /// Answered with this instead.
    Refused(Response),
}
