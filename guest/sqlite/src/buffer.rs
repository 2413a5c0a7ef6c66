//! Fills memory that SQLite lends.

/// Copies as many of `bytes` as fit to `buffer`, and gives their number.
///
/// # Safety
///
/// `buffer` is writable for `length` bytes, or null when that is 0, and is no part of `bytes`.
pub(crate) unsafe fn fill(buffer: *mut u8, length: usize, bytes: &[u8]) -> usize {
    let count = bytes.len().min(length);
    if count > 0 {
        // SAFETY: both are that long at least, and apart, as the caller promises.
        unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr(), count) };
    }
    count
}
