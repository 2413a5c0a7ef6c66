//! Nothing that was answered for is lost when the harness is killed, at whatever moment. Observed over HTTP alone:
//! friends chat with message ids of their own and pages follow the feed while the owner nudges, the harness is killed
//! and started again two hundred times (`CRASHES`), and then every message that was taken stands in the log once, in order
//! and answered once, every nudge that was reported stands there once and counts as unread until it was seen, and
//! every page has exactly what is in the log. SQLite finds the database whole after each kill.
//!
//! The moments are drawn from `SEED`, which a failure prints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod chatting;
mod clock;
mod guests;
mod page;
mod soak;
mod stage;

use std::io;
use std::time::Duration;

use fastrand::Rng;
use friends_chat_tests::log::{self, Log};
use friends_chat_tests::{Data, Friend, Harness, Owner, Process};
use serde_json::Value;

use chatting::Told;
use page::Page;
use stage::{Life, Stage};

const FRIENDS: [&str; 4] = ["john", "mary", "ahmed", "yuki"];
const GOODBYE: u64 = u64::MAX;

/// Most things that are seen to happen between two kills.
const MOST_SEEN: u64 = 40;
/// Most things that are seen to happen between two nudges.
const MOST_BETWEEN_NUDGES: u64 = 8;
/// Most time by which a kill is moved away from what was seen before it, so that it also hits what nobody sees: within
/// a write, before an answer. Nothing that is asserted depends on it.
const MOST_OFFSET: Duration = Duration::from_millis(20);

#[test]
fn what_was_answered_for_survives_every_kill() {
    let crashes: u32 = variable("CRASHES").unwrap_or(200);
    let seed: u64 = variable("SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed} CRASHES={crashes}");
    let mut rng = Rng::with_seed(seed);

    let data = Data::new().with_config("[channels.friends]\nmessagesPerMinute = 1000000\n");
    let harness = data.serve(&[]);
    let friends = FRIENDS.map(|name| harness.friend(name));
    let stage = Stage::default();
    let (stage, owner) = (&stage, Owner::new(&data));
    let (harness, ends) = std::thread::scope(|scope| {
        let parts: Vec<_> = friends
            .iter()
            .map(|friend| {
                let (mut of_chat, mut of_page) = (rng.fork(), rng.fork());
                (
                    scope.spawn(move || chatting::chat(stage, friend, &mut of_chat)),
                    scope.spawn(move || page::follow(stage, friend, &mut of_page, &log::nudge(GOODBYE))),
                )
            })
            .collect();
        let nudging = scope.spawn({
            let (mut rng, owner) = (rng.fork(), &owner);
            move || nudge(stage, owner, &mut rng)
        });
        let harness = crash(stage, harness, crashes, &mut rng);

        let nudges = nudging.join().unwrap();
        let chats: Vec<_> = parts
            .into_iter()
            .map(|(chat, page)| (chat.join().unwrap(), page))
            .collect();
        // Everybody has heard every answer: what comes now is the last event of each feed.
        let mut ends = Vec::new();
        for ((told, page), (name, nudged)) in chats.into_iter().zip(FRIENDS.into_iter().zip(nudges)) {
            owner.nudge(name, &log::nudge(GOODBYE)).unwrap();
            ends.push((told, nudged, page.join().unwrap()));
        }
        (harness, ends)
    });
    let entries: usize = ends.iter().map(|(_, _, page)| page.entries.len()).sum();
    let messages: u64 = ends.iter().map(|(told, ..)| told.taken).sum();
    eprintln!("{messages} messages were taken, {entries} entries are in the log");
    for (friend, (told, nudged, page)) in friends.iter().zip(ends) {
        check(&friend.at(&harness), &told, &nudged, &page);
    }
    assert_eq!(harness.stop().integrity(), "ok");
}

/// Kills a harness and each that comes after it, so many times. Gives the last one, which lives on.
fn crash(stage: &Stage, mut harness: Harness, crashes: u32, rng: &mut Rng) -> Harness {
    let _part = stage.part();
    for number in 0..=crashes {
        stage.begin(Life {
            number,
            address: harness.address(),
        });
        if number == crashes {
            break;
        }
        stage.wait_for_more(rng.u64(..MOST_SEEN));
        std::thread::sleep(MOST_OFFSET.mul_f64(rng.f64()));
        let data = harness.kill();
        assert_eq!(data.integrity(), "ok", "after kill {number}");
        if rng.u8(..) < 64 {
            kill_starting(&data, rng);
            assert_eq!(
                data.integrity(),
                "ok",
                "after a kill at the start, before life {number}"
            );
        }
        harness = data.serve(&[]);
    }
    stage.begin_last();
    harness
}

/// Starts a harness and kills it before it serves, or soon after.
fn kill_starting(data: &Data, rng: &mut Rng) {
    let process = Process::start(data.command(&["serve", "--port", "0"]));
    let words = ["loaded the plugin", "friends chat is ready"];
    process.stderr.expect(&[words[rng.usize(..words.len())]]);
    std::thread::sleep(MOST_OFFSET.mul_f64(rng.f64()));
    process.kill();
}

/// Nudges friends until the last harness serves. Gives the numbers of the nudges that were reported, by friend;
/// whether one that was not reported was kept, nobody knows.
fn nudge(stage: &Stage, owner: &Owner, rng: &mut Rng) -> [Vec<u64>; FRIENDS.len()] {
    let _part = stage.part();
    let mut reported: [Vec<u64>; FRIENDS.len()] = Default::default();
    let mut life = stage.first();
    for number in 0.. {
        if stage.is_last() {
            break;
        }
        if stage.is_resting() {
            stage.rest();
        }
        // Between what the others do, so that they come to something, too.
        stage.wait_for_more(rng.u64(..MOST_BETWEEN_NUDGES));
        let friend = rng.usize(..FRIENDS.len());
        match owner.nudge(FRIENDS[friend], &log::nudge(number)) {
            Ok(_) => {
                reported[friend].push(number);
                stage.see();
            }
            // What refuses one was not killed.
            Err(refusal) if refusal.kind() == io::ErrorKind::Other => stage.come_again(&refusal.to_string()),
            Err(failure) => life = stage.after(life, &failure),
        }
    }
    reported
}

/// Compares what a friend was told with what the harness tells now.
fn check(friend: &Friend, told: &Told, nudged: &[u64], page: &Page) {
    let log = Log::whole(friend);
    let found = log.check();
    let all: Vec<u64> = (0..told.taken).collect();
    assert_eq!(found.messages, all, "taken once each");
    let mut ended = [&found.answered[..], &found.failed[..]].concat();
    ended.sort_unstable();
    assert_eq!(ended, all, "answered once each, or failed");
    assert_eq!(found.failed, told.failed, "and its friend was told");
    let lost: Vec<&u64> = nudged.iter().filter(|number| !found.nudges.contains(number)).collect();
    assert!(lost.is_empty(), "nudges are lost: {lost:?}");

    let ids = |entries: &[Value]| -> Vec<i64> { entries.iter().map(|entry| entry["id"].as_i64().unwrap()).collect() };
    assert_eq!(ids(&page.entries), ids(&log.entries), "the page has what the log has");
    for (event, entry) in page.entries.iter().zip(&log.entries) {
        let text = if event["type"] == "nudge" {
            &event["content"]
        } else {
            &event["text"]
        };
        assert_eq!(
            (text, &event["message"]),
            (&entry["text"], &entry["message"]),
            "{event} and {entry}"
        );
    }

    let unseen_after = |mark: i64, roles: &[&str]| -> Vec<i64> {
        let unseen = log.entries.iter().filter(|entry| entry["id"].as_i64().unwrap() > mark);
        let of_roles = unseen.filter(|entry| roles.contains(&entry["role"].as_str().unwrap()));
        of_roles.map(|entry| entry["id"].as_i64().unwrap()).collect()
    };
    let (hello, nudges) = unseen(friend);
    let is_true_of = |mark| {
        hello["unread"] == unseen_after(mark, &["agent", "nudge"]).len() && nudges == unseen_after(mark, &["nudge"])
    };
    let marks = &page.marks;
    assert!(
        marks.iter().any(|mark| is_true_of(*mark)),
        "seen up to one of {marks:?}: {hello}, {nudges:?}"
    );
}

/// What a page that comes for the first time is told: the hello, and the nudges that nobody has seen.
fn unseen(friend: &Friend) -> (Value, Vec<i64>) {
    let mut feed = friends_chat_tests::Events::read(friend.request("GET", "/api/stream", &[], b""));
    let hello = feed.next_value().unwrap();
    let mut nudges = Vec::new();
    loop {
        let nudge = feed.until("nudge");
        nudges.push(nudge["id"].as_i64().unwrap());
        if nudge["content"] == log::nudge(GOODBYE) {
            return (hello, nudges);
        }
    }
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}
