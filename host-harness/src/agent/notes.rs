//! What the agent remembers of each user: a Markdown document in the data directory, one section a user, which the owner may
//! edit in any editor at any time.
//!
//! Only one user's section is ever read or changed at a time. A change is one line, and the file is replaced whole: what
//! somebody else writes at the same moment is seen first, and kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most characters of one note: a fact, not a story.
const NOTE_CHARS: usize = 300;
/// Most bytes of a section that go to a model, and beyond which nothing is added.
const SECTION_BYTES: usize = 8 << 10;
/// Tries to write while somebody else does.
const TRIES: u32 = 5;
/// What the document begins with when the agent makes it.
const TITLE: &str = "# What I know about my friends\n";

/// The document.
#[derive(Debug, Clone)]
pub struct Notes {
    path: PathBuf,
}

/// A note was not taken, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    /// It is empty or too long.
    #[error("a note has 1 to {NOTE_CHARS} characters, on one line")]
    Form,
    /// The user's section is as long as it may be.
    #[error("there are too many notes about this user: have one removed first")]
    Full,
    /// There is no such note.
    #[error("there is no such note")]
    Unknown,
    /// The file cannot be read or written.
    #[error("the notes: {0}")]
    Io(#[from] io::Error),
}

/// The document as it was read, and the mark by which a change of it is noticed.
struct Text {
    lines: Vec<String>,
    mark: Option<(SystemTime, u64)>,
}

impl Notes {
    /// The notes in a file, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The section about a user, without its heading; cut where it is longer than a model should read.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn about(&self, name: &str) -> io::Result<Option<String>> {
        let text = self.read()?;
        let Some(section) = section(&text.lines, name) else {
            return Ok(None);
        };
        let lines = text.lines.get(section.start + 1..section.end).unwrap_or_default();
        let joined = lines.join("\n");
        let whole = joined.trim();
        let cut = whole
            .get(..whole.floor_char_boundary(SECTION_BYTES))
            .unwrap_or_default();
        Ok(Some(cut.to_owned()).filter(|text| !text.is_empty()))
    }

    /// Adds a note to a user's section, which is made where it is missing. The same note again is none.
    ///
    /// # Errors
    /// When it is no note, there is no room for it, or the file cannot be written.
    pub fn add(&self, name: &str, note: &str) -> Result<(), NotesError> {
        let line = line_of(note)?;
        self.change(|lines| {
            let Some(section) = section(lines, name) else {
                if lines.is_empty() {
                    lines.push(TITLE.trim_end().to_owned());
                }
                lines.extend([String::new(), format!("## {name}"), String::new(), line.clone()]);
                return Ok(true);
            };
            let own = lines.get(section.clone()).unwrap_or_default();
            if own.contains(&line) {
                return Ok(false);
            }
            if own.iter().map(String::len).sum::<usize>() + line.len() > SECTION_BYTES {
                return Err(NotesError::Full);
            }
            // Behind the last line that says something.
            let last = own.iter().rposition(|line| !line.trim().is_empty()).unwrap_or_default();
            let at = section.start + last + 1;
            if last == 0 {
                lines.insert(at, String::new());
            }
            lines.insert(if last == 0 { at + 1 } else { at }, line.clone());
            Ok(true)
        })
    }

    /// Removes a note from a user's section.
    ///
    /// # Errors
    /// When it is not there, or the file cannot be written.
    pub fn remove(&self, name: &str, note: &str) -> Result<(), NotesError> {
        let line = line_of(note)?;
        self.change(|lines| {
            let section = section(lines, name).ok_or(NotesError::Unknown)?;
            let own = lines.get(section.clone()).unwrap_or_default();
            let at = own
                .iter()
                .position(|own| own.trim_end() == line)
                .ok_or(NotesError::Unknown)?;
            lines.remove(section.start + at);
            Ok(true)
        })
    }

    /// Changes the document, unless `edit` says that there is nothing to change. Somebody else's change in between is
    /// read and the edit made again.
    fn change(&self, edit: impl Fn(&mut Vec<String>) -> Result<bool, NotesError>) -> Result<(), NotesError> {
        for _ in 0..TRIES {
            let Text { mut lines, mark } = self.read()?;
            if !edit(&mut lines)? {
                return Ok(());
            }
            let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
            let draft = self.path.with_extension("md.part");
            let mut file = File::create(&draft)?;
            if let Ok(before) = fs::metadata(&self.path) {
                file.set_permissions(before.permissions())?;
            }
            file.write_all((lines.join("\n") + "\n").as_bytes())?;
            file.sync_all()?;
            if mark_of(&self.path) == mark {
                fs::rename(&draft, &self.path)?;
                return Ok(File::open(directory)?.sync_all()?);
            }
        }
        Err(NotesError::Io(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "somebody else writes there all the time",
        )))
    }

    fn read(&self) -> io::Result<Text> {
        let mark = mark_of(&self.path);
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        Ok(Text {
            lines: text.lines().map(str::to_owned).collect(),
            mark,
        })
    }
}

fn mark_of(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Where a user's section lies: from its heading, whose first word is the name, to the next heading that is not below it.
fn section(lines: &[String], name: &str) -> Option<std::ops::Range<usize>> {
    let mut start = None;
    let mut is_code = false;
    for (index, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let is_heading = !is_code && (1..=2).contains(&level) && line.as_bytes().get(level) == Some(&b' ');
        if !is_heading {
            continue;
        }
        if let Some(start) = start {
            return Some(start..index);
        }
        let first = line.trim_start_matches('#').split_whitespace().next();
        if level == 2 && first == Some(name) {
            start = Some(index);
        }
    }
    start.map(|start| start..lines.len())
}

/// A note as a line of a list, which no note can leave.
fn line_of(note: &str) -> Result<String, NotesError> {
    let note = note.trim();
    let fits = (1..=NOTE_CHARS).contains(&note.chars().count());
    let is_line = !note
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    if fits && is_line {
        Ok(format!("- {note}"))
    } else {
        Err(NotesError::Form)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn notes(text: &str) -> (tempfile::TempDir, Notes) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("FRIENDS.md");
        if !text.is_empty() {
            fs::write(&path, text).unwrap();
        }
        (directory, Notes::at(path))
    }

    #[test]
    fn the_first_note_makes_the_document() {
        let (_directory, notes) = notes("");
        assert_eq!(notes.about("john").unwrap(), None);
        notes.add("john", " likes tea ").unwrap();
        notes.add("john", "likes tea").unwrap();
        notes.add("jane", "has a dog").unwrap();
        notes.add("john", "lives in Lisbon").unwrap();
        assert_eq!(notes.about("john").unwrap().unwrap(), "- likes tea\n- lives in Lisbon");
        let text = fs::read_to_string(&notes.path).unwrap();
        let expected = format!("{TITLE}\n## john\n\n- likes tea\n- lives in Lisbon\n\n## jane\n\n- has a dog\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_the_owner_wrote_stays_and_nobody_elses_section_is_read() {
        let own = "My friends\n\n## johnny\nnot john\n\n## john (John Doe)\nOld friend.\n\n### Food\n- pizza\n```\n## jane\n```\n\n# Others\n## jane\nsecret\n";
        let (_directory, notes) = notes(own);
        let about = notes.about("john").unwrap().unwrap();
        assert!(about.starts_with("Old friend.") && about.contains("pizza") && !about.contains("secret"));
        notes.add("john", "is back").unwrap();
        let text = fs::read_to_string(&notes.path).unwrap();
        assert_eq!(text, own.replace("## jane\n```\n", "## jane\n```\n- is back\n"));
        notes.remove("john", "is back").unwrap();
        assert_eq!(fs::read_to_string(&notes.path).unwrap(), own);
        assert!(matches!(notes.remove("jane", "pizza"), Err(NotesError::Unknown)));
    }

    #[test]
    fn a_note_cannot_be_more_than_a_note() {
        let (_directory, notes) = notes("");
        for note in [
            "",
            "  ",
            "a\n## jane\n- b",
            "a\rb",
            "a\u{2028}b",
            &"x".repeat(NOTE_CHARS + 1),
        ] {
            assert!(matches!(notes.add("john", note), Err(NotesError::Form)), "{note:?}");
        }
        let full = (0..1_000).find_map(|number| notes.add("john", &format!("{number}{}", "x".repeat(200))).err());
        assert!(matches!(full, Some(NotesError::Full)));
        assert!(fs::metadata(&notes.path).unwrap().len() < 2 * SECTION_BYTES as u64);
    }
}
