//! Hostile words stay words: no script of theirs runs and nothing of theirs is fetched. Observed in a browser's page,
//! console and network log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::Browser;
use friends_chat_tests::{Harness, Invite};

/// What an agent might be made to say.
const HOSTILE: &str = "<script>window.pwned = 1</script>

![picture](https://elsewhere.example/picture.png)

[click](javascript:window.pwned=1) [me](data:text/html,<script>window.pwned=1</script>)

<img src=\"https://elsewhere.example/raw.png\" onerror=\"window.pwned=1\">
<svg onload=\"window.pwned=1\"></svg><iframe src=\"https://elsewhere.example/\"></iframe>
<style>@import url(https://elsewhere.example/style.css)</style>
<a href=\"https://elsewhere.example/\" onmouseover=\"window.pwned=1\" ping=\"https://elsewhere.example/ping\">over</a>

**still Markdown**";

#[test]
fn a_hostile_nickname_is_only_a_name() {
    let harness = Harness::start();
    let nickname = "<img src=x onerror=alert(1)>";
    let answer = harness.owner(&["invite", "john", "--nickname", nickname]).success();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&Invite::parse(&answer));

    tab.click("#menu-button");
    tab.wait_visible("#menu");
    assert_eq!(tab.text("#my-name"), nickname);
    tab.click("#menu-settings");
    tab.wait_visible("#settings-dialog");
    assert_eq!(tab.value("document.querySelector('#nickname').value"), nickname);
    assert_eq!(tab.value("document.querySelectorAll('[onerror], [src=x]').length"), 0);
}

#[test]
fn hostile_markdown_runs_nothing_and_fetches_nothing() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");

    tab.send(HOSTILE);
    tab.wait("document.querySelector('.entry.agent .body strong')?.textContent === 'still Markdown'");
    harness.nudge("john", HOSTILE);
    tab.wait("document.querySelector('.entry.nudge .body strong')?.textContent === 'still Markdown'");

    for round in ["as it came", "from history"] {
        let bubbles = tab.bubbles();
        assert_eq!(bubbles.len(), 3, "{bubbles:#?}");
        assert!(
            bubbles[0].text.starts_with("<script>"),
            "a friend's own words are shown as typed"
        );
        assert_eq!(tab.value("window.pwned === undefined"), true, "{round}");
        let elements = tab.value(
            "document.querySelectorAll('#entries :is(script, img, svg, iframe, style, [onmouseover], [ping])').length",
        );
        assert_eq!(elements, 0, "{round}");
        let links = tab.value("Array.from(document.querySelectorAll('#entries a[href]'), (link) => link.href)");
        for link in links.as_array().unwrap() {
            assert!(
                link.as_str().unwrap().starts_with("https://elsewhere.example/"),
                "{link}"
            );
        }
        // To point at everything runs what waits for a pointer.
        tab.run(
            "for (const one of document.querySelectorAll('#entries *')) {
                one.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
            }",
            &[],
        );
        assert_eq!(tab.value("window.pwned === undefined"), true, "{round}");
        tab.reload();
        tab.wait_online();
    }
}

/// What all browser tests rely on.
#[test]
fn the_browser_notices_what_must_not_be() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    assert_eq!(browser.take_findings(), [""; 0]);
    assert!(
        browser
            .requested()
            .iter()
            .any(|url| url.contains("/assets/") && url.ends_with("/app.js"))
    );

    let script = "const image = document.createElement('img');
        image.src = 'http://elsewhere.example/picture.png';
        document.body.append(image);
        try { document.body.innerHTML = 'not by the policy'; } catch {}
        console.error('a word of the page');";
    tab.run(script, &[]);
    tab.run("location.href = 'http://elsewhere.example/away';", &[]);

    let mut findings = browser.take_findings();
    for expected in [
        "img-src",
        "TrustedHTML",
        "a word of the page",
        "request to http://elsewhere.example/away",
    ] {
        friends_chat_tests::browser::wait_for(
            &format!("{expected:?} is found"),
            || {
                findings.extend(browser.take_findings());
                findings.iter().any(|finding| finding.contains(expected)).then_some(())
            },
            String::new,
        );
    }
}
