//! A backup is made while friends chat, and what it holds comes back whole: the conversations, the cookies, the owner's
//! files. Whatever is killed, damaged or hostile, nothing that is there is lost. Observed by owner and friends at the real program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use friends_chat_tests::{DEADLINE, Data, Friend, Harness};
use serde_json::json;
use tar::{Archive, Builder, EntryType, Header};

/// Friends who chat while the backup is made.
const FRIENDS: usize = 4;

/// Where a test keeps its backups.
struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn backup(data: &Data, file: &Path) -> String {
    data.run(&["backup", file.to_str().unwrap()]).success()
}

fn restore(data: &Data, file: &Path) -> String {
    data.run(&["restore", file.to_str().unwrap()]).success()
}

fn refused(data: &Data, file: &Path) -> String {
    data.run(&["restore", file.to_str().unwrap()]).failure()
}

/// Every file below a directory with its content, but for what is compiled and who has the lock.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("cache") || path.ends_with("lock") {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Data with one friend and one message, closed, and the friend.
fn with_friend(name: &str) -> (Data, Friend) {
    let harness = Harness::start();
    let friend = harness.friend(name);
    friend.ask("hello");
    (harness.stop(), friend)
}

fn names(data: &Data) -> String {
    data.run(&["list"]).success()
}

/// Where the data of before the restore lies.
fn set_aside(data: &Data) -> PathBuf {
    let entries = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut aside = entries.filter(|path| path.to_string_lossy().contains("before-restore-"));
    let found = aside.next().expect("nothing was set aside");
    assert!(aside.next().is_none());
    found
}

#[test]
fn what_was_acknowledged_before_a_backup_comes_back() {
    let shelf = Shelf::new();
    let file = shelf.file("chat.tar");
    let harness = Harness::start();
    let friends: Vec<Friend> = (0..FRIENDS)
        .map(|number| harness.friend(&format!("friend{number}")))
        .collect();
    let acknowledged = Mutex::new(Vec::new());
    let (chatting, first) = (AtomicBool::new(true), std::sync::Barrier::new(FRIENDS + 1));
    let expected = std::thread::scope(|scope| {
        for (number, friend) in friends.iter().enumerate() {
            let (acknowledged, chatting, first) = (&acknowledged, &chatting, &first);
            scope.spawn(move || {
                let mut count = 0;
                while chatting.load(Ordering::Relaxed) {
                    let text = format!("message {count} of friend{number}");
                    friend.ask(&text);
                    acknowledged.lock().unwrap().push((number, text));
                    if count == 0 {
                        first.wait();
                    }
                    count += 1;
                }
            });
        }
        first.wait();
        let expected = acknowledged.lock().unwrap().clone();
        let outcome = harness.owner(&["backup", file.to_str().unwrap()]);
        chatting.store(false, Ordering::Relaxed);
        let report = outcome.success();
        assert!(report.contains("Nobody waited longer"), "{report}");
        expected
    });
    assert!(expected.len() >= FRIENDS);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(shelf.0.path()).unwrap().count(), 1, "nothing else is left");
    assert!(!harness.data().path().join("backup-in-the-making").exists());

    let data = Data::new();
    let report = restore(&data, &file);
    assert!(report.contains("There was nothing before"), "{report}");
    assert_eq!(data.integrity(), "ok");
    let other = data.serve(&[]);
    for (number, friend) in friends.iter().enumerate() {
        let texts: Vec<String> = friend
            .at(&other)
            .history()
            .iter()
            .map(|entry| entry["text"].as_str().unwrap().to_owned())
            .collect();
        for (_, text) in expected.iter().filter(|(by, _)| *by == number) {
            assert!(texts.contains(text), "{text} is lost");
            assert!(texts.contains(&format!("You said: {text}")));
        }
    }
    assert_eq!(friends[0].at(&other).ask("still me"), "You said: still me");
}

#[test]
fn the_owners_files_come_back_and_what_was_there_is_set_aside() {
    let shelf = Shelf::new();
    let (data, john) = with_friend("john");
    let data = data.with_config("[agent]\nname = \"Ada\"\n");
    fs::write(data.path().join("owner-chat.jsonl"), "").unwrap();
    backup(&data, &shelf.file("first.tar"));

    let (other, _) = with_friend("mary");
    fs::write(other.path().join("owner-chat.jsonl"), "mine\n").unwrap();
    let before = tree(other.path());
    let report = restore(&other, &shelf.file("first.tar"));
    let aside = set_aside(&other);
    assert!(report.contains(aside.to_str().unwrap()), "{report}");
    assert_eq!(tree(&aside), before);
    for name in ["config.toml", "FRIENDS.md", "owner-chat.jsonl", "secrets/invite-key"] {
        let content = |data: &Data| fs::read(data.path().join(name)).unwrap();
        assert_eq!(content(&other), content(&data), "{name}");
    }
    let harness = other.serve(&[]);
    assert_eq!(john.at(&harness).history().len(), 2);
    let running = harness
        .owner(&["restore", shelf.file("first.tar").to_str().unwrap()])
        .failure();
    assert!(running.contains("in use by process"), "{running}");
}

#[test]
fn a_backup_replaces_nothing() {
    let shelf = Shelf::new();
    let (data, _) = with_friend("john");
    let file = shelf.file("taken");
    fs::write(&file, "somebody's").unwrap();
    let refusal = data.run(&["backup", file.to_str().unwrap()]).failure();
    assert!(refusal.contains("name another file"), "{refusal}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's");
    std::os::unix::fs::symlink("nowhere", shelf.file("link")).unwrap();
    data.run(&["backup", shelf.file("link").to_str().unwrap()]).failure();
    assert_eq!(fs::read_dir(shelf.0.path()).unwrap().count(), 2);

    let nothing = Data::new();
    let refusal = nothing
        .run(&["backup", shelf.file("empty").to_str().unwrap()])
        .failure();
    assert!(refusal.contains("nothing"), "{refusal}");
    assert!(!shelf.file("empty").exists());
}

/// Starts a command and kills it when the path is there, or lets it end.
fn kill_when(data: &Data, arguments: &[&str], there: &Path) {
    let begun = std::time::Instant::now();
    let mut child = data.command(arguments).spawn().unwrap();
    while !there.exists() && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_backup_that_was_killed_leaves_no_file_or_a_whole_one() {
    let shelf = Shelf::new();
    let (data, _) = with_friend("john");
    let file = shelf.file("chat.tar");
    let making = data.path().join("backup-in-the-making");
    for there in [
        making.clone(),
        making.join("copy/plugin"),
        shelf.file("chat.tar.part"),
        making.join("after/plugin/friends.db"),
        file.clone(),
    ] {
        kill_when(&data, &["backup", file.to_str().unwrap()], &there);
        if file.exists() {
            let other = Data::new();
            restore(&other, &file);
            assert!(names(&other).contains("john"));
            fs::remove_file(&file).unwrap();
        }
    }
    backup(&data, &file);
    assert!(!shelf.file("chat.tar.part").exists() && !making.exists());
    assert!(names(&data).contains("john"));
}

#[test]
fn a_restore_that_was_killed_leaves_the_old_or_the_new() {
    let shelf = Shelf::new();
    let file = shelf.file("chat.tar");
    let (source, john) = with_friend("john");
    backup(&source, &file);
    let steps = [
        "restore-in-the-making",
        "restore-in-the-making/after/plugin/friends.db",
        "restore-in-the-making/before",
        "restore-ready",
        "restore-ready/before/plugin",
    ];
    for step in steps {
        let (data, mary) = with_friend("mary");
        kill_when(&data, &["restore", file.to_str().unwrap()], &data.path().join(step));
        let harness = data.serve(&[]);
        let list = harness.owner(&["list"]).success();
        let (here, gone) = match list.contains("mary") {
            true => (&mary, &john),
            false => (&john, &mary),
        };
        assert_eq!(here.at(&harness).history().len(), 2, "{step}: {list}");
        assert_eq!(gone.at(&harness).get("/api/history").status, 401);
        harness.stop();
        restore(&data, &file);
        assert!(names(&data).contains("john"));
        assert!(!data.path().join("restore-ready").exists());
        assert!(!data.path().join("restore-in-the-making").exists());
    }
}

/// An archive of these entries before the content of a good backup: name, type, content or target.
fn archive(good: &Path, to: &Path, first: &[(&str, EntryType, &str)]) {
    let mut tar = Builder::new(fs::File::create(to).unwrap());
    for (name, kind, content) in first {
        let mut header = Header::new_gnu();
        // Past the checks of the library.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o777);
        let data = match kind {
            EntryType::Regular => *content,
            _ => "",
        };
        if data.is_empty() {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data.as_bytes()).unwrap();
    }
    for entry in Archive::new(fs::File::open(good).unwrap()).entries().unwrap() {
        let entry = entry.unwrap();
        tar.append(&entry.header().clone(), entry).unwrap();
    }
    tar.finish().unwrap();
}

#[test]
fn what_is_no_backup_is_refused_and_writes_nowhere() {
    let shelf = Shelf::new();
    let good = shelf.file("good.tar");
    let (data, _) = with_friend("john");
    backup(&data, &good);
    let outside = shelf.file("outside");
    fs::create_dir(&outside).unwrap();
    let absolute = outside.join("evil");
    let (outside_path, absolute) = (outside.to_str().unwrap(), absolute.to_str().unwrap());
    let before = tree(data.path());
    let hostile: [&[(&str, EntryType, &str)]; 11] = [
        &[("../evil", EntryType::Regular, "x")],
        &[("plugin/../../../evil", EntryType::Regular, "x")],
        &[("./plugin", EntryType::Directory, "")],
        &[(absolute, EntryType::Regular, "x")],
        &[("FRIENDS.md", EntryType::Symlink, outside_path)],
        &[
            ("plugin", EntryType::Symlink, outside_path),
            ("plugin/evil", EntryType::Regular, "x"),
        ],
        &[("FRIENDS.md", EntryType::Link, "/etc/passwd")],
        &[("plugin", EntryType::Char, "")],
        &[("plugin", EntryType::Fifo, "")],
        &[("cache", EntryType::Directory, "")],
        &[
            ("FRIENDS.md", EntryType::Regular, "x"),
            ("FRIENDS.md", EntryType::Regular, "y"),
        ],
    ];
    let file = shelf.file("hostile.tar");
    for entries in hostile {
        archive(&good, &file, entries);
        refused(&data, &file);
        assert_eq!(tree(data.path()), before, "{entries:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{entries:?}");
    }
    let whole = fs::read(&good).unwrap();
    for length in [
        0,
        1,
        512,
        whole.len() / 2,
        whole.len() / 512 / 2 * 512,
        whole.len() - 2_048,
    ] {
        fs::write(&file, &whole[..length]).unwrap();
        let refusal = refused(&data, &file);
        assert!(refusal.contains("nothing was changed"), "{length}: {refusal}");
    }
    fs::write(&file, "words\n".repeat(1_000)).unwrap();
    refused(&data, &file);
    let missing = refused(&data, &shelf.file("missing.tar"));
    assert!(missing.contains("missing.tar"), "{missing}");
    assert_eq!(tree(data.path()), before);
    archive(&good, &file, &[]);
    restore(&data, &file);
}

/// Changes the database as it lies there.
fn damage(data: &Data, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = fs::read(data.database()).unwrap();
    change(&mut bytes);
    fs::write(data.database(), &bytes).unwrap();
    bytes
}

#[test]
fn a_damaged_database_is_left_as_it_is_until_a_backup_is_restored() {
    let shelf = Shelf::new();
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[..100].fill(0xa5),
        |bytes| bytes[4_096..].fill(0xa5),
        |bytes| bytes.truncate(4_096 * 3 + 17),
    ];
    for (number, change) in damages.into_iter().enumerate() {
        let file = shelf.file(&format!("{number}.tar"));
        let (data, john) = with_friend("john");
        backup(&data, &file);
        let damaged = damage(&data, change);
        for arguments in [
            &["serve", "--port", "0"][..],
            &["nudge", "john", "hello"],
            &["tool", "friends_chat_list"],
        ] {
            let refusal = data.run(arguments).failure();
            assert!(
                refusal.contains("damaged") && refusal.contains("host-harness restore FILE --data"),
                "{number}: {refusal}"
            );
            assert!(refusal.contains(data.database().parent().unwrap().to_str().unwrap()));
            assert_eq!(fs::read(data.database()).unwrap(), damaged, "{number}");
        }
        let kept = shelf.file("of-damaged.tar");
        let refusal = data.run(&["backup", kept.to_str().unwrap()]).failure();
        assert!(refusal.contains("damaged") && !kept.exists(), "{refusal}");

        restore(&data, &file);
        assert_eq!(fs::read(set_aside(&data).join("plugin/friends.db")).unwrap(), damaged);
        assert_eq!(john.at(&data.serve(&[])).history().len(), 2);
    }
}

#[test]
fn a_log_that_was_cut_short_is_no_damage() {
    let harness = Harness::start();
    let john = harness.friend("john");
    john.ask("first");
    let data = harness.kill();
    let log = data.database().with_extension("db-wal");
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 100]).unwrap();
    let shelf = Shelf::new();
    backup(&data, &shelf.file("chat.tar"));
    let harness = data.serve(&[]);
    assert!(harness.owner(&["list"]).success().contains("john"));
    assert_eq!(
        john.at(&harness)
            .post("/api/chat", &json!({ "message": "second" }))
            .status,
        200
    );
}

#[test]
fn a_backup_of_a_later_version_is_refused() {
    let shelf = Shelf::new();
    let file = shelf.file("later.tar");
    let (data, _) = with_friend("john");
    backup(&data, &file);
    // The schema's version, in the database's header.
    damage(&data, |bytes| bytes[60..64].copy_from_slice(&9_u32.to_be_bytes()));
    let refusal = data.run(&["backup", shelf.file("new.tar").to_str().unwrap()]).failure();
    assert!(refusal.contains("later version"), "{refusal}");

    let later = shelf.file("tampered.tar");
    let mut tar = Builder::new(fs::File::create(&later).unwrap());
    for entry in Archive::new(fs::File::open(&file).unwrap()).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header().clone();
        match header.path().unwrap().ends_with("friends.db") {
            true => tar.append(&header, fs::File::open(data.database()).unwrap()).unwrap(),
            false => tar.append(&header, entry).unwrap(),
        }
    }
    tar.finish().unwrap();
    let (other, mary) = with_friend("mary");
    let refusal = refused(&other, &later);
    assert!(refusal.contains("later version"), "{refusal}");
    assert_eq!(mary.at(&other.serve(&[])).history().len(), 2);
}
