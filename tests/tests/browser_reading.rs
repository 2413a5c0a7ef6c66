//! A conversation as it is read: its days, groups, times and code, and where it is scrolled to. Observed in a browser, by
//! what is in sight.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, Tab, numbered, remembered};
use friends_chat_tests::{Data, Harness, Script};
use serde_json::{Value, json};

/// Noon of the day that is so many days back, where SQLite and the browser are.
fn noon(days_back: u32, minutes: u32) -> String {
    format!(
        "unixepoch('now', 'localtime', 'start of day', '-{days_back} days', '+12 hours', '+{minutes} minutes', 'utc') * 1000"
    )
}

/// The texts of what a selector finds.
fn texts(tab: &Tab, selector: &str) -> Vec<String> {
    let texts = tab.run(
        "return Array.from(document.querySelectorAll(arguments[0]), (element) => element.innerText);",
        &[selector.into()],
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    texts.as_array().unwrap().iter().map(text).collect()
}

/// Waits until what is changed now is on the screen.
fn next_frame(tab: &Tab) {
    tab.run(
        "return new Promise((resolve) => { requestAnimationFrame(() => { setTimeout(resolve); }); });",
        &[],
    );
}

/// Points at an element.
fn point_at(tab: &Tab, selector: &str) {
    let place = tab.run(
        "const { x, y, width, height } = document.querySelector(arguments[0]).getBoundingClientRect();
         return [x + width / 2, y + height / 2];",
        &[selector.into()],
    );
    let moved = json!({ "type": "mouseMoved", "x": place[0], "y": place[1] });
    tab.devtools("Input.dispatchMouseEvent", &moved);
}

#[test]
fn days_part_the_conversation_and_what_belongs_together_is_grouped() {
    let entries = format!(
        "VALUES ('friend', 'long ago', {}), ('agent', 'yes', {}), ('friend', 'one', {}), ('friend', 'two', {}),
         ('friend', 'much later', {})",
        noon(400, 0),
        noon(400, 1),
        noon(1, 0),
        noon(1, 2),
        noon(1, 60)
    );
    let (harness, _browser, tab) = remembered(&Data::new(), "echo", &entries);
    harness.nudge("john", "today");
    tab.wait("document.querySelector('.entry.nudge') !== null");

    let days = texts(&tab, ".day");
    assert_eq!(days[1..], ["Yesterday", "Today"], "{days:?}");
    assert!(days[0].contains(", 20"), "one of another year has its year: {days:?}");
    let under_days =
        "Array.from(document.querySelectorAll('.day'), (day) => day.parentElement.querySelector('.body').innerText)";
    assert_eq!(tab.value(under_days), json!(["long ago", "one", "today"]));

    let top = |number: u32, edge: &str| {
        let script =
            format!("document.querySelector('.entry:nth-child({number}) .bubble').getBoundingClientRect().{edge}");
        tab.value(&script).as_f64().unwrap()
    };
    let (in_group, between) = (top(4, "top") - top(3, "bottom"), top(5, "top") - top(4, "bottom"));
    assert!(
        in_group * 2.0 < between,
        "{in_group} px in a group, {between} px between"
    );

    // One time a group, and the others for who asks.
    let time = |number: u32| {
        let meta = format!("document.querySelector('.entry:nth-child({number}) .meta').checkVisibility()");
        tab.value(&meta) == true
    };
    assert!(!time(3) && time(4) && time(5));
    point_at(&tab, ".entry:nth-child(3) .bubble");
    assert!(time(3));
    let title = tab.value("document.querySelector('.entry:nth-child(3) .bubble').title");
    assert!(title.as_str().unwrap().contains("12:00"), "{title}");
}

#[test]
fn code_is_copied_as_it_stands() {
    let script = Script::new(r#"printf '{"delta":"```\\nbake <b> --for 40min\\n  && rest\\n```"}\n'"#);
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    let permissions =
        json!({ "origin": tab.origin(), "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    tab.devtools("Browser.grantPermissions", &permissions);
    tab.send("How?");
    tab.wait("document.querySelector('.entry.agent .code .copy') !== null");
    tab.click(".copy");
    tab.wait("document.querySelector('.copy').textContent === 'Copied'");
    let copied = tab.run("return navigator.clipboard.readText();", &[]);
    assert_eq!(copied, "bake <b> --for 40min\n  && rest\n");
    tab.wait("document.querySelector('.copy').textContent === 'Copy'");
}

#[test]
fn an_answer_is_followed_by_those_at_the_end_only() {
    let script = Script::new(
        r#"line='\n\nA line that is long enough to be one.'
        for number in 1 2; do
            read -r _ < "${0%/*}/go"
            for line_number in $(seq 30); do printf '{"delta":"%s"}\n' "$line"; done
            printf '{"delta":" End %s."}\n' "$number"
        done
        read -r _ < "${0%/*}/go""#,
    );
    let mut go = script.gate("go");
    let (_harness, _browser, tab) = remembered(&Data::new(), &script.agent(), &numbered(40));
    tab.send("Go!");
    tab.wait("document.querySelector('.entry.agent.live') !== null");
    let is_at_end = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 2)
        (document.querySelector('#log'))";
    let says = |end: &str| {
        tab.wait(&format!(
            "document.querySelector('.entry.agent.live .verbatim')?.textContent.endsWith({end:?})"
        ));
        next_frame(&tab);
    };
    go.let_one_through();
    says("End 1.");
    assert_eq!(tab.value(is_at_end), true, "who is at the end stays there");

    tab.run("document.querySelector('#log').scrollTop -= 300;", &[]);
    next_frame(&tab);
    let place = tab.value("document.querySelector('#log').scrollTop");
    go.let_one_through();
    says("End 2.");
    assert_eq!(
        tab.value("document.querySelector('#log').scrollTop"),
        place,
        "who reads further up is let read"
    );
    assert_eq!(tab.text("#pill-text"), "Latest");
    tab.click("#pill");
    tab.wait(is_at_end);
    go.let_one_through();
}

#[test]
fn what_is_read_stays_where_it_is_when_earlier_messages_come() {
    let (_harness, _browser, tab) = remembered(&Data::new(), "echo", &numbered(120));
    let before = tab.entries();
    tab.run(
        "document.querySelector('#log').scrollTop = 100;
         window.read = document.querySelector('.entry:nth-child(3)');
         window.place = window.read.getBoundingClientRect().top;",
        &[],
    );
    tab.wait(&format!("document.querySelectorAll('.entry').length > {before}"));
    next_frame(&tab);
    let moved = tab.value("Math.abs(window.read.getBoundingClientRect().top - window.place)");
    assert!(moved.as_f64().unwrap() < 1.0, "by {moved} px");
}

#[test]
fn a_whole_answer_is_read_out_once() {
    let script = Script::new(
        r#"printf '{"delta":"One, "}\n'
        read -r _ < "${0%/*}/rest"
        printf '{"delta":"**two**.\\n```\\nthree\\n```"}\n'"#,
    );
    let mut rest = script.gate("rest");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.run(
        "window.read = [];
         new MutationObserver((records) => {
             for (const { addedNodes } of records) for (const { textContent } of addedNodes) window.read.push(textContent);
         }).observe(document.querySelector('#announcer'), { childList: true, subtree: true, characterData: true });",
        &[],
    );
    assert_eq!(tab.value("document.querySelector('#log').ariaLive"), "off");
    assert_eq!(tab.value("document.querySelector('#announcer').ariaLive"), "polite");
    tab.send("Count!");
    tab.wait("document.querySelector('.entry.agent.live .verbatim')?.textContent === 'One, '");
    assert_eq!(tab.value("window.read"), json!([]), "not in pieces");
    rest.let_one_through();
    tab.wait("document.querySelector('.entry.agent .copy') !== null");
    let words = "window.read.map((line) => line.trim().split(/\\s+/).join(' '))";
    assert_eq!(tab.value(words), json!(["the agent: One, two. three"]));
}

#[test]
fn markdown_is_shown_when_the_answer_is_whole() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("# Bread\n\n1. *flour*\n2. [salt](https://example.com/)");
    tab.wait("document.querySelector('.entry.agent li a')?.href === 'https://example.com/'");
    let link = "(({ target, rel }) => `${target} ${rel}`)(document.querySelector('.entry.agent a'))";
    assert_eq!(tab.value(link), "_blank noopener noreferrer nofollow");
    assert_eq!(texts(&tab, ".entry.agent li em"), ["flour"]);
    assert!(
        tab.bubbles()[0].text.starts_with("# Bread"),
        "what the friend wrote stays as it was written"
    );
}
