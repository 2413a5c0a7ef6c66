//! How a friend gets into the chat, and what is said to somebody who does not. Observed in a browser that opens
//! links and in which codes are typed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, ENTER};
use friends_chat_tests::{COOKIE, Data, Harness, Invite};

#[test]
fn a_link_leads_into_the_chat_and_leaves_no_code_behind() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();

    tab.join(&harness.invite("john"));

    assert_eq!(tab.address(), format!("{}/chat", tab.origin()));
    assert_eq!(tab.text("#empty"), "Say hello to the agent!");
    tab.reload();
    tab.wait_online();
}

#[test]
fn a_code_may_be_typed_as_people_type() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    let code = harness.invite("john").code;
    let typed = code.replace('-', "").to_lowercase();
    assert_ne!(typed, code);

    tab.go("/");
    tab.wait_visible("#signin");
    tab.press("#code", &typed);
    tab.click("#redeem");

    tab.wait_online();
    tab.send("Hello");
    tab.wait_bubbles(&[("friend", "Hello"), ("agent", "You said: Hello")]);
}

#[test]
fn a_wrong_code_is_answered_with_a_sentence_and_the_right_one_still_works() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    browser.provoke("status of 401");
    let tab = browser.tab();
    let invite = harness.invite("john");

    tab.go("/");
    tab.wait_visible("#signin");
    tab.press("#code", "ABCD-EFGH-JKMN");
    tab.press("#code", ENTER);
    tab.wait_visible("#code-error");
    let sentence = tab.text("#code-error");
    assert!(sentence.starts_with("This code does not work."), "{sentence}");
    assert_eq!(
        tab.value("document.activeElement.id"),
        "code",
        "one may try again at once"
    );
    assert_eq!(tab.value("document.querySelector('#code').ariaInvalid"), "true");

    tab.run("document.querySelector('#code').select();", &[]);
    tab.press("#code", &invite.code);
    assert!(tab.value("document.querySelector('#code-error').checkVisibility()") == false);
    tab.press("#code", ENTER);
    tab.wait_online();
}

#[test]
fn a_used_link_says_so() {
    let harness = Harness::start();
    let invite = harness.invite("john");
    let first = Browser::open(&harness);
    first.tab().join(&invite);

    let second = Browser::open(&harness);
    let tab = second.tab();
    tab.go(&invite.target());

    tab.wait_visible("#signin");
    let notice = tab.text("#notice");
    assert!(
        notice.contains("not valid any more") && notice.contains("ask for a new one"),
        "{notice}"
    );
    assert_eq!(tab.address(), format!("{}/chat", tab.origin()));
}

#[test]
fn where_a_click_is_asked_for_the_link_asks() {
    let data = Data::new().with_config("channels.friends.join = 'click'");
    let harness = data.serve(&[]);
    let invite = Invite::parse(&harness.owner(&["invite", "john", "--nickname", "Johnny"]).success());
    let browser = Browser::open(&harness);
    let tab = browser.tab();

    tab.go(&invite.target());
    tab.wait_visible("#join");
    assert_eq!(tab.address(), format!("{}/chat", tab.origin()));
    assert!(!tab.text("#join").contains(&invite.code));
    assert_eq!(
        plain(&tab.text("#join-lead")),
        "Johnny, you are invited to this private chat."
    );
    assert_eq!(plain(&tab.text("#join-go")), "Join as Johnny");
    assert_eq!(
        tab.value("document.querySelector('#join-stay').checkVisibility()"),
        false
    );
    assert_eq!(browser.cookie(COOKIE), None, "looking is not joining");

    tab.click("#join-go");
    tab.wait_online();
    tab.reload();
    tab.wait_online();

    let other = Browser::open(&harness);
    let late = other.tab();
    late.go(&invite.target());
    late.wait_visible("#signin");
    assert!(late.text("#notice").contains("not valid any more"));
}

#[test]
fn a_link_for_somebody_else_asks_before_this_browser_changes_over() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    tab.send("I am John");
    tab.wait_bubbles(&[("friend", "I am John"), ("agent", "You said: I am John")]);
    let hers = harness.invite("jane");

    tab.go(&hers.target());
    tab.wait_visible("#join");
    assert!(plain(&tab.text("#join-lead")).contains("you are signed in as john"));
    tab.click("#join-stay");
    tab.wait_online();
    assert_eq!(tab.bubbles().len(), 2);

    tab.go(&hers.target());
    tab.wait_visible("#join");
    tab.click("#join-go");
    tab.wait_online();
    assert!(tab.bubbles().is_empty(), "nothing of John's is shown to Jane");
    tab.send("I am Jane");
    tab.wait_bubbles(&[("friend", "I am Jane"), ("agent", "You said: I am Jane")]);
    assert_eq!(tab.value("location.search"), "");
}

#[test]
fn another_device_is_let_in_by_a_code_from_this_one() {
    let harness = Harness::start();
    let laptop = Browser::open(&harness);
    let here = laptop.tab();
    here.join(&harness.invite("john"));
    here.send("from the laptop");
    let said = [("friend", "from the laptop"), ("agent", "You said: from the laptop")];
    here.wait_bubbles(&said);

    here.click("#menu-button");
    here.click("#menu-device");
    here.wait("document.querySelector('#device-code').textContent !== ''");
    let code = here.text("#device-code");
    assert!(here.text("#device-lead").contains(&format!("{}/chat", here.origin())));

    let phone = Browser::open(&harness);
    let there = phone.tab();
    there.go("/");
    there.wait_visible("#signin");
    there.press("#code", &code);
    there.press("#code", ENTER);
    there.wait_online();
    there.wait_bubbles(&said);

    here.press("#device-dialog button", ENTER);
    there.send("from the phone");
    here.wait_bubbles(&[
        said[0],
        said[1],
        ("friend", "from the phone"),
        ("agent", "You said: from the phone"),
    ]);
}

/// What a sentence says, without the marks around names that keep their direction.
fn plain(text: &str) -> String {
    text.replace(['\u{2068}', '\u{2069}'], "")
}
