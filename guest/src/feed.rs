//! What a page that connects is told first: who it is for, what it missed, and the answers being made. The same
//! for an event stream and a WebSocket.

use channel_plugin::Host;

use crate::answers::Question;
use crate::broadcast;
use crate::entry::{Entry, Role, State};
use crate::event::{Activity, Event};
use crate::markdown;
use crate::rates::{Act, TooOften};
use crate::service::Service;
use crate::store::{Session, StoreError};
use crate::topic::{Topic, Wire};

/// Most entries replayed; whoever missed more reads the history, which comes in pages.
const MAX_REPLAY: u32 = 500;
/// Feeds of one friend at a time: a few devices with a few tabs each, and connections whose end was not noticed yet.
const MAX_FEEDS: u32 = 24;
/// Milliseconds after which connections that are gone are noticed.
const CROWDED_RETRY_MS: u32 = 10_000;
/// Counted no further: a page shows "99+" at most.
pub(crate) const MAX_UNREAD: u32 = 1_000;
/// Messages whose state may have changed while the page was away; older ones have had their end long ago.
const RECENT_ENTRIES: u32 = 50;

/// One event for a page that connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where the event stands in the log, if it does.
    pub(crate) log_id: Option<i64>,
    /// The event as JSON.
    pub(crate) json: String,
}

/// What a page that connects is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) lines: Vec<Line>,
    /// Up to where the page has everything then.
    pub(crate) up_to: i64,
}

impl From<Event<'_>> for Line {
    fn from(event: Event<'_>) -> Self {
        Self {
            log_id: event.log_id(),
            json: event.json(),
        }
    }
}

impl Service {
    /// Lets a friend open another feed, unless there are as many as one person looks at.
    pub(crate) fn admit_feed(&mut self, host: &mut dyn Host, session: &Session) -> Result<(), TooOften> {
        self.rates.take(session.friend_id, Act::Feed, host.now_ms())?;
        let feed = Topic::Friend(session.friend_id);
        let open = host
            .listeners(&feed.name(Wire::Stream))
            .saturating_add(host.listeners(&feed.name(Wire::Socket)));
        if open < MAX_FEEDS {
            Ok(())
        } else {
            Err(TooOften {
                retry_after_ms: CROWDED_RETRY_MS,
            })
        }
    }

    /// The first events for a page that has everything up to `after`; one that does not say gets the nudges that
    /// nobody has seen.
    pub(crate) fn greeting(&self, session: &Session, after: Option<i64>, now_ms: i64) -> Result<Greeting, StoreError> {
        let friend_id = session.friend_id;
        let latest = self.store.latest_id(friend_id)?;
        let is_idle = self.answers.range(Question::of_friend(friend_id)).next().is_none();
        let mut lines = vec![Line::from(Event::Hello {
            epoch: self.store.epoch(),
            latest,
            unread: self.store.unread(friend_id, now_ms, MAX_UNREAD)?,
            agent: if is_idle { Activity::Idle } else { Activity::Answering },
            name: &self.settings.agent_name,
            username: &session.username,
            nickname: &session.nickname,
        })];
        let missed = match after {
            None => Some(self.store.unseen_nudges(friend_id, now_ms, MAX_REPLAY)?),
            // Ids beyond the latest are of another log, and some that came after the id may have been forgotten.
            Some(after) if after > latest || after < self.store.forgotten_id(friend_id)? => None,
            Some(after) => Some(self.store.entries_after(friend_id, after, MAX_REPLAY)?),
        };
        // A part would be taken for all of it.
        match missed.filter(|missed| !missed.more) {
            Some(missed) => {
                lines.extend(missed.entries.iter().map(|entry| self.line(entry)));
                if let Some(after) = after {
                    lines.extend(self.unsettled(friend_id, after)?);
                }
            }
            None => lines.push(Event::Resync.into()),
        }
        for answer in self.answers.range(Question::of_friend(friend_id)) {
            let message = Some(answer.key.message_id);
            lines.extend(broadcast::pieces(&answer.text).map(|content| Event::Text { message, content }.into()));
        }
        Ok(Greeting { lines, up_to: latest })
    }

    /// An entry as the event that announced it.
    fn line(&self, entry: &Entry) -> Line {
        let (id, at, text) = (entry.id, entry.at_ms, entry.text.as_str());
        match entry.role {
            Role::Friend => {
                let client_id = entry.client_id.as_deref();
                Event::Message {
                    id,
                    client_id,
                    text,
                    at,
                    state: self.state_of(entry),
                }
                .into()
            }
            Role::Agent => {
                let html = markdown::render(text);
                Event::Reply {
                    id,
                    message: entry.in_reply_to,
                    text,
                    html: &html,
                    at,
                }
                .into()
            }
            Role::Nudge => {
                let html = markdown::render(text);
                let source = entry.source.as_deref().unwrap_or_default();
                let priority = entry.priority.as_deref().unwrap_or_default();
                Event::Nudge {
                    id,
                    content: text,
                    html: &html,
                    source,
                    priority,
                    timestamp: at,
                }
                .into()
            }
        }
    }

    /// The states of recent messages that the page knows and that have no answer to tell it by.
    fn unsettled(&self, friend_id: i64, after: i64) -> Result<Vec<Line>, StoreError> {
        let mut known = self
            .store
            .entries_before(friend_id, Some(after.saturating_add(1)), RECENT_ENTRIES)?;
        known.entries.reverse();
        Ok(known
            .entries
            .iter()
            .filter(|entry| entry.role == Role::Friend && entry.state != State::Answered)
            .map(|entry| {
                Event::State {
                    message: entry.id,
                    state: self.state_of(entry),
                }
                .into()
            })
            .collect())
    }
}
