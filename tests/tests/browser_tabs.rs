//! The tabs of one browser share one event stream. Observed in the browser's network log, while the tab that keeps the
//! stream is closed, signs out, or another friend signs in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, ENTER, Tab};
use friends_chat_tests::{Data, Harness, Script};
use serde_json::json;

/// How often this browser has opened a stream.
fn opened(browser: &Browser) -> usize {
    let requested = browser.requested();
    requested.iter().filter(|url| url.contains("/api/stream")).count()
}

#[test]
fn another_tab_takes_over_when_the_leading_one_is_closed() {
    let harness = Harness::start();
    let (browser, leading) = Browser::joined(&harness, "john");
    let (following, third) = (browser.tab(), browser.tab());
    for tab in [&following, &third] {
        tab.go("/chat");
        tab.wait_online();
    }
    leading.send("one");
    let one = [("friend", "one"), ("agent", "You said: one")];
    for tab in [&leading, &following, &third] {
        tab.wait_bubbles(&one);
    }
    assert_eq!(opened(&browser), 3, "once, and once more for each tab that came");

    leading.close();
    harness.nudge("john", "in between");
    let two = [one[0], one[1], ("nudge", "in between")];
    following.wait_bubbles(&two);
    third.wait_bubbles(&two);
    third.send("two");
    let all = [two[0], two[1], two[2], ("friend", "two"), ("agent", "You said: two")];
    following.wait_bubbles(&all);
    third.wait_bubbles(&all);
}

#[test]
fn another_tab_takes_over_when_the_leading_one_is_frozen() {
    let harness = Harness::start();
    let (browser, leading) = Browser::joined(&harness, "john");
    let following = browser.tab();
    following.go("/chat");
    following.wait_online();

    set_lifecycle(&leading, "frozen");
    harness.nudge("john", "one");
    following.send("two");
    let said = [("nudge", "one"), ("friend", "two"), ("agent", "You said: two")];
    following.wait_bubbles(&said);
    assert_eq!(
        opened(&browser),
        3,
        "once by the first, once more for the second, once by the second"
    );

    set_lifecycle(&leading, "active");
    leading.wait_bubbles(&said);
    harness.nudge("john", "three");
    for tab in [&leading, &following] {
        tab.wait_bubbles(&[said[0], said[1], said[2], ("nudge", "three")]);
    }
}

#[test]
fn another_tab_takes_over_from_a_frozen_one_that_keeps_the_lock() {
    let harness = Harness::start();
    let (browser, leading) = Browser::joined(&harness, "john");
    let following = browser.tab();
    following.go("/chat");
    following.wait_online();
    // The page does not learn that it is to be frozen, so it gives nothing up.
    leading.run(
        "addEventListener('freeze', (event) => event.stopImmediatePropagation(), { capture: true });",
        &[],
    );
    set_lifecycle(&leading, "frozen");
    harness.nudge("john", "one");
    assert!(following.bubbles().is_empty(), "otherwise nothing is shown here");

    following.skip_seconds(30);
    following.wait_bubbles(&[("nudge", "one")]);
    following.send("two");
    let said = [("nudge", "one"), ("friend", "two"), ("agent", "You said: two")];
    following.wait_bubbles(&said);

    set_lifecycle(&leading, "active");
    leading.wait_bubbles(&said);
    harness.nudge("john", "three");
    for tab in [&leading, &following] {
        tab.wait_bubbles(&[said[0], said[1], said[2], ("nudge", "three")]);
    }
}

/// Freezes a tab as browsers do to save power, or wakes it.
fn set_lifecycle(tab: &Tab, state: &str) {
    tab.devtools("Page.setWebLifecycleState", &json!({ "state": state }));
}

#[test]
fn two_devices_show_the_same() {
    let harness = Harness::start();
    let (_desk, on_desk) = Browser::joined(&harness, "john");
    let phone = Browser::open(&harness);
    let on_phone = phone.tab();
    on_desk.click("#menu-button");
    on_desk.click("#menu-device");
    on_desk.wait("document.querySelector('#device-code').textContent !== ''");
    on_phone.go("/chat");
    on_phone.wait_visible("#signin");
    on_phone.press("#code", &on_desk.text("#device-code"));
    on_phone.press("#code", ENTER);
    on_phone.wait_online();
    on_desk.click("#device-form .primary");

    on_phone.send("From the phone");
    let one = [("friend", "From the phone"), ("agent", "You said: From the phone")];
    on_desk.wait_bubbles(&one);
    on_phone.wait_bubbles(&one);
    on_desk.send("From the desk");
    let all = [
        one[0],
        one[1],
        ("friend", "From the desk"),
        ("agent", "You said: From the desk"),
    ];
    on_desk.wait_bubbles(&all);
    on_phone.wait_bubbles(&all);
}

#[test]
fn a_tab_that_comes_later_sees_an_answer_that_is_on_its_way() {
    let script = Script::new(
        r#"printf '{"delta":"One, "}\n'
        read -r _ < "${0%/*}/rest" || exit 1
        printf '{"delta":"two."}\n'"#,
    );
    let mut rest = script.gate("rest");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (browser, first) = Browser::joined(&harness, "john");
    let second = browser.tab();
    first.send("Count!");
    let so_far = "document.querySelector('.entry.agent.live .verbatim')?.textContent === 'One, '";
    first.wait(so_far);

    second.go("/chat");
    second.wait(so_far);
    first.wait(so_far);
    assert_eq!(opened(&browser), 2, "once, and once more for the tab that came");
    rest.let_one_through();

    for tab in [&first, &second] {
        tab.wait_bubbles(&[("friend", "Count!"), ("agent", "One, two.")]);
    }
}

#[test]
fn who_signs_out_or_is_revoked_is_out_in_every_tab() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tabs = [browser.tab(), browser.tab()];
    for ending in ["leaving", "revoked"] {
        tabs[0].join(&harness.invite(ending));
        tabs[1].go("/chat");
        tabs[1].wait_online();
        if ending == "revoked" {
            harness.owner(&["revoke", ending]).success();
        } else {
            tabs[1].click("#menu-button");
            tabs[1].click("#menu-signout");
            tabs[1].click("#signout-form .primary");
        }
        let notice = if ending == "revoked" {
            "Your access to this chat was ended."
        } else {
            "You are signed out."
        };
        for tab in &tabs {
            tab.wait_visible("#signin");
            assert!(tab.text("#notice").starts_with(notice), "{}", tab.text("#notice"));
            assert!(tab.bubbles().is_empty());
        }
    }
}

#[test]
fn a_friend_who_signs_in_after_another_is_never_shown_the_others_words() {
    let harness = Harness::start();
    let (browser, johns) = Browser::joined(&harness, "john");
    let marys = browser.tab();
    johns.send("I am John");
    johns.wait_bubbles(&[("friend", "I am John"), ("agent", "You said: I am John")]);

    marys.go(&harness.invite("mary").target());
    marys.wait_visible("#join");
    marys.click("#join-go");
    marys.wait_online();
    johns.wait_visible("#signin");
    harness.nudge("mary", "For Mary");
    marys.wait_bubbles(&[("nudge", "For Mary")]);
    assert!(johns.bubbles().is_empty());
}
