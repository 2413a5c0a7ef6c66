//! Every limit has a test that obeys it and one that goes beyond it, mostly the same one. A limit that is added without
//! does not compile here.

use std::fs;
use std::path::Path;

use friends_chat_tests::Data;
use host_harness::limits::Limit;
use host_harness::serve::Host;
use host_harness::settings::{Overrides, Settings};
use tokio::task::JoinSet;

/// A file below the repository's root, and a test in it.
type Test = (&'static str, &'static str);

const ANSWERS: &str = "tests/tests/hostile/answers.rs";
const FILES: &str = "tests/tests/hostile/files.rs";
const FLOODS: &str = "tests/tests/hostile/floods.rs";
const HERE: &str = "tests/tests/hostile/limits.rs";
const MEMORY: &str = "tests/tests/hostile/memory.rs";
const TIME: &str = "tests/tests/hostile/time.rs";
const VISITORS: &str = "tests/tests/hostile/visitors.rs";
const QUEUE: &str = "host-harness/src/agent/queue/tests.rs";
const HUB: &str = "host-harness/src/push.rs";

/// The test that obeys a limit, and the one that violates it.
fn pair(limit: Limit) -> (Test, Test) {
    let both = |file, name| ((file, name), (file, name));
    match limit {
        Limit::memory_bytes => both(MEMORY, "eats_memory"),
        Limit::table_elements => both(HERE, "a_component_has_as_many_table_elements_as_it_may"),
        Limit::instances => both(HERE, "a_component_has_as_many_instances_as_it_may"),
        Limit::call => both(TIME, "sleeps"),
        Limit::start => ((TIME, "sleeps"), (TIME, "never_starts")),
        Limit::stop => (
            ("tests/tests/ending.rs", "sigterm_ends_in_order"),
            (TIME, "never_stops"),
        ),
        Limit::calls_per_commit => both(HERE, "as_many_calls_share_a_commit_as_may"),
        Limit::waiting_calls => both(VISITORS, "as_many_calls_wait_as_may_and_others_are_told_to_come_again"),
        Limit::hostcall_bytes => both(ANSWERS, "answers_gigantic"),
        Limit::frame_bytes => both(FLOODS, "floods_publish"),
        Limit::pushes_per_call => both(FLOODS, "floods_publish"),
        Limit::pushes_per_minute => both(FLOODS, "floods_publish"),
        Limit::log_lines_per_call => both(FLOODS, "floods_log"),
        Limit::log_lines_per_minute => both(FLOODS, "floods_log"),
        Limit::log_line_bytes => ((FLOODS, "forges_log"), (FLOODS, "floods_log")),
        Limit::log_bytes_per_minute => both(FLOODS, "floods_log"),
        Limit::held_frames => both(HUB, "a_reader_that_does_not_read_is_cut_and_its_memory_given_back"),
        Limit::held_bytes => both(HUB, "bytes_wait_up_to_their_bound_and_beyond_it_the_reader_is_cut"),
        Limit::held_connections => both(
            VISITORS,
            "as_many_connections_are_held_as_may_and_a_place_is_given_back",
        ),
        Limit::connections => both(
            VISITORS,
            "as_many_connections_are_open_as_may_and_a_place_is_given_back",
        ),
        Limit::connections_per_address => both(
            "tests/tests/front_door/waits.rs",
            "one_address_has_its_share_of_connections_and_no_more",
        ),
        Limit::streams_per_connection => both(
            VISITORS,
            "as_many_streams_are_open_on_a_connection_as_may_and_another_is_refused",
        ),
        Limit::head_bytes => both(VISITORS, "a_head_is_as_long_as_it_may_be_and_no_longer"),
        Limit::handshake => (
            (
                "tests/tests/front_door/tls.rs",
                "friends_come_in_by_either_protocol_and_cookies_are_secure",
            ),
            (
                "tests/tests/front_door/waits.rs",
                "a_client_that_stalls_is_let_go_of_wherever_it_stalls",
            ),
        ),
        Limit::write => both(
            "host-harness/src/http/patience.rs",
            "a_client_that_reads_nothing_is_given_up_and_one_that_reads_a_little_is_not",
        ),
        Limit::idle => both(
            VISITORS,
            "a_connection_without_requests_is_closed_and_one_that_holds_a_stream_is_not",
        ),
        Limit::topics_per_hold => both(ANSWERS, "answers_gigantic"),
        Limit::body_bytes => both(VISITORS, "a_body_is_as_long_as_it_may_be_and_no_longer"),
        Limit::head | Limit::body => (
            (
                "tests/tests/nobody_waits.rs",
                "a_client_that_sends_slowly_delays_nobody",
            ),
            (
                "tests/tests/front_door/waits.rs",
                "a_client_that_stalls_is_let_go_of_wherever_it_stalls",
            ),
        ),
        Limit::cached_bytes => both("host-harness/src/http/cache.rs", "it_is_no_larger_than_it_may_be"),
        Limit::response_body_bytes => both(ANSWERS, "answers_gigantic"),
        Limit::response_headers => both(ANSWERS, "answers_gigantic"),
        Limit::response_header_bytes => both(ANSWERS, "answers_gigantic"),
        Limit::directory_bytes => both(FILES, "fills_disk"),
        Limit::directory_files => both(FILES, "fills_disk"),
        Limit::message_bytes => both(FLOODS, "floods_queue"),
        Limit::turns_per_call => both(FLOODS, "floods_queue"),
        Limit::turns_per_minute => both(FLOODS, "floods_queue"),
        Limit::waiting_turns_per_user => both(FLOODS, "floods_queue"),
        Limit::waiting_turns => both(FLOODS, "floods_queue"),
        Limit::running_turns => (
            (QUEUE, "different_users_are_answered_in_parallel"),
            (QUEUE, "a_busy_user_does_not_get_in_front_of_others"),
        ),
        Limit::drain => (
            ("tests/tests/ending.rs", "sigterm_ends_in_order"),
            (
                "tests/tests/ending.rs",
                "an_answer_that_takes_too_long_is_begun_anew_after_the_next_start",
            ),
        ),
    }
}

#[test]
fn every_limit_is_obeyed_and_violated_in_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for limit in Limit::ALL {
        let (obeyed, violated) = pair(*limit);
        for (file, name) in [obeyed, violated] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let is_it = |line: &str| line.contains(&format!("fn {name}("));
            let at = lines.iter().position(|line| is_it(line));
            let at = at.unwrap_or_else(|| panic!("`{}`: no test {name} in {file}", limit.name()));
            assert!(
                lines[at - 1].ends_with("test]") || lines[at - 1].contains("test("),
                "{name} in {file} is no test"
            );
        }
    }
}

/// The built-in plugin in a host with these limits, which is not started.
fn host(data: &Data, limits: &str) -> Host {
    fs::write(data.path().join("config.toml"), format!("[limits]\n{limits}\n")).unwrap();
    let settings = Settings::resolve(Overrides {
        data: Some(data.path().to_owned()),
        ..Overrides::default()
    });
    Host::load(&settings.unwrap(), 3001).unwrap()
}

/// Runs something on a thread as the program has.
fn on_one_thread<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(what)
}

/// Whether the built-in plugin starts with these limits.
fn starts(data: &Data, limits: &str) -> bool {
    on_one_thread(host(data, limits).plugin().start()).is_ok()
}

fn peak(host: &Host, limit: Limit) -> usize {
    let report = host.plugin().status().limits;
    let report = report.into_iter().find(|report| report.name == limit.name());
    report.unwrap().peak.unwrap().parse().unwrap()
}

#[test]
fn a_component_has_as_many_table_elements_as_it_may() {
    let data = Data::new();
    let host = host(&data, "");
    on_one_thread(host.plugin().start()).unwrap();
    let needed = peak(&host, Limit::table_elements);
    drop(host);
    assert!(starts(&data, &format!("table_elements = {needed}")));
    assert!(!starts(&data, &format!("table_elements = {}", needed - 1)));
}

#[test]
fn a_component_has_as_many_instances_as_it_may() {
    let data = Data::new();
    assert!(!starts(&data, "instances = 1"));
    let needed = (2..=32).find(|most| starts(&data, &format!("instances = {most}")));
    assert!(needed.is_some(), "the default is enough");
}

#[test]
fn as_many_calls_share_a_commit_as_may() {
    let data = Data::new();
    let shared = |limits, calls: usize| {
        let host = host(&data, limits);
        on_one_thread(async {
            host.plugin().start().await.unwrap();
            let mut asked = JoinSet::new();
            for number in 0..calls {
                let plugin = std::sync::Arc::clone(host.plugin());
                // Not two of the same name, whatever ran before.
                let arguments = serde_json::json!({ "username": format!("of_{calls}_{number}") }).to_string();
                asked.spawn(async move { plugin.call_tool("friends_chat_invite", &arguments).await });
            }
            for answer in asked.join_all().await {
                answer.unwrap();
            }
            host.plugin().stop().await.unwrap();
        });
        peak(&host, Limit::calls_per_commit)
    };
    assert_eq!(shared("calls_per_commit = 100", 30), 30);
    assert_eq!(shared("calls_per_commit = 4", 31), 4);
}
