//! The connection as SQLite knows it: opened by name, closed once.

use std::cell::Cell;
use std::ffi::{CString, c_int};
use std::ptr;

use crate::error::{Error, Result};
use crate::ffi;
use crate::vfs;

/// An open connection, or null after `close`.
pub(crate) struct Handle(Cell<*mut ffi::sqlite3>);

impl Handle {
    pub(crate) fn open(file_name: &str) -> Result<Self> {
        let name =
            CString::new(file_name).map_err(|_| Error::new(ffi::SQLITE_CANTOPEN, "the file's name holds a nul"))?;
        let handle = Self(Cell::new(ptr::null_mut()));
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
        // SAFETY: both names are C strings for the length of the call; the handle is ours to write.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), handle.0.as_ptr(), flags, vfs::NAME.as_ptr()) };
        // A handle that failed to open is a handle all the same: it has the message, and is closed on drop.
        handle.check(code)?;
        handle.keep_plans()?;
        Ok(handle)
    }

    /// A plan is made once for a statement and not for each value that is bound to it: SQLite would compile those anew whose
    /// plan might be another one with another value, which takes longer than most of them run.
    fn keep_plans(&self) -> Result<()> {
        // SAFETY: the handle is open; this setting takes a number and where to write what it was before, which may be nowhere.
        let code = unsafe {
            ffi::sqlite3_db_config(
                self.get(),
                ffi::SQLITE_DBCONFIG_ENABLE_QPSG,
                1 as c_int,
                ptr::null_mut::<c_int>(),
            )
        };
        self.check(code)
    }

    pub(crate) fn get(&self) -> *mut ffi::sqlite3 {
        self.0.get()
    }

    pub(crate) fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: the handle is null or open.
        Err(unsafe { Error::last(self.get(), code) })
    }

    pub(crate) fn close(&self) -> Result<()> {
        // SAFETY: null, which SQLite ignores, or open, and closed this once.
        match unsafe { ffi::sqlite3_close(self.0.replace(ptr::null_mut())) } {
            ffi::SQLITE_OK => Ok(()),
            code => Err(Error::from_code(code)),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to hear of it. What was committed is in the log, which the next `open` reads.
        let _closed = self.close();
    }
}
