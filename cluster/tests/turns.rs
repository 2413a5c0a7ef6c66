//! Turns as nodes and workers see them: each answer is whole and in order, whoever fails in the middle. A real NATS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use cluster::{Access, Answer, Heard, Link, Turns};
use nats_server::NatsServer;

async fn turns(server: &NatsServer) -> Turns {
    let access = Access {
        url: server.url(),
        credentials: None,
        ca: None,
    };
    Turns::open(&Link::open(&access, "test").await.unwrap()).await.unwrap()
}

fn said(text: &str) -> Option<Heard<String>> {
    Some(Heard::Said(text.to_owned()))
}

#[tokio::test]
async fn what_a_worker_says_is_heard_in_order_and_once() {
    let server = NatsServer::start();
    let turns = turns(&server).await;
    let taking = turns.take(4).await.unwrap();
    let mut answer: Answer<String> = turns.ask("anna", &"hello").await.unwrap();
    let worker = tokio::spawn(async move {
        let mut taken = taking.next().await.unwrap();
        assert_eq!(taken.turn::<String>().unwrap(), "hello");
        for word in ["one", "two", "three"] {
            taken.say(word).await.unwrap();
        }
        taken.end().await;
    });
    for word in ["one", "two", "three"] {
        assert_eq!(answer.next().await, said(word));
    }
    // The worker is answered as long as somebody listens.
    tokio::select! {
        _ = answer.next() => panic!("nothing more was said"),
        ended = worker => ended.unwrap(),
    }
}

#[tokio::test]
async fn a_turn_whose_worker_is_gone_begins_anew_with_another_and_the_first_is_stopped() {
    let server = NatsServer::start();
    let turns = turns(&server).await;
    let taking = turns.take(4).await.unwrap();
    let mut answer: Answer<String> = turns.ask("anna", &"hello").await.unwrap();
    let mut first = taking.next().await.unwrap();
    let (spoken, heard) = tokio::join!(first.say("half"), answer.next());
    spoken.unwrap();
    assert_eq!(heard, said("half"));
    // It says nothing more, as one that is paused.
    let mut second = taking.next().await.unwrap();
    let (spoken, heard) = tokio::join!(second.say("whole"), answer.next());
    spoken.unwrap();
    assert_eq!((heard, answer.next().await), (Some(Heard::Anew), said("whole")));
    tokio::select! {
        heard = answer.next() => panic!("{heard:?} was said too late"),
        late = first.say("late") => assert!(late.is_err()),
    }
}

#[tokio::test]
async fn nobody_who_hears_it_stops_a_worker() {
    let server = NatsServer::start();
    let turns = turns(&server).await;
    let taking = turns.take(1).await.unwrap();
    let answer: Answer<String> = turns.ask("anna", &"hello").await.unwrap();
    let taken = taking.next().await.unwrap();
    drop(answer);
    assert!(taken.meanwhile(std::future::pending::<()>()).await.is_err());
    taken.end().await;
}
