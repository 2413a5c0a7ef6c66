//! A host that serves a hostile plugin.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

pub(crate) use friends_chat_tests::fixture;
use friends_chat_tests::{Answer, Connection, DEADLINE, Data, Harness, Incoming};

/// A host that serves a hostile plugin.
pub(crate) struct Hostile {
    pub(crate) harness: Harness,
}

/// A held stream.
pub(crate) struct Held {
    body: BufReader<Box<dyn std::io::Read>>,
}

/// New data with these lines in the configuration.
pub(crate) fn data(config: &str) -> Data {
    Data::new().with_config(config)
}

/// Waits for a file.
pub(crate) fn wait_for(file: &Path) {
    let begin = Instant::now();
    while !file.exists() {
        assert!(begin.elapsed() < DEADLINE, "there is no {}", file.display());
        std::thread::yield_now();
    }
}

impl Hostile {
    /// Serves a fixture with these limits.
    pub(crate) fn serve(name: &str, limits: &str) -> Self {
        Self::on(&data(&format!("[limits]\n{limits}\n")), name, &[])
    }

    /// Serves a fixture on this data.
    pub(crate) fn on(data: &Data, name: &str, arguments: &[&str]) -> Self {
        let file = fixture(name);
        let arguments = [&["--plugin", file.to_str().unwrap()], arguments].concat();
        Self {
            harness: data.serve(&arguments),
        }
    }

    /// Sends a request and reads the head of its response.
    pub(crate) fn begin(&self, target: &str) -> Incoming {
        self.ask(target).response()
    }

    /// Sends a request.
    pub(crate) fn ask(&self, target: &str) -> Connection {
        let mut connection = Connection::open(self.harness.address()).unwrap();
        connection.request("GET", target, &[], b"");
        connection
    }

    /// Sends a request and reads its response.
    pub(crate) fn get(&self, target: &str) -> Answer {
        Answer::read(self.begin(target))
    }

    /// The text with which a request is answered.
    #[track_caller]
    pub(crate) fn text(&self, target: &str) -> String {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().to_owned()
    }

    /// Asserts that a request fails, that its client is told when to come again, and that the next one is answered.
    #[track_caller]
    pub(crate) fn assert_fails(&self, target: &str) {
        let answer = self.get(target);
        answer.assert_error(503);
        let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&retry_after));
        self.assert_answers();
    }

    /// Asserts that what is asked for cannot be sent, and that this costs the plugin nothing.
    #[track_caller]
    pub(crate) fn assert_unfit(&self, target: &str) {
        self.get(target).assert_error(502);
        self.assert_answers();
    }

    /// Asserts that the plugin answers.
    #[track_caller]
    pub(crate) fn assert_answers(&self) {
        assert_eq!(self.text("/ping"), "pong");
    }

    /// Asserts that the log names a limit and where to change it.
    #[track_caller]
    pub(crate) fn assert_told(&self, limit: &str) {
        self.harness
            .log()
            .expect(&["the plugin met a limit", "[limits]", &format!("limit={limit:?}")]);
    }

    /// Asserts that the log says why an instance was lost.
    #[track_caller]
    pub(crate) fn assert_lost(&self, why: &str) {
        self.harness.log().expect(&["instance is lost", why]);
    }

    /// A stream that is held.
    pub(crate) fn hold(&self) -> Held {
        let incoming = self.begin("/hold");
        assert_eq!(incoming.status, 200);
        let mut held = Held {
            body: BufReader::new(Box::new(incoming.body)),
        };
        assert_eq!(held.line(), "held");
        held
    }
}

impl Held {
    /// The next line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.body.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
