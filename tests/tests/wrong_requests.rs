//! Every wrong request gets its status and one plain sentence in JSON, and the chat goes on. Observed row by row, by
//! raw requests with and without a session.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Connection, Events, Friend, Harness};
use serde_json::json;

/// Routes that take JSON from a friend, with a body that fits.
fn posts() -> [(&'static str, serde_json::Value); 5] {
    [
        ("/api/nickname", json!({ "nickname": "J" })),
        ("/api/chat", json!({ "message": "hi" })),
        ("/api/seen", json!({ "id": 0 })),
        ("/api/chat/stop", json!({})),
        ("/api/notes/forget", json!({ "note": "Likes tea." })),
    ]
}

const MAX_BODY_BYTES: usize = 64 << 10;

#[test]
fn what_is_not_json() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for target in posts()
        .map(|(target, _)| target)
        .into_iter()
        .chain(["/api/auth/redeem", "/api/auth/logout"])
    {
        for body in ["", "{", "nickname=J", "{\"message\":\"a\"}}", "\u{feff}{}", "\0"] {
            john.post_bytes(target, body.as_bytes()).assert_error(400);
        }
        john.post_bytes(target, b"{\"message\":\"\xff\"}").assert_error(400);
        john.post_bytes(target, "[".repeat(60_000).as_bytes()).assert_error(400);
    }
    assert_eq!(john.status()["nickname"], "john");
    assert!(john.history().is_empty());
}

#[test]
fn what_has_the_wrong_shape() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for target in posts().map(|(target, _)| target) {
        for body in [json!(null), json!(1), json!("a"), json!([]), json!([{}])] {
            john.post(target, &body).assert_error(400);
        }
    }
    let rows = [
        (
            "/api/auth/redeem",
            vec![
                json!({}),
                json!({ "code": 1 }),
                json!({ "code": null }),
                json!({ "Code": "x" }),
            ],
        ),
        (
            "/api/nickname",
            vec![
                json!({}),
                json!({ "nickname": 1 }),
                json!({ "nickname": ["a"] }),
                json!({ "nickname": "" }),
                json!({ "nickname": " \t " }),
                json!({ "nickname": "a\nb" }),
                json!({ "nickname": "a\u{202e}b" }),
                json!({ "nickname": "é".repeat(65) }),
            ],
        ),
        (
            "/api/chat",
            vec![
                json!({}),
                json!({ "message": 1 }),
                json!({ "message": { "text": "a" } }),
                json!({ "message": "" }),
                json!({ "message": " \n" }),
                json!({ "message": "a", "stream": "yes" }),
                json!({ "message": "a", "id": 1 }),
                json!({ "message": "a", "id": "x".repeat(65) }),
            ],
        ),
        (
            "/api/seen",
            vec![
                json!({}),
                json!({ "id": "1" }),
                json!({ "id": -1 }),
                json!({ "id": 1.5 }),
            ],
        ),
    ];
    for (target, bodies) in rows {
        for body in bodies {
            john.post(target, &body).assert_error(400);
        }
    }
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "before=x",
        "before=-1",
        "limit=99999999999999999999",
    ] {
        john.get(&format!("/api/history?{query}")).assert_error(400);
    }
    assert_eq!(john.status()["nickname"], "john");
    assert!(john.history().is_empty());
    assert_eq!(
        john.post("/api/nickname", &json!({ "nickname": "é".repeat(64), "more": 1 }))
            .status,
        200
    );
}

#[test]
fn sixty_four_kibibytes_are_taken_and_one_byte_more_is_not() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let padded = |length: usize| {
        let mut body = br#"{"nickname":"John"}"#.to_vec();
        body.resize(length, b' ');
        body
    };
    assert_eq!(john.post_bytes("/api/nickname", &padded(MAX_BODY_BYTES)).status, 200);
    john.post_bytes("/api/nickname", &padded(MAX_BODY_BYTES + 1))
        .assert_error(413);
    // Beyond what the harness itself takes.
    john.post_bytes("/api/nickname", &padded(1 << 20)).assert_error(413);

    let frame = json!({ "message": "" }).to_string().len();
    let message = |length: usize| {
        json!({ "message": "a".repeat(length - frame) })
            .to_string()
            .into_bytes()
    };
    john.post_bytes("/api/chat", &message(MAX_BODY_BYTES + 1))
        .assert_error(413);
    let longest = message(MAX_BODY_BYTES);
    let answer = Events::read(john.request("POST", "/api/chat", &[("content-type", "application/json")], &longest));
    assert_eq!(
        answer.answer(),
        format!("You said: {}", "a".repeat(MAX_BODY_BYTES - frame))
    );
    assert_eq!(john.status()["nickname"], "John");
}

#[test]
fn a_body_without_a_length_is_bounded_too() {
    let harness = Harness::start();
    let mut connection = Connection::open(harness.address()).unwrap();
    connection.write(b"POST /api/auth/redeem HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    connection.write(b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    for _ in 0..=16 {
        connection.write(&chunk);
    }
    connection.write(b"0\r\n\r\n");
    Answer::read(connection.response()).assert_error(413);
}

#[test]
fn what_is_not_said_to_be_json() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for (target, body) in posts() {
        for headers in [
            vec![],
            vec![("content-type", "text/plain")],
            vec![("content-type", "application/x-www-form-urlencoded")],
        ] {
            Answer::read(john.request("POST", target, &headers, body.to_string().as_bytes())).assert_error(415);
        }
    }
    assert!(john.history().is_empty());
}

#[test]
fn unknown_addresses() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for target in [
        "/api",
        "/api/",
        "/api/nothing",
        "/chat/",
        "/index.html",
        "/assets/",
        "/assets/../Cargo.toml",
        "/%2e%2e/",
        "/CHAT",
        "//",
    ] {
        for friend in [&john, &Friend::stranger(&harness)] {
            for method in ["GET", "POST", "DELETE"] {
                let answer = Answer::read(friend.request(method, target, &[], b""));
                assert_eq!(
                    (answer.status, answer.text()),
                    (404, r#"{"error":"Not found"}"#),
                    "{method} {target}"
                );
            }
        }
    }
}

#[test]
fn wrong_methods_learn_the_right_ones() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let reads = [
        "/",
        "/chat",
        "/api/health",
        "/api/auth/status",
        "/api/history",
        "/api/notes",
        "/api/stream",
        "/api/push",
    ];
    let writes = [
        "/api/auth/redeem",
        "/api/auth/logout",
        "/api/nickname",
        "/api/language",
        "/api/chat",
        "/api/chat/stop",
        "/api/notes/forget",
        "/api/seen",
    ];
    let wrong = |target: &str, methods: &[&str], allowed: &str| {
        for method in methods {
            let answer = Answer::read(john.request(method, target, &[], b""));
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {target}");
            answer.assert_error(405);
        }
    };
    for target in reads {
        wrong(target, &["POST", "PUT", "DELETE", "PATCH", "OPTIONS"], "GET, HEAD");
    }
    for target in writes {
        wrong(target, &["GET", "PUT", "DELETE", "PATCH", "OPTIONS"], "POST");
    }
    let head = Answer::read(john.request("HEAD", "/api/auth/status", &[("connection", "close")], b""));
    assert_eq!(head.status, 200);
}

#[test]
fn nobody_gets_in_without_a_session() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let own = john.cookie().unwrap();
    let mut changed = own.clone();
    changed.replace_range(..1, if own.starts_with('0') { "1" } else { "0" });
    let forged = [
        None,
        Some("0".repeat(64)),
        Some(changed),
        Some(own[1..].to_owned()),
        Some(format!("{own}0")),
        Some("john".to_owned()),
        Some("%00".to_owned()),
        Some("\"; DROP TABLE sessions; --".to_owned()),
    ];
    for cookie in forged {
        let somebody = Friend::with_cookie(&harness, cookie.clone());
        for (target, body) in posts() {
            somebody.post(target, &body).assert_error(401);
        }
        for target in ["/api/history", "/api/notes", "/api/stream", "/api/push"] {
            somebody.get(target).assert_error(401);
        }
        assert_eq!(somebody.status()["authenticated"], false, "{cookie:?}");
    }
    assert_eq!(john.status()["authenticated"], true);
    assert!(john.history().is_empty());
}

#[test]
fn what_is_not_http_ends_its_own_connection_only() {
    let harness = Harness::start();
    for bytes in [
        "\r\n\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\u{16}\u{3}\u{1}\0",
    ] {
        let mut connection = Connection::open(harness.address()).unwrap();
        connection.write(bytes.as_bytes());
    }
    assert_eq!(Friend::stranger(&harness).get("/api/health").status, 200);
}
