//! A plugin that fails, and heals.

use std::fs;
use std::time::Instant;

use friends_chat_tests::{DEADLINE, Process, Watcher};
use host_harness::plugin::Health;
use host_harness::serve::Host;
use host_harness::settings::{Overrides, Settings};
use serde_json::Value;

use crate::host::{Hostile, data, fixture};

#[test]
pub(crate) fn traps_on_start() {
    let data = data("");
    let mended = data.path().join("plugin/mended");
    fs::create_dir(data.path().join("plugin")).unwrap();
    fs::write(&mended, "").unwrap();
    let host = Hostile::on(&data, "traps_on_start", &["--metrics", "127.0.0.1:0"]);
    let watcher = Watcher::of(&host.harness);
    assert_eq!(watcher.health("/readyz"), (200, "ready".to_owned()));
    let mut held = host.hold();
    fs::remove_file(&mended).unwrap();
    let answer = host.get("/trap");
    answer.assert_error(503);
    let id = format!(" request={}", answer.header("x-request-id").unwrap());
    host.harness.log().expect(&["instance is lost", &id]);
    host.harness.log().expect(&["the plugin is degraded", "strikes=3"]);
    let answer = host.get("/ping");
    answer.assert_error(503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(watcher.health("/readyz"), (503, "degraded".to_owned()));
    assert_eq!(watcher.health("/healthz"), (200, "ok".to_owned()));
    let metrics = watcher.metrics();
    assert!((metrics.value("plugin_health{state=\"degraded\"}") - 1.0).abs() < 0.1);
    assert!(metrics.value("instances_lost_total{cause=\"trap\"}") >= 3.0);
    assert!(metrics.value("instance_memory_bytes") < 1.0, "{}", metrics.text);
    fs::write(&mended, "").unwrap();
    host.harness.log().expect(&["the plugin is not degraded any more"]);
    assert_eq!(watcher.health("/readyz"), (200, "ready".to_owned()));
    assert!((watcher.metrics().value("instance_starts_total") - 2.0).abs() < 0.1);
    host.assert_answers();
    host.text("/tell");
    assert_eq!(held.line(), "told", "who is held stays");
    let status = host.harness.owner(&["status"]).success();
    assert!(
        status.contains("Last loss: ") && status.contains(": trap: ") && status.contains("unreachable"),
        "{status}"
    );
    let status: Value = serde_json::from_str(&host.harness.owner(&["status", "--json"]).success()).unwrap();
    assert_eq!(status["plugin"]["lastLoss"]["cause"], "trap");
    let data = host.harness.stop();

    fs::remove_file(&mended).unwrap();
    let file = fixture("traps_on_start");
    let refusal = data
        .run(&["serve", "--port", "0", "--plugin", file.to_str().unwrap()])
        .failure();
    assert!(refusal.contains("the plugin"), "{refusal}");
}

#[test]
pub(crate) fn traps_every_third() {
    let data = data("[limits]\nwaiting_turns_per_user = 1000\n");
    let heard = data.path().join("heard");
    let script = data.path().join("agent.sh");
    fs::write(
        &script,
        format!("cat >> {}\necho '{{\"delta\":\"yes\"}}'\n", heard.display()),
    )
    .unwrap();
    let host = Hostile::on(
        &data,
        "traps_every_third",
        &["--agent", &format!("cmd:sh {}", script.display())],
    );
    let mut held = host.hold();
    let answered: usize = std::thread::scope(|scope| {
        let visitor = || (0..20).filter(|_| host.get("/message").status == 200).count();
        let visitors: Vec<_> = (0..4).map(|_| scope.spawn(visitor)).collect();
        visitors.into_iter().map(|visitor| visitor.join().unwrap()).sum()
    });
    assert!((20..80).contains(&answered), "{answered}");
    host.text("/tell");
    for _ in 0..answered {
        assert_eq!(held.line(), "from a call that returned");
    }
    assert_eq!(held.line(), "told");
    host.harness.stop();
    let heard = fs::read_to_string(heard).unwrap();
    assert!(heard.contains("of a call that returned"));
    assert!(!heard.contains("of a call that failed"));
}

#[test]
pub(crate) fn spoils_files() {
    let data = data("");
    let host = Hostile::on(&data, "sleeps", &[]);
    let kept = data.path().join("plugin/kept");
    fs::write(&kept, "of the owner").unwrap();
    let mut held = host.hold();
    let file = fixture("spoils_files");
    let refusal = host.harness.owner(&["reload", file.to_str().unwrap()]).failure();
    for part in ["fails with your data", "the old one runs again", "files as they were"] {
        assert!(refusal.contains(part), "{part} is missing: {refusal}");
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), "of the owner");
    host.text("/tell");
    assert_eq!(held.line(), "told", "who is held stays");
    assert_eq!(host.text("/1"), "slept", "it is the old one");
}

#[test]
fn what_a_program_spoils_is_put_back_though_the_harness_is_killed_meanwhile() {
    let data = data("");
    let host = Hostile::on(&data, "sleeps", &[]);
    let kept = data.path().join("plugin/kept");
    fs::write(&kept, "of the owner").unwrap();
    fs::write(data.path().join("plugin/patient"), "").unwrap();
    let reload = Process::start(data.command(&["reload", fixture("spoils_files").to_str().unwrap()]));
    let begin = Instant::now();
    while fs::read_to_string(&kept).unwrap() != "spoiled" {
        assert!(begin.elapsed() < DEADLINE, "the new program does not start");
    }
    host.harness.kill();
    reload.wait();
    let host = Hostile::on(&data, "sleeps", &[]);
    host.harness.log().expect(&["an upgrade was cut off"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "of the owner");
    let left: Vec<String> = fs::read_dir(data.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("plugin."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_costs_an_instance_is_counted_by_its_cause() {
    for (name, target, cause) in [
        ("spins", "/spin", "time"),
        ("eats_memory", "/16", "memory"),
        ("recurses", "/100000000", "trap"),
    ] {
        let data = data("[limits]\ncall = \"200ms\"\nmemory_bytes = \"16 MiB\"\n");
        let host = Hostile::on(&data, name, &["--metrics", "127.0.0.1:0"]);
        let watcher = Watcher::of(&host.harness);
        host.get(target).assert_error(503);
        for other in ["time", "memory", "trap", "abandoned", "refused"] {
            let lost = watcher
                .metrics()
                .value(&format!("instances_lost_total{{cause=\"{other}\"}}"));
            assert!(
                (lost - f64::from(u8::from(other == cause))).abs() < 0.1,
                "{name}: {other}: {lost}"
            );
        }
    }
}

#[test]
fn the_status_tells_the_health_and_how_near_the_limits_are() {
    let data = data("[limits]\nmemory_bytes = \"16 MiB\"\n");
    let settings = Settings::resolve(Overrides {
        data: Some(data.path().to_owned()),
        plugin: Some(fixture("eats_memory")),
        ..Overrides::default()
    });
    let host = Host::load(&settings.unwrap(), 3001).unwrap();
    let plugin = host.plugin();
    assert_eq!(plugin.status().health, Health::Stopped);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(plugin.start()).unwrap();
    let status = serde_json::to_value(plugin.status()).unwrap();
    assert_eq!(status["health"]["state"], "running");
    let limits = status["limits"].as_array().unwrap();
    let memory = limits.iter().find(|limit| limit["name"] == "memory_bytes").unwrap();
    assert_eq!(memory["limit"], "16 MiB");
    assert!(memory["peak"].as_str().unwrap().ends_with("iB"), "{memory}");
}
