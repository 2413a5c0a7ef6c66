//! What was checked and what came of it, as a table.

use std::fmt;

use crate::plugin::{Lost, one_line};

/// A sentence of the contract and the check that holds a plugin to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What is so when all is well.
    pub check: &'static str,
    /// The file in `wit/`.
    pub file: &'static str,
    /// What that says, word for word.
    pub says: &'static str,
}

/// Why a check did not find that all is well.
#[derive(Debug)]
pub(super) enum Finding {
    /// What came in place of what the contract demands.
    Came(String),
    /// Why it could not be seen.
    Unseen(String),
}

/// What a check has found.
pub(super) type Checked = Result<(), Finding>;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as the contract demands.
    Ok,
    /// It is not. One sentence that says what is demanded and what came.
    Failed(String),
    /// It could not be seen. Says why.
    Skipped(String),
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What was looked at.
    pub check: String,
    /// The sentence that demands it; none for a step of a scenario.
    pub rule: Option<Rule>,
    /// What came of it.
    pub outcome: Outcome,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order of the checks.
    pub lines: Vec<Line>,
}

impl From<String> for Finding {
    fn from(came: String) -> Self {
        Self::Came(came)
    }
}

impl From<Lost> for Finding {
    fn from(Lost(why): Lost) -> Self {
        Self::Came(why)
    }
}

impl Report {
    /// Whether anything is not as the contract demands.
    pub fn has_failed(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_))) > 0
    }

    pub(super) fn add(&mut self, rule: Rule, checked: Checked) {
        let outcome = match checked {
            Ok(()) => Outcome::Ok,
            Err(Finding::Came(came)) => {
                let Rule { file, says, .. } = rule;
                Outcome::Failed(format!("{file} says \"{says}\", and what came is: {}", one_line(&came)))
            }
            Err(Finding::Unseen(why)) => Outcome::Skipped(why),
        };
        self.lines.push(Line {
            check: rule.check.to_owned(),
            rule: Some(rule),
            outcome,
        });
    }

    /// Adds a part of a scenario.
    pub(super) fn add_part(&mut self, name: &str, played: Checked) {
        self.lines.push(Line {
            check: format!("scenario, {name}"),
            rule: None,
            outcome: match played {
                Ok(()) => Outcome::Ok,
                Err(Finding::Came(came)) => Outcome::Failed(one_line(&came)),
                Err(Finding::Unseen(why)) => Outcome::Skipped(why),
            },
        });
    }

    fn count(&self, of: impl Fn(&Outcome) -> bool) -> usize {
        self.lines.iter().filter(|line| of(&line.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { check, outcome, .. } in &self.lines {
            match outcome {
                Outcome::Ok => writeln!(f, "ok       {check}")?,
                Outcome::Failed(why) => writeln!(f, "FAILED   {check}: {why}")?,
                Outcome::Skipped(why) => writeln!(f, "skipped  {check}: {why}")?,
            }
        }
        let ok = self.count(|outcome| *outcome == Outcome::Ok);
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = self.lines.len() - ok - failed;
        writeln!(f, "\n{ok} ok, {failed} failed, {skipped} skipped")
    }
}
