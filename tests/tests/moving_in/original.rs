//! Databases of the original plugin, written and read by SQLite's own program.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How the original's process left its file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    /// Closed.
    Closed,
    /// Killed: everything is in the log.
    InLog,
}

/// The friend of a number, as the tests know them; every second one is signed in, the others have a code.
pub(super) fn username(number: u32) -> String {
    format!("friend_{number}")
}

pub(super) fn token(number: u32) -> String {
    format!("{number:08x}{}", "5ec2e7aa".repeat(3))
}

pub(super) fn code(number: u32) -> String {
    format!("Q7z{number:05}")
}

/// Text that is in every token and in no other place, and the same for codes.
pub(super) const SECRETS: [&str; 2] = ["5ec2e7aa", "Q7z0"];

/// Writes a database with so many friends; `more` are further rows.
pub(super) fn write(file: &Path, friends: u32, more: &str, left: Left) {
    let journal = match left {
        Left::Closed => "DELETE",
        Left::InLog => "WAL",
    };
    let rows: Vec<String> = (0..friends)
        .map(|number| {
            let (code, token) = match number % 2 {
                0 => ("NULL".to_owned(), format!("'{}'", token(number))),
                _ => (format!("'{}'", code(number)), "NULL".to_owned()),
            };
            let name = username(number);
            format!(
                "INSERT INTO friends VALUES ('{name}', 'Freund {number} 🙂', {code}, {token}, 1600000000000, NULL);"
            )
        })
        .collect();
    let script = format!(
        ".dbconfig no_ckpt_on_close on
        PRAGMA journal_mode = {journal};
        BEGIN;
        CREATE TABLE friends (username TEXT PRIMARY KEY, nickname TEXT NOT NULL, invite_code TEXT UNIQUE,
            session_token TEXT UNIQUE, created_at INTEGER, last_seen INTEGER);
        -- Pages that are freed again, with what was on them.
        INSERT INTO friends SELECT 'gone_' || value, 'Gone', 'Q7z0g' || value, '{}' || value, 1, 1
            FROM generate_series(100, 400);
        DELETE FROM friends;
        {}
        {more}
        COMMIT;
        ",
        SECRETS[0],
        rows.join("\n")
    );
    let input = file.with_extension("sql");
    fs::write(&input, script).unwrap();
    let output = sqlite(file).stdin(fs::File::open(&input).unwrap()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    fs::remove_file(input).unwrap();
}

/// What a database answers to a query, one line a row.
pub(super) fn ask(file: &Path, query: &str) -> String {
    let output = sqlite(file).arg(query).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The files in a directory, by name.
pub(super) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The files in a directory that hold one of [`SECRETS`].
pub(super) fn files_with_secrets(directory: &Path) -> Vec<String> {
    let mut names = names_in(directory);
    names.retain(|name| {
        let bytes = fs::read(directory.join(name)).unwrap();
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        SECRETS.into_iter().any(holds)
    });
    names
}

fn sqlite(file: &Path) -> Command {
    let mut command = Command::new("sqlite3");
    command.arg("-bail").arg(file);
    command
}
