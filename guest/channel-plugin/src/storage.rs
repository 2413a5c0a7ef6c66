//! What SQLite finds wrong, in the words of the contract.

use wasi_sqlite::Error as StorageError;

use crate::Error;

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.to_string())
    }
}
