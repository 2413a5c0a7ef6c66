//! The running plugin: its settings, its store, and what it keeps in memory. Exists only while the store is open.

use std::collections::{BTreeMap, VecDeque};

use channel_plugin::{Error, Host, Request, Unreadable};
use rand_core::Rng as _;

use crate::answers::{Answers, Question};
use crate::attempts::Attempts;
use crate::code::{Code, CodeKey};
use crate::config::{Settings, SettingsError};
use crate::event::EndReason;
use crate::rates::Rates;
use crate::store::{Invite, InviteKind, Open, Session, Store, StoreError, Terms};
use crate::topic::Topic;
use crate::username::user_id;
use crate::{broadcast, cookie};

/// The name under which the host keeps the key of the invite codes.
const CODE_KEY_SECRET: &str = "invite-key";

/// The running plugin.
pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) code_key: CodeKey,
    pub(crate) answers: Answers,
    /// Wrong codes of late.
    pub(crate) attempts: Attempts,
    /// What each friend did of late.
    pub(crate) rates: Rates,
    /// Messages on disk that the agent's queue had no place for, in order.
    pub(crate) waiting: VecDeque<Open>,
    /// Whose WebSocket a connection is, by the host's number of it.
    pub(crate) sockets: BTreeMap<u64, i64>,
}

/// The plugin could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the key of the invite codes: {0}")]
    Key(#[from] Unreadable),
    #[error("the key of the invite codes cannot be used")]
    UnusableKey,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            error => Self::Other(error.to_string()),
        }
    }
}

impl Service {
    /// Opens the store and makes ready what serves from it. Nothing is said to anybody.
    /// `may_wait` is asked before a change that could be made lasting by a later [`Store::commit`].
    pub(crate) fn open(
        host: &mut dyn Host,
        settings: Settings,
        file: &str,
        may_wait: fn() -> bool,
    ) -> Result<Self, OpenError> {
        let code_key = CodeKey::new(&host.secret(CODE_KEY_SECRET)?).ok_or(OpenError::UnusableKey)?;
        let new_epoch = format!("{:016x}", host.random().next_u64());
        let terms = Terms {
            new_epoch: &new_epoch,
            session_idle_ms: settings.session_idle_ms(),
            retention: settings.retention,
            may_wait,
            code_key: &code_key,
            now_ms: host.now_ms(),
            invite_ttl_ms: settings.invite_ttl_ms(),
        };
        let store = Store::open(file, &terms)?;
        Ok(Self {
            rates: Rates::new(settings.messages_per_minute),
            settings,
            store,
            code_key,
            answers: Answers::default(),
            attempts: Attempts::default(),
            waiting: VecDeque::new(),
            sockets: BTreeMap::new(),
        })
    }

    /// Draws a code that is good for so long, and what the store is to keep of it.
    pub(crate) fn new_invite(&self, host: &mut dyn Host, kind: InviteKind, ttl_ms: i64) -> (Code, Invite) {
        let code = Code::generate(&mut host.random());
        let expires_at_ms = host.now_ms().saturating_add(ttl_ms);
        let invite = Invite {
            code: self.code_key.hash(code.as_str()),
            kind,
            expires_at_ms,
        };
        (code, invite)
    }

    /// Makes a friend known to the agent. Where that fails the chat does without.
    pub(crate) fn introduce(&self, host: &mut dyn Host, username: &str, nickname: &str) {
        if let Err(error) = host.introduce(&user_id(username), nickname) {
            tracing::warn!(username, %error, "the agent does not know a friend yet");
        }
    }

    /// Makes friends known to the agent who were here before it could be told of them. Once: whom the owner takes out
    /// again stays out.
    pub(crate) fn introduce_earlier(&mut self, host: &mut dyn Host) -> Result<(), StoreError> {
        let Some(friends) = self.store.not_introduced()? else {
            return Ok(());
        };
        for friend in &friends {
            self.introduce(host, &friend.username, &friend.nickname);
        }
        if let Err(error) = self.store.note_introduced() {
            // A full disk keeps nobody from the chat; they are introduced again.
            tracing::warn!(%error, "that the agent was told of the friends is not kept for the moment");
        }
        Ok(())
    }

    /// Who a request is from, by its cookie; notes that the friend was here.
    pub(crate) fn session(&mut self, host: &mut dyn Host, request: &Request) -> Result<Option<Session>, StoreError> {
        match cookie::read(request) {
            Some(token) => self.store.session(&token.hash(), host.now_ms()),
            None => Ok(None),
        }
    }

    /// Ends what a friend who lost access still has open: the agent's turns, the streams, the WebSockets.
    /// `sessions` are those that the store has just ended.
    pub(crate) fn end_friend(&mut self, host: &mut dyn Host, friend_id: i64, sessions: &[i64], reason: EndReason) {
        let open = self.answers.range(Question::of_friend(friend_id));
        let open: Vec<Question> = open.map(|answer| answer.key).collect();
        for question in open {
            if let Some(answer) = self.answers.remove(&question) {
                host.cancel(answer.ticket);
            }
            broadcast::end(host, Topic::Answer(question.message_id), reason);
        }
        self.waiting.retain(|open| open.friend_id != friend_id);
        broadcast::end(host, Topic::Friend(friend_id), reason);
        for session_id in sessions {
            self.end_session(host, *session_id, reason);
        }
    }

    /// Ends the connections of one sign-in.
    pub(crate) fn end_session(&mut self, host: &mut dyn Host, session_id: i64, reason: EndReason) {
        self.sockets.retain(|_, session| *session != session_id);
        broadcast::end(host, Topic::Session(session_id), reason);
    }
}
