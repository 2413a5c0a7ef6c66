//! A tenant's log as its owners see it, one after another: what was acknowledged is there, in order, and nothing of who was fenced.
//! A real NATS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use bytes::Bytes;
use cluster::{Access, Found, Link, LogError, Logs};
use nats_server::NatsServer;

async fn logs(server: &NatsServer) -> Logs {
    let access = Access {
        url: server.url(),
        credentials: None,
        ca: None,
    };
    let link = Link::open(&access, "test").await.unwrap();
    Logs::open(&link).await.unwrap()
}

fn texts(found: &Found) -> (Option<&[u8]>, Vec<&[u8]>) {
    (
        found.base.as_deref(),
        found.batches.iter().map(|batch| &batch[..]).collect(),
    )
}

#[tokio::test]
async fn a_new_owner_finds_all_that_was_acknowledged_and_whoever_was_before_adds_nothing() {
    let server = NatsServer::start();
    let logs = logs(&server).await;
    let (mut first, found) = logs.begin("anna", 1).await.unwrap();
    assert_eq!(texts(&found), (None, vec![]));
    assert!(first.wants_base());
    first.append(b"one").await.unwrap();
    let (mut second, found) = logs.begin("anna", 2).await.unwrap();
    assert_eq!(texts(&found), (None, vec![&b"one"[..]]));
    assert!(matches!(first.append(b"late").await, Err(LogError::Fenced)));
    assert!(matches!(first.rebase(b"late").await, Err(LogError::Fenced)));
    second.append(b"two").await.unwrap();
    assert!(matches!(logs.begin("anna", 1).await, Err(LogError::Fenced)));
    let (_, found) = logs.begin("anna", 3).await.unwrap();
    assert_eq!(texts(&found), (None, vec![&b"one"[..], b"two"]));
    let (_, other) = logs.begin("ben", 4).await.unwrap();
    assert_eq!(texts(&other), (None, vec![]));
}

#[tokio::test]
async fn everything_takes_the_place_of_what_was_before() {
    let server = NatsServer::start();
    let logs = logs(&server).await;
    let (mut log, _) = logs.begin("anna", 1).await.unwrap();
    log.append(b"one").await.unwrap();
    log.rebase(b"all").await.unwrap();
    assert!(!log.wants_base());
    log.append(b"two").await.unwrap();
    let (mut log, found) = logs.begin("anna", 2).await.unwrap();
    assert_eq!(texts(&found), (Some(&b"all"[..]), vec![&b"two"[..]]));
    log.rebase(b"all anew").await.unwrap();
    let (_, found) = logs.begin("anna", 3).await.unwrap();
    assert_eq!(texts(&found), (Some(&b"all anew"[..]), vec![]));
}

#[tokio::test]
async fn a_batch_that_is_larger_than_a_message_is_whole_and_survives_a_restart_of_nats() {
    let mut server = NatsServer::start();
    let large = Bytes::from(vec![7; 3 << 20]);
    {
        let logs = logs(&server).await;
        let (mut log, _) = logs.begin("anna", 1).await.unwrap();
        log.append(&large).await.unwrap();
        log.append(b"").await.unwrap();
    }
    server.kill();
    server.go_on();
    let (_, found) = logs(&server).await.begin("anna", 2).await.unwrap();
    assert_eq!(found.batches, [large, Bytes::new()]);
}
