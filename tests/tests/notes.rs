//! What the agent keeps about a friend: made with the friend, the owner's to edit, and the friend's to read and remove as far
//! as the agent has noted it. Observed in the file and over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::PathBuf;

use friends_chat_tests::{Data, Harness};
use serde_json::json;

/// A section with words of the owner's, and what the agent has noted.
const SECTION: &str =
    "## john\n- Owes me money.\n\n### Noted by the agent\n\n- Likes tea.\n- Has a dog.\n\n### Later\n- Ask him.\n";

fn file(data: &Data) -> PathBuf {
    data.path().join("FRIENDS.md")
}

fn read(data: &Data) -> String {
    fs::read_to_string(file(data)).unwrap()
}

#[test]
fn a_friend_has_a_section_as_soon_as_the_invite_is_there() {
    let data = Data::new();
    let begun = "# What I know about my friends\n\n## john (Johnny #1)\n";
    data.run(&["invite", "john", "--nickname", "Johnny #1"]).success();
    assert_eq!(read(&data), begun, "without a running harness");

    let harness = data.serve(&[]);
    harness.invite("mary");
    assert_eq!(read(&data), format!("{begun}\n## mary\n"));

    // The owner takes one out by hand, and it stays out.
    fs::write(file(&data), begun).unwrap();
    harness.owner(&["reinvite", "mary"]).success();
    let data = harness.stop();
    data.serve(&[]).stop();
    assert_eq!(read(&data), begun);
}

#[test]
fn who_was_a_friend_before_gets_a_section_with_the_next_start() {
    let data = Data::new();
    data.run(&["invite", "john"]).success();
    fs::remove_file(file(&data)).unwrap();
    data.serve(&[]).stop();
    assert!(read(&data).ends_with("\n## john\n"));
}

#[test]
fn a_friend_reads_and_removes_what_the_agent_noted_and_nothing_of_the_owners() {
    let harness = Harness::start();
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let data = harness.data();
    fs::write(file(data), SECTION).unwrap();

    let noted = john.get("/api/notes");
    assert_eq!(noted.json(), json!({ "notes": ["Likes tea.", "Has a dog."] }));
    assert_eq!(mary.get("/api/notes").json(), json!({ "notes": [] }));
    for note in ["Owes me money.", "Ask him.", "Likes coffee.", "", "### Later"] {
        john.post("/api/notes/forget", &json!({ "note": note }))
            .assert_error(404);
    }
    mary.post("/api/notes/forget", &json!({ "note": "Likes tea." }))
        .assert_error(404);
    assert_eq!(read(data), SECTION);

    let removed = john.post("/api/notes/forget", &json!({ "note": "Likes tea." }));
    assert_eq!((removed.status, removed.json()), (200, json!({ "ok": true })));
    assert_eq!(read(data), SECTION.replace("- Likes tea.\n", ""));
    assert_eq!(john.get("/api/notes").json(), json!({ "notes": ["Has a dog."] }));
}

#[test]
fn what_cannot_be_removed_is_not_said_to_be() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let data = harness.data();
    fs::write(file(data), SECTION).unwrap();
    // Where the new document would be written is something else.
    let draft = file(data).with_extension("md.part");
    fs::create_dir(&draft).unwrap();

    let tea = json!({ "note": "Likes tea." });
    john.post("/api/notes/forget", &tea).assert_error(503);
    assert_eq!(read(data), SECTION);
    harness.log().expect(&["a note is not removed"]);
    harness.owner(&["invite", "mary"]).success();

    fs::remove_dir(&draft).unwrap();
    assert_eq!(john.post("/api/notes/forget", &tea).status, 200);
}
