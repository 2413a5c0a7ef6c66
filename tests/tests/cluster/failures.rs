//! Everything fails, one after another, while friends chat. Checked: what was accepted is there once and in order, with its answer;
//! nobody sees another's; streams on the edge that lives stay open; no failover takes longer than it may.
//!
//! In short here; `make test-cluster` does it with 200 friends for two minutes.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use friends_chat_tests::{Answer, Cluster, DEADLINE, Events, Friend, Harness, Node, Signal, Tenant};
use serde_json::{Value, json};

/// Longest time in which a message is accepted, whatever has failed.
const FAILOVER: Duration = Duration::from_secs(5);

/// Time between two messages of a friend: the history that is checked has a bounded length.
const PACE: Duration = Duration::from_millis(400);

fn number(name: &str, short: usize) -> usize {
    std::env::var(name).map_or(short, |text| text.parse().unwrap())
}

/// A friend who writes all the time, and tries again what was not accepted.
struct Writer {
    name: String,
    friend: Friend,
    accepted: AtomicUsize,
}

impl Writer {
    /// Writes until the end; gives what was accepted, and the longest time that took.
    fn write(&self, end: &AtomicBool) -> (Vec<String>, Duration) {
        let (mut said, mut longest) = (Vec::new(), Duration::ZERO);
        while !end.load(Ordering::Relaxed) {
            let text = format!("{} {}", self.name, said.len());
            let begin = Instant::now();
            while !self.is_accepted(&text) {
                assert!(begin.elapsed() < DEADLINE, "{text} is not accepted");
            }
            self.accepted.fetch_add(1, Ordering::Relaxed);
            said.push(text);
            longest = longest.max(begin.elapsed());
            std::thread::sleep(PACE.saturating_sub(begin.elapsed()));
        }
        (said, longest)
    }

    fn is_accepted(&self, text: &str) -> bool {
        // The same id each time: it is one message, however often it is sent.
        let body = json!({ "message": text, "stream": true, "id": text.replace(' ', "-") }).to_string();
        let headers = [("content-type", "application/json")];
        match self.friend.try_request("POST", "/api/chat", &headers, body.as_bytes()) {
            Ok(incoming) if incoming.status == 200 => {
                Events::read(incoming).try_next().is_ok_and(|event| event.is_some())
            }
            Ok(incoming) => {
                let (status, answer) = (incoming.status, Answer::read(incoming));
                assert!(matches!(status, 429 | 503), "{status}: {}", answer.text());
                std::thread::sleep(Duration::from_millis(50));
                false
            }
            Err(_) => {
                std::thread::sleep(Duration::from_millis(50));
                false
            }
        }
    }

    /// Holds what the chat shows against what was accepted.
    fn check(&self, said: &[String]) {
        let begin = Instant::now();
        loop {
            let history = self.friend.history();
            let texts: Vec<&str> = history
                .iter()
                .rev()
                .map(|entry| entry["text"].as_str().unwrap())
                .collect();
            let own: Vec<&str> = texts
                .iter()
                .copied()
                .filter(|text| !text.starts_with("You said: "))
                .collect();
            assert_eq!(own, said, "what {} wrote", self.name);
            let answers: Vec<&str> = texts
                .iter()
                .filter_map(|text| text.strip_prefix("You said: "))
                .collect();
            if answers == said {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "answers to {}: {answers:?}", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Reads a stream on the edge that lives until the last message is answered: it stays open, and no event of the log is there twice.
fn watch(mut feed: Events, ending: &str, others: &HashSet<String>) -> usize {
    let mut last = 0;
    for replies in 1.. {
        let text = loop {
            let event = feed
                .try_next()
                .expect("the stream broke off")
                .expect("the stream has ended");
            let json: Value = serde_json::from_str(&event.data).unwrap();
            if let Some(id) = json["id"]
                .as_u64()
                .filter(|_| matches!(json["type"].as_str(), Some("message" | "reply")))
            {
                assert!(id > last, "{json} after {last}");
                last = id;
            }
            if json["type"] == "reply" {
                break json["text"].as_str().unwrap().to_owned();
            }
        };
        let writer = text.strip_prefix("You said: ").unwrap().split(' ').next().unwrap();
        assert!(!others.contains(writer), "{text} is another's");
        if text == format!("You said: {ending}") {
            return replies;
        }
    }
    0
}

/// Lets one thing after another fail, and each time waits until messages are accepted again.
struct Failures<'a> {
    cluster: &'a mut Cluster,
    nodes: Vec<Node>,
    workers: Vec<Node>,
    edge: Option<Harness>,
    writers: &'a [Writer],
}

impl Failures<'_> {
    /// Waits until every friend has written something that was sent after this began.
    fn progress(&self) {
        let begin = Instant::now();
        for writer in self.writers {
            let goal = writer.accepted.load(Ordering::Relaxed) + 2;
            while writer.accepted.load(Ordering::Relaxed) < goal {
                assert!(
                    begin.elapsed() < DEADLINE,
                    "nothing of {} is accepted any more",
                    writer.name
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Waits until the others take a node for dead.
    fn is_missed(&self, node: &str) {
        let begin = Instant::now();
        while self.cluster.status().contains(&format!(" {node} ")) {
            assert!(begin.elapsed() < DEADLINE, "nobody misses {node}");
        }
    }

    fn round(&mut self, number: usize) {
        let name = |role: &str| format!("{role}-{number}");
        // A node dies.
        self.nodes.remove(0).kill();
        self.progress();
        self.nodes.push(self.cluster.node_with_workers(&name("n")));
        // A worker dies.
        self.workers.remove(0).kill();
        self.workers.push(self.cluster.worker(&name("w"), "echo:1ms"));
        self.progress();
        // A node is cut off past its lease, and comes back.
        self.nodes[0].signal(Signal::STOP);
        self.is_missed(self.nodes[0].name());
        self.progress();
        self.nodes[0].signal(Signal::CONT);
        self.nodes[0].log().expect(&["the session is lost"]);
        // The edge that few depend on dies.
        if let Some(edge) = self.edge.take() {
            edge.kill();
        }
        self.progress();
        // NATS is away for a while.
        self.cluster.nats.kill();
        self.cluster.nats.go_on();
        self.progress();
        // A node is told to leave.
        let node = self.nodes.remove(0);
        self.cluster.drain(node.name()).success();
        node.stop();
        self.nodes.push(self.cluster.node_with_workers(&name("m")));
        self.progress();
    }
}

#[test]
fn nothing_is_lost_doubled_or_shown_to_others_whatever_fails() {
    let (seconds, friends) = (number("CLUSTER_SECONDS", 1), number("CLUSTER_FRIENDS", 8));
    let mut cluster = Cluster::start();
    let nodes: Vec<Node> = ["a", "b", "c"].map(|name| cluster.node_with_workers(name)).into();
    let workers: Vec<Node> = ["v", "w"].map(|name| cluster.worker(name, "echo:1ms")).into();
    let (edge, mortal) = (cluster.edge("e1"), cluster.edge("e2"));
    let tenants: Vec<Tenant> = ["anna", "ben", "cleo"].map(|name| cluster.tenant(name)).into();
    let writers: Vec<Writer> = (0..friends)
        .map(|index| {
            let name = format!("f{index}");
            let friend = tenants[index % tenants.len()].friend(&edge, &name);
            Writer {
                name,
                friend,
                accepted: AtomicUsize::new(0),
            }
        })
        .collect();
    let names: HashSet<String> = writers.iter().map(|writer| writer.name.clone()).collect();
    let guest = writers[0].friend.at(&mortal);
    assert_eq!(guest.status()["authenticated"], true);
    let end = AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        let chatting: Vec<_> = writers
            .iter()
            .map(|writer| {
                let feed = writer.friend.feed();
                let writing = scope.spawn(|| writer.write(&end));
                (writer, feed, writing)
            })
            .collect();
        let mut failures = Failures {
            cluster: &mut cluster,
            nodes,
            workers,
            edge: Some(mortal),
            writers: &writers,
        };
        let begin = Instant::now();
        failures.progress();
        let mut rounds = 0;
        while rounds == 0 || begin.elapsed() < Duration::from_secs(seconds.try_into().unwrap()) {
            rounds += 1;
            failures.round(rounds);
        }
        end.store(true, Ordering::Relaxed);
        let (mut watching, mut longest) = (Vec::new(), Duration::ZERO);
        for (writer, feed, writing) in chatting {
            let (said, took) = writing.join().unwrap();
            longest = longest.max(took);
            let (last, mut others) = (said.last().unwrap().clone(), names.clone());
            others.remove(&writer.name);
            watching.push((writer, said, scope.spawn(move || watch(feed, &last, &others))));
        }
        let mut messages = 0;
        for (writer, said, watching) in watching {
            writer.check(&said);
            assert_eq!(
                watching.join().unwrap(),
                said.len(),
                "answers on the stream of {}",
                writer.name
            );
            messages += said.len();
        }
        println!("{messages} messages, {rounds} rounds of failures, none accepted later than {longest:?}");
        longest
    });
    // In short it is one of many tests that run at once.
    assert!(
        seconds <= 1 || longest < FAILOVER,
        "a message was accepted after {longest:?}"
    );
}
