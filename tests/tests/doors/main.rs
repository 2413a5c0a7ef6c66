//! The record door and the standard one lead into the same room: each request gets the same status, headers and body
//! through both. Observed at the component itself, in a host of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod host;

use host::{Host, Reply, Request};
use serde_json::json;

fn get(target: &str) -> Request {
    Request {
        method: "GET",
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn post(target: &str, body: &serde_json::Value) -> Request {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Request {
        method: "POST",
        target: target.to_owned(),
        headers,
        body: body.to_string().into_bytes(),
    }
}

impl Request {
    fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What the record door says with a hold, in the headers of GRIP.
fn with_grip(mut reply: Reply) -> Reply {
    if let Some(hold) = reply.hold.take() {
        reply.headers.push(("grip-hold".to_owned(), hold.mode.to_owned()));
        reply.headers.push(("grip-channel".to_owned(), hold.topics.join(", ")));
        if let Some((frame, every_ms)) = hold.keep_alive {
            let frame = frame.replace('\n', "\\n");
            let value = format!("{frame}; format=cstring; timeout={}", every_ms / 1000);
            reply.headers.push(("grip-keep-alive".to_owned(), value));
        }
        if hold.mode == "response" {
            reply
                .headers
                .push(("grip-timeout".to_owned(), (hold.life_ms / 1000).to_string()));
        }
        reply.headers.sort();
    }
    reply
}

/// The same through both doors.
async fn both(host: &mut Host, request: Request) -> Reply {
    let record = host.record(&request).await;
    let standard = host.standard(&request).await;
    let record = with_grip(record);
    let name = format!("{} {}", request.method, request.target);
    assert_eq!(
        (record.status, &record.headers),
        (standard.status, &standard.headers),
        "{name}"
    );
    assert!(record.body == standard.body, "{name}: the bodies differ");
    record
}

#[tokio::test]
async fn before_the_start_both_say_that_nothing_runs() {
    let mut host = Host::load().await;
    for request in [
        get("/"),
        get("/api/health"),
        get("/nothing"),
        post("/api/chat", &json!({})),
        get("/").method("DELETE"),
    ] {
        let reply = both(&mut host, request).await;
        assert_eq!(reply.status, 503);
        assert!(reply.body.starts_with(b"{\"error\":"));
    }
}

#[tokio::test]
async fn strangers_get_the_same_from_both() {
    let mut host = Host::load().await;
    host.start().await;
    let rows = [
        (200, get("/")),
        (200, get("/chat")),
        (200, get("/").header("accept-encoding", "gzip, br")),
        (200, get("/chat").method("HEAD")),
        (200, get("/assets/app.js")),
        (200, get("/api/health")),
        (200, get("/api/auth/status")),
        (200, get("/chat?invite=0000-0000-0000")),
        (401, post("/api/auth/redeem", &json!({ "code": "0000-0000-0000" }))),
        (400, post("/api/auth/redeem", &json!({ "code": 1 }))),
        (400, post("/api/auth/redeem", &json!([]))),
        (401, post("/api/chat", &json!({ "message": "hi" }))),
        (401, get("/api/stream")),
        (401, get("/api/history").header("cookie", "tc_friend_session=forged")),
        (
            403,
            post("/api/chat", &json!({})).header("sec-fetch-site", "cross-site"),
        ),
        (404, get("/nothing")),
        (404, get("/../etc/passwd")),
        (405, get("/api/chat")),
        (405, get("/").method("PATCH")),
        (405, get("/").method("BREW")),
        (413, post("/api/auth/redeem", &json!({ "code": "x".repeat(1 << 16) }))),
    ];
    for (status, request) in rows {
        let name = format!("{} {}", request.method, request.target);
        assert_eq!(both(&mut host, request).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn a_friend_gets_the_same_from_both() {
    let mut host = Host::load().await;
    host.start().await;
    let text = host
        .call_tool("friends_chat_invite", &json!({ "username": "john" }))
        .await;
    let code = friends_chat_tests::Invite::parse(&text).code;

    // A code works once, so that this goes through one door only.
    let joined = host.standard(&get(&format!("/chat?invite={code}"))).await;
    assert_eq!((joined.status, joined.header("location")), (302, Some("/chat")));
    let cookie = joined
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(host.record(&get(&format!("/chat?invite={code}"))).await.status, 200);

    let own = |request: Request| request.header("cookie", &cookie);
    let status = both(&mut host, own(get("/api/auth/status"))).await;
    assert!(
        status
            .body
            .starts_with(b"{\"authenticated\":true,\"username\":\"john\"")
    );
    both(&mut host, own(post("/api/nickname", &json!({ "nickname": "Jöhn" })))).await;

    // Messages with an id are the same message the second time.
    for stream in [true, false] {
        let message = json!({ "message": "hi", "stream": stream, "id": format!("id-{stream}") });
        let reply = both(&mut host, own(post("/api/chat", &message))).await;
        let mode = if stream { "stream" } else { "response" };
        assert_eq!(reply.header("grip-hold"), Some(mode));
    }
    let feed = both(&mut host, own(get("/api/stream"))).await;
    assert!(
        feed.header("grip-keep-alive")
            .unwrap()
            .starts_with("event: heartbeat\\n")
    );
    assert!(feed.body.starts_with(b"retry: 2000\n\n"));
    let history = both(&mut host, own(get("/api/history"))).await;
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&history.body).unwrap()["entries"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let notes = both(&mut host, own(get("/api/notes"))).await;
    assert_eq!(notes.body, br#"{"notes":[]}"#);
    let unknown = own(post("/api/notes/forget", &json!({ "note": "Likes tea." })));
    assert_eq!(both(&mut host, unknown).await.status, 404);
    assert_eq!(host.enqueued(), ["friend:john: hi", "friend:john: hi"]);
    assert_eq!(host.introduced(), ["friend:john: john"]);
}

#[tokio::test]
async fn a_second_start_is_an_error_and_stop_may_be_repeated() {
    let mut host = Host::load().await;
    host.stop().await;
    host.start().await;
    assert!(host.start_again_is_refused().await);
    host.stop().await;
    host.stop().await;
    assert_eq!(host.record(&get("/api/health")).await.status, 503);
    host.start().await;
    assert_eq!(host.record(&get("/api/health")).await.status, 200);
}
