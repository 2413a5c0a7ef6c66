//! Moving in: a file of the original plugin becomes ours. A copy is put beside it first; then everything happens in
//! one transaction, after which no code and no token of the original can be read from the file.

mod found;

use wasi_sqlite::{Connection, params};

use super::{StoreError, Terms, schema};
use crate::text::quoted;
use found::{Found, Loss, Secret, refuse_shared};

/// What the copy's name has behind the file's.
const COPY: &str = "before-friends-chat";
/// Most friends that are named one by one in the log: hosts limit the lines of a call.
const MAX_NAMED: usize = 50;

/// Whether the file holds the original's friends and nothing else. Reads only.
pub(super) fn is_in(connection: &Connection) -> Result<bool, StoreError> {
    let found: Option<bool> = connection.query_row(
        "SELECT (SELECT count(*) FROM pragma_table_info('friends') WHERE name IN
                 ('username', 'nickname', 'invite_code', 'session_token', 'created_at', 'last_seen')) = 6
            AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE tbl_name <> 'friends' AND name NOT GLOB 'sqlite_*')",
        params![],
        |row| row.get(0),
    )?;
    Ok(found.unwrap_or_default())
}

/// Makes the original's closed file ours. Killed at any moment, it is whole and either the original's or ours; then
/// this may be repeated, and makes no second copy of what was copied already.
pub(super) fn move_in(file: &str, terms: &Terms<'_>) -> Result<(), StoreError> {
    // What a log holds belongs into the copy. From here on the file changes in the one transaction only.
    Connection::open_erasing(file)?.close()?;
    let backup = back_up(file)?;
    let connection = Connection::open_erasing(file)?;
    let moved = connection.transaction(|connection| {
        let (friends, losses) = replace(connection, terms)?;
        // Said before it is final: killed in between, it is said again rather than never.
        warn_of(&losses);
        tracing::info!(
            friends,
            backup,
            "the original plugin's friends move in; the backup holds their codes and tokens in plain text, delete \
             it when you are content"
        );
        Ok(())
    });
    let closed = connection.close();
    moved.and(closed.map_err(StoreError::from))
}

/// Copies the file and gives the copy's name. A copy of another file is never replaced.
fn back_up(file: &str) -> Result<String, StoreError> {
    let mut copy = format!("{file}.{COPY}");
    let mut number = 1;
    while wasi_sqlite::exists(&copy)? {
        if wasi_sqlite::same(file, &copy)? {
            return Ok(copy);
        }
        number += 1;
        copy = format!("{file}.{COPY}-{number}");
    }
    wasi_sqlite::copy(file, &copy)?;
    Ok(copy)
}

/// Puts our tables in the place of the original's and everybody into them; gives their number, and what was lost.
fn replace(connection: &Connection, terms: &Terms<'_>) -> Result<(usize, Vec<(String, Loss)>), StoreError> {
    let mut found = connection.query(
        "SELECT username, nickname, invite_code, session_token,
                CAST(created_at AS INTEGER), CAST(last_seen AS INTEGER)
         FROM friends ORDER BY created_at, username",
        params![],
        |row| Ok(Found::read(row, terms)),
    )?;
    refuse_shared(&mut found, |friend| &mut friend.code);
    refuse_shared(&mut found, |friend| &mut friend.token);
    connection.execute_batch("DROP TABLE friends")?;
    erase_free_pages(connection)?;
    schema::build(connection, 0, terms.new_epoch)?;

    let mut moved = 0;
    let mut losses = Vec::new();
    for friend in &found {
        let mut lose = |loss| losses.push((quoted(&friend.username), loss));
        match friend.insert(connection, terms)? {
            Err(loss) => lose(loss),
            Ok(()) => {
                moved += 1;
                if friend.token == Secret::Unusable {
                    lose(Loss::Session);
                }
                if friend.code == Secret::Unusable {
                    lose(Loss::Code);
                }
            }
        }
    }
    Ok((moved, losses))
}

/// Pages that were freed before this connection came still hold what was on them. Rows of zeros take them all, and
/// free them with nothing on them.
fn erase_free_pages(connection: &Connection) -> Result<(), StoreError> {
    let number = |pragma| connection.query_row(pragma, params![], |row| row.get::<i64>(0));
    let pages = number("PRAGMA freelist_count")?.unwrap_or_default();
    if pages == 0 {
        return Ok(());
    }
    connection.execute_batch("CREATE TABLE free_pages (zeros BLOB)")?;
    connection.execute(
        "WITH RECURSIVE page (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM page WHERE number < ?1)
         INSERT INTO free_pages SELECT zeroblob(?2) FROM page",
        params![pages, number("PRAGMA page_size")?],
    )?;
    Ok(connection.execute_batch("DROP TABLE free_pages")?)
}

fn warn_of(losses: &[(String, Loss)]) {
    for (username, loss) in losses.iter().take(MAX_NAMED) {
        tracing::warn!(%username, "{loss}");
    }
    let others = losses.len().saturating_sub(MAX_NAMED);
    if others > 0 {
        tracing::warn!(
            others,
            "others moved in without a code or a session, or are in the backup only"
        );
    }
}
