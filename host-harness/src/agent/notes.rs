//! What the agent remembers of each user: a Markdown document in the data directory, one section a user, which the owner may
//! edit in any editor at any time.
//!
//! What the agent notes stands under a heading of its own there: the user may read that and have it removed, and the rest
//! is the owner's. The file is replaced whole: what somebody else writes at the same moment is seen first, and kept.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Most characters of one note: a fact, not a story.
const NOTE_CHARS: usize = 300;
/// Most bytes of a section that go to a model, and beyond which nothing is added.
const SECTION_BYTES: usize = 8 << 10;
/// Most bytes of the document, beyond which nobody is introduced: it is read whole for every turn.
const DOCUMENT_BYTES: usize = 4 << 20;
/// Tries to write while somebody else does.
const TRIES: u32 = 5;
/// What the document begins with when the agent makes it.
const TITLE: &str = "# What I know about my friends\n";
/// The heading, of the third level, of what the agent has noted in a section.
const NOTED: &str = "Noted by the agent";

/// The document. Clones write one after the other.
#[derive(Debug, Clone)]
pub struct Notes {
    path: PathBuf,
    writing: Arc<Mutex<()>>,
}

/// A user who is to have a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The section's name: one word.
    pub name: String,
    /// What the user is called, on one line, for people to read.
    pub called: String,
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
    /// The document is as long as it may be.
    #[error("it has become too long: take out of it what nobody needs")]
    TooLong,
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
        Self {
            path,
            writing: Arc::default(),
        }
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

    /// What the agent has noted about a user, earliest first.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn noted(&self, name: &str) -> io::Result<Vec<String>> {
        let lines = self.read()?.lines;
        let noted = section(&lines, name).and_then(|section| noted(&lines, section));
        let own = noted.and_then(|noted| lines.get(noted)).unwrap_or_default();
        Ok(own.iter().filter_map(|line| note_in(line)).map(str::to_owned).collect())
    }

    /// Makes a section for everyone who has none.
    ///
    /// # Errors
    /// When the document is too long already, or cannot be written.
    pub fn introduce(&self, users: &[Introduction]) -> Result<(), NotesError> {
        self.change(|lines| {
            let mut is_changed = false;
            // Looked through once: thousands come when they move in.
            let mut known = names(lines);
            let mut bytes: usize = lines.iter().map(String::len).sum();
            for Introduction { name, called } in users {
                if !known.insert(name.clone()) {
                    continue;
                }
                if bytes > DOCUMENT_BYTES {
                    return Err(NotesError::TooLong);
                }
                let called = Some(called).filter(|called| *called != name);
                let known_as = called.map_or_else(String::new, |called| format!(" ({called})"));
                let heading = format!("{name}{known_as}");
                bytes += heading.len();
                begin_section(lines, &heading);
                is_changed = true;
            }
            Ok(is_changed)
        })
    }

    /// Adds a note to a user's section, which is made where it is missing. The same note again is none.
    ///
    /// # Errors
    /// When it is no note, there is no room for it, or the file cannot be written.
    pub fn add(&self, name: &str, note: &str) -> Result<(), NotesError> {
        let line = line_of(note)?;
        self.change(|lines| {
            let section = match section(lines, name) {
                Some(section) => section,
                None => begin_section(lines, name),
            };
            let whole = lines.get(section.clone()).unwrap_or_default();
            if whole.iter().map(String::len).sum::<usize>() + line.len() > SECTION_BYTES {
                return Err(NotesError::Full);
            }
            let Some(noted) = noted(lines, section.clone()) else {
                let at = end_of(lines, section);
                let heading = format!("### {NOTED}");
                lines.splice(at..at, [String::new(), heading, String::new(), line.clone()]);
                return Ok(true);
            };
            let own = lines.get(noted.clone()).unwrap_or_default();
            if own.contains(&line) {
                return Ok(false);
            }
            let at = end_of(lines, noted.clone());
            // A list begins behind an empty line.
            let is_first = at == noted.start + 1;
            if is_first && own.get(1).is_some_and(|line| line.trim().is_empty()) {
                lines.insert(at + 1, line.clone());
            } else {
                let gap = is_first.then(String::new);
                lines.splice(at..at, gap.into_iter().chain([line.clone()]));
            }
            Ok(true)
        })
    }

    /// Removes what the agent has noted in a user's section; what the owner wrote there stays.
    ///
    /// # Errors
    /// When it is not there, or the file cannot be written.
    pub fn remove(&self, name: &str, note: &str) -> Result<(), NotesError> {
        self.change(|lines| {
            let noted = section(lines, name)
                .and_then(|section| noted(lines, section))
                .ok_or(NotesError::Unknown)?;
            let own = lines.get(noted.clone()).unwrap_or_default();
            let at = own
                .iter()
                .position(|own| note_in(own) == Some(note.trim()))
                .ok_or(NotesError::Unknown)?;
            lines.remove(noted.start + at);
            Ok(true)
        })
    }

    /// Changes the document, unless `edit` says that there is nothing to change. Somebody else's change in between is
    /// read and the edit made again.
    fn change(&self, edit: impl Fn(&mut Vec<String>) -> Result<bool, NotesError>) -> Result<(), NotesError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Adds an empty section and tells where it lies.
fn begin_section(lines: &mut Vec<String>, heading: &str) -> Range<usize> {
    if lines.is_empty() {
        lines.push(TITLE.trim_end().to_owned());
    }
    lines.extend([String::new(), format!("## {heading}")]);
    lines.len() - 1..lines.len()
}

/// Where a user's section lies: from its heading, whose first word is the name, to the next heading that is not below it.
fn section(lines: &[String], name: &str) -> Option<Range<usize>> {
    part(lines, 0..lines.len(), 2, |title| {
        title.split_whitespace().next() == Some(name)
    })
}

/// Where the agent's notes lie in a section, from their heading.
fn noted(lines: &[String], section: Range<usize>) -> Option<Range<usize>> {
    part(lines, section, 3, |title| title.trim() == NOTED)
}

/// Where the first part of a level lies whose heading is wanted: up to the next heading that is not below it.
fn part(
    lines: &[String],
    within: Range<usize>,
    level: usize,
    is_wanted: impl Fn(&str) -> bool,
) -> Option<Range<usize>> {
    let mut start = None;
    for (index, depth, title) in headings(lines, within.clone()) {
        if depth > level {
            continue;
        }
        if let Some(start) = start {
            return Some(start..index);
        }
        if depth == level && is_wanted(title) {
            start = Some(index);
        }
    }
    start.map(|start| start..within.end)
}

/// The names of all who have a section.
fn names(lines: &[String]) -> HashSet<String> {
    headings(lines, 0..lines.len())
        .filter(|(_, depth, _)| *depth == 2)
        .filter_map(|(_, _, title)| title.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The headings within some lines: where each is, its level and its title. In a block of code there are none.
fn headings(lines: &[String], within: Range<usize>) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut code_end = 0;
    let lines_within = lines.iter().enumerate().take(within.end).skip(within.start);
    lines_within.filter_map(move |(index, line)| {
        if index >= code_end && is_fence(line) {
            code_end = closing_fence(lines, index).unwrap_or(code_end);
        }
        let depth = line.bytes().take_while(|byte| *byte == b'#').count();
        let title = line.get(depth..)?.strip_prefix(' ')?;
        (index >= code_end && depth > 0).then_some((index, depth, title))
    })
}

/// The characters that begin and end a block of code.
const FENCE: &str = "```";

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with(FENCE)
}

/// Where a block of code ends. One that is never closed is none: a forgotten fence must not put the next user's section
/// into this one.
fn closing_fence(lines: &[String], opening: usize) -> Option<usize> {
    let (at, next) = lines
        .iter()
        .enumerate()
        .skip(opening + 1)
        .find(|(_, line)| is_fence(line))?;
    (next.trim() == FENCE).then_some(at)
}

/// Behind the last line of a part that says something.
fn end_of(lines: &[String], part: Range<usize>) -> usize {
    let own = lines.get(part.clone()).unwrap_or_default();
    let last = own.iter().rposition(|line| !line.trim().is_empty()).unwrap_or_default();
    part.start + last + 1
}

/// The note in a line of a list; an editor may have chosen another of Markdown's marks.
fn note_in(line: &str) -> Option<&str> {
    let note = line.strip_prefix(['-', '*', '+'])?.strip_prefix(' ')?.trim();
    Some(note).filter(|note| !note.is_empty())
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
        assert!(notes.noted("john").unwrap().is_empty());
        notes.add("john", " likes tea ").unwrap();
        notes.add("john", "likes tea").unwrap();
        notes.add("jane", "has a dog").unwrap();
        notes.add("john", "lives in Lisbon").unwrap();
        assert_eq!(notes.noted("john").unwrap(), ["likes tea", "lives in Lisbon"]);
        let text = fs::read_to_string(&notes.path).unwrap();
        let expected = format!(
            "{TITLE}\n## john\n\n### {NOTED}\n\n- likes tea\n- lives in Lisbon\n\n## jane\n\n### {NOTED}\n\n- has a dog\n"
        );
        assert_eq!(text, expected);
        assert_eq!(
            notes.about("john").unwrap().unwrap(),
            format!("### {NOTED}\n\n- likes tea\n- lives in Lisbon")
        );
    }

    #[test]
    fn who_is_introduced_has_a_section_once() {
        let (_directory, notes) = notes("## jane\nAn old friend.\n");
        let introduced = |name: &str, called: &str| Introduction {
            name: name.to_owned(),
            called: called.to_owned(),
        };
        let users = [
            introduced("john", "John Doe"),
            introduced("jane", "Jane"),
            introduced("mary", "mary"),
        ];
        notes.introduce(&users).unwrap();
        notes.introduce(&users).unwrap();
        let text = fs::read_to_string(&notes.path).unwrap();
        assert_eq!(text, "## jane\nAn old friend.\n\n## john (John Doe)\n\n## mary\n");
        assert_eq!(notes.about("john").unwrap(), None);
        notes.add("john", "likes tea").unwrap();
        assert_eq!(notes.noted("john").unwrap(), ["likes tea"]);
        assert!(notes.noted("mary").unwrap().is_empty());
    }

    #[test]
    fn what_the_owner_wrote_stays_and_nobody_elses_section_is_read() {
        let own = "My friends\n\n## johnny\nnot john\n\n## john (John Doe)\nOld friend.\n\n### Food\n- pizza\n```\n## jane\n```\n\n# Others\n## jane\nsecret\n";
        let (_directory, notes) = notes(own);
        let about = notes.about("john").unwrap().unwrap();
        assert!(about.starts_with("Old friend.") && about.contains("pizza") && !about.contains("secret"));
        notes.add("john", "is back").unwrap();
        let text = fs::read_to_string(&notes.path).unwrap();
        let code = "## jane\n```\n";
        let with_note = own.replace(code, &format!("{code}\n### {NOTED}\n\n- is back\n"));
        assert_eq!(text, with_note);
        assert_eq!(notes.noted("john").unwrap(), ["is back"]);
        assert!(matches!(notes.remove("john", "pizza"), Err(NotesError::Unknown)));
        notes.remove("john", "is back").unwrap();
        assert_eq!(
            fs::read_to_string(&notes.path).unwrap(),
            text.replace("- is back\n", "")
        );
        notes.add("john", "left again").unwrap();
        assert_eq!(
            fs::read_to_string(&notes.path).unwrap(),
            text.replace("is back", "left again")
        );
        assert!(matches!(notes.remove("jane", "secret"), Err(NotesError::Unknown)));
    }

    #[test]
    fn notes_that_an_editor_has_marked_otherwise_are_notes() {
        let (_directory, notes) = notes(&format!(
            "## john\n### {NOTED}\n* likes tea\n\n+  has a dog \nfree words\n"
        ));
        assert_eq!(notes.noted("john").unwrap(), ["likes tea", "has a dog"]);
        notes.remove("john", "has a dog").unwrap();
        assert_eq!(notes.noted("john").unwrap(), ["likes tea"]);
    }

    #[test]
    fn a_fence_that_is_not_closed_hides_no_section() {
        for rest in ["", "\n```rust\nfn main() {}\n```\n"] {
            let (_directory, notes) = notes(&format!("## john\n```\nopen\n\n## jane\nsecret\n{rest}"));
            let about = notes.about("john").unwrap().unwrap();
            assert!(about.contains("open") && !about.contains("secret"), "{about}");
            assert!(notes.about("jane").unwrap().unwrap().starts_with("secret"));
        }
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
