//! What is said: a friend's message into the queue and the log, the agent's answer out of the queue into the log
//! and to everybody who listens, and nudges.

use channel_plugin::{AgentEvent, EnqueueError, Host, Response, Ticket, Urgency};

use crate::answers::{MAX_OPEN_PER_FRIEND, Phase, Question, unsaved};
use crate::entry::{Entry, State};
use crate::event::Event;
use crate::markdown;
use crate::rates::{Act, TooOften};
use crate::service::Service;
use crate::store::{NewNudge, Open, Session, StoreError};
use crate::topic::Topic;
use crate::username::user_id;
use crate::{broadcast, notify, routes};

/// What a friend reads when there is no answer. The reason is the owner's business.
pub(crate) const AGENT_FAILED: &str = "The agent could not answer. Please try again.";

/// Milliseconds a friend with many open messages is asked to wait; an answer takes about that long.
const CROWDED_RETRY_MS: u32 = 5_000;
/// Most characters of what an agent says it is doing: a few words to show beside its name.
const MAX_STATUS_CHARS: usize = 200;

/// A message that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) message_id: i64,
    /// How far its answer is.
    pub(crate) state: State,
}

/// A message that was not taken; nothing was kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SayError {
    /// This friend has too many messages open.
    #[error("too many messages are waiting for an answer")]
    Crowded { retry_after_ms: u32 },
    /// This friend sends too much.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The agent's queue is full, with other friends' messages.
    #[error("the agent's queue is full")]
    QueueFull { retry_after_ms: u32 },
    #[error("the agent takes no message longer than {max_bytes} bytes")]
    TooLong { max_bytes: u32 },
    #[error("the agent's queue refused the message: {0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event of the agent that came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentEventError {
    #[error("nobody waits for this answer")]
    UnknownTicket,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a nudge that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) connections: u32,
    pub(crate) id: i64,
}

impl Service {
    /// Takes a friend's message: into the agent's queue and on disk, or neither. The same client id again is
    /// the same message.
    pub(crate) fn say(
        &mut self,
        host: &mut dyn Host,
        friend: &Session,
        text: &str,
        client_id: Option<&str>,
    ) -> Result<Said, SayError> {
        self.rates.take(friend.friend_id, Act::Message, host.now_ms())?;
        if let Some(client_id) = client_id
            && let Some(entry) = self.store.message_by_client_id(friend.friend_id, client_id)?
        {
            return Ok(Said {
                message_id: entry.id,
                state: self.state_of(&entry),
            });
        }
        self.enqueue_waiting(host);
        let open = self.answers.range(Question::of_friend(friend.friend_id)).count();
        let is_behind = self.waiting.iter().any(|open| open.friend_id == friend.friend_id);
        if open >= MAX_OPEN_PER_FRIEND || is_behind {
            return Err(SayError::Crowded {
                retry_after_ms: CROWDED_RETRY_MS,
            });
        }
        let ticket = host
            .enqueue(&user_id(&friend.username), text)
            .map_err(|error| match error {
                EnqueueError::Full { retry_after_ms } if open > 0 => SayError::Crowded { retry_after_ms },
                EnqueueError::Full { retry_after_ms } => SayError::QueueFull { retry_after_ms },
                EnqueueError::TooLong { max_bytes } => SayError::TooLong { max_bytes },
                EnqueueError::Other(reason) => SayError::Refused(reason),
            })?;
        let at = host.now_ms();
        let message_id = match self.store.add_message(friend.friend_id, text, client_id, at) {
            Ok(id) => id,
            Err(error) => {
                host.cancel(ticket);
                return Err(error.into());
            }
        };
        self.store.tidy(friend.friend_id, at);
        self.answers.add(Question::new(friend.friend_id, message_id), ticket);
        let event = Event::Message {
            id: message_id,
            client_id,
            text,
            at,
            state: State::Queued,
        };
        broadcast::send(host, Topic::Friend(friend.friend_id), &event);
        Ok(Said {
            message_id,
            state: State::Queued,
        })
    }

    /// Passes on what the agent does, and keeps what it said when it is complete.
    pub(crate) fn on_agent_event(
        &mut self,
        host: &mut dyn Host,
        ticket: Ticket,
        event: AgentEvent,
    ) -> Result<(), AgentEventError> {
        let answer = self.answers.by_ticket(ticket).ok_or(AgentEventError::UnknownTicket)?;
        let Question { friend_id, message_id } = answer.key;
        if answer.state == Phase::Queued && !matches!(event, AgentEvent::Failed(_)) {
            answer.state = Phase::Answering;
            let event = Event::State {
                message: message_id,
                state: State::Answering,
            };
            broadcast::send(host, Topic::Friend(friend_id), &event);
        }
        match event {
            AgentEvent::Started => {}
            AgentEvent::Status(text) => {
                let content: String = text.chars().take(MAX_STATUS_CHARS).collect();
                let status = |message| Event::Status {
                    message,
                    content: &content,
                };
                broadcast::send(host, Topic::Friend(friend_id), &status(Some(message_id)));
                broadcast::send(host, Topic::Answer(message_id), &status(None));
            }
            AgentEvent::Delta(piece) => {
                if let Err(error) = answer.push(&piece) {
                    tracing::error!(message_id, %error, "the agent was stopped");
                    host.cancel(ticket);
                    self.finish(host, Question::new(friend_id, message_id), State::Failed)?;
                } else {
                    broadcast::send_text(host, friend_id, message_id, &piece);
                }
            }
            AgentEvent::Restarted => {
                answer.text.clear();
                broadcast::send_about(host, friend_id, message_id, |message| Event::Restarted { message });
            }
            AgentEvent::Done => self.finish_or_keep(host, ticket, State::Answered)?,
            AgentEvent::Failed(reason) => {
                tracing::error!(message_id, reason, "the agent could not answer");
                self.finish_or_keep(host, ticket, State::Failed)?;
            }
        }
        Ok(())
    }

    /// Does what could not be done before, as far as it can be done now: enqueues what had no place, and writes down
    /// answers for which there was no room on the disk.
    pub(crate) fn catch_up(&mut self, host: &mut dyn Host) {
        if !self.waiting.is_empty() {
            self.enqueue_waiting(host);
        }
        while let Some((question, state)) = unsaved(&self.answers) {
            if let Err(error) = self.finish(host, question, state) {
                tracing::debug!(question.message_id, %error, "an answer still waits to be written down");
                return;
            }
        }
    }

    /// Ends an answer; where its end cannot be written down it is kept in memory, and the agent not asked again.
    fn finish_or_keep(&mut self, host: &mut dyn Host, ticket: Ticket, state: State) -> Result<(), AgentEventError> {
        let answer = self.answers.by_ticket(ticket).ok_or(AgentEventError::UnknownTicket)?;
        let question = answer.key;
        match self.finish(host, question, state) {
            Err(error) if error.is_passing() => {
                tracing::error!(question.message_id, %error, "an answer waits to be written down");
                if let Some(answer) = self.answers.by_ticket(ticket) {
                    answer.state = Phase::Unsaved(state);
                }
                Ok(())
            }
            finished => Ok(finished?),
        }
    }

    /// Ends the answer that is being made for a friend, or the next one, and keeps what was said of it.
    pub(crate) fn stop_answer(&mut self, host: &mut dyn Host, friend_id: i64) -> Result<(), StoreError> {
        let first = self.answers.range(Question::of_friend(friend_id)).next();
        let Some((question, ticket)) = first.map(|answer| (answer.key, answer.ticket)) else {
            return Ok(());
        };
        self.finish(host, question, State::Stopped)?;
        host.cancel(ticket);
        Ok(())
    }

    /// Keeps a nudge, then sends it to whoever is there.
    pub(crate) fn nudge(&mut self, host: &mut dyn Host, nudge: NewNudge<'_>) -> Result<Delivered, StoreError> {
        let timestamp = host.now_ms();
        let expires_at_ms = timestamp.saturating_add(self.settings.nudge_ttls.of(nudge.priority));
        let id = self.store.add_nudge(nudge, timestamp, expires_at_ms)?;
        self.store.tidy(nudge.friend_id, timestamp);
        let html = markdown::render(nudge.text);
        let NewNudge {
            friend_id,
            text: content,
            source,
            priority,
        } = nudge;
        let event = Event::Nudge {
            id,
            content,
            html: &html,
            source,
            priority,
            timestamp,
        };
        let connections = broadcast::send(host, Topic::Friend(friend_id), &event);
        if connections == 0 {
            tracing::warn!(friend_id, id, "nobody is connected; the nudge is kept until it is seen");
        } else if let Err(error) = self.store.mark_pushed(id) {
            // The nudge itself is kept and sent; what it is called in the history is worth no failure.
            tracing::error!(id, %error, "the nudge stays marked as stored");
        }
        let ttl_ms = expires_at_ms.saturating_sub(timestamp);
        self.wake(host, friend_id, notify::urgency(priority), ttl_ms);
        Ok(Delivered { connections, id })
    }

    /// Notes what a friend has seen and tells the other pages.
    pub(crate) fn mark_seen(&mut self, host: &mut dyn Host, friend_id: i64, id: i64) -> Result<(), StoreError> {
        if let Some(id) = self.store.mark_seen(friend_id, id)? {
            broadcast::send(host, Topic::Friend(friend_id), &Event::Seen { id });
            self.silence(host, friend_id, None)?;
        }
        Ok(())
    }

    /// Puts every message that was accepted and not answered in the agent's queue again, in order. Those who
    /// still listen to an earlier instance's answers learn that these begin anew.
    pub(crate) fn resume(&mut self, host: &mut dyn Host) -> Result<(), StoreError> {
        let open = self.store.open_messages()?;
        if !open.is_empty() {
            tracing::info!(
                messages = open.len(),
                "messages without an answer go to the agent again"
            );
        }
        for Open {
            friend_id, message_id, ..
        } in &open
        {
            broadcast::send_about(host, *friend_id, *message_id, |message| Event::Restarted { message });
            let state = Event::State {
                message: *message_id,
                state: State::Queued,
            };
            broadcast::send(host, Topic::Friend(*friend_id), &state);
        }
        self.waiting = open.into();
        self.enqueue_waiting(host);
        Ok(())
    }

    /// Tries again to enqueue what the queue had no place for, in order for each friend.
    pub(crate) fn enqueue_waiting(&mut self, host: &mut dyn Host) {
        let mut still_waiting = std::collections::VecDeque::new();
        while let Some(open) = self.waiting.pop_front() {
            if still_waiting
                .iter()
                .any(|earlier: &Open| earlier.friend_id == open.friend_id)
            {
                still_waiting.push_back(open);
                continue;
            }
            match host.enqueue(&user_id(&open.username), &open.text) {
                Ok(ticket) => self.answers.add(Question::new(open.friend_id, open.message_id), ticket),
                Err(EnqueueError::Full { .. }) => still_waiting.push_back(open),
                Err(error) => {
                    tracing::error!(message_id = open.message_id, %error, "a message cannot be answered");
                    if let Err(error) = self.finish(host, Question::new(open.friend_id, open.message_id), State::Failed)
                    {
                        tracing::error!(message_id = open.message_id, %error, "it stays open");
                    }
                }
            }
        }
        self.waiting = still_waiting;
    }

    /// How far an entry is: what is on disk, and the answers being made.
    pub(crate) fn state_of(&self, entry: &Entry) -> State {
        if !entry.state.is_open() {
            return entry.state;
        }
        self.answers
            .get(&Question::new(entry.friend_id, entry.id))
            .map_or(State::Queued, |answer| answer.state.state())
    }

    /// Writes the end of an answer down and tells everybody. What was said of a failed answer is dropped.
    fn finish(&mut self, host: &mut dyn Host, question: Question, state: State) -> Result<(), StoreError> {
        let Question { friend_id, message_id } = question;
        let text = self
            .answers
            .get(&question)
            .map(|answer| answer.text.clone())
            .unwrap_or_default();
        let text = if state == State::Failed { "" } else { text.as_str() };
        let at = host.now_ms();
        let reply = Some(text).filter(|text| !text.trim().is_empty());
        let reply_id = self.store.finish_message(friend_id, message_id, state, reply, at)?;
        self.answers.remove(&question);

        let feed = Topic::Friend(friend_id);
        if let Some(id) = reply_id {
            let html = markdown::render(text);
            broadcast::send(
                host,
                feed,
                &Event::Reply {
                    id,
                    message: Some(message_id),
                    text,
                    html: &html,
                    at,
                },
            );
        }
        broadcast::send(
            host,
            feed,
            &Event::State {
                message: message_id,
                state,
            },
        );
        if state == State::Failed {
            broadcast::send_about(host, friend_id, message_id, |message| Event::Error {
                message,
                client_id: None,
                error: AGENT_FAILED,
            });
            broadcast::respond(host, message_id, Response::error(502, AGENT_FAILED));
        } else {
            broadcast::send_about(host, friend_id, message_id, |message| Event::Done { message });
            broadcast::respond(host, message_id, routes::chat::whole_answer(text));
        }
        broadcast::close_answer(host, message_id);
        if reply_id.is_some() && state == State::Answered {
            self.wake(host, friend_id, Urgency::Normal, notify::ANSWER_TTL_MS);
        }
        Ok(())
    }
}
