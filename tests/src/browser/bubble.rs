//! One message on the page.

use serde_json::Value;

use super::Tab;

/// Reads the conversation from the page: what a person sees, and what a screen reader is told.
const READ: &str = "return Array.from(document.querySelectorAll('#entries > .entry'), (entry) => ({
    role: ['friend', 'agent', 'nudge'].filter((role) => entry.classList.contains(role)).join(' '),
    text: entry.querySelector('.body').innerText,
    live: entry.classList.contains('live'),
    state: entry.dataset.state ?? '',
    note: entry.querySelector('.state')?.innerText ?? '',
    label: entry.querySelector('.label')?.innerText ?? '',
    new: entry.querySelector('.new') !== null,
}));";

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bubble {
    /// `friend`, `agent` or `nudge`.
    pub role: String,
    /// What it says.
    pub text: String,
    /// More is to come.
    pub is_live: bool,
    /// What became of a friend's own message, as `answered`.
    pub state: String,
    /// What stands under it about that, as `Sent`.
    pub note: String,
    /// What stands above a nudge.
    pub label: String,
    /// What follows is marked as new.
    pub is_marked_new: bool,
}

impl Bubble {
    #[track_caller]
    pub(super) fn read(tab: &Tab) -> Vec<Self> {
        let bubbles = tab.run(READ, &[]);
        bubbles.as_array().unwrap().iter().map(Self::from_json).collect()
    }

    fn from_json(bubble: &Value) -> Self {
        let text = |name: &str| bubble[name].as_str().unwrap().to_owned();
        Self {
            role: text("role"),
            text: text("text"),
            is_live: bubble["live"] == true,
            state: text("state"),
            note: text("note"),
            label: text("label"),
            is_marked_new: bubble["new"] == true,
        }
    }

    /// Whether these are all there is, with nothing on its way.
    pub(super) fn are(bubbles: &[Self], wanted: &[(&str, &str)]) -> bool {
        let shown = bubbles
            .iter()
            .map(|bubble| (bubble.role.as_str(), bubble.text.as_str()));
        shown.eq(wanted.iter().copied()) && bubbles.iter().all(|bubble| !bubble.is_live && !bubble.is_waiting())
    }

    /// Whether this is a friend's message whose outcome is open.
    pub fn is_waiting(&self) -> bool {
        self.role == "friend" && !matches!(self.state.as_str(), "answered" | "stopped" | "failed")
    }
}
