//! Chats below paths of one host name: each works as one at the root does, and in one browser none meets what is another's.
//! Observed behind an nginx that takes the paths off, in the page, in the browser's network log, and in what the browser keeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, Devtools, Tab};
use friends_chat_tests::{Data, Harness, Proxy, Received, Script, Socket};
use serde_json::{Value, json};

/// A harness below a path of the proxy: the place is its place among the paths.
fn serve(proxy: &Proxy, place: usize, path: &str, data: &Data, agent: &str) -> Harness {
    let base_url = format!("{}{path}", proxy.url());
    let arguments = ["--base-url", base_url.as_str(), "--agent", agent];
    Harness::start_on(data, proxy.upstreams()[place], &arguments)
}

/// Two harnesses below the two paths, and one browser that john of each has joined in a tab.
fn two(paths: [&str; 2]) -> (Proxy, [Harness; 2], Browser, [Tab; 2]) {
    let proxy = Proxy::sharing(&paths);
    let harnesses = [0, 1].map(|place| serve(&proxy, place, paths[place], &Data::new(), "echo:0ms"));
    let browser = Browser::open_at(&proxy.url());
    let tabs = harnesses.each_ref().map(|harness| {
        let tab = browser.tab();
        tab.join(&harness.invite("john"));
        wait_worker(&tab);
        tab
    });
    (proxy, harnesses, browser, tabs)
}

/// Waits until the page's own worker would serve it.
fn wait_worker(tab: &Tab) {
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
    let own = "navigator.serviceWorker.controller.scriptURL === new URL('sw.js', location).href";
    tab.wait(own);
}

/// The names of what the browser keeps for the host name.
fn names(tab: &Tab) -> Vec<String> {
    let list = "return (async () => [
        ...Object.keys(localStorage),
        ...await caches.keys(),
        ...(await navigator.locks.query()).held.map(({ name }) => name),
    ])()";
    let names = tab.run(list, &[]);
    let text = |name: &Value| name.as_str().unwrap().to_owned();
    names.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn below_a_path_a_friend_joins_chats_and_comes_back() {
    let script = Script::new(r#"echo '{"delta":"one "}'; read -r _ < "${0%/*}/next"; echo '{"delta":"two"}'"#);
    let mut gate = script.gate("next");
    let proxy = Proxy::sharing(&["/anna"]);
    let anna = serve(&proxy, 0, "/anna", &Data::new(), &script.agent());
    let browser = Browser::open_at(&proxy.url());
    let tab = browser.tab();
    tab.join(&anna.invite("john"));
    let home = format!("{}/anna/", proxy.url());
    assert_eq!(tab.address(), format!("{home}chat"));

    tab.send("go");
    tab.wait("document.querySelector('.entry.agent.live .verbatim')?.textContent === 'one '");
    gate.let_one_through();
    let said = [("friend", "go"), ("agent", "one two")];
    tab.wait_bubbles(&said);
    tab.reload();
    tab.wait_bubbles(&said);
    let second = browser.tab();
    second.go("/anna");
    second.wait_bubbles(&said);
    assert_eq!(second.address(), home);
    anna.nudge("john", "in both");
    for tab in [&tab, &second] {
        tab.wait_bubbles(&[said[0], said[1], ("nudge", "in both")]);
    }

    tab.click("#menu-button");
    tab.click("#menu-device");
    tab.wait("document.querySelector('#device-qr path').getAttribute('d') !== ''");
    assert!(tab.text("#device-lead").contains(&format!("{home}chat")));
    tab.click("#device-form .primary");
    tab.click("#menu-button");
    tab.click("#menu-settings");
    tab.run("document.querySelector('#language').value = 'de';", &[]);
    tab.click("#settings-form .primary");
    tab.wait("document.documentElement.lang === 'de'");
    tab.wait_online();
    tab.click("#menu-button");
    tab.click("#menu-signout");
    tab.click("#signout-form .primary");
    tab.wait_visible("#signin");
    tab.run(
        "navigator.share = undefined; navigator.clipboard.writeText = async () => {};",
        &[],
    );
    tab.click("#ask");
    tab.wait_visible("#ask-text");
    assert!(tab.text("#ask-text").ends_with(&format!("{home}chat")));

    let requested = browser.requested();
    let strange: Vec<&String> = requested
        .iter()
        .filter(|url| !url.starts_with(&home) && **url != format!("{}/anna", proxy.url()))
        .collect();
    assert!(strange.is_empty(), "{strange:#?}");
}

#[test]
fn below_a_path_the_chat_is_installed_and_opens_without_its_harness() {
    let proxy = Proxy::sharing(&["/anna"]);
    let data = Data::new();
    let anna = serve(&proxy, 0, "/anna", &data, "echo:0ms");
    let browser = Browser::open_at(&proxy.url());
    browser.provoke("502");
    let tab = browser.tab();
    tab.join(&anna.invite("john"));
    wait_worker(&tab);
    let home = format!("{}/anna/", proxy.url());
    assert_eq!(
        tab.run("return navigator.serviceWorker.ready.then(({ scope }) => scope);", &[]),
        home
    );
    let errors = tab.devtools("Page.getInstallabilityErrors", &json!({}));
    assert_eq!(errors["installabilityErrors"], json!([]));
    let app = tab.devtools("Page.getAppManifest", &json!({}));
    assert_eq!(app["errors"], json!([]));
    assert_eq!(
        (&app["manifest"]["startUrl"], &app["manifest"]["scope"]),
        (&json!(format!("{home}chat")), &json!(home))
    );
    let id = tab.devtools("Page.getAppId", &json!({}));
    assert_eq!(id["appId"], format!("{home}chat"));

    anna.stop();
    tab.go("/anna/");
    tab.wait_visible("#chat");
    tab.send("meanwhile");
    let _anna = serve(&proxy, 0, "/anna", &data, "echo:0ms");
    tab.wait_bubbles(&[("friend", "meanwhile"), ("agent", "You said: meanwhile")]);
}

#[test]
fn below_a_path_a_websocket_is_for_pages_of_the_host_name() {
    let proxy = Proxy::sharing(&["/anna"]);
    let anna = serve(&proxy, 0, "/anna", &Data::new(), "echo:0ms");
    let john = anna.friend("john").at_address(proxy.address());
    let origin = proxy.url();
    // nginx tells the harness another host than the browser's, so that the base URL decides.
    let open = |origin: &str| Socket::open(&john, "/anna/api/socket", &[("origin", origin)]);
    let mut socket = open(&origin).unwrap();
    assert!(matches!(socket.receive(), Received::Event(hello) if hello["type"] == "hello"));
    for other in [format!("{origin}/anna"), "https://evil.example".to_owned()] {
        assert_eq!(open(&other).err(), Some(403), "{other}");
    }
}

#[test]
fn two_chats_below_two_paths_do_not_meet() {
    let (proxy, [anna, ben], browser, [at_anna, at_ben]) = two(["/anna", "/ben"]);
    browser.provoke("502");
    at_anna.send("I am at Anna's");
    at_ben.send("I am at Ben's");
    anna.nudge("john", "From Anna");
    let annas = [
        ("friend", "I am at Anna's"),
        ("agent", "You said: I am at Anna's"),
        ("nudge", "From Anna"),
    ];
    let bens = [("friend", "I am at Ben's"), ("agent", "You said: I am at Ben's")];
    for _ in 0..2 {
        at_anna.wait("document.querySelectorAll('.entry:not(.live)').length === 3");
        at_ben.wait_bubbles(&bens);
        assert_eq!(at_anna.bubbles().len(), annas.len());
        for tab in [&at_anna, &at_ben] {
            tab.reload();
            tab.wait_online();
        }
    }

    // What is not sent yet.
    at_anna.press("#message", "a draft");
    at_ben.reload();
    at_ben.wait_online();
    assert_eq!(at_ben.value("document.querySelector('#message').value"), "");
    at_anna.reload();
    at_anna.wait_online();
    assert_eq!(at_anna.value("document.querySelector('#message').value"), "a draft");
    let data = anna.stop();
    at_anna.press("#message", "\u{e007}");
    at_anna.wait("document.querySelectorAll('.entry.friend').length === 2");
    at_ben.reload();
    at_ben.wait_online();
    at_ben.wait_bubbles(&bens);
    at_ben.send("next");
    let bens = [bens[0], bens[1], ("friend", "next"), ("agent", "You said: next")];
    at_ben.wait_bubbles(&bens);
    let _anna = serve(&proxy, 0, "/anna", &data, "echo:0ms");
    at_anna.wait("document.querySelector('.entry:last-child .body').innerText === 'You said: a draft'");

    // Leaving one is not leaving the other.
    ben.owner(&["revoke", "john"]).success();
    at_ben.wait_visible("#signin");
    let kept = names(&at_anna);
    let bens_shell = kept.iter().filter(|name| name.starts_with("/ben/:"));
    assert_eq!(bens_shell.count(), 1, "the page, and nothing of John: {kept:?}");
    assert!(kept.iter().all(|name| name.contains("/:")), "{kept:?}");
    at_anna.reload();
    at_anna.wait_online();
}

#[test]
fn a_chat_at_the_root_keeps_its_names_beside_another() {
    let (_proxy, [root, anna], _browser, [at_root, at_anna]) = two(["", "/anna"]);
    for (tab, words) in [(&at_root, "at the root"), (&at_anna, "at Anna's")] {
        tab.send(words);
        tab.wait_bubbles(&[("friend", words), ("agent", &format!("You said: {words}"))]);
        tab.press("#message", "draft");
        // A page that goes keeps what is written.
        tab.reload();
        tab.wait_online();
    }
    let (annas, mut roots): (Vec<String>, Vec<String>) = names(&at_root)
        .into_iter()
        .partition(|name| name.starts_with("/anna/:"));
    // What browsers have long stored under these names is found again.
    let shell = roots.iter().position(|name| name.starts_with("shell-")).unwrap();
    roots.remove(shell);
    roots.sort();
    assert_eq!(
        roots,
        ["friends-chat:john", "friends-chat:john:draft", "friends-chat:session"]
    );
    assert_eq!(annas.len(), 4, "{annas:?}");

    // Of two cookies with one name a browser sends that of the longer path first.
    for tab in [&at_root, &at_anna] {
        tab.reload();
        tab.wait_online();
        tab.wait("document.querySelectorAll('.entry').length === 2");
    }
    anna.owner(&["revoke", "john"]).success();
    at_anna.wait_visible("#signin");
    at_anna.reload();
    at_anna.wait_visible("#signin");
    at_root.reload();
    at_root.wait_online();
    at_anna.join(&anna.invite("mary"));
    root.owner(&["revoke", "john"]).success();
    at_root.wait_visible("#signin");
    at_anna.reload();
    at_anna.wait_online();
}

/// What is notified for the chat in this tab, as text and tag.
fn notified(tab: &Tab) -> Value {
    tab.run(
        "return navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
            .then((all) => all.map(({ body, tag }) => [body, tag]));",
        &[],
    )
}

/// Waits until the browser has shown a notification. It must not be asked for them before: it forgets them then.
fn wait_notified(devtools: &mut Devtools) {
    loop {
        let event = devtools.event("BackgroundService.backgroundServiceEventReceived");
        if event["backgroundServiceEvent"]["eventName"] == "Notification displayed" {
            return;
        }
    }
}

#[test]
fn chats_below_two_paths_notify_each_for_itself() {
    let (_proxy, [anna, ben], _browser, tabs) = two(["/anna", "/ben"]);
    let permission = json!({ "origin": tabs[0].origin(), "permissions": ["notifications"] });
    tabs[0].devtools("Browser.grantPermissions", &permission);
    for tab in &tabs {
        tab.click("#menu-button");
        tab.click("#menu-notify");
        tab.wait_visible("#notify-go");
        tab.click("#notify-go");
        tab.wait("document.querySelector('#notify-go').innerText === 'Turn off'");
        tab.click("#notify-form .plain");
    }
    let mut devtools = tabs[0].attach();
    let service = json!({ "service": "notifications" });
    devtools.command("BackgroundService.startObserving", &service);
    let recording = json!({ "service": "notifications", "shouldRecord": true });
    devtools.command("BackgroundService.setRecording", &recording);
    for tab in &tabs {
        tab.put_away();
    }
    anna.nudge("john", "From Anna");
    wait_notified(&mut devtools);
    ben.nudge("john", "From Ben");
    wait_notified(&mut devtools);
    assert_eq!(notified(&tabs[0]), json!([["From Anna", "/anna/:entry-1"]]));
    assert_eq!(notified(&tabs[1]), json!([["From Ben", "/ben/:entry-1"]]));
}
