//! A plugin that says too much: to the log, to connections, to the agent.

use std::time::Instant;

use friends_chat_tests::DEADLINE;

use crate::host::Hostile;

#[test]
pub(crate) fn floods_log() {
    let host = Hostile::serve("floods_log", "log_lines_per_call = 10\nlog_lines_per_minute = 15");
    let lines = || {
        let log = host.harness.log().text();
        let lines = log.lines().filter(|line| line.contains("xxx"));
        lines.map(str::len).collect::<Vec<_>>()
    };
    host.text("/10");
    host.text("/ping");
    // What is logged comes beside the answers.
    let begin = Instant::now();
    while lines().len() < 10 {
        assert!(begin.elapsed() < DEADLINE, "{:?}", lines());
        std::thread::yield_now();
    }
    assert_eq!(lines().len(), 10);
    assert!(!host.harness.log().text().contains("met a limit"));
    host.text("/1000");
    host.assert_told("log_lines_per_minute");
    assert_eq!(lines().len(), 15);
    assert!(
        lines().iter().all(|length| (4 << 10..5 << 10).contains(length)),
        "{:?}",
        lines()
    );

    let host = Hostile::serve("floods_log", "log_lines_per_call = 10");
    host.text("/11");
    host.assert_told("log_lines_per_call");
    let host = Hostile::serve("floods_log", "log_bytes_per_minute = \"16 KiB\"");
    host.text("/3");
    assert!(!host.harness.log().text().contains("met a limit"));
    host.text("/5");
    host.assert_told("log_bytes_per_minute");
}

#[test]
pub(crate) fn forges_log() {
    let host = Hostile::serve("forges_log", "");
    host.text("/forge");
    let line = host.harness.log().expect(&["ERROR host: forged"]);
    assert!(line.contains("INFO plugin") && line.contains("true\\n"), "{line:?}");
    assert!(line.contains("forged\\ncontext") && !line.contains('\x1b'), "{line:?}");
}

#[test]
pub(crate) fn floods_publish() {
    let host = Hostile::serve(
        "floods_publish",
        "pushes_per_call = 5\nframe_bytes = \"1 KiB\"\npushes_per_minute = 20",
    );
    let mut held = host.hold();
    assert_eq!(host.text("/5"), "None");
    assert_eq!(host.text("/6"), "Some(Error::TooMany)");
    for _ in 0..10 {
        assert_eq!(held.line(), "flood");
    }
    host.assert_told("pushes_per_call");
    assert_eq!(host.text("/wide/1024"), "Ok(1)");
    assert_eq!(host.text("/wide/1025"), "Err(Error::FrameTooLong(1024))");
    host.assert_told("frame_bytes");
    assert_eq!(host.text("/5"), "None");
    assert_eq!(host.text("/5"), "Some(Error::TooMany)");
    host.assert_told("pushes_per_minute");
    host.assert_answers();
}

#[test]
pub(crate) fn floods_queue() {
    let host = Hostile::serve("floods_queue", "waiting_turns = 8\nwaiting_turns_per_user = 2");
    assert_eq!(host.text("/8"), "8");
    let host = Hostile::serve("floods_queue", "waiting_turns = 8\nwaiting_turns_per_user = 2");
    assert_eq!(host.text("/9"), "8");
    let host = Hostile::serve("floods_queue", "waiting_turns_per_user = 2");
    assert_eq!(host.text("/one/100"), "3", "one that is answered, and two that wait");

    let host = Hostile::serve("floods_queue", "turns_per_call = 5\nmessage_bytes = \"1 KiB\"");
    assert_eq!(host.text("/5"), "5");
    assert_eq!(host.text("/6"), "5");
    host.assert_told("turns_per_call");
    assert_eq!(host.text("/wide/1024"), "None");
    assert_eq!(host.text("/wide/1025"), "Some(Error::MessageTooLong(1024))");
    host.assert_told("message_bytes");
    let host = Hostile::serve("floods_queue", "turns_per_minute = 5");
    assert_eq!(host.text("/5"), "5");
    assert!(!host.harness.log().text().contains("met a limit"));
    assert_eq!(host.text("/cancel/1000000"), "cancelled");
    host.assert_told("turns_per_minute");
    host.assert_answers();
}
