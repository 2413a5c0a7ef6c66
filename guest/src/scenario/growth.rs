//! What a request costs does not grow with what others have in the store, nor with how much was said before. Observed in
//! the steps that SQLite takes, which are the same on every machine.

use super::*;

/// What each thing costs that a friend does, with so many other friends and messages of John's.
fn costs(file: &'static str, others: u32, messages: u32) -> Vec<(&'static str, u64)> {
    let mut scenario = Scenario::new(file);
    scenario
        .host
        .settings
        .insert("channels.friends.messagesPerMinute".to_owned(), "1000000".to_owned());
    scenario.plugin.start(&mut scenario.host).unwrap();
    let mut john = scenario.friend("john");
    for number in 0..others {
        let mut other = scenario.friend(&format!("friend_{number}"));
        scenario.say(&mut other, "hello");
        answer_last(&mut scenario);
    }
    for number in 0..messages {
        scenario.say(&mut john, &format!("message {number}"));
        answer_last(&mut scenario);
    }
    // What is unread is counted one by one, up to a bound.
    scenario.post(&mut john, "/api/seen", json!({ "id": 1_000_000 }));
    let mut costs = Vec::new();
    let mut measure = |what, scenario: &mut Scenario, act: &mut dyn FnMut(&mut Scenario)| {
        let before = scenario.plugin.steps();
        act(scenario);
        costs.push((what, scenario.plugin.steps() - before));
    };
    measure("status", &mut scenario, &mut |scenario| {
        scenario.get(&mut john.clone(), "/api/auth/status");
    });
    measure("history", &mut scenario, &mut |scenario| {
        scenario.get(&mut john.clone(), "/api/history?limit=5");
    });
    measure("feed", &mut scenario, &mut |scenario| {
        scenario.get(&mut john.clone(), "/api/stream?after=1000000000");
    });
    measure("message", &mut scenario, &mut |scenario| {
        scenario.say(&mut john.clone(), "hi");
    });
    measure("answer", &mut scenario, &mut answer_last);
    measure("nudge", &mut scenario, &mut |scenario| {
        let host = &mut scenario.host;
        scenario
            .plugin
            .send_to_user(host, "friend:john", "hi", "cron", "low")
            .unwrap();
    });
    measure("seen", &mut scenario, &mut |scenario| {
        scenario.post(&mut john.clone(), "/api/seen", json!({ "id": 1_000_000 }));
    });
    measure("a wrong code", &mut scenario, &mut |scenario| {
        scenario.post(&mut Browser::default(), "/api/auth/redeem", json!({ "code": "0000" }));
    });
    measure("an invite", &mut scenario, &mut |scenario| {
        scenario.invite("jane");
    });
    costs
}

fn answer_last(scenario: &mut Scenario) {
    let ticket = Ticket::try_from(scenario.host.queue.len()).unwrap();
    scenario.answer(ticket, "yes");
}

#[test]
fn with_a_hundred_times_as_much_in_the_store_each_request_costs_the_same() {
    let few = costs("growth_few.db", 5, 10);
    let many = costs("growth_many.db", 500, 1_000);
    for ((what, before), (_, after)) in few.iter().zip(&many) {
        // A deeper tree is a step more here and there; a search without an index would be hundreds.
        assert!(
            *after <= before + before / 4 + 20,
            "{what}: {before} steps, then {after}"
        );
    }
}
