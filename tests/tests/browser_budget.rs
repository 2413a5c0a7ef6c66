//! What the page costs, in what does not depend on the machine: bytes and requests of a first visit, layout shifts,
//! and how much of a long conversation each piece of an answer touches. Observed in the browser's network log and by
//! its own observers. How long it takes is printed, not judged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::process::Command;

use friends_chat_tests::browser::{Browser, Tab};
use friends_chat_tests::{Data, Harness, Process, Script};

/// Bytes over the wire of a first visit, heads included.
const FIRST_VISIT_BYTES: u64 = 50 * 1024;
/// Requests of a first visit: the page, its parts, its icon, and what it asks the server.
const FIRST_VISIT_REQUESTS: usize = 30;
/// Pieces that the agent says, at a rate of fifty a second.
const PIECES: u64 = 100;

/// Adds up the layout shifts from the page's beginning on.
const WATCH_SHIFTS: &str = "window.shifts = 0;
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts += shift.value;
    }).observe({ type: 'layout-shift', buffered: true });
    return new Promise((resolve) => { requestAnimationFrame(() => { setTimeout(resolve); }); });";

/// Counts what changes in the conversation from now on, and how long the page is busy at a time.
const WATCH_CHANGES: &str = "window.changes = { text: 0, nodes: 0, elsewhere: 0 };
    new MutationObserver((records) => {
        for (const { type, target, addedNodes, removedNodes } of records) {
            const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
            if (!element.closest('.entry:nth-last-child(-n + 2)') && target.id !== 'entries') window.changes.elsewhere += 1;
            if (type === 'characterData') window.changes.text += 1;
            else window.changes.nodes += addedNodes.length + removedNodes.length;
        }
    }).observe(document.querySelector('#entries'), { childList: true, subtree: true, characterData: true, attributes: true });
    window.busy = [];
    new PerformanceObserver((list) => { window.busy.push(...list.getEntries().map(({ duration }) => duration)); })
        .observe({ type: 'longtask' });";

/// Waits in the page until the answer ends with a text: looking again and again from outside would keep the page busy.
const AWAIT_ENDING: &str = "return new Promise((resolve) => {
        const look = () => {
            if (document.querySelector('.entry.agent.live .verbatim')?.textContent.endsWith(arguments[0])) resolve();
        };
        new MutationObserver(look)
            .observe(document.querySelector('#entries'), { childList: true, subtree: true, characterData: true });
        look();
    });";

/// Writes a conversation of this many messages into the database of a harness that does not run.
fn remember(data: &Data, messages: u32) {
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {messages})
         INSERT INTO entries (friend_id, role, text, at_ms, state)
         SELECT (SELECT id FROM friends), iif(n % 2, 'friend', 'agent'), 'Message **' || n || '**',
             unixepoch() * 1000 - ({messages} - n) * 60000, iif(n % 2, 'answered', 'stored') FROM numbers"
    );
    let mut command = Command::new("sqlite3");
    command.arg(data.database()).arg(sql);
    Process::start(command).wait().success();
}

/// A harness with a long conversation, and a browser whose tab shows the end of it.
fn with_history(data: &Data, agent: &str, messages: u32) -> (Harness, Browser, Tab) {
    let harness = data.serve(&["--agent", agent]);
    let port = harness.address().port();
    let browser = Browser::open(&harness);
    browser.provoke("net::ERR_");
    // What a browser asks for beside a picture.
    browser.provoke("/favicon.ico");
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    tab.go("/assets/icon.svg");
    let data = harness.stop();
    remember(&data, messages);
    let harness = Harness::start_on(&data, port, &["--agent", agent]);
    tab.go("/chat");
    tab.wait_online();
    (harness, browser, tab)
}

fn shown(tab: &Tab) -> u64 {
    tab.value("document.querySelectorAll('.entry').length")
        .as_u64()
        .unwrap()
}

/// Scrolls up until so many messages are there.
fn scroll_up(tab: &Tab, messages: u64) {
    while shown(tab) < messages {
        let before = shown(tab);
        tab.run("document.querySelector('#log').scrollTop = 0;", &[]);
        tab.wait(&format!("document.querySelectorAll('.entry').length > {before}"));
    }
}

#[test]
fn a_first_visit_is_small_and_nothing_moves() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    tab.run(WATCH_SHIFTS, &[]);
    tab.wait("document.querySelector('#empty').checkVisibility()");

    let (bytes, requests) = (browser.received_bytes(), browser.requested().len());
    println!("first visit: {bytes} bytes in {requests} requests");
    assert!(bytes > 10_000, "{bytes} bytes: nothing was counted");
    assert!(bytes < FIRST_VISIT_BYTES, "{bytes} bytes");
    assert!(requests <= FIRST_VISIT_REQUESTS, "{:#?}", browser.requested());
    assert_eq!(tab.value("window.shifts"), 0);

    tab.reload();
    tab.wait_online();
    let again = browser.received_bytes() - bytes;
    println!("second visit: {again} bytes");
    assert!(again < bytes / 2, "what has not changed is not sent again");
}

#[test]
fn a_piece_touches_nothing_but_its_own_text() {
    let script = Script::new(&format!(
        r#"read -r _ < "${{0%/*}}/go"
        for piece in $(seq {PIECES}); do printf '{{"delta":"piece %s "}}\n' "$piece"; sleep 0.02; done
        read -r _ < "${{0%/*}}/rest""#
    ));
    let (mut go, mut rest) = (script.gate("go"), script.gate("rest"));
    let (_harness, _browser, tab) = with_history(&Data::new(), &script.agent(), 500);
    scroll_up(&tab, 500);
    tab.run("document.querySelector('#log').scrollTop = 1e9;", &[]);
    tab.send("Go!");
    tab.wait("document.querySelector('.entry.agent.live') !== null");
    tab.wait("!document.querySelector('.entry.friend:nth-last-child(2) .state')?.textContent.includes('Sending')");
    if let Ok(rate) = std::env::var("CPU_THROTTLING") {
        let rate: f64 = rate.parse().unwrap();
        tab.devtools("Emulation.setCPUThrottlingRate", &serde_json::json!({ "rate": rate }));
    }
    tab.run(WATCH_SHIFTS, &[]);
    tab.run(WATCH_CHANGES, &[]);
    tab.run("window.shifts = 0;", &[]);

    go.let_one_through();
    tab.run(AWAIT_ENDING, &[format!("piece {PIECES} ").into()]);
    let changes = tab.value("window.changes");
    println!(
        "{PIECES} pieces: {changes}; busy for over 50 ms: {}",
        tab.value("window.busy")
    );
    assert_eq!(changes["elsewhere"], 0, "{changes}");
    assert!(changes["text"].as_u64().unwrap() <= PIECES, "{changes}");
    // The dots go and the text comes.
    assert!(changes["nodes"].as_u64().unwrap() <= 4, "{changes}");
    assert_eq!(tab.value("window.shifts"), 0);
    rest.let_one_through();
    tab.wait("document.querySelector('.entry.agent.live') === null");
}

#[test]
fn two_thousand_messages_come_as_they_are_scrolled_to() {
    let (harness, _browser, tab) = with_history(&Data::new(), "echo", 2_000);
    assert!(shown(&tab) <= 100, "not all at once");
    scroll_up(&tab, 2_000);
    assert_eq!(shown(&tab), 2_000);
    let order = "Array.from(document.querySelectorAll('.entry .body'), (body) => body.innerText.match(/\\d+/)[0])
        .every((number, at) => Number(number) === at + 1)";
    assert_eq!(tab.value(order), true, "each once, in order");
    assert_eq!(tab.value("document.querySelector('#older').checkVisibility()"), false);

    assert_eq!(tab.value("document.querySelector('#pill').checkVisibility()"), true);
    tab.run("window.place = document.querySelector('#log').scrollTop;", &[]);
    harness.nudge("john", "Far below");
    tab.wait("document.querySelector('#pill-text').textContent === 'New messages'");
    assert_eq!(
        tab.value("document.querySelector('#log').scrollTop === window.place"),
        true,
        "the friend reads on"
    );
    tab.click("#pill");
    tab.wait("document.querySelector('.entry.nudge').getBoundingClientRect().bottom <= innerHeight");
}
