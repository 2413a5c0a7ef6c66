//! How a friend gets into the chat, and what is said to somebody who does not. Observed in a browser that opens
//! links and in which codes are typed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs::File;
use std::io::BufReader;

use friends_chat_tests::browser::{Browser, ENTER, Tab};
use friends_chat_tests::{COOKIE, Data, Harness, Invite};

#[test]
fn a_link_leads_into_the_chat_and_leaves_no_code_behind() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");

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
    let (_browser, tab) = Browser::joined(&harness, "john");
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
    let (_laptop, here) = Browser::joined(&harness, "john");
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

#[test]
fn another_device_scans_its_way_in() {
    let harness = Harness::start();
    let (_laptop, here) = Browser::joined(&harness, "john");
    here.click("#menu-button");
    here.click("#menu-device");
    here.wait("document.querySelector('#device-qr path').getAttribute('d') !== ''");
    let code = here.text("#device-code");
    let link = scanned(&here);
    assert_eq!(link, format!("{}/chat?invite={code}", here.origin()));

    // Where somebody else is signed in, the device asks.
    let (_tablet, there) = Browser::joined(&harness, "jane");
    let target = link.strip_prefix(there.origin()).unwrap();
    there.go(target);
    there.wait_visible("#join");
    assert_eq!(there.text("#join-go"), "Join as john");
    there.click("#join-stay");
    there.wait_online();

    let phone = Browser::open(&harness);
    let there = phone.tab();
    there.go(target);
    there.wait_online();
    assert_eq!(there.value("document.querySelector('#my-name').textContent"), "john");
    assert_eq!(there.address(), format!("{}/chat", there.origin()));
}

#[test]
fn what_is_pasted_becomes_the_code() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    let invite = harness.invite("john");
    tab.go("/");
    tab.wait_visible("#signin");
    let bare = invite.code.replace('-', "");
    for pasted in [
        invite.link.clone(),
        format!("Come and chat: <{}>", invite.link.to_lowercase()),
        format!(" {}\n", invite.code.to_lowercase().replace('-', " – ")),
        bare.clone(),
    ] {
        let paste = "const data = new DataTransfer();
            data.setData('text', arguments[0]);
            const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
            document.querySelector('#code').dispatchEvent(event);
            return document.querySelector('#code').value;";
        let value = tab.run(paste, &[pasted.clone().into()]);
        assert_eq!(value, bare, "{pasted}");
    }
    tab.press("#code", ENTER);
    tab.wait_online();
}

#[test]
fn whoever_does_not_get_in_is_given_the_words_to_ask() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.go("/chat?invite=ABCD-EFGH-JKMN");
    tab.wait_visible("#signin");
    // Without a way to share, the words are put on the clipboard and shown.
    tab.run(
        "navigator.share = undefined; navigator.clipboard.writeText = async (text) => { window.copied = text; };",
        &[],
    );
    tab.click("#ask");
    tab.wait_visible("#ask-text");
    let words = tab.text("#ask-text");
    assert!(
        words.ends_with(&format!("new invite?\n{}/chat", tab.origin())),
        "{words}"
    );
    assert_eq!(tab.value("window.copied"), words);
    assert!(tab.text("#ask-done").starts_with("Copied."));

    // With one, it is the system's own.
    tab.reload();
    tab.wait_visible("#signin");
    tab.run("navigator.share = async ({ text }) => { window.shared = text; };", &[]);
    tab.click("#ask");
    tab.wait("window.shared !== undefined");
    assert_eq!(tab.value("window.shared"), words);
    assert!(tab.value("document.querySelector('#ask-text').checkVisibility()") == false);
}

/// What a camera reads in front of this tab.
fn scanned(tab: &Tab) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("picture.png");
    tab.save_picture(&file);
    let mut decoder = png::Decoder::new(BufReader::new(File::open(file).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (
        usize::try_from(info.width).unwrap(),
        usize::try_from(info.height).unwrap(),
    );
    let samples = info.color_type.samples();
    let grey = |x, y| pixels[y * info.line_size + x * samples];
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let grids = picture.detect_grids();
    assert_eq!(grids.len(), 1, "one code is in sight");
    let (_, text) = grids[0].decode().unwrap();
    text
}

/// What a sentence says, without the marks around names that keep their direction.
fn plain(text: &str) -> String {
    text.replace(['\u{2068}', '\u{2069}'], "")
}
