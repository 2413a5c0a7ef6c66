//! What was measured: as a table to read, and as JSON to compare.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};

/// Everything that one run has measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    sections: Vec<Section>,
}

/// Figures that belong together, a row a case.
#[derive(Debug)]
pub(crate) struct Section {
    title: &'static str,
    note: &'static str,
    rows: Vec<Row>,
}

/// What one case gave.
#[derive(Debug)]
pub(crate) struct Row {
    case: String,
    figures: Vec<(&'static str, f64)>,
}

impl Row {
    pub(crate) fn new(case: impl Into<String>) -> Self {
        Self {
            case: case.into(),
            figures: Vec::new(),
        }
    }

    /// Adds a figure. Its name says the unit.
    pub(crate) fn with(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }
}

impl Section {
    pub(crate) fn new(title: &'static str, note: &'static str) -> Self {
        Self {
            title,
            note,
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Row) {
        eprintln!("  {}", row.case);
        self.rows.push(row);
    }

    /// Names of the figures, in the order in which they come up.
    fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        for (name, _) in self.rows.iter().flat_map(|row| &row.figures) {
            if !columns.contains(name) {
                columns.push(*name);
            }
        }
        columns
    }

    fn markdown(&self) -> String {
        let columns = self.columns();
        let mut text = format!("### {}\n\n{}\n\n| |", self.title, self.note);
        for column in &columns {
            // Writing to a `String` cannot fail.
            let _ = write!(text, " {column} |");
        }
        let _ = writeln!(text, "\n|---|{}", "--:|".repeat(columns.len()));
        for row in &self.rows {
            let _ = write!(text, "| {} |", row.case);
            for column in &columns {
                let figure = row.figures.iter().find(|(name, _)| name == column);
                let _ = write!(
                    text,
                    " {} |",
                    figure.map_or_else(String::new, |(_, value)| rounded(*value))
                );
            }
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let figures: serde_json::Map<String, Value> = row
                .figures
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            json!({ "case": row.case, "figures": figures })
        });
        json!({ "title": self.title, "rows": rows.collect::<Vec<_>>() })
    }
}

impl Report {
    /// Adds a section, unless nothing of it was chosen.
    pub(crate) fn push(&mut self, section: Section) {
        if !section.rows.is_empty() {
            self.sections.push(section);
        }
    }

    /// Writes `report.md` and `report.json` and gives the first as text.
    pub(crate) fn write(&self, directory: &Path) -> anyhow::Result<String> {
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let revision = revision();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut text = format!("Measured at {date}, revision {revision}, {cores} cores.\n");
        for section in &self.sections {
            let _ = write!(text, "\n{}", section.markdown());
        }
        let sections: Vec<Value> = self.sections.iter().map(Section::json).collect();
        let json = json!({ "date": date, "revision": revision, "cores": cores, "sections": sections });
        fs::write(directory.join("report.md"), &text)?;
        fs::write(directory.join("report.json"), serde_json::to_vec_pretty(&json)?)?;
        Ok(text)
    }
}

fn revision() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    match described {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// Three digits that say something.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
