//! One row of a query's answer, and the Rust types its columns turn into.
//!
//! A column is never converted: text is not read as a number, nor `NULL` as zero. Such a mismatch is an error.

use crate::error::{Error, Result};
use crate::ffi;
use crate::statement::Statement;

/// The row that a query stands on.
pub struct Row<'a> {
    statement: &'a Statement,
}

/// A column's content, borrowed until the query moves on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// A type that a column can be read as.
pub trait FromColumn: Sized {
    /// Reads column `index` of `row`, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such column, or it holds another type or a number out of range.
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self>;
}

impl<'a> Row<'a> {
    pub(crate) fn new(statement: &'a Statement) -> Self {
        Self { statement }
    }

    /// Reads column `index`, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such column, or it holds another type or a number out of range.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T> {
        T::from_column(self, index)
    }

    fn column(&self, index: usize) -> Result<Column<'_>> {
        self.statement.column(index)
    }

    fn mismatch(&self, index: usize, wanted: &str, found: Column<'_>) -> Error {
        let found = match found {
            Column::Null => "null",
            Column::Integer(_) => "an integer out of range",
            Column::Real(_) => "a real number",
            Column::Text(_) => "text",
            Column::Blob(_) => "a blob",
        };
        let message = format!("column {index} is {found}, not {wanted}");
        Error::new(ffi::SQLITE_MISMATCH, message).in_statement(self.statement.sql())
    }
}

impl FromColumn for i64 {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.column(index)? {
            Column::Integer(value) => Ok(value),
            other => Err(row.mismatch(index, "an integer", other)),
        }
    }
}

impl FromColumn for u64 {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        let value: i64 = row.get(index)?;
        Self::try_from(value).map_err(|_| row.mismatch(index, "an unsigned number", Column::Integer(value)))
    }
}

impl FromColumn for u32 {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        let value: i64 = row.get(index)?;
        Self::try_from(value).map_err(|_| row.mismatch(index, "an unsigned 32-bit number", Column::Integer(value)))
    }
}

impl FromColumn for bool {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.column(index)? {
            Column::Integer(0) => Ok(false),
            Column::Integer(1) => Ok(true),
            other => Err(row.mismatch(index, "0 or 1", other)),
        }
    }
}

impl FromColumn for f64 {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.column(index)? {
            Column::Real(value) => Ok(value),
            other => Err(row.mismatch(index, "a real number", other)),
        }
    }
}

impl FromColumn for String {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.column(index)? {
            Column::Text(bytes) => std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| {
                Error::new(
                    ffi::SQLITE_MISMATCH,
                    format!("column {index} is text that is not utf-8"),
                )
                .in_statement(row.statement.sql())
            }),
            other => Err(row.mismatch(index, "text", other)),
        }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.column(index)? {
            Column::Blob(bytes) => Ok(bytes.to_vec()),
            other => Err(row.mismatch(index, "a blob", other)),
        }
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.column(index)? {
            Column::Null => Ok(None),
            _ => row.get(index).map(Some),
        }
    }
}
