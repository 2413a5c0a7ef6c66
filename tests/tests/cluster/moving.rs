//! Tenants go from node to node, and their friends stay where they are.

use friends_chat_tests::Cluster;
use rustix::process::Signal;

#[test]
fn a_stream_goes_on_when_its_node_is_drained_or_killed() {
    let cluster = Cluster::start();
    let (first, edge) = (cluster.node("n1"), cluster.edge("e1"));
    let anna = cluster.tenant("anna");
    let john = anna.friend(&edge, "john");
    let mut feed = john.feed();
    john.ask("one");
    feed.until("done");
    let second = cluster.node("n2");
    assert!(cluster.drain("n1").success().contains("has handed over"));
    john.ask("two");
    assert_eq!(feed.until("message")["text"], "two");
    feed.until("done");
    assert_eq!(cluster.tenants_of("n2"), 1);
    first.stop();
    let third = cluster.node("n3");
    second.kill();
    // Answered when the node that has died is missed.
    john.status();
    anna.owner(&["nudge", "john", "three"]).success();
    assert_eq!(feed.until("nudge")["content"], "three");
    assert_eq!(cluster.tenants_of(third.name()), 1);
    let said: Vec<_> = john.history().iter().map(|entry| entry["text"].clone()).collect();
    assert_eq!(said, ["three", "You said: two", "two", "You said: one", "one"]);
}

#[test]
fn a_node_that_was_paused_past_its_lease_answers_nothing_more() {
    let cluster = Cluster::start();
    let (first, edge) = (cluster.node("n1"), cluster.edge("e1"));
    let anna = cluster.tenant("anna");
    let john = anna.friend(&edge, "john");
    let mut feed = john.feed();
    let second = cluster.node("n2");
    first.signal(Signal::STOP);
    john.status();
    anna.owner(&["nudge", "john", "after the pause"]).success();
    assert_eq!(feed.until("nudge")["content"], "after the pause");
    first.signal(Signal::CONT);
    first.log().expect(&["the session is lost"]);
    assert_eq!(cluster.tenants_of(second.name()), 1);
    john.ask("and on");
    feed.until("done");
    assert_eq!(john.history().len(), 3);
}

#[test]
fn nodes_may_share_a_directory_instead() {
    let cluster = Cluster::start();
    let (first, edge) = (cluster.sharing_node("n1"), cluster.edge("e1"));
    let anna = cluster.tenant("anna");
    let john = anna.friend(&edge, "john");
    john.ask("one");
    let _second = cluster.sharing_node("n2");
    first.kill();
    assert_eq!(john.history().len(), 2);
    assert!(cluster.shared().join("anna/plugin/friends.db").exists());
}
