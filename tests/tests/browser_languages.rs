//! The page in each of its languages, from the first moment and in either direction of writing. Observed in browsers of
//! people who read them, on phones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, Tab};
use friends_chat_tests::{Data, Harness, Invite};

/// Each language as browsers ask for it, and what the page then says of itself.
const LANGUAGES: [(&str, &str); 8] = [
    ("en-US,en", "en"),
    ("de-AT,de,en", "de"),
    ("es-MX,es", "es"),
    ("pt-BR,pt", "pt"),
    ("hi-IN,hi", "hi"),
    ("ar-EG,ar", "ar"),
    ("zh-CN,zh", "zh-Hans"),
    ("ja-JP,ja", "ja"),
];

/// What sticks out of the page or of its own box. What may scroll by itself, or end in an ellipsis, does not count.
const STICKING_OUT: &str = "
    const said = (element) => `${element.localName}#${element.id}.${element.className}: ${element.textContent.slice(0, 40)}`;
    return Array.from(document.querySelectorAll('body *')).filter((element) => {
        if (!element.checkVisibility() || element.closest('.unseen, pre, .wide, svg, option')) return false;
        const { left, right, width } = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        const spills = style.display !== 'inline' && style.textOverflow !== 'ellipsis'
            && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
        return width > 0 && (left < -1 || right > innerWidth + 1 || spills);
    }).map(said);";

/// Keys that stand where their texts should.
const UNTRANSLATED: &str = "
    const shown = Array.from(document.querySelectorAll('body *'), (element) =>
        [element.title, element.ariaLabel ?? '', element.placeholder ?? '', element.childElementCount ? '' : element.textContent]);
    return shown.flat().filter((text) => /^[a-z]+(\\.[a-z-]+)+$/.test(text) || /[{}]/.test(text));";

#[track_caller]
fn assert_fits(tab: &Tab, what: &str) {
    for width in [320, 390] {
        tab.resize(width, 720);
        assert_eq!(tab.run(STICKING_OUT, &[]).to_string(), "[]", "{what} at {width} px");
    }
    assert_eq!(tab.run(UNTRANSLATED, &[]).to_string(), "[]", "{what}");
}

#[test]
fn each_language_is_there_from_the_start_and_fits_a_phone() {
    let harness = Data::new().serve(&["--agent", "echo"]);
    for (accepted, language) in LANGUAGES {
        let browser = Browser::open_in(&harness, accepted);
        browser.provoke("status of 401");
        let tab = browser.tab();
        tab.go("/");
        tab.wait_visible("#signin");
        assert_eq!(tab.value("document.documentElement.lang"), language);
        let direction = if language == "ar" { "rtl" } else { "ltr" };
        assert_eq!(tab.value("document.documentElement.dir"), direction);
        assert_eq!(tab.value("document.querySelector('#signin-language').value"), language);
        tab.press("#code", "ABCD-EFGH-JKMN");
        tab.click("#redeem");
        tab.wait_visible("#code-error");
        tab.click("#ask");
        tab.wait_visible("#ask-text");
        assert_fits(&tab, &format!("{language} sign-in"));

        let name = format!("friend_{}", language.to_lowercase().replace('-', "_"));
        let invite = Invite::parse(
            &harness
                .owner(&["invite", &name, "--nickname", "Mohammed علي"])
                .success(),
        );
        tab.join(&invite);
        tab.send("Hello, **world**: `let x = 1;` and https://example.org/a/very/long/address/that/wants/to/stick/out");
        tab.send("مرحبا بالعالم (1) abc!");
        tab.wait("document.querySelectorAll('.entry.agent:not(.live)').length === 2");
        harness.owner(&["nudge", &name, "Dinner at *eight*?"]).success();
        tab.wait_visible(".nudge");
        assert_fits(&tab, &format!("{language} chat"));
        tab.click("#menu-button");
        assert_fits(&tab, &format!("{language} menu"));
        for (entry, dialog) in [("settings", "settings"), ("device", "device"), ("signout", "signout")] {
            if tab.value("document.querySelector('#menu').hidden") == true {
                tab.click("#menu-button");
            }
            tab.click(&format!("#menu-{entry}"));
            tab.wait_visible(&format!("#{dialog}-dialog"));
            if dialog == "device" {
                tab.wait("document.querySelector('#device-code').textContent !== ''");
            }
            assert_fits(&tab, &format!("{language} {dialog}"));
            tab.run("document.querySelector('dialog[open]').close();", &[]);
        }
        let asked: Vec<String> = browser.requested();
        let catalogues = asked
            .iter()
            .filter(|url| url.contains("/texts.") && !url.ends_with("/texts.js"));
        let own = format!("texts.{language}.js");
        for catalogue in catalogues {
            assert!(catalogue.ends_with(&own), "{catalogue}");
        }

        let forms = tab.run(
            "return import(document.querySelector('link[href$=\"/texts.js\"]').href).then(({ counted }) => [0, 1, 2, 3, 11, 100].map((count) => counted('composer.left', count)));",
            &[],
        );
        for form in forms.as_array().unwrap() {
            assert!(!form.as_str().unwrap().contains("composer"), "{forms}");
        }
    }
}

#[test]
fn the_language_is_chosen_in_the_settings_and_stays() {
    let harness = Harness::start();
    let browser = Browser::open_in(&harness, "de");
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    assert_eq!(tab.text("#empty"), "Sag KI hallo!");
    tab.run("const field = document.querySelector('#message'); field.value = 'a draft'; field.dispatchEvent(new Event('input'));", &[]);

    tab.click("#menu-button");
    tab.click("#menu-settings");
    tab.wait_visible("#settings-dialog");
    let offered = "document.querySelector('#language option[value=ar]').textContent";
    assert_eq!(tab.value(offered), "العربية");
    choose(&tab, "#language", "ar");
    tab.click("#settings-form .primary");
    tab.wait("document.documentElement.dir === 'rtl'");
    tab.wait_online();
    assert!(tab.text("#empty").contains("ألقِ التحية"), "{}", tab.text("#empty"));
    assert_eq!(tab.value("document.querySelector('#message').value"), "a draft");

    tab.reload();
    tab.wait_online();
    assert_eq!(tab.value("document.documentElement.lang"), "ar");

    let again = browser.tab();
    again.go("/");
    again.wait_online();
    assert_eq!(again.value("document.documentElement.lang"), "ar");
}

#[test]
fn the_language_is_chosen_before_signing_in() {
    let harness = Harness::start();
    let browser = Browser::open_in(&harness, "fr");
    let tab = browser.tab();
    tab.go("/");
    tab.wait_visible("#signin");
    assert_eq!(tab.text("#redeem"), "Start chatting");
    choose(&tab, "#signin-language", "es");
    tab.wait("document.documentElement.lang === 'es'");
    tab.wait_visible("#signin");
    assert_eq!(tab.text("#redeem"), "Empezar a chatear");
    tab.join(&harness.invite("john"));
    assert_eq!(tab.text("#empty"), "¡Saluda a la IA!");
}

#[test]
fn names_and_messages_keep_their_own_direction() {
    let harness = Harness::start();
    let browser = Browser::open_in(&harness, "ar");
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    // At which edge of its text a paragraph's last letter stands.
    let end_of = |paragraph: &str| {
        let script = "const paragraph = document.querySelector(arguments[0]);
            const range = document.createRange();
            range.setStart(paragraph.firstChild, paragraph.firstChild.length - 1);
            range.setEnd(paragraph.firstChild, paragraph.firstChild.length);
            const { left, right } = range.getBoundingClientRect();
            const text = document.createRange();
            text.selectNodeContents(paragraph);
            const all = text.getBoundingClientRect();
            return left - all.left < 1 ? 'left' : all.right - right < 1 ? 'right' : 'between';";
        tab.run(script, &[paragraph.into()])
    };
    tab.send("In English!\n\nمرحبا (1)!");
    tab.wait("document.querySelectorAll('.entry.agent:not(.live) p').length === 2");
    assert_eq!(end_of(".entry.agent p:first-child"), "right");
    assert_eq!(
        end_of(".entry.agent p:last-child"),
        "left",
        "each paragraph has its own direction"
    );
    tab.send("Hello (1)!");
    tab.send("مرحبا (1)!");
    tab.wait("document.querySelectorAll('.entry.agent:not(.live)').length === 3");
    let directions = tab.value(
        "Array.from(document.querySelectorAll('.entry.friend .body'), (body) => getComputedStyle(body).direction)",
    );
    assert_eq!(directions.to_string(), r#"["ltr","ltr","rtl"]"#);
    // In an English paragraph what comes last stands on the right, after Arabic words too.
    let last = "(() => {
        const reply = document.querySelector('.entry:last-child p');
        const range = document.createRange();
        range.setStart(reply.firstChild, reply.firstChild.length - 1);
        range.setEnd(reply.firstChild, reply.firstChild.length);
        return reply.textContent.endsWith('!') && range.getBoundingClientRect().right > reply.getBoundingClientRect().right - 1;
    })()";
    assert_eq!(tab.value(last), true);
    // The friend's own messages stand at the end of the line, which is on the left here.
    let own = "document.querySelector('.entry.friend .bubble').getBoundingClientRect()";
    assert_eq!(tab.value(&format!("{own}.left < innerWidth - {own}.right")), true);
    assert_eq!(
        tab.value("getComputedStyle(document.querySelector('#message')).direction"),
        "rtl"
    );
    tab.click("#menu-button");
    tab.click("#menu-device");
    tab.wait("document.querySelector('#device-code').textContent !== ''");
    let direction = "getComputedStyle(document.querySelector('#device-code')).direction";
    assert_eq!(tab.value(direction), "ltr");
    assert!(
        tab.text("#device-lead")
            .contains(&format!("\u{2068}{}/chat\u{2069}", tab.origin()))
    );
}

/// Chooses an option as a person does.
fn choose(tab: &Tab, selector: &str, value: &str) {
    tab.click(&format!("{selector} option[value='{value}']"));
}
