//! Pages of other sites that send requests with a friend's cookie, in each combination of the headers by which a
//! browser says who asks.

use friends_chat_tests::{Answer, Friend, Harness};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Every address that changes something, with a body that would.
fn changes() -> [(&'static str, Value); 10] {
    [
        ("/api/chat", json!({ "message": "sent by another site" })),
        ("/api/chat/stop", json!({})),
        ("/api/nickname", json!({ "nickname": "Mallory" })),
        ("/api/language", json!({ "language": "ja" })),
        ("/api/seen", json!({ "id": 1_000_000 })),
        ("/api/notes/forget", json!({ "note": "Likes tea." })),
        ("/api/auth/link", json!({})),
        ("/api/auth/invite", json!({ "code": "0000-0000-0000" })),
        ("/api/auth/redeem", json!({ "code": "0000-0000-0000", "switch": true })),
        ("/api/auth/logout", json!({})),
    ]
}

fn send(friend: &Friend, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    Answer::read(friend.request("POST", path, headers, body.to_string().as_bytes()))
}

fn assert_nothing_changed(john: &Friend) {
    let status = john.status();
    assert_eq!(
        (&status["authenticated"], &status["nickname"]),
        (&json!(true), &json!("john"))
    );
    assert!(john.history().is_empty());
}

#[test]
fn what_another_site_sends_is_refused_and_changes_nothing() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let own = format!("http://localhost:{}", harness.address().port());
    let other_port = format!("http://localhost:{}", u32::from(harness.address().port()) + 1);
    let longer = format!("{own}.evil.example");
    let sites = [None, Some("cross-site"), Some("same-site"), Some("none"), Some("")];
    let origins = [
        Some("https://evil.example"),
        Some("null"),
        Some(other_port.as_str()),
        Some(longer.as_str()),
        Some(""),
        Some(own.as_str()),
        None,
    ];
    for site in sites {
        for origin in origins {
            // A browser that does not say the site, and the right origin or no browser at all.
            if site.is_none() && (origin.is_none() || origin == Some(own.as_str())) {
                continue;
            }
            let mut headers = vec![JSON];
            headers.extend(site.map(|site| ("sec-fetch-site", site)));
            headers.extend(origin.map(|origin| ("origin", origin)));
            for (path, body) in changes() {
                let answer = send(&john, path, &headers, &body);
                assert_eq!(answer.status, 403, "{path} {headers:?}");
                assert_eq!(answer.header("set-cookie"), None, "{path} {headers:?}");
            }
        }
    }
    assert_nothing_changed(&john);
}

#[test]
fn what_a_form_can_send_is_refused_whoever_sends_it() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let kinds = [
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("text/plain; application/json"),
        Some(""),
        None,
    ];
    for kind in kinds {
        let headers: Vec<(&str, &str)> = kind.map(|kind| ("content-type", kind)).into_iter().collect();
        for (path, body) in changes() {
            assert_eq!(send(&john, path, &headers, &body).status, 415, "{path} {kind:?}");
        }
    }
    assert_nothing_changed(&john);
}

#[test]
fn the_page_itself_is_let_in_however_its_browser_says_so() {
    let harness = Harness::start();
    let own = format!("http://localhost:{}", harness.address().port());
    let john = harness.friend("john");
    for headers in [
        vec![JSON, ("sec-fetch-site", "same-origin"), ("origin", &own)],
        vec![JSON, ("sec-fetch-site", "same-origin")],
        vec![JSON, ("origin", &own)],
        vec![JSON],
    ] {
        let answer = send(&john, "/api/nickname", &headers, &json!({ "nickname": "Johnny" }));
        assert_eq!(answer.status, 200, "{headers:?}");
    }
}

#[test]
fn nothing_is_changed_by_reading() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for (path, _) in changes() {
        for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let status = john.request(method, path, &[JSON], b"").status;
            assert_eq!(status, 405, "{method} {path}");
        }
    }
    assert_nothing_changed(&john);
}
