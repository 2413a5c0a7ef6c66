//! The InviteStore: friends, invites, sessions and the log, in one SQLite file that this instance owns. What a
//! function here has done is synced to disk when it returns, or, where the host lets it wait, with the next `commit`;
//! errors say what was being done.

mod condition;
mod friends;
mod invites;
mod log;
mod original;
mod schema;
mod sessions;
mod subscriptions;
mod tidy;

use std::cell::Cell;
use std::collections::BTreeMap;

use channel_plugin::Error;
use wasi_sqlite::{Connection, ErrorKind, params};

use crate::code::CodeKey;
use crate::retention::Retention;

pub(crate) use condition::condition_of;
pub(crate) use friends::{Friend, Status};
pub(crate) use invites::{Invite, InviteKind, Redemption};
pub(crate) use log::{NewNudge, Open};
pub(crate) use sessions::Session;

/// The file in the plugin's own directory.
pub(crate) const FILE: &str = "friends.db";

/// Milliseconds after which the use of sessions is written even if nothing else is: what a crash may take.
const WRITE_USE_AFTER_MS: i64 = 60_000;

/// The store.
pub(crate) struct Store {
    connection: Connection,
    epoch: String,
    /// Milliseconds that a session lives without being used.
    session_idle_ms: i64,
    retention: Retention,
    growth: tidy::Growth,
    known: sessions::Known,
    /// Whether any browser is woken; none before that was looked up. Every answer would look for some, mostly in vain.
    wakes_any: Cell<Option<bool>>,
    /// Use of sessions since it was last written, by session: the friend and the time. Written along with a change now
    /// and then, because it is not worth a sync, nor much of what each change costs.
    used: BTreeMap<i64, (i64, i64)>,
    /// When the earliest such use was.
    used_since_ms: Option<i64>,
    /// Whether a change may be left open for [`Store::commit`].
    may_wait: fn() -> bool,
    /// What was left open has been undone by SQLite.
    is_undone: bool,
    /// The last write found no room on the disk.
    is_full: bool,
}

/// What a store is opened with.
pub(crate) struct Terms<'a> {
    /// Names the log if it is a new one.
    pub(crate) new_epoch: &'a str,
    /// Milliseconds after which a session that was not used is over.
    pub(crate) session_idle_ms: i64,
    pub(crate) retention: Retention,
    /// Asked before a change that could be left open for [`Store::commit`].
    pub(crate) may_wait: fn() -> bool,
    /// The key, the time and the milliseconds of life for open codes of the original plugin, should the file be its.
    pub(crate) code_key: &'a CodeKey,
    pub(crate) now_ms: i64,
    pub(crate) invite_ttl_ms: i64,
}

/// The store could not do something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite or the file system failed.
    #[error("{doing}: {source}")]
    Failed {
        /// What was being done, as in "signing a friend in".
        doing: &'static str,
        source: wasi_sqlite::Error,
    },
    /// A later version wrote the file. It has not been changed.
    #[error("{file} was written by a later version of this plugin: its schema is {found}, this version knows {known}")]
    Newer { file: String, found: u32, known: u32 },
    /// Something else's tables are in the file. It has not been changed.
    #[error("{file} holds tables that are not this plugin's; move it away or restore the right file")]
    Foreign { file: String },
    /// Changes that were to be made lasting together have been undone together.
    #[error("{doing}: an earlier failure has undone what was not lasting yet")]
    Undone { doing: &'static str },
    /// The original plugin's friends are in the file, and have not moved in. It has not been changed.
    #[error("{file} is the original plugin's, whose friends have not moved in")]
    Original { file: String },
    /// A value in the file means nothing to this version.
    #[error("{doing}: the file holds \"{value}\", which means nothing here")]
    Unreadable { doing: &'static str, value: String },
}

impl From<wasi_sqlite::Error> for StoreError {
    fn from(source: wasi_sqlite::Error) -> Self {
        Self::Failed {
            doing: "using the database",
            source,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Newer { .. } => Self::NewerData(error.to_string()),
            _ => Self::Storage(error.to_string()),
        }
    }
}

impl StoreError {
    /// The same error, with what was being done.
    fn doing(self, what: &'static str) -> Self {
        match self {
            Self::Failed { source, .. } => Self::Failed { doing: what, source },
            Self::Unreadable { value, .. } => Self::Unreadable { doing: what, value },
            Self::Undone { .. } => Self::Undone { doing: what },
            other => other,
        }
    }

    /// Whether there was no room on the disk.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Failed { source, .. } if source.kind() == ErrorKind::Full)
    }

    /// Whether the same thing may succeed later without anybody's repair.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Failed { source, .. } => matches!(source.kind(), ErrorKind::Full | ErrorKind::Io | ErrorKind::Busy),
            Self::Undone { .. } => true,
            _ => false,
        }
    }
}

impl Store {
    /// Opens the file, or creates it, and brings it up to this version; a file of the original plugin, too.
    pub(crate) fn open(file: &str, terms: &Terms<'_>) -> Result<Self, StoreError> {
        let connection = match connect(file) {
            Err(StoreError::Original { .. }) => {
                original::move_in(file, terms)
                    .map_err(|error| error.doing("moving the original plugin's friends in"))?;
                connect(file)?
            }
            other => other?,
        };
        match schema::migrate(&connection, terms.new_epoch) {
            Ok(epoch) => Ok(Self {
                connection,
                epoch,
                session_idle_ms: terms.session_idle_ms,
                retention: terms.retention,
                growth: tidy::Growth::default(),
                known: sessions::Known::default(),
                wakes_any: Cell::new(None),
                used: BTreeMap::new(),
                used_since_ms: None,
                may_wait: terms.may_wait,
                is_undone: false,
                is_full: false,
            }),
            Err(error) => {
                // The first error is the one to tell.
                let _closed = connection.close();
                Err(error.doing("bringing the database up to date"))
            }
        }
    }

    /// The name of this log, drawn when it was made: ids of another log mean nothing here.
    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// What statements have cost so far, in steps of SQLite's virtual machine.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> u64 {
        self.connection.steps()
    }

    /// Notes that a session was used.
    fn note_use(&mut self, session: &Session, now_ms: i64) {
        self.used.insert(session.id, (session.friend_id, now_ms));
        let since_ms = *self.used_since_ms.get_or_insert(now_ms);
        // Before that time the clock was set back.
        if (since_ms..since_ms.saturating_add(WRITE_USE_AFTER_MS)).contains(&now_ms) {
            return;
        }
        self.used_since_ms = Some(now_ms);
        if let Err(error) = self.write("noting who was here", |_| Ok(())) {
            // Whoever only reads can do so on a full disk.
            tracing::warn!(%error, "the use of sessions is not kept for the moment");
        }
    }

    /// Writes everything out and closes the file.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let doing = "closing the database";
        let noted = self.write(doing, |_| Ok(())).and_then(|()| self.commit());
        let closed = self
            .connection
            .close()
            .map_err(|source| StoreError::Failed { doing, source });
        noted.and(closed)
    }

    /// Makes last what was left open. After a failure all of it is undone, and what was remembered of it is wrong.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        let doing = "making changes last";
        if std::mem::take(&mut self.is_undone) {
            return Err(StoreError::Undone { doing });
        }
        if self.connection.in_transaction() {
            self.connection
                .commit()
                .map_err(|source| StoreError::Failed { doing, source })?;
        }
        Ok(())
    }

    /// Reads.
    fn read<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&self.connection).map_err(|error| error.doing(doing))
    }

    /// Tells the owner that the disk is full, and that it is not any more: once, not with each friend who writes.
    fn tell_of_room<T>(&mut self, written: &Result<T, StoreError>) {
        match written {
            Ok(_) if std::mem::take(&mut self.is_full) => tracing::info!("there is room on the disk again"),
            Err(error) if error.is_full() && !std::mem::replace(&mut self.is_full, true) => tracing::error!(
                %error,
                "the disk is full: friends read on and are told that nothing can be saved; make room on it"
            ),
            _ => {}
        }
    }

    /// Changes something in one transaction, and writes down what sessions were used meanwhile.
    fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.known.forget();
        let used = std::mem::take(&mut self.used);
        let written = self.write_entries(doing, |connection| {
            for (session_id, (friend_id, at_ms)) in &used {
                connection.execute(
                    "UPDATE sessions SET last_used_ms = ?2 WHERE id = ?1",
                    params![*session_id, *at_ms],
                )?;
                connection.execute(
                    "UPDATE friends SET last_seen_ms = ?2 WHERE id = ?1",
                    params![*friend_id, *at_ms],
                )?;
            }
            work(connection)
        });
        match written {
            Ok(_) => self.used_since_ms = None,
            Err(_) => self.used = used,
        }
        written
    }

    /// Changes entries of the log, and nothing else, in one transaction.
    fn write_entries<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.change(doing, |connection| connection.transaction(work))
    }

    /// Changes entries of the log, and nothing else, in one statement, which happens wholly or not at all by itself.
    fn write_entry<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.change(doing, work)
    }

    fn change<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.is_undone {
            return Err(StoreError::Undone { doing });
        }
        if !self.connection.in_transaction() && (self.may_wait)() {
            self.connection
                .begin()
                .map_err(|source| StoreError::Failed { doing, source })?;
        }
        let is_left_open = self.connection.in_transaction();
        let result = work(&self.connection).map_err(|error| error.doing(doing));
        self.is_undone = is_left_open && !self.connection.in_transaction();
        if !is_left_open {
            self.tell_of_room(&result);
        }
        result
    }
}

/// Opens a file that this version can bring up to date.
fn connect(file: &str) -> Result<Connection, StoreError> {
    Connection::open_checked(file, |connection| schema::check(connection, file))
        .map_err(|error: StoreError| error.doing("opening the database"))
}
