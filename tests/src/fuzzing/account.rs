//! What a run knows: which sessions there are and how they fare, and which secrets nobody else may learn.

use std::collections::{BTreeMap, BTreeSet};

use host_harness::plugin::{Request, Response};

/// What is known of a session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) username: String,
    pub(super) fate: Fate,
}

/// How a session fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lives,
    /// Its own browser did something that can end it.
    MayHaveEnded,
    /// The owner ended it.
    Ended,
}

/// Sessions and secrets.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// By cookie.
    sessions: BTreeMap<String, Session>,
    /// The latest last.
    codes: Vec<String>,
    /// Secrets that somebody has written into a body: they may come back from there.
    told: BTreeSet<String>,
}

impl Account {
    /// Notes a new session.
    pub(super) fn signed_in(&mut self, cookie: String, username: &str) {
        let session = Session {
            username: username.to_owned(),
            fate: Fate::Lives,
        };
        let earlier = self.sessions.insert(cookie, session);
        assert!(earlier.is_none(), "a token was drawn twice");
    }

    /// Notes a new code.
    pub(super) fn made(&mut self, code: String) {
        self.codes.push(code);
    }

    /// Notes that these sessions may have ended.
    pub(super) fn may_have_ended(&mut self, cookies: &[String]) {
        for cookie in cookies {
            if let Some(session) = self
                .sessions
                .get_mut(cookie)
                .filter(|session| session.fate == Fate::Lives)
            {
                session.fate = Fate::MayHaveEnded;
            }
        }
    }

    /// Notes that the owner has ended a friend's sessions.
    pub(super) fn ended(&mut self, username: &str) {
        let sessions = self.sessions.values_mut();
        for session in sessions.filter(|session| session.username == username) {
            session.fate = Fate::Ended;
        }
    }

    /// The latest code.
    pub(super) fn code(&self) -> &str {
        self.codes.last().map_or("", String::as_str)
    }

    /// Every session so far, by cookie.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&str, &Session)> {
        self.sessions.iter().map(|(cookie, session)| (cookie.as_str(), session))
    }

    /// The cookies of sessions that a request carries.
    pub(super) fn sent_in(&self, request: &Request) -> Vec<String> {
        let lines: Vec<_> = request
            .inner
            .headers()
            .get_all("cookie")
            .into_iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        let is_sent = |cookie: &&String| lines.iter().any(|line| line.contains(*cookie));
        self.sessions.keys().filter(is_sent).cloned().collect()
    }

    /// Whose session was sent, where there is no doubt.
    pub(super) fn username(&self, sent: &[String]) -> Option<String> {
        match sent {
            [cookie] => self.sessions.get(cookie).map(|session| session.username.clone()),
            _ => None,
        }
    }

    /// Whether a text has a secret in it.
    pub(super) fn has_secret(&self, text: &str) -> bool {
        self.secrets().any(|secret| text.contains(secret))
    }

    /// Notes that the secrets in a text were told to the plugin, for whatever it does with such a text.
    pub(super) fn tells(&mut self, text: &str) {
        let secrets = self.secrets().filter(|secret| text.contains(*secret));
        let told: Vec<String> = secrets.map(str::to_owned).collect();
        self.told.extend(told);
    }

    /// Asserts that a text that somebody gets holds no secret that nobody told.
    pub(super) fn assert_no_secret(&self, text: &str) {
        let mut secrets = self.secrets().filter(|secret| !self.told.contains(*secret));
        assert!(!secrets.any(|secret| text.contains(secret)), "a secret is told: {text}");
    }

    /// Asserts that a response holds none, but for the cookie that it sets.
    pub(super) fn assert_no_secret_in(&self, response: &Response) {
        self.assert_no_secret(&String::from_utf8_lossy(&response.body));
        for (_, value) in response.headers.iter().filter(|(name, _)| name != "set-cookie") {
            self.assert_no_secret(&String::from_utf8_lossy(value));
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.sessions.keys().chain(&self.codes).map(String::as_str)
    }
}
