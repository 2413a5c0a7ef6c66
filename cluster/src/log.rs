//! A tenant's files on their way from node to node: a log in JetStream of what changed, and now and then everything, in the object
//! store. What is in it, nobody here knows.
//!
//! Every entry is a compare-and-set on the tenant's subject: it is stored only if the one before it is the last that its writer
//! knows. A new owner begins with a *fence*; from then on whoever had the tenant before can add nothing, however late it notices.
//! What it has added before that is part of what the new owner finds.

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::stream::{self, LastRawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::link::{Link, LinkError, PREFIX, token};

/// Bytes that an entry has beside what it carries, at most, with the headers of its message.
const FRAME_BYTES: usize = 1 << 10;

/// Bytes of changes after which everything is written anew, if that is not more: what a new owner has to read is bounded by it and
/// the files, and what is written by twice what was changed.
const LOG_BYTES: u64 = 4 << 20;

/// Entries after which that is done.
const LOG_ENTRIES: u64 = 4_000;

/// Tries to store an entry whose answer was lost.
const TRIES: usize = 3;

/// The logs of all tenants.
#[derive(Clone)]
pub struct Logs {
    link: Link,
    stream: Stream,
    objects: ObjectStore,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").field("link", &self.link).finish_non_exhaustive()
    }
}

/// The log of a tenant, whose only writer this is.
#[derive(Debug)]
pub struct Log {
    logs: Logs,
    tenant: String,
    subject: String,
    epoch: u64,
    /// Sequence of the last entry.
    last: u64,
    /// Of the last batch.
    number: u64,
    /// Of everything, when it was written last.
    base_bytes: u64,
    /// Since then.
    bytes: u64,
    entries: u64,
    /// The object that holds everything.
    base: Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Everything, as it was written last; none if it never was.
    pub base: Option<Bytes>,
    /// What has changed since, in order.
    pub batches: Vec<Bytes>,
}

/// A log cannot be read or written. What was not acknowledged may be in it, and its writer writes no more.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another owner has begun.
    #[error("another node has the tenant")]
    Fenced,
    /// NATS does not answer, or refuses.
    #[error("the log of `{tenant}` in NATS: {doing}: {source}: see that NATS is there and has room")]
    Nats {
        /// Whose log.
        tenant: String,
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log is not as it was written.
    #[error("the log of `{tenant}` in NATS is damaged at entry {sequence}: {what}: nothing was changed")]
    Damaged {
        /// Whose log.
        tenant: String,
        /// Sequence of the entry.
        sequence: u64,
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    epoch: u64,
    /// Of the batch, in its epoch.
    number: u64,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    /// A new owner begins.
    Fence,
    /// A part of a batch, and how many follow.
    Part { after: u32, bytes: Vec<u8> },
    /// Everything is in this object, which has this digest.
    Base { object: String, digest: [u8; 32] },
}

impl Logs {
    /// The logs in NATS.
    ///
    /// # Errors
    /// When NATS has not what it takes.
    pub async fn open(link: &Link) -> Result<Self, LinkError> {
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |source| LinkError::JetStream { doing, source }
        };
        let config = stream::Config {
            name: format!("{PREFIX}-log"),
            subjects: vec![format!("{PREFIX}.log.*")],
            discard: stream::DiscardPolicy::New,
            allow_direct: true,
            num_replicas: 1,
            ..stream::Config::default()
        };
        let made = link.jetstream().get_or_create_stream(config).await;
        let stream = made.map_err(|error| failed("making the stream of logs")(error.into()))?;
        let bucket = format!("{PREFIX}-snapshots");
        let objects = match link.jetstream().get_object_store(&bucket).await {
            Ok(objects) => objects,
            Err(_) => {
                let config = object_store::Config {
                    bucket,
                    num_replicas: 1,
                    ..object_store::Config::default()
                };
                let made = link.jetstream().create_object_store(config).await;
                made.map_err(|error| failed("making the object store")(error.into()))?
            }
        };
        Ok(Self {
            link: link.clone(),
            stream,
            objects,
        })
    }

    /// Begins to write a tenant's log under an epoch, and gives what is in it. Nobody with an older epoch writes any more.
    ///
    /// # Errors
    /// When NATS does not answer, the log is damaged, or a newer owner has begun.
    pub async fn begin(&self, tenant: &str, epoch: u64) -> Result<(Log, Found), LogError> {
        let mut log = Log {
            logs: self.clone(),
            tenant: tenant.to_owned(),
            subject: format!("{PREFIX}.log.{}", token(tenant)),
            epoch,
            last: 0,
            number: 0,
            base_bytes: 0,
            bytes: 0,
            entries: 0,
            base: None,
        };
        loop {
            if let Some((sequence, entry)) = log.latest().await? {
                if entry.epoch > epoch {
                    return Err(LogError::Fenced);
                }
                log.last = sequence;
            }
            match log.add(What::Fence).await {
                Ok(()) => break,
                // The one before has written something meanwhile, for the last time but one.
                Err(LogError::Fenced) => {}
                Err(error) => return Err(error),
            }
        }
        let found = log.read().await?;
        Ok((log, found))
    }
}

impl Log {
    /// The fencing token under which it is written.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether everything should be written anew instead of what has changed.
    pub fn wants_base(&self) -> bool {
        self.base.is_none() || self.bytes > LOG_BYTES.max(self.base_bytes) || self.entries > LOG_ENTRIES
    }

    /// Adds what has changed; it is stored when this returns.
    ///
    /// # Errors
    /// When it may not be stored: then nothing more is to be added.
    pub async fn append(&mut self, batch: &[u8]) -> Result<(), LogError> {
        let most = self
            .logs
            .link
            .client()
            .server_info()
            .max_payload
            .saturating_sub(FRAME_BYTES);
        let parts: Vec<&[u8]> = match batch.is_empty() {
            true => vec![batch],
            false => batch.chunks(most.max(FRAME_BYTES)).collect(),
        };
        self.number += 1;
        for (index, part) in parts.iter().enumerate() {
            let after = u32::try_from(parts.len() - index - 1).unwrap_or(u32::MAX);
            let bytes = part.to_vec();
            self.add(What::Part { after, bytes }).await?;
        }
        self.bytes += length(batch);
        Ok(())
    }

    /// Writes everything; what was written before is removed then.
    ///
    /// # Errors
    /// When it may not be stored: then nothing more is to be added.
    pub async fn rebase(&mut self, everything: &[u8]) -> Result<(), LogError> {
        self.number += 1;
        let object = format!("{}-{}-{}", token(&self.tenant), self.epoch, self.number);
        let mut from = everything;
        let put = self.logs.objects.put(object.as_str(), &mut from).await;
        put.map_err(|error| self.failed("writing everything")(error.into()))?;
        let digest = Sha256::digest(everything).into();
        let what = What::Base {
            object: object.clone(),
            digest,
        };
        self.add(what).await?;
        (self.bytes, self.entries) = (0, 0);
        self.base_bytes = length(everything);
        let before = self.base.replace(object);
        // What is not removed now is removed with the next.
        let purged = self.logs.stream.purge().filter(&self.subject).sequence(self.last).await;
        if let Err(error) = purged {
            tracing::debug!(%error, "the log is longer than it need be");
            return Ok(());
        }
        if let Some(before) = before
            && let Err(error) = self.logs.objects.delete(&before).await
        {
            tracing::debug!(%error, "an object is left lying in NATS");
        }
        Ok(())
    }

    /// Adds an entry behind the last one.
    async fn add(&mut self, what: What) -> Result<(), LogError> {
        let entry = Entry {
            epoch: self.epoch,
            number: self.number,
            what,
        };
        let bytes = postcard::to_allocvec(&entry).map_err(|error| self.failed("writing an entry")(error.into()))?;
        let (bytes, mut tries) = (Bytes::from(bytes), 0);
        loop {
            tries += 1;
            let message = PublishMessage::build()
                .payload(bytes.clone())
                .headers(HeaderMap::new())
                .expected_last_subject_sequence(self.last);
            let stored = match self
                .logs
                .link
                .jetstream()
                .send_publish(self.subject.clone(), message)
                .await
            {
                Ok(acknowledged) => acknowledged.await,
                Err(error) => Err(error),
            };
            match stored {
                Ok(acknowledged) => {
                    self.last = acknowledged.sequence;
                    self.entries += 1;
                    return Ok(());
                }
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    // It may be this very entry, whose acknowledgement was lost.
                    return match self.latest_bytes().await? {
                        Some((sequence, last)) if last == bytes && sequence > self.last => {
                            self.last = sequence;
                            self.entries += 1;
                            Ok(())
                        }
                        _ => Err(LogError::Fenced),
                    };
                }
                Err(error) if tries < TRIES => tracing::debug!(%error, "an entry is sent again"),
                Err(error) => return Err(self.failed("adding an entry")(error.into())),
            }
        }
    }

    async fn latest_bytes(&self) -> Result<Option<(u64, Bytes)>, LogError> {
        match self.logs.stream.get_last_raw_message_by_subject(&self.subject).await {
            Ok(message) => Ok(Some((message.sequence, message.payload))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.failed("reading the last entry")(error.into())),
        }
    }

    async fn latest(&self) -> Result<Option<(u64, Entry)>, LogError> {
        let Some((sequence, bytes)) = self.latest_bytes().await? else {
            return Ok(None);
        };
        Ok(Some((sequence, self.entry(sequence, &bytes)?)))
    }

    /// Reads all up to this writer's fence.
    async fn read(&mut self) -> Result<Found, LogError> {
        let config = pull::OrderedConfig {
            filter_subject: self.subject.clone(),
            deliver_policy: DeliverPolicy::All,
            ..pull::OrderedConfig::default()
        };
        let consumer = self.logs.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| self.failed("reading")(error.into()))?;
        let messages = consumer.messages().await;
        let mut messages = messages.map_err(|error| self.failed("reading")(error.into()))?;
        let mut reader = Reader::default();
        let mut base = None;
        let fence = self.last;
        (self.bytes, self.entries) = (0, 0);
        loop {
            let message = match messages.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(self.failed("reading")(error.into())),
                None => return Err(self.damaged(fence, "it ends before its end")),
            };
            let sequence = message
                .info()
                .map_err(|error| self.failed("reading")(error))?
                .stream_sequence;
            let entry = self.entry(sequence, &message.payload)?;
            self.bytes += length(&message.payload);
            self.entries += 1;
            if let What::Base { object, digest } = &entry.what {
                base = Some((sequence, object.clone(), *digest));
                (self.bytes, self.entries) = (0, 0);
            }
            reader.take(entry).map_err(|what| self.damaged(sequence, what))?;
            if sequence >= fence {
                break;
            }
        }
        let everything = match base {
            None => None,
            Some((sequence, object, digest)) => {
                let everything = self.everything(&object).await?;
                if Sha256::digest(&everything)[..] != digest {
                    return Err(self.damaged(sequence, "what it says is everything is something else"));
                }
                self.base = Some(object);
                self.base_bytes = length(&everything);
                Some(everything)
            }
        };
        Ok(Found {
            base: everything,
            batches: reader.batches,
        })
    }

    async fn everything(&self, object: &str) -> Result<Bytes, LogError> {
        let mut bytes = Vec::new();
        let got = self.logs.objects.get(object).await;
        let mut got = got.map_err(|error| self.failed("reading everything")(error.into()))?;
        let read = got.read_to_end(&mut bytes).await;
        read.map_err(|error| self.failed("reading everything")(error.into()))?;
        Ok(bytes.into())
    }

    fn entry(&self, sequence: u64, bytes: &[u8]) -> Result<Entry, LogError> {
        postcard::from_bytes(bytes).map_err(|_| self.damaged(sequence, "it is no entry of this version"))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> LogError + use<> {
        let tenant = self.tenant.clone();
        move |source| LogError::Nats {
            tenant: tenant.clone(),
            doing,
            source,
        }
    }

    fn damaged(&self, sequence: u64, what: &'static str) -> LogError {
        LogError::Damaged {
            tenant: self.tenant.clone(),
            sequence,
            what,
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap_or(u64::MAX)
}

/// Puts batches together.
#[derive(Debug, Default)]
struct Reader {
    batches: Vec<Bytes>,
    /// A batch that is not complete: whose it is, how many parts are missing, and what there is.
    begun: Option<((u64, u64), u32, Vec<u8>)>,
}

impl Reader {
    fn take(&mut self, entry: Entry) -> Result<(), &'static str> {
        let of = (entry.epoch, entry.number);
        match entry.what {
            // What its writer has not finished was acknowledged to nobody.
            What::Fence => self.begun = None,
            What::Base { .. } => *self = Self::default(),
            What::Part { after, bytes } => {
                let whole = match self.begun.take() {
                    None => bytes,
                    Some((begun, missing, mut whole)) if begun == of && missing == after + 1 => {
                        whole.extend_from_slice(&bytes);
                        whole
                    }
                    Some(_) => return Err("a part of a batch is missing"),
                };
                match after {
                    0 => self.batches.push(whole.into()),
                    missing => self.begun = Some((of, missing, whole)),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(u64, What)]) -> Result<Vec<Bytes>, &'static str> {
        let mut reader = Reader::default();
        for (number, what) in entries {
            let what = postcard::from_bytes(&postcard::to_allocvec(what).unwrap_or_default()).unwrap_or(What::Fence);
            reader.take(Entry {
                epoch: 1,
                number: *number,
                what,
            })?;
        }
        Ok(reader.batches)
    }

    fn part(after: u32, text: &str) -> What {
        What::Part {
            after,
            bytes: text.into(),
        }
    }

    #[test]
    fn batches_are_whole_or_not_there() {
        let whole = read(&[
            (1, part(1, "a")),
            (1, part(0, "b")),
            (2, part(0, "c")),
            (3, part(2, "d")),
        ]);
        assert_eq!(whole, Ok(vec![Bytes::from("ab"), Bytes::from("c")]));
        let cut_off = read(&[(1, part(1, "a")), (1, What::Fence), (1, part(0, "b"))]);
        assert_eq!(cut_off, Ok(vec![Bytes::from("b")]));
        assert!(read(&[(1, part(2, "a")), (1, part(0, "b"))]).is_err());
        assert!(read(&[(1, part(1, "a")), (2, part(0, "b"))]).is_err());
    }
}
