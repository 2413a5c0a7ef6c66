//! Compiled statements, kept between uses under their own text.
//!
//! A statement in use is out of the cache, so the same text used again meanwhile is compiled anew.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;

use crate::statement::Statement;

/// More than any program here has; a text made up at run time cannot make the cache grow without end.
const MAX_STATEMENTS: usize = 256;

/// The statements of one connection that nobody is using.
#[derive(Default)]
pub(crate) struct StatementCache {
    idle: RefCell<HashMap<Box<str>, Statement>>,
}

impl StatementCache {
    pub(crate) fn take(&self, sql: &str) -> Option<Statement> {
        self.idle.borrow_mut().remove(sql)
    }

    /// Keeps a statement that was reset, or drops it when there is no room.
    pub(crate) fn put(&self, statement: Statement) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_STATEMENTS {
            idle.insert(statement.sql().into(), statement);
        }
    }

    pub(crate) fn clear(&self) {
        drop(mem::take(&mut *self.idle.borrow_mut()));
    }
}
