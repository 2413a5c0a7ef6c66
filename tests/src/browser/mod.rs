//! What a friend sees: the page in a real Chromium, driven through WebDriver.
//!
//! A test opens a [`Browser`] with a profile of its own and [`Tab`]s in it, and looks at the [`Bubble`]s there. When
//! the browser is dropped it looks back at everything that its console and its network log have told: a violation of
//! the page's policy, an error that the test did not announce, or a request to anybody but the harness fails the test.

mod base64;
mod bubble;
mod devtools;
mod driver;
mod history;
mod logs;
mod meter;
mod session;
mod tab;
mod trace;
mod webdriver;

use std::time::{Duration, Instant};

pub use bubble::Bubble;
pub use devtools::Devtools;
pub use history::{numbered, remembered};
pub use meter::Meter;
pub use session::Browser;
pub use tab::{ENTER, LINE_BREAK, Tab};
pub use trace::{Trace, Work};

use crate::DEADLINE;

/// Pause between two looks at something that may change: as short as an answer of the browser takes.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Looks until there is something to see. `describe` says what was there instead, for a test that fails.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>, describe: impl FnOnce() -> String) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            begin.elapsed() < DEADLINE,
            "it never came that {what}; instead: {}",
            describe()
        );
        std::thread::sleep(LOOK_AGAIN);
    }
}
