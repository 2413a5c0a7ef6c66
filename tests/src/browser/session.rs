//! A browser with a profile of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::driver::{Driver, installed};
use super::{Tab, base64, logs, webdriver};
use crate::Harness;

/// Nothing on the screen, nothing of its own on the network, and no name but the harness's leads anywhere. It has two:
/// `localhost`, which browsers trust, and `chat.test`, which they trust no more than any other without TLS.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP chat.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost",
];

/// A browser of one friend. Dropped, it is closed, and fails the test if it saw what must not be.
#[derive(Debug)]
pub struct Browser {
    session: Arc<Session>,
    origin: String,
    provoked: Mutex<Vec<String>>,
    requested: Mutex<Vec<String>>,
    findings: Mutex<Vec<String>>,
}

/// One WebDriver session.
#[derive(Debug)]
pub(super) struct Session {
    driver: Arc<Driver>,
    id: String,
    /// Where the browser itself listens.
    pub(super) browser: SocketAddr,
    /// The tab that commands go to.
    current: Mutex<String>,
    // Dropped last, when nobody writes there any more.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a browser that may talk to this harness, or another one on its port, and nobody else.
    #[track_caller]
    pub fn open(harness: &Harness) -> Self {
        Self::open_in(harness, "en-US")
    }

    /// As [`Browser::open`], for somebody who reads these languages, as `pt-BR,en`.
    #[track_caller]
    pub fn open_in(harness: &Harness, languages: &str) -> Self {
        Self::start(format!("http://localhost:{}", harness.address().port()), languages)
    }

    /// As [`Browser::open`], for a harness that is reached at another origin, as `http://chat.test:3001`.
    #[track_caller]
    pub fn open_at(origin: &str) -> Self {
        Self::start(origin.to_owned(), "en-US")
    }

    #[track_caller]
    fn start(origin: String, languages: &str) -> Self {
        Self {
            session: Arc::new(Session::open(languages)),
            origin,
            provoked: Mutex::default(),
            requested: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    /// Opens a browser of a new friend of this name, with the chat in a tab.
    #[track_caller]
    pub fn joined(harness: &Harness, user: &str) -> (Self, Tab) {
        let browser = Self::open(harness);
        let tab = browser.tab();
        tab.join(&harness.invite(user));
        (browser, tab)
    }

    /// A new tab, without a page.
    #[track_caller]
    pub fn tab(&self) -> Tab {
        Tab::open(&self.session, &self.origin)
    }

    /// Announces that the test provokes an error that the console tells with these words.
    pub fn provoke(&self, words: &str) {
        self.provoked.lock().unwrap().push(words.to_owned());
    }

    /// What was seen so far that must not be, once.
    pub fn take_findings(&self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.findings.lock().unwrap())
    }

    /// The addresses of all requests so far.
    pub fn requested(&self) -> Vec<String> {
        self.look();
        self.requested.lock().unwrap().clone()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let value = webdriver::attempt(
            self.session.driver.address,
            "GET",
            &format!("/session/{}/cookie/{name}", self.session.id),
            &Value::Null,
        );
        value.ok().map(|cookie| cookie["value"].as_str().unwrap().to_owned())
    }

    /// Reads the logs, which the driver gives once.
    fn look(&self) {
        let console = self.session.log("browser");
        let network = logs::events(&self.session.log("performance"));
        let requested = logs::requested(&network);
        let mut findings = self.findings.lock().unwrap();
        findings.extend(logs::of_console(&console, &self.provoked.lock().unwrap()));
        findings.extend(logs::of_network(&requested, &self.origin));
        self.requested.lock().unwrap().extend(requested);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A driver that does not answer any more must not hide why the test failed.
            let findings = catch_unwind(AssertUnwindSafe(|| self.take_findings()));
            eprintln!("the browser also saw: {findings:#?}");
            return;
        }
        self.look();
        let findings = std::mem::take(&mut *self.findings.lock().unwrap());
        let is_blind = self.requested.lock().unwrap().is_empty();
        assert!(findings.is_empty(), "the browser saw what must not be: {findings:#?}");
        assert!(!is_blind, "the network log is empty: nothing was asserted");
    }
}

impl Session {
    fn open(languages: &str) -> Self {
        let driver = Driver::shared();
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.push(format!("--accept-lang={languages}"));
        // Chromium's own sandbox cannot be made by root.
        if rustix::process::geteuid().is_root() {
            flags.push("--no-sandbox".to_owned());
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": {
                "binary": installed("chromium"),
                "args": flags,
                // Begins with an empty page instead of Chromium's own, by the value that its policies give to "URLs".
                "prefs": { "session.restore_on_startup": 4, "session.startup_urls": ["about:blank"] },
            },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let session = webdriver::command(driver.address, "POST", "/session", &wanted);
        let id = session["sessionId"].as_str().unwrap().to_owned();
        let browser = session["capabilities"]["goog:chromeOptions"]["debuggerAddress"].as_str();
        let (_, port) = browser.unwrap().rsplit_once(':').unwrap();
        Self {
            driver,
            id,
            browser: SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().unwrap())),
            current: Mutex::default(),
            _profile: profile,
        }
    }

    /// Carries out a command of this session.
    #[track_caller]
    pub(super) fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        webdriver::command(
            self.driver.address,
            method,
            &format!("/session/{}/{path}", self.id),
            body,
        )
    }

    /// Carries out a command in one tab.
    #[track_caller]
    pub(super) fn command_in(&self, handle: &str, method: &str, path: &str, body: &Value) -> Value {
        let mut current = self.current.lock().unwrap();
        if *current != handle {
            self.command("POST", "window", &json!({ "handle": handle }));
            handle.clone_into(&mut current);
        }
        self.command(method, path, body)
    }

    /// Saves a picture of what is in sight in a tab.
    #[track_caller]
    pub(super) fn save_picture(&self, handle: &str, file: &Path) {
        let picture = self.command_in(handle, "GET", "screenshot", &Value::Null);
        fs::write(file, base64::decode(picture.as_str().unwrap())).unwrap();
    }

    fn log(&self, name: &str) -> Vec<Value> {
        let entries = self.command("POST", "se/log", &json!({ "type": name }));
        entries.as_array().unwrap().clone()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        webdriver::close(self.driver.address, &self.id);
    }
}
