//! The page comes in the language that its reader asks for. Observed in what a browser is answered that says which
//! languages its reader knows, or which one was chosen in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Friend, Harness};
use serde_json::json;

/// What comes to somebody who has no cookie and sends these headers.
fn get(harness: &Harness, target: &str, headers: &[(&str, &str)]) -> Answer {
    Answer::read(Friend::stranger(harness).request("GET", target, headers, b""))
}

#[test]
fn the_page_is_in_the_language_that_is_asked_for() {
    let harness = Harness::start();
    let mut tags = Vec::new();
    for (accepted, language, direction) in [
        ("en-GB,en;q=0.9", "en", "ltr"),
        ("de-CH, de;q=0.9, en;q=0.8", "de", "ltr"),
        ("ca, es;q=0.9", "es", "ltr"),
        ("pt-BR", "pt", "ltr"),
        ("hi-IN", "hi", "ltr"),
        ("en;q=0.5, ar-EG", "ar", "rtl"),
        ("zh-CN", "zh-Hans", "ltr"),
        ("ja", "ja", "ltr"),
    ] {
        let page = get(&harness, "/", &[("accept-language", accepted)]);
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-language"), Some(language));
        assert_eq!(page.header("vary"), Some("accept-encoding, accept-language, cookie"));
        let root = format!("<html lang=\"{language}\" dir=\"{direction}\">");
        assert!(page.text().contains(&root), "{accepted}: {}", page.text());

        let catalogue = format!("/texts.{language}.js");
        assert_eq!(page.text().matches("/texts.").count(), 2, "texts.js and one catalogue");
        assert!(page.text().contains(&catalogue));
        assert_eq!(get(&harness, &format!("/assets{catalogue}"), &[]).status, 200);

        let tag = page.header("etag").unwrap().to_owned();
        let again = [("accept-language", accepted), ("if-none-match", tag.as_str())];
        assert_eq!(get(&harness, "/", &again).status, 304);
        tags.push(tag);
    }
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count, "no cache takes one language for another");

    let other = [("accept-language", "fr, *;q=0.1")];
    assert_eq!(get(&harness, "/", &other).header("content-language"), Some("en"));
    assert_eq!(get(&harness, "/", &[]).header("content-language"), Some("en"));
}

#[test]
fn the_choice_of_a_language_is_kept_by_the_browser() {
    let harness = Harness::start();
    let stranger = Friend::stranger(&harness);
    let chosen = stranger.post("/api/language", &json!({ "language": "ja" }));
    assert_eq!(chosen.json(), json!({ "ok": true, "language": "ja" }));
    let cookie = "tc_friend_language=ja; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000";
    assert_eq!(chosen.header("set-cookie"), Some(cookie));

    let headers = [("accept-language", "de"), ("cookie", "tc_friend_language=ja")];
    assert_eq!(get(&harness, "/chat", &headers).header("content-language"), Some("ja"));
    let forged = [("accept-language", "de"), ("cookie", "tc_friend_language=\"><script>")];
    assert_eq!(get(&harness, "/chat", &forged).header("content-language"), Some("de"));

    for language in [json!("fr"), json!("JA"), json!(""), json!(7), json!(null)] {
        let refused = stranger.post("/api/language", &json!({ "language": language }));
        refused.assert_error(400);
        assert_eq!(refused.header("set-cookie"), None);
    }
    let sentence = stranger
        .post("/api/language", &json!({ "language": "fr" }))
        .assert_error(400);
    assert_eq!(sentence, "language must be one of ar, de, en, es, hi, ja, pt, zh-Hans");
}

#[test]
fn what_is_said_of_a_link_is_said_in_the_language() {
    let harness = Harness::start();
    let german = ("accept-language", "de");
    let used = get(&harness, "/chat?invite=ABCD-EFGH-JKMN", &[german]);
    assert!(
        used.text().contains("Dieser Einladungslink gilt nicht mehr."),
        "{}",
        used.text()
    );

    let invite = harness.invite("john");
    let card = get(&harness, &invite.target(), &[german, ("user-agent", "WhatsApp/2.23")]);
    assert!(card.text().contains("<html lang=\"de\" dir=\"ltr\">"));
    assert!(
        card.text()
            .contains("<meta property=\"og:title\" content=\"Chat mit KI\">"),
        "{}",
        card.text()
    );
    assert!(card.text().contains("Du bist zu einem privaten Chat eingeladen."));
    let english = get(&harness, &invite.target(), &[("user-agent", "WhatsApp/2.23")]);
    assert!(
        english
            .text()
            .contains("<meta property=\"og:title\" content=\"Chat with the agent\">")
    );
}
