//! What an agent can have done in the owner's turn, step by step: each step is shown to the owner before it is carried out,
//! and one that may take something away waits for the owner's consent. The agent has no say in which those are.

use tokio::sync::{mpsc, oneshot};

use super::{Answer, OwnerTool, OwnerTools};

/// The owner's tools in the hands of the agent, for one turn.
#[derive(Debug, Clone)]
pub struct Hands {
    tools: OwnerTools,
    steps: mpsc::Sender<Step>,
}

/// Something that the agent wants carried out.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) tool: String,
    /// JSON in text, as the agent wrote it.
    pub(super) arguments: String,
    pub(super) needs_consent: bool,
    /// Takes whether it may be carried out.
    pub(super) verdict: oneshot::Sender<bool>,
}

impl Hands {
    /// Hands that show their steps to whoever receives them.
    pub(super) fn new(tools: OwnerTools, steps: mpsc::Sender<Step>) -> Self {
        Self { tools, steps }
    }

    /// What there is to use.
    pub fn tools(&self) -> &[OwnerTool] {
        self.tools.list()
    }

    /// Has a tool carried out if the owner lets it; gives what came of it.
    pub async fn carry_out(&self, name: &str, arguments: &str) -> Answer {
        let tool = self
            .tools
            .get(name)
            .ok_or_else(|| format!("there is no tool {name:?}"))?;
        if !self.may(name, arguments, tool.needs_consent).await {
            tracing::info!(tool = name, "the owner did not consent");
            return Err("the owner was asked and did not consent".to_owned());
        }
        self.tools.call(name, arguments).await
    }

    /// Shows a step that is not one of the tools'.
    pub async fn show(&self, name: &str, arguments: &str) {
        self.may(name, arguments, false).await;
    }

    /// The user id for a name, if the plugin has no objection to it.
    ///
    /// # Errors
    /// When there is no such user. Says so.
    pub async fn user_id(&self, name: &str) -> Answer {
        self.tools.user_id(name).await
    }

    async fn may(&self, name: &str, arguments: &str, needs_consent: bool) -> bool {
        let (verdict, allowed) = oneshot::channel();
        let step = Step {
            tool: name.to_owned(),
            arguments: arguments.to_owned(),
            needs_consent,
            verdict,
        };
        // An owner who is gone lets nothing happen.
        self.steps.send(step).await.is_ok() && allowed.await.unwrap_or(false)
    }
}
