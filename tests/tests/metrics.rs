//! Programs of the owner's watch the harness. Observed at `/metrics`, which Prometheus's own parser reads, `/healthz` and `/readyz`,
//! while friends chat.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use friends_chat_tests::{Answer, Connection, Data, Friend, Gates, Metrics, Signal, Watcher};

const HERE: [&str; 2] = ["--metrics", "127.0.0.1:0"];

#[test]
fn what_friends_do_is_counted_and_nobody_is_named() {
    let harness = Data::new().serve(&HERE);
    let watcher = Watcher::of(&harness);
    let invite = harness.invite("marzipan");
    let friend = Friend::stranger(&harness);
    friend.join(&invite);
    let before = watcher.metrics();
    let _feed = friend.feed();
    assert_eq!(friend.ask("pistachio"), "You said: pistachio");
    Friend::stranger(&harness).get("/api/history").assert_error(401);
    let after = watcher.metrics();

    let grown = |series: &str| after.value(series) - before.value(series);
    assert!(grown("call_duration_seconds_count{kind=\"http\"}") >= 3.0);
    assert!(grown("call_duration_seconds_sum{kind=\"http\"}") > 0.0);
    assert!(
        grown("call_duration_seconds_count{kind=\"event\"}") >= 3.0,
        "started, delta, done"
    );
    assert!(after.value("call_duration_seconds_count{kind=\"tool\"}") >= 1.0);
    assert!((grown("agent_turns_started_total") - 1.0).abs() < 0.1);
    assert!((grown("agent_turns_ended_total{ending=\"done\"}") - 1.0).abs() < 0.1);
    assert!(grown("http_responses_total{class=\"2xx\"}") >= 2.0);
    assert!(grown("http_responses_total{class=\"4xx\"}") >= 1.0);
    assert!(grown("connections_opened_total") >= 3.0);
    assert!(grown("held_connections_opened_total") >= 2.0);
    assert!(after.value("held_connections") >= 1.0);
    assert!(grown("pushed_frames_total") >= 2.0);
    assert!(grown("pushed_bytes_total") > grown("pushed_frames_total"));
    assert!(grown("commits_total") >= 1.0);
    assert!(grown("committed_calls_total") >= grown("commits_total"));

    for (series, value) in [
        ("instance_starts_total", 1.0),
        ("instances_lost_total{cause=\"trap\"}", 0.0),
        ("plugin_health{state=\"running\"}", 1.0),
        ("plugin_health{state=\"degraded\"}", 0.0),
        ("limit_bytes{limit=\"frame_bytes\"}", 524_288.0),
        ("limit_seconds{limit=\"call\"}", 2.0),
        ("limit{limit=\"waiting_calls\"}", 1_000.0),
        ("calls_waiting", 0.0),
    ] {
        assert!(
            (after.value(series) - value).abs() < 1e-9,
            "{series}: {}",
            after.value(series)
        );
    }
    for series in [
        "instance_memory_bytes",
        "plugin_directory_bytes",
        "data_free_bytes",
        "start_time_seconds",
        "limit_peak_bytes{limit=\"memory_bytes\"}",
        "limit_peak_seconds{limit=\"call\"}",
        "limit_peak{limit=\"waiting_calls\"}",
        &format!("build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(after.value(series) > 0.0, "{series}");
    }
    for secret in ["marzipan", "pistachio", &invite.code, &friend.cookie().unwrap()] {
        let text = after.text.to_lowercase();
        assert!(!text.contains(&secret.to_lowercase()), "{secret}: {}", after.text);
    }
    are_histograms(&after);
}

/// Asserts that groups grow up to their count.
fn are_histograms(metrics: &Metrics) {
    for kind in ["http", "socket", "tool", "event", "commit", "start", "stop"] {
        let label = format!("kind=\"{kind}\"");
        let mut groups: Vec<(f64, f64)> = metrics
            .series()
            .filter(|(series, _)| series.starts_with("call_duration_seconds_bucket{") && series.contains(&label))
            .map(|(series, count)| {
                let (_, bound) = series.split_once("le=\"").unwrap();
                (bound.split('"').next().unwrap().parse().unwrap(), count)
            })
            .collect();
        groups.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(groups.len() > 10, "{kind}: {groups:?}");
        assert!(groups.is_sorted_by(|one, other| one.1 <= other.1), "{kind}: {groups:?}");
        let (bound, count) = *groups.last().unwrap();
        let all = metrics.value(&format!("call_duration_seconds_count{{{label}}}"));
        assert!(bound.is_infinite() && (count - all).abs() < 0.1, "{kind}: {groups:?}");
    }
}

#[test]
fn whoever_ends_is_alive_and_not_ready() {
    let gates = Gates::new();
    let harness = Data::new().serve(&[&HERE[..], &["--agent", &gates.agent()]].concat());
    let watcher = Watcher::of(&harness);
    assert_eq!(watcher.health("/healthz"), (200, "ok".to_owned()));
    assert_eq!(watcher.health("/readyz"), (200, "ready".to_owned()));
    let mut gate = gates.close("john");
    let john = harness.friend("john");
    let mut answer = john.say("hello");
    answer.until("status");
    assert!((watcher.metrics().value("agent_turns_running") - 1.0).abs() < 0.1);
    harness.signal(Signal::TERM);
    harness.log().expect(&["ending"]);
    assert_eq!(watcher.health("/healthz"), (200, "ok".to_owned()));
    assert_eq!(watcher.health("/readyz"), (503, "stopping".to_owned()));
    gate.let_one_through();
    assert_eq!(harness.wait().code, Some(0));
}

#[test]
fn the_chat_has_no_such_pages_and_web_pages_do_not_get_there() {
    let harness = Data::new().serve(&HERE);
    let watcher = Watcher::of(&harness);
    let stranger = Friend::stranger(&harness);
    for path in ["/metrics", "/healthz", "/readyz"] {
        stranger.get(path).assert_error(404);
    }
    let ask = |method: &str, path: &str, host: &str| {
        let mut connection = Connection::open(watcher.address()).unwrap();
        connection.write(format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes());
        Answer::read(connection.response()).status
    };
    for host in ["localhost", "127.0.0.1:9464", "[::1]:9464"] {
        assert_eq!(ask("GET", "/metrics", host), 200, "{host}");
    }
    for host in ["chat.example.org", "localhost.example.org:9464", "1.example.org", ""] {
        assert_eq!(ask("GET", "/metrics", host), 421, "{host}");
    }
    assert_eq!(ask("POST", "/metrics", "localhost"), 405);
    assert_eq!(ask("GET", "/", "localhost"), 404);
    assert!(!harness.data().path().join("metrics-token").exists());
}

#[test]
fn other_machines_need_the_token_and_see_the_health_without() {
    let data = Data::new().with_config("[metrics]\naddress = \"0.0.0.0:0\"\n");
    let harness = data.serve(&[]);
    let said = Watcher::of(&harness).address();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), said.port());
    let ask = |path: &str, token: Option<&str>| {
        let mut connection = Connection::open(address).unwrap();
        let token = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        connection.request("GET", path, &headers, b"");
        Answer::read(connection.response())
    };
    assert_eq!(ask("/healthz", None).status, 200);
    assert_eq!(ask("/readyz", None).status, 200);
    let refusal = ask("/metrics", None);
    assert_eq!(
        (refusal.status, refusal.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert!(!refusal.text().contains("host_harness"));
    let file = harness.data().path().join("metrics-token");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(file).unwrap();
    assert_eq!(ask("/metrics", Some("wrong")).status, 401);
    let answer = ask("/metrics", Some(token.trim()));
    assert_eq!(answer.status, 200);
    assert!(Metrics::read(answer.text()).value("instance_starts_total") > 0.0);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let harness = Data::new().serve(&HERE);
    let address = Watcher::of(&harness).address().to_string();
    let refusal = Data::new()
        .run(&["serve", "--port", "0", "--metrics", &address])
        .failure();
    assert!(refusal.contains(&address) && refusal.contains("--metrics"), "{refusal}");
}
