//! The agent on machines of its own.

use friends_chat_tests::{Cluster, Signal};

#[test]
fn workers_answer_in_order_and_none_is_needed_to_ask() {
    let cluster = Cluster::start();
    let (_node, edge) = (cluster.node_with_workers("n1"), cluster.edge("e1"));
    let anna = cluster.tenant("anna");
    let john = anna.friend(&edge, "john");
    let mut feed = john.feed();
    let (first, second) = (john.say("one"), john.say("two"));
    let _workers = [cluster.worker("w1", "echo:1ms"), cluster.worker("w2", "echo:1ms")];
    assert_eq!(first.answer(), "You said: one");
    assert_eq!(second.answer(), "You said: two");
    for said in ["You said: one", "You said: two"] {
        assert_eq!(feed.until("reply")["text"], said);
    }
    assert!(cluster.status().contains("worker"));
}

#[test]
fn a_worker_that_dies_is_followed_by_another_that_begins_anew() {
    let cluster = Cluster::start();
    let (_node, edge) = (cluster.node_with_workers("n1"), cluster.edge("e1"));
    let slow = cluster.worker("w1", "echo:2s");
    let anna = cluster.tenant("anna");
    let john = anna.friend(&edge, "john");
    let mut feed = john.feed();
    let _asked = john.say("a long story");
    feed.until("text");
    let _quick = cluster.worker("w2", "echo:1ms");
    slow.signal(Signal::STOP);
    feed.until("restarted");
    assert_eq!(feed.until("reply")["text"], "You said: a long story");
    slow.signal(Signal::CONT);
    feed.until("done");
    assert_eq!(john.ask("and now"), "You said: and now");
    assert_eq!(john.history().len(), 4);
}
