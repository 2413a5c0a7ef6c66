//! The symbols that the SQLite build leaves to be linked: clock, randomness and sleep, from WASI.

use std::time::Duration;

use sqlite_wasm_rs::host::{Error, LocalTime, OK};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::random::get_random_bytes;

use crate::buffer::fill;

#[unsafe(no_mangle)]
extern "C" fn rust_sqlite_wasm_host_sleep(seconds: u64, nanoseconds: u32) {
    let nanoseconds = Duration::new(seconds, nanoseconds).as_nanos();
    monotonic_clock::subscribe_duration(u64::try_from(nanoseconds).unwrap_or(u64::MAX)).block();
}

/// # Safety
///
/// `buffer` is writable for `length` bytes, or null when that is 0.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_random(buffer: *mut u8, length: usize) -> usize {
    // SAFETY: the caller's promise is ours, and a fresh list is apart from everything.
    unsafe { fill(buffer, length, &get_random_bytes(length as u64)) }
}

/// # Safety
///
/// As above.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_fill_entropy(buffer: *mut u8, length: usize) -> i32 {
    // SAFETY: as above.
    if unsafe { fill(buffer, length, &get_random_bytes(length as u64)) } == length {
        OK
    } else {
        Error::Unavailable as i32
    }
}

/// # Safety
///
/// `out` is aligned and writable for one `i64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_epoch_timestamp_in_ms(out: *mut i64) -> i32 {
    let now = wall_clock::now();
    let milliseconds = Duration::new(now.seconds, now.nanoseconds).as_millis();
    let Ok(milliseconds) = i64::try_from(milliseconds) else {
        return Error::InvalidTime as i32;
    };
    // SAFETY: the caller's promise.
    unsafe { out.write(milliseconds) };
    OK
}

/// WASI 0.2 knows no time zones: `'localtime'` in SQL fails rather than give the wrong hour.
#[unsafe(no_mangle)]
extern "C" fn rust_sqlite_wasm_host_localtime(_unix_seconds: i64, _out: *mut LocalTime) -> i32 {
    Error::Unsupported as i32
}
