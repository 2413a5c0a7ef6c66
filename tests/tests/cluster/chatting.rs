//! A chat through an edge is the chat that it is on one machine.

use friends_chat_tests::{Cluster, Friend};
use serde_json::json;

#[test]
fn a_friend_is_invited_joins_and_chats_through_an_edge() {
    let cluster = Cluster::start();
    let (_node, edge) = (cluster.node("n1"), cluster.edge("e1"));
    let anna = cluster.tenant("anna");
    let john = anna.friend(&edge, "john");
    assert_eq!(john.status()["username"], "john");
    let mut feed = john.feed();
    assert_eq!(john.ask("hello there"), "You said: hello there");
    feed.until("done");
    assert_eq!(
        anna.owner(&["nudge", "john", "wake up"]).success().trim(),
        "Delivered to friend:john, on one open page."
    );
    assert_eq!(feed.until("nudge")["content"], "wake up");
    assert_eq!(john.history().len(), 3);
    let answered = john.post("/api/chat", &json!({ "message": "once", "stream": false }));
    assert_eq!(answered.json()["content"], "You said: once");
    anna.owner(&["revoke", "john"]).success();
    feed.until("end");
    assert_eq!(john.status()["authenticated"], false);
}

#[test]
fn every_edge_shows_the_same_chat() {
    let cluster = Cluster::start();
    let (_node, first, second) = (cluster.node("n1"), cluster.edge("e1"), cluster.edge("e2"));
    let anna = cluster.tenant("anna");
    let john = anna.friend(&first, "john");
    let elsewhere = john.at(&second);
    let (mut here, mut there) = (john.feed(), elsewhere.feed());
    assert_eq!(elsewhere.ask("from there"), "You said: from there");
    here.until("done");
    there.until("done");
    drop(there);
    assert_eq!(john.ask("from here"), "You said: from here");
    here.until("done");
    let nobody = Friend::stranger(&second).asking_for("ben.example.org").get("/");
    assert_eq!(nobody.status, 404);
}
