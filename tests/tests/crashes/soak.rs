//! For a long time all goes wrong that can go wrong: the harness is killed, and in the middle of an upgrade; the plugin's
//! instance is lost; agents are killed; the clock jumps; clients come and go as they like. In the second half the harness
//! lives on, and at its end it has the memory and the descriptors that it had at the beginning. What friends were told
//! is true all the time, as for every kill.
//!
//! `make soak` runs it for `SOAK_SECONDS`; without that it is skipped. What is drawn at random is drawn from `SEED`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use friends_chat_tests::log;
use friends_chat_tests::{DEADLINE, Data, Friend, Gates, Harness, Owner, Process, Signal, twin};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::clock::Clock;
use crate::stage::{Life, Stage};
use crate::{FRIENDS, GOODBYE, MOST_OFFSET, MOST_SEEN, chatting, check, guests, nudge, page, variable};

/// Guests who come and go.
const GUESTS: usize = 2;
/// A friend whose history is more than the plugin may hand over at once.
const GREEDY: &str = "greedy";
/// As the configuration has it: less than a page of long entries, which the plugin fills up to 256 KiB of text and as much
/// of HTML.
const HOSTCALL_BYTES: usize = 400 << 10;
/// Bytes of each of the messages that make it so, and their number.
const LONG_BYTES: usize = 50_000;
const LONG: usize = 6;
/// Most by which the clock is wrong.
const MOST_WRONG_S: i64 = 24 * 60 * 60;
/// How much more memory there may be at the end: what an allocator keeps is never exactly the same.
const MOST_GROWTH_BYTES: u64 = 8 << 20;

/// The harness with all that it is given.
struct World {
    data: Data,
    arguments: Vec<String>,
    twins: [String; 2],
    clock: Clock,
    stage: Stage,
}

/// What a process has.
#[derive(Debug, Clone, Copy)]
struct Has {
    descriptors: usize,
    memory_bytes: u64,
}

#[test]
fn a_soak_leaves_nothing_behind() {
    let Some(seconds) = variable::<u64>("SOAK_SECONDS") else {
        eprintln!("skipped: `make soak` runs it");
        return;
    };
    let seed: u64 = variable("SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed} SOAK_SECONDS={seconds}");
    let mut rng = Rng::with_seed(seed);
    let (begin, all) = (Instant::now(), Duration::from_secs(seconds));

    let gates = Gates::new();
    let data = Data::new().with_config(&format!(
        "[channels.friends]\nmessagesPerMinute = 1000000\n[limits]\nhostcall_bytes = {HOSTCALL_BYTES}\n"
    ));
    let twins = ["one", "other"].map(|name| twin(data.path(), name).to_str().unwrap().to_owned());
    let world = World {
        arguments: ["--plugin", &twins[0], "--agent", &without_clock(&gates.agent())]
            .map(str::to_owned)
            .to_vec(),
        twins,
        clock: Clock::new(),
        stage: Stage::that_heals(),
        data,
    };
    let harness = world.serve();
    let friends = FRIENDS.map(|name| harness.friend(name));
    let greedy = harness.friend(GREEDY);
    for _ in 0..LONG {
        greedy.ask(&"x".repeat(LONG_BYTES));
    }
    let owner = Owner::new(&world.data);
    let (world, stage) = (&world, &world.stage);

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
        let guests: Vec<_> = (0..GUESTS)
            .map(|_| {
                let (cookie, mut rng) = (greedy.cookie().unwrap(), rng.fork());
                scope.spawn(move || guests::visit(stage, &cookie, &mut rng))
            })
            .collect();
        let nudging = scope.spawn({
            let (mut rng, owner) = (rng.fork(), &owner);
            move || nudge(stage, owner, &mut rng)
        });
        let resting = FRIENDS.len() + GUESTS + 1;

        let _part = stage.part();
        let mut life = 0;
        let mut harness = world.begin(harness, life);
        while begin.elapsed() < all / 2 {
            match rng.u8(..6) {
                0 => {
                    life += 1;
                    harness = world.kill(harness, life, &mut rng);
                }
                _ => world.disturb(&harness, &greedy, &mut rng),
            }
        }
        life += 1;
        harness = world.kill(harness, life, &mut rng);
        while begin.elapsed() < all * 6 / 10 {
            world.disturb(&harness, &greedy, &mut rng);
        }
        let early = stage.rest_all(resting, || world.settled(&harness, &greedy, None));
        eprintln!("{:.0?}: {early:?}", begin.elapsed());
        while begin.elapsed() < all {
            world.disturb(&harness, &greedy, &mut rng);
        }
        let late = stage.rest_all(resting, || world.settled(&harness, &greedy, Some(early)));
        eprintln!("{:.0?}: {late:?}", begin.elapsed());
        assert!(
            late.memory_bytes <= early.memory_bytes + MOST_GROWTH_BYTES,
            "{early:?}, and at the end {late:?}"
        );
        stage.begin_last();

        let nudges = nudging.join().unwrap();
        let visits: u64 = guests.into_iter().map(|guest| guest.join().unwrap()).sum();
        let chats: Vec<_> = parts
            .into_iter()
            .map(|(chat, page)| (chat.join().unwrap(), page))
            .collect();
        let mut ends = Vec::new();
        for ((told, page), (name, nudged)) in chats.into_iter().zip(FRIENDS.into_iter().zip(nudges)) {
            owner.nudge(name, &log::nudge(GOODBYE)).unwrap();
            ends.push((told, nudged, page.join().unwrap()));
        }
        let taken: u64 = ends.iter().map(|(told, ..)| told.taken).sum();
        let failed: usize = ends.iter().map(|(told, ..)| told.failed.len()).sum();
        eprintln!("{life} kills, {visits} visits, {taken} messages, of which {failed} failed with their agent");
        (harness, ends)
    });
    for (friend, (told, nudged, page)) in friends.iter().zip(ends) {
        check(&friend.at(&harness), &told, &nudged, &page);
    }
    check_log(&harness);
    assert_eq!(harness.stop().integrity(), "ok");
}

impl World {
    fn serve(&self) -> Harness {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Harness::start_quietly(&self.data, &arguments, |command| self.clock.give(command))
    }

    fn begin(&self, harness: Harness, number: u32) -> Harness {
        self.stage.begin(Life {
            number,
            address: harness.address(),
        });
        harness
    }

    /// Lets something go wrong that the harness lives on after, when a little has happened.
    fn disturb(&self, harness: &Harness, greedy: &Friend, rng: &mut Rng) {
        self.stage.wait_for_more(rng.u64(..MOST_SEEN));
        std::thread::sleep(MOST_OFFSET.mul_f64(rng.f64()));
        match rng.u8(..10) {
            0 => {
                let twin = &self.twins[rng.usize(..self.twins.len())];
                let outcome = harness.owner(&["reload", twin]);
                // It may just be without an instance.
                let is_down = outcome.stderr.contains("the running plugin: ");
                assert!(outcome.code == Some(0) || is_down, "{outcome:?}");
            }
            1..=2 => {
                guests::ask_too_much(&greedy.at(harness));
            }
            3..=4 => self.clock.jump_to(rng.i64(-MOST_WRONG_S..=MOST_WRONG_S)),
            _ => {
                kill_agent(harness, rng);
            }
        }
    }

    /// Kills the harness, sometimes in the middle of an upgrade, and starts another.
    fn kill(&self, harness: Harness, number: u32, rng: &mut Rng) -> Harness {
        self.stage.wait_for_more(rng.u64(..MOST_SEEN));
        check_log(&harness);
        let upgrade = rng
            .bool()
            .then(|| Process::start(self.data.command(&["reload", &self.twins[1]])));
        // An upgrade takes longer than most things.
        std::thread::sleep(MOST_OFFSET.mul_f64(10.0 * rng.f64()));
        let data = harness.kill();
        if let Some(upgrade) = upgrade {
            upgrade.wait();
        }
        assert_eq!(data.integrity(), "ok", "after kill {number}");
        self.begin(self.serve(), number)
    }

    /// What the harness has when nobody asks for anything and the plugin's instance is new. The descriptors are those that
    /// were there `before`, or else those at which it stays.
    fn settled(&self, harness: &Harness, greedy: &Friend, before: Option<Has>) -> Has {
        let greedy = greedy.at(harness);
        assert!(guests::ask_too_much(&greedy), "the instance is lost");
        let begin = Instant::now();
        while greedy.get("/api/health").status != 200 {
            assert!(begin.elapsed() < DEADLINE, "it does not heal");
        }
        let (mut descriptors, mut same) = (0, 0);
        let is_settled = |descriptors, same| match before {
            Some(before) => descriptors <= before.descriptors,
            None => same > 20,
        };
        while !is_settled(descriptors, same) || same == 0 {
            assert!(
                begin.elapsed() < DEADLINE,
                "{descriptors} descriptors, and before {before:?}: {}",
                open_files(harness)
            );
            std::thread::sleep(Duration::from_millis(50));
            let now = fs::read_dir(format!("/proc/{}/fd", harness.id())).unwrap().count();
            same = if now == descriptors { same + 1 } else { 0 };
            descriptors = now;
        }
        Has {
            descriptors,
            memory_bytes: harness.memory_bytes(),
        }
    }
}

/// Nothing went wrong but what was meant to.
fn check_log(harness: &Harness) {
    for line in harness.log().text().lines() {
        let is_other_loss = line.contains("instance is lost") && !line.contains("fuel");
        assert!(!is_other_loss && !line.contains("panicked"), "{line}");
    }
}

/// An agent without the clock: one that is killed while it is given it keeps the lock that all processes with it share.
fn without_clock(agent: &str) -> String {
    agent.replacen("cmd:", "cmd:env -u LD_PRELOAD ", 1)
}

/// Ends one of the agents that the harness has started, if there is one.
fn kill_agent(harness: &Harness, rng: &mut Rng) -> Option<()> {
    let is_agent = |pid: i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        status.contains(&format!("\nPPid:\t{}\n", harness.id())) && words.starts_with(b"sh\0")
    };
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let agents: Vec<i32> = processes.filter(|pid| is_agent(*pid)).collect();
    let agent = *agents.get(rng.usize(..agents.len().max(1)))?;
    // Held by a descriptor: should it be gone by now, nobody else is hit who got its number.
    let held = pidfd_open(Pid::from_raw(agent)?, PidfdFlags::empty()).ok()?;
    is_agent(agent).then(|| pidfd_send_signal(held, Signal::KILL).ok())?
}

fn open_files(harness: &Harness) -> String {
    let entries = fs::read_dir(format!("/proc/{}/fd", harness.id())).unwrap();
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let mut targets: Vec<String> = targets.map(|target| Path::display(&target).to_string()).collect();
    targets.sort();
    targets.join(", ")
}
