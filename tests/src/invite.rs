//! What the owner gets to pass on.

use crate::secrets;

/// A friend's invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The whole link.
    pub link: String,
    /// The code, as shown.
    pub code: String,
}

impl Invite {
    /// Finds the link in what the tool says.
    pub fn parse(text: &str) -> Self {
        let link = text.split_whitespace().find(|word| word.contains("/chat?invite="));
        let link = link.unwrap_or_else(|| panic!("no link in: {text}"));
        let (_, code) = link.split_once("?invite=").unwrap();
        assert!(text.matches(code).count() > 1, "the code stands by itself, too: {text}");
        secrets::remember(code);
        Self {
            link: link.to_owned(),
            code: code.to_owned(),
        }
    }

    /// The path and query of the link.
    pub fn target(&self) -> String {
        format!("/chat?invite={}", self.code)
    }
}
