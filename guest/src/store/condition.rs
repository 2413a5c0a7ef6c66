//! Whether the file is whole. Looking changes nothing in it.

use channel_plugin::{Condition, condition, damage};
use wasi_sqlite::Connection;

use super::{Store, StoreError, schema};

impl Store {
    /// Reads the open file through.
    pub(crate) fn condition(&self) -> Result<Condition, StoreError> {
        named(condition(&self.connection).map_err(StoreError::from))
    }
}

/// Reads a file through that no store has open. The original plugin's is as good as this one's.
pub(crate) fn condition_of(file: &str) -> Result<Condition, StoreError> {
    let look_at_file = || {
        if !wasi_sqlite::exists(file)? {
            return Ok(Condition::Empty);
        }
        let connection = Connection::open_to_look(file)?;
        match schema::check(&connection, file) {
            Ok(()) | Err(StoreError::Original { .. }) => Ok(condition(&connection)?),
            Err(error) => Err(error),
        }
    };
    named(look_at_file())
}

/// A file that cannot be read because of what is in it is damaged; other failures are failures.
fn named(looked: Result<Condition, StoreError>) -> Result<Condition, StoreError> {
    match looked {
        Err(StoreError::Failed { source, .. }) => damage(source).map_err(StoreError::from),
        other => other,
    }
    .map_err(|error| error.doing("looking whether the database is whole"))
}
