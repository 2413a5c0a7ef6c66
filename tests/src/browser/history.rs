//! Conversations that took place before a test begins.

use std::process::Command;

use serde_json::Value;

use super::{Browser, Tab};
use crate::{Data, Harness, Process};

/// A harness where a friend, John, has talked before, and a browser of his whose tab shows the end of it. `entries` is a
/// query of SQLite for role (`friend` or `agent`), text, and time in milliseconds since 1970, in this order.
#[track_caller]
pub fn remembered(data: &Data, agent: &str, entries: &str) -> (Harness, Browser, Tab) {
    let harness = data.serve(&["--agent", agent]);
    let port = harness.address().port();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    // What a browser asks for beside a picture.
    browser.provoke("/favicon.ico");
    tab.go("/assets/icon.svg");
    let data = harness.stop();
    let sql = format!(
        "WITH RECURSIVE said (role, text, at_ms) AS ({entries})
         INSERT INTO entries (friend_id, role, text, at_ms, state)
         SELECT (SELECT id FROM friends), role, text, at_ms, iif(role = 'friend', 'answered', 'stored') FROM said"
    );
    let mut command = Command::new("sqlite3");
    command.arg(data.database()).arg(sql);
    Process::start(command).wait().success();
    let harness = Harness::start_on(&data, port, &["--agent", agent]);
    tab.go("/chat");
    tab.wait_online();
    (harness, browser, tab)
}

/// A query for so many entries, a minute apart, as [`remembered`] takes it.
pub fn numbered(entries: u32) -> String {
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {entries})
         SELECT iif(n % 2, 'friend', 'agent'), 'Message **' || n || '**', unixepoch() * 1000 - ({entries} - n) * 60000
         FROM numbers"
    )
}

impl Tab {
    /// How many entries the conversation shows.
    #[track_caller]
    pub fn entries(&self) -> u64 {
        let entries = self.value("document.querySelectorAll('#entries > .entry').length");
        Value::as_u64(&entries).unwrap()
    }

    /// Scrolls up until so many entries are there.
    #[track_caller]
    pub fn scroll_up(&self, entries: u64) {
        while self.entries() < entries {
            let before = self.entries();
            self.run("document.querySelector('#log').scrollTop = 0;", &[]);
            self.wait(&format!(
                "document.querySelectorAll('#entries > .entry').length > {before}"
            ));
        }
    }
}
