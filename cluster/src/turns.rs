//! The agent's turns: asked by nodes, answered by workers, in any number each.
//!
//! A turn is a message of a work queue in JetStream, acknowledged when its answer is complete: one whose worker has gone is taken
//! by another, as its next *attempt*. What a worker says goes straight to who asked, by request and reply: so nothing of it is lost
//! or out of order, and who is slow is waited for. Nobody there who asked means that nobody wants the answer any more.

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::{AckKind, Message};
use async_nats::{Request, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval, sleep};

use crate::link::{Link, LinkError, PREFIX, token};

/// Time after which a turn of which its worker says nothing is another's.
const SILENCE: Duration = Duration::from_secs(5);

/// Time between two signs of a worker that it is at a turn.
const SIGN: Duration = Duration::from_millis(1_500);

/// Time for who asked to take what was said: its plugin writes it down.
const TAKEN: Duration = Duration::from_secs(2);

/// Time for which who asked may be away, as NATS may be, before nobody is taken to want the answer.
const AWAY: Duration = Duration::from_secs(4);

/// Pause before who asked is looked for again.
const LATER: Duration = Duration::from_millis(250);

/// Time for which a worker waits for a turn, before it asks again.
const WAIT: Duration = Duration::from_secs(20);

/// Turns that wait in NATS; a node bounds those of its own tenants far below.
const WAITING: i64 = 100_000;

/// Workers that may fail at a turn before it is given up.
const ATTEMPTS: i64 = 5;

/// What the consumer of all workers is called.
const WORKERS: &str = "workers";

/// The queue of turns.
#[derive(Debug, Clone)]
pub struct Turns {
    link: Link,
    stream: Stream,
}

/// Turns cannot be asked or taken.
#[derive(Debug, thiserror::Error)]
#[error("the agent's queue in NATS: {doing}: {source}: see that NATS is there and has room")]
pub struct TurnError {
    doing: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(doing: &'static str) -> impl FnOnce(E) -> TurnError {
    move |source| TurnError {
        doing,
        source: source.into(),
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    inbox: String,
    turn: Vec<u8>,
}

/// Something said in an attempt, by its number; without anything it is a sign of life.
#[derive(Debug, Serialize, Deserialize)]
struct Spoken<T> {
    attempt: u64,
    number: u64,
    said: Option<T>,
}

/// What a worker hears.
const GO_ON: &[u8] = b"";
const STOP: &[u8] = b"stop";

impl Turns {
    /// The queue in NATS.
    ///
    /// # Errors
    /// When NATS has not what it takes.
    pub async fn open(link: &Link) -> Result<Self, LinkError> {
        let config = stream::Config {
            name: format!("{PREFIX}-turns"),
            subjects: vec![format!("{PREFIX}.turns.*")],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: WAITING,
            num_replicas: 1,
            ..stream::Config::default()
        };
        let made = link.jetstream().get_or_create_stream(config).await;
        let stream = made.map_err(|error| LinkError::JetStream {
            doing: "making the agent's queue".to_owned(),
            source: error.into(),
        })?;
        Ok(Self {
            link: link.clone(),
            stream,
        })
    }

    /// Asks a turn for a tenant. Whoever drops the answer does not want it any more.
    ///
    /// # Errors
    /// When it cannot be queued.
    pub async fn ask<T: DeserializeOwned>(&self, tenant: &str, turn: &impl Serialize) -> Result<Answer<T>, TurnError> {
        let client = self.link.client();
        let inbox = client.new_inbox();
        let heard = client.subscribe(inbox.clone()).await.map_err(failed("listening"))?;
        let turn = postcard::to_allocvec(turn).map_err(failed("writing"))?;
        let envelope = postcard::to_allocvec(&Envelope { inbox, turn }).map_err(failed("writing"))?;
        let subject = format!("{PREFIX}.turns.{}", token(tenant));
        let queued = self.link.jetstream().publish(subject, envelope.into()).await;
        queued.map_err(failed("asking"))?.await.map_err(failed("asking"))?;
        Ok(Answer {
            link: self.link.clone(),
            heard,
            attempt: 0,
            number: 0,
            next: None,
        })
    }

    /// The turns for workers, of which so many are at hand at once.
    ///
    /// # Errors
    /// When NATS does not give them.
    pub async fn take(&self, at_once: usize) -> Result<Taking, TurnError> {
        let config = pull::Config {
            durable_name: Some(WORKERS.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: SILENCE,
            max_deliver: ATTEMPTS,
            max_ack_pending: WAITING,
            ..pull::Config::default()
        };
        let consumer = self.stream.get_or_create_consumer(WORKERS, config).await;
        let consumer = consumer.map_err(failed("taking turns"))?;
        Ok(Taking {
            link: self.link.clone(),
            consumer,
            places: Arc::new(Semaphore::new(at_once)),
        })
    }
}

/// What is said in answer to a turn.
#[derive(Debug)]
pub struct Answer<T> {
    link: Link,
    heard: Subscriber,
    attempt: u64,
    number: u64,
    /// What begins an attempt that is not the first.
    next: Option<T>,
}

/// What is heard of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<T> {
    /// It begins anew: what was heard so far does not count.
    Anew,
    /// What comes next.
    Said(T),
}

impl<T: DeserializeOwned> Answer<T> {
    /// What comes next; none if nothing can any more.
    pub async fn next(&mut self) -> Option<Heard<T>> {
        if let Some(said) = self.next.take() {
            return Some(Heard::Said(said));
        }
        loop {
            let message = self.heard.next().await?;
            let Some(inbox) = message.reply else { continue };
            let spoken: Option<Spoken<T>> = postcard::from_bytes(&message.payload).ok();
            let Some(spoken) = spoken.filter(|spoken| spoken.attempt >= self.attempt) else {
                self.reply(inbox, STOP).await;
                continue;
            };
            self.reply(inbox, GO_ON).await;
            let Some(said) = spoken.said else { continue };
            if spoken.attempt > self.attempt {
                let is_first = self.attempt == 0;
                (self.attempt, self.number) = (spoken.attempt, spoken.number);
                if is_first {
                    return Some(Heard::Said(said));
                }
                self.next = Some(said);
                return Some(Heard::Anew);
            }
            // What was said again, since this had not been heard to be taken, is nothing new.
            if spoken.number > self.number {
                self.number = spoken.number;
                return Some(Heard::Said(said));
            }
        }
    }

    async fn reply(&self, inbox: async_nats::Subject, what: &'static [u8]) {
        // If it is lost, the worker says it again.
        let _ = self.link.client().publish(inbox, Bytes::from_static(what)).await;
    }
}

/// Takes turns for workers.
#[derive(Debug)]
pub struct Taking {
    link: Link,
    consumer: PullConsumer,
    places: Arc<Semaphore>,
}

/// A turn that was taken. Dropping it gives it back after a while.
#[derive(Debug)]
pub struct Taken {
    link: Link,
    message: Message,
    inbox: String,
    turn: Vec<u8>,
    attempt: u64,
    number: u64,
    _place: OwnedSemaphorePermit,
}

/// Nobody wants the answer any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody wants the answer any more")]
pub struct Unwanted;

impl Taking {
    /// The next turn, when there is a place for it.
    ///
    /// # Errors
    /// When NATS does not give one. It may be tried again.
    pub async fn next(&self) -> Result<Taken, TurnError> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(failed("taking a turn"))?;
        loop {
            let mut batch = self
                .consumer
                .fetch()
                .max_messages(1)
                .expires(WAIT)
                .messages()
                .await
                .map_err(failed("taking a turn"))?;
            let Some(message) = batch.next().await.transpose().map_err(failed("taking a turn"))? else {
                continue;
            };
            let attempt = message.info().map_err(failed("taking a turn"))?.delivered;
            match postcard::from_bytes::<Envelope>(&message.payload) {
                Ok(Envelope { inbox, turn }) => {
                    return Ok(Taken {
                        link: self.link.clone(),
                        message,
                        inbox,
                        turn,
                        attempt: attempt.try_into().unwrap_or_default(),
                        number: 0,
                        _place: place,
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "a turn of another version is left to workers of that");
                    sleep(SIGN).await;
                }
            }
        }
    }
}

impl Taken {
    /// What is asked.
    ///
    /// # Errors
    /// When it was asked by another version.
    pub fn turn<T: DeserializeOwned>(&self) -> Result<T, TurnError> {
        postcard::from_bytes(&self.turn).map_err(failed("reading a turn"))
    }

    /// Says what comes next in the answer, when it was taken.
    ///
    /// # Errors
    /// When nobody wants it.
    pub async fn say<T: Serialize>(&mut self, said: T) -> Result<(), Unwanted> {
        self.number += 1;
        let spoken = Spoken {
            attempt: self.attempt,
            number: self.number,
            said: Some(said),
        };
        self.tell(&spoken).await
    }

    /// Does something during which nothing is said, and shows all the while that somebody is at the turn.
    ///
    /// # Errors
    /// When nobody wants the answer any more.
    pub async fn meanwhile<R>(&self, what: impl Future<Output = R>) -> Result<R, Unwanted> {
        let mut signs = interval(SIGN);
        tokio::pin!(what);
        loop {
            tokio::select! {
                biased;
                done = what.as_mut() => return Ok(done),
                _ = signs.tick() => {
                    let sign = Spoken::<()> { attempt: self.attempt, number: self.number, said: None };
                    self.tell(&sign).await?;
                }
            }
        }
    }

    /// The answer is complete, or nobody wants it.
    pub async fn end(self) {
        let until = Instant::now() + AWAY;
        while let Err(error) = self.message.double_ack().await {
            tracing::debug!(%error, "ending a turn");
            if Instant::now() >= until {
                return;
            }
            sleep(SIGN).await;
        }
    }

    /// Gives it back: another is to take it.
    pub async fn give_back(self) {
        if let Err(error) = self.message.ack_with(AckKind::Nak(None)).await {
            tracing::debug!(%error, "giving a turn back");
        }
    }

    async fn tell<T: Serialize>(&self, spoken: &Spoken<T>) -> Result<(), Unwanted> {
        let until = Instant::now() + AWAY;
        let payload: Bytes = match postcard::to_allocvec(spoken) {
            Ok(payload) => payload.into(),
            Err(error) => {
                tracing::error!(%error, "what the agent says cannot be written");
                return Err(Unwanted);
            }
        };
        loop {
            // Without it the turn is another's soon; then that is found out from who asked.
            let _ = self.message.ack_with(AckKind::Progress).await;
            let request = Request::new().payload(payload.clone()).timeout(Some(TAKEN));
            match self.link.client().send_request(self.inbox.clone(), request).await {
                Ok(answer) if &answer.payload[..] == STOP => return Err(Unwanted),
                Ok(_) => return Ok(()),
                Err(_) if Instant::now() >= until => return Err(Unwanted),
                Err(error) if error.kind() == RequestErrorKind::NoResponders && self.link.is_up() => {
                    // Who asked finds NATS again later than this one, perhaps.
                    sleep(LATER).await;
                }
                Err(error) => tracing::debug!(%error, "who asked does not answer"),
            }
        }
    }
}
