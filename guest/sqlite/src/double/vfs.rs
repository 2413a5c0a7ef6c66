//! The file system natively: none.

use std::cell::RefCell;
use std::ffi::CStr;

use crate::error::Result;

/// The name to open databases with.
pub(crate) const NAME: &CStr = c"double";

thread_local! {
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Succeeds.
pub(crate) fn register() -> Result<()> {
    Ok(())
}

/// Leaves a reason for the next failure.
pub(crate) fn leave_reason(reason: &str) {
    REASON.set(Some(reason.to_owned()));
}

/// The reason that was left.
pub(crate) fn take_reason(_extended_code: i32) -> Option<String> {
    REASON.take()
}
