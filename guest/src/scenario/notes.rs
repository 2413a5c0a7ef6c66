//! Who is made known to the agent and when, and what a friend learns of the agent's notes.

use super::*;

#[test]
fn a_friend_is_introduced_when_created_and_not_again() {
    let file = "notes_introduced.db";
    let mut scenario = Scenario::started(file);
    scenario
        .tool("friends_chat_invite", json!({"username": "john", "nickname": "Johnny"}))
        .unwrap();
    assert_eq!(scenario.host.introduced, ["friend:john: Johnny"]);
    assert!(
        scenario
            .tool("friends_chat_invite", json!({"username": "john"}))
            .is_err()
    );
    scenario
        .tool("friends_chat_reinvite", json!({"username": "john"}))
        .unwrap();
    let mut scenario = scenario.crash(file);
    assert_eq!(scenario.host.introduced, ["friend:john: Johnny"]);
    scenario.plugin.stop(&mut scenario.host).unwrap();
}

#[test]
fn who_was_there_before_the_first_start_is_introduced_by_it() {
    let file = "notes_earlier.db";
    let mut scenario = Scenario::new(file);
    scenario.host.memory_is_lost = true;
    scenario.invite("john");
    scenario.invite("mary");
    assert!(scenario.host.introduced.is_empty());
    scenario.host.memory_is_lost = false;
    scenario.plugin.start(&mut scenario.host).unwrap();
    assert_eq!(scenario.host.introduced, ["friend:john: john", "friend:mary: mary"]);
    assert_eq!(scenario.crash(file).host.introduced.len(), 2, "once");
}

#[test]
fn a_friend_sees_and_removes_their_own_notes_only() {
    let mut scenario = Scenario::started("notes_own.db");
    let (mut john, mut mary) = (scenario.friend("john"), scenario.friend("mary"));
    let noted = ["Likes tea.", "Has a dog."].map(str::to_owned);
    scenario.host.notes.insert("friend:john".to_owned(), noted.to_vec());

    let answer = scenario.get(&mut john, "/api/notes");
    assert_eq!(body(&answer), json!({ "notes": ["Likes tea.", "Has a dog."] }));
    assert_eq!(body(&scenario.get(&mut mary, "/api/notes")), json!({ "notes": [] }));

    let tea = json!({ "note": "Likes tea." });
    let refused = scenario.post(&mut mary, "/api/notes/forget", tea.clone());
    assert_eq!(refused.status, 404);
    let removed = scenario.post(&mut john, "/api/notes/forget", tea.clone());
    assert_eq!((removed.status, body(&removed)), (200, json!({ "ok": true })));
    assert_eq!(scenario.post(&mut john, "/api/notes/forget", tea).status, 404);
    assert_eq!(
        body(&scenario.get(&mut john, "/api/notes")),
        json!({ "notes": ["Has a dog."] })
    );
}

#[test]
fn removing_has_a_rate() {
    let mut scenario = Scenario::started("notes_rate.db");
    let mut john = scenario.friend("john");
    let statuses: Vec<u16> = (0..21)
        .map(|_| {
            scenario
                .post(&mut john, "/api/notes/forget", json!({ "note": "x" }))
                .status
        })
        .collect();
    assert_eq!((statuses[19], statuses[20]), (404, 429));
}

#[test]
fn a_memory_that_cannot_be_read_is_no_secret_and_no_end() {
    let mut scenario = Scenario::started("notes_lost.db");
    let mut john = scenario.friend("john");
    scenario.host.memory_is_lost = true;
    let answer = scenario.get(&mut john, "/api/notes");
    assert_eq!(answer.status, 503);
    assert!(!body(&answer).to_string().contains("no memory"));
    scenario.invite("mary");
}
