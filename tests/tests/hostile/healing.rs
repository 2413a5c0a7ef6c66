//! A plugin that fails, and heals.

use std::fs;
use std::time::Instant;

use friends_chat_tests::{DEADLINE, Process};
use host_harness::plugin::Health;
use host_harness::serve::Host;
use host_harness::settings::{Overrides, Settings};

use crate::host::{Hostile, data, fixture};

#[test]
pub(crate) fn traps_on_start() {
    let data = data("");
    let mended = data.path().join("plugin/mended");
    fs::create_dir(data.path().join("plugin")).unwrap();
    fs::write(&mended, "").unwrap();
    let host = Hostile::on(&data, "traps_on_start", &[]);
    let mut held = host.hold();
    fs::remove_file(&mended).unwrap();
    host.get("/trap").assert_error(503);
    host.harness.log().expect(&["the plugin is degraded", "strikes=3"]);
    let answer = host.get("/ping");
    answer.assert_error(503);
    assert!(answer.header("retry-after").is_some());
    fs::write(&mended, "").unwrap();
    host.harness.log().expect(&["the plugin is not degraded any more"]);
    host.assert_answers();
    host.text("/tell");
    assert_eq!(held.line(), "told", "who is held stays");
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
