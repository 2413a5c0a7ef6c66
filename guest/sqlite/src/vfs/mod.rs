//! What SQLite needs of an operating system, over WASI.
//!
//! Files are those of the first preopened directory; nothing else can be named. WASI has no file locks, so a
//! database belongs to one instance, and here to one connection of it.

mod directory;
mod failure;
mod file;
mod host;
mod store;

use std::cell::{Cell, OnceCell};
use std::ffi::CStr;
use std::rc::Rc;

use rsqlite_vfs::{SQLiteIoMethods, SQLiteVfs, register_vfs};
use sqlite_wasm_rs::WasmOsCallback;

use crate::error::{Error, Result};
use crate::ffi;
pub(crate) use directory::{Directory, Mode};
pub(crate) use file::{CHUNK_BYTES, StoredFile};
pub(crate) use store::Storage;
use store::Store;

/// The name to open databases with. It is not the default: a database without a name stays in memory.
pub(crate) const NAME: &CStr = c"wasi";

thread_local! {
    static STORAGE: OnceCell<Rc<Storage>> = const { OnceCell::new() };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// SQLite's file calls, by [`Store`].
struct IoMethods;

impl SQLiteIoMethods for IoMethods {
    type Store = Store;
}

/// SQLite's other calls: clock, randomness and sleep by [`host`].
struct Vfs;

impl SQLiteVfs<IoMethods> for Vfs {
    type Os = WasmOsCallback;

    fn os(_storage: &Rc<Storage>) -> &Self::Os {
        &WasmOsCallback
    }
}

/// Makes the file system known to SQLite, once.
pub(crate) fn register() -> Result<()> {
    if REGISTERED.get() {
        return Ok(());
    }
    let name = NAME.to_str().unwrap_or_default();
    // SAFETY: methods, store and data agree by their types, SQLite's defaults make the rest, and the registration
    // is never taken back. A component has one thread.
    let registration = unsafe { register_vfs::<IoMethods, Vfs>(name, storage()?, false) }
        .map_err(|error| Error::new(ffi::SQLITE_ERROR, error.to_string()))?;
    registration.into_raw();
    REGISTERED.set(true);
    Ok(())
}

/// The first preopened directory and what is open in it.
pub(crate) fn storage() -> Result<Rc<Storage>> {
    STORAGE.with(|cell| {
        if let Some(storage) = cell.get() {
            return Ok(storage.clone());
        }
        let directory = Directory::first_preopened()
            .ok_or_else(|| Error::new(ffi::SQLITE_CANTOPEN, "the host gave no directory"))?;
        Ok(cell.get_or_init(|| Rc::new(Storage::new(directory))).clone())
    })
}

/// What the file system answered when it failed with this code since the last call.
pub(crate) fn take_reason(extended_code: i32) -> Option<String> {
    let storage = STORAGE.with(|cell| cell.get().cloned())?;
    let failures = storage.take_failures();
    let exact = failures.iter().rfind(|failure| failure.raw_code() == extended_code);
    // SQLite reports some storage failures by their general code only.
    let general = || {
        failures
            .iter()
            .rfind(|failure| failure.raw_code() & 0xff == extended_code)
    };
    exact.or_else(general).map(|failure| failure.message().to_owned())
}
