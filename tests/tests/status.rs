//! The owner sees how the harness is doing. Observed at `host-harness status` while an agent waits at a gate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use friends_chat_tests::{Data, Gates, Harness};
use serde_json::Value;

fn status(harness: &Harness) -> Value {
    serde_json::from_str(&harness.owner(&["status", "--json"]).success()).unwrap()
}

#[test]
fn what_runs_what_waits_and_who_is_connected() {
    let gates = Gates::new();
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let john = harness.friend("john");
    let idle = status(&harness);
    assert_eq!(idle["running"], true);
    assert_eq!(idle["agent"], gates.agent().as_str());
    assert!(idle["sinceMs"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(
        idle["turns"],
        serde_json::json!({ "running": 0, "waiting": 0, "longestWaitMs": 0 })
    );

    let _gate = gates.close("john");
    let mut first = john.say("one");
    first.until("status");
    let _feed = john.feed();
    let _second = john.say("two");
    // It is in the queue before its stream begins.
    let busy = status(&harness);
    assert_eq!(
        (&busy["turns"]["running"], &busy["turns"]["waiting"]),
        (&1.into(), &1.into())
    );
    assert_eq!(busy["heldConnections"], 3);
    let later = status(&harness);
    assert!(later["turns"]["longestWaitMs"].as_u64() > busy["turns"]["longestWaitMs"].as_u64());

    assert_eq!(busy["plugin"]["health"]["state"], "running");
    assert_eq!(busy["plugin"]["lastLoss"], Value::Null);
    let database = std::fs::metadata(harness.data().database()).unwrap().len();
    assert!(busy["plugin"]["directoryBytes"].as_u64().unwrap() >= database);
    assert!(busy["freeBytes"].as_u64().unwrap() > 0);
    let limits = busy["plugin"]["limits"].as_array().unwrap();
    let frames = limits.iter().find(|limit| limit["name"] == "frame_bytes").unwrap();
    assert_eq!(frames["limit"], "512 KiB");
    assert!(frames["peak"].is_string(), "{frames}");

    let text = harness.owner(&["status"]).success();
    for words in [
        "runs since ",
        "Agent: cmd:sh ",
        "1 running, 1 waiting, the longest for ",
        "Held connections: 3",
        "Disk: ",
        " of the plugin's, ",
        "iB free",
        "Plugin: running; 0 instances lost",
        "frame_bytes: ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn when_none_runs_it_says_so() {
    let data = Data::new();
    assert_eq!(data.run(&["status"]).success(), "The harness does not run.");
    assert_eq!(data.run(&["status", "--json"]).success(), "{\"running\":false}");
}
