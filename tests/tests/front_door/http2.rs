//! All of a friend's requests and streams share one connection, and do not share their ends.

use friends_chat_tests::{Data, Friend, Harness};

use super::client::{Browser, next, until};

#[tokio::test]
async fn a_friend_chats_over_one_connection() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut browser = Browser::clear(&harness, &john).await;
    let (status, text) = browser.ask("GET", "/api/auth/status", "").await;
    assert_eq!(status, 200);
    assert!(text.contains(r#""username":"john""#), "the cookie came through: {text}");
    let (_, mut feed) = browser.send("GET", "/api/stream", "").await.unwrap();
    until(&mut feed, "hello").await;
    let (status, text) = browser
        .ask("POST", "/api/chat", r#"{"message":"one","stream":false}"#)
        .await;
    assert_eq!((status, text.as_str()), (200, r#"{"content":"You said: one"}"#));
    until(&mut feed, "one").await;
    let (status, _) = browser.ask("GET", "/chat", "").await;
    assert_eq!(status, 200);
    assert_eq!(browser.ask("CONNECT", "/chat", "").await.0, 400);
    assert_eq!(browser.streams(), 100);
}

#[tokio::test]
async fn a_stream_that_is_ended_leaves_the_connection() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut browser = Browser::clear(&harness, &john).await;
    let (_, mut feed) = browser.send("GET", "/api/stream", "").await.unwrap();
    until(&mut feed, "hello").await;
    harness.owner(&["revoke", "john"]).success();
    while next(&mut feed).await.is_some() {}
    assert_eq!(browser.ask("GET", "/api/history", "").await.0, 401);
}

#[tokio::test]
async fn a_harness_that_ends_ends_streams_and_connections() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut browser = Browser::clear(&harness, &john).await;
    let (_, mut feed) = browser.send("GET", "/api/stream", "").await.unwrap();
    until(&mut feed, "hello").await;
    harness.signal(friends_chat_tests::Signal::TERM);
    while next(&mut feed).await.is_some() {}
    browser.end.await.unwrap();
    let outcome = tokio::task::spawn_blocking(|| harness.wait()).await.unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[tokio::test]
async fn one_who_asks_and_takes_back_at_once_costs_itself_the_connection() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let stream = tokio::net::TcpStream::connect(harness.address()).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let end = tokio::spawn(connection);
    loop {
        let Ok(ready) = sender.ready().await else { break };
        sender = ready;
        let request = http::Request::get("https://localhost/api/health").body(()).unwrap();
        let Ok((_response, mut stream)) = sender.send_request(request, true) else {
            break;
        };
        stream.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    assert!(end.await.unwrap().is_err(), "the harness ended it");
    assert_eq!(john.status()["username"], "john");
}

/// Says long things until the feed of whoever does not read is cut, which its connection does not survive for longer
/// than `write`.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_is_cut_and_costs_its_connection() {
    let (harness, john) = talkative("write = \"2s\"");
    let mut browser = Browser::clear(&harness, &john).await;
    let (_, unread) = browser.send("GET", "/api/stream", "").await.unwrap();
    let mut other = Browser::clear(&harness, &john).await;
    let (_, mut feed) = other.send("GET", "/api/stream", "").await.unwrap();
    while !browser.end.is_finished() {
        say_at_length(&mut other).await;
        until(&mut feed, "done").await;
    }
    drop(unread);
    assert_eq!(other.ask("GET", "/api/auth/status", "").await.0, 200, "who reads stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_reads_its_cut_stream_to_its_end_keeps_the_connection() {
    let (harness, john) = talkative("held_frames = 20");
    let mut browser = Browser::clear(&harness, &john).await;
    let (_, mut unread) = browser.send("GET", "/api/stream", "").await.unwrap();
    // More than what the connection takes and the harness keeps.
    for _ in 0..20 {
        say_at_length(&mut browser).await;
    }
    while next(&mut unread).await.is_some() {}
    assert_eq!(browser.ask("GET", "/api/auth/status", "").await.0, 200);
}

/// A harness with these limits, and a friend who may say much.
fn talkative(limits: &str) -> (Harness, Friend) {
    let config = format!("[channels.friends]\nmessagesPerMinute = 1000000\n[limits]\n{limits}\n");
    let harness = Data::new().with_config(&config).serve(&[]);
    let john = harness.friend("john");
    (harness, john)
}

async fn say_at_length(browser: &mut Browser) {
    let body = serde_json::json!({ "message": "x".repeat(50_000), "stream": false }).to_string();
    assert_eq!(browser.ask("POST", "/api/chat", body.leak()).await.0, 200);
}
