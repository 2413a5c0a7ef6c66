//! Brings one message to its push service, with as many tries as it is worth.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, StatusCode, header};
use tracing::Instrument as _;

use super::address::Refusal;
use super::message::{self, NoMessage};
use super::{Delivery, Urgency, Waiting, WebPush};

/// All that is ever said.
const NEWS: &[u8] = br#"{"type":"news"}"#;

/// Under this name a push service keeps one message for a browser, the latest.
const TOPIC: &str = "news";

/// Tries of one message; with pauses that double, the last is half an hour after the first.
const TRIES: u32 = 8;

/// Pause before the second try.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// Longest pause that a push service may ask for: by then there are other news.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// What became of one try.
enum Outcome {
    Sent,
    /// Nothing will ever arrive there.
    Gone,
    /// Worth another try, not before this time has passed if the push service said so.
    Later(Option<Duration>),
    /// No try will ever do.
    Refused(String),
}

impl WebPush {
    /// Sends a message in the background, in place of one for the same endpoint that still waits. `gone` is called
    /// if the endpoint leads nowhere any more.
    pub(crate) fn send<F>(self: &Arc<Self>, delivery: Delivery, gone: impl FnOnce(String) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut waiting = self.waiting();
        let endpoint = delivery.endpoint.clone();
        let not_before = waiting.remove(&endpoint).and_then(|earlier| {
            earlier.task.abort();
            earlier.not_before
        });
        let sender = Arc::clone(self);
        let delivering = async move {
            let endpoint = delivery.endpoint.clone();
            let is_gone = sender.deliver(delivery, not_before).await;
            sender.waiting().remove(&endpoint);
            if is_gone {
                gone(endpoint).await;
            }
        };
        let task = tokio::spawn(delivering.in_current_span()).abort_handle();
        waiting.insert(endpoint, Waiting { task, not_before });
    }

    /// Whether the endpoint leads nowhere any more.
    async fn deliver(&self, delivery: Delivery, not_before: Option<Instant>) -> bool {
        let delivery = Arc::new(delivery);
        let service = delivery.url.host_str().unwrap_or_default();
        tokio::time::sleep(delivery.terms.delay).await;
        if let Some(at) = not_before {
            tokio::time::sleep_until(at.into()).await;
        }
        for attempt in 0..TRIES {
            let pause = match self.attempt(&delivery).await {
                Outcome::Sent => {
                    self.counts.sent.one();
                    tracing::debug!(service, "a browser is woken");
                    return false;
                }
                Outcome::Gone => {
                    self.counts.gone.one();
                    tracing::info!(service, "a browser cannot be woken any more");
                    return true;
                }
                Outcome::Refused(why) => {
                    self.counts.failed.one();
                    tracing::warn!(service, why, "a browser is not woken");
                    return false;
                }
                Outcome::Later(asked) => asked
                    .unwrap_or_else(|| FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt)))
                    .min(LONGEST_PAUSE),
            };
            if let Some(waiting) = self.waiting().get_mut(&delivery.endpoint) {
                waiting.not_before = Some(Instant::now() + pause);
            }
            tokio::time::sleep(pause).await;
        }
        self.counts.failed.one();
        tracing::warn!(
            service,
            "a browser is not woken: its push service was away or busy too long"
        );
        false
    }

    async fn attempt(&self, delivery: &Arc<Delivery>) -> Outcome {
        // Never closed, so it is never an error.
        let _place = self.requests.acquire().await;
        let encrypted = {
            let delivery = Arc::clone(delivery);
            tokio::task::spawn_blocking(move || message::encrypt(NEWS, &delivery.browser, &delivery.auth)).await
        };
        let Ok(Ok(body)) = encrypted else {
            return Outcome::Refused(NoMessage.to_string());
        };
        let origin = delivery.url.origin().ascii_serialization();
        let urgency = match delivery.terms.urgency {
            Urgency::VeryLow => "very-low",
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::High => "high",
        };
        let request = self
            .client
            .post(delivery.url.clone())
            .header(
                header::AUTHORIZATION,
                self.identity.authorization(&origin, SystemTime::now()),
            )
            .header(header::CONTENT_ENCODING, "aes128gcm")
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header("ttl", delivery.terms.ttl.as_secs())
            .header("urgency", urgency)
            .header("topic", TOPIC)
            .body(body);
        // What the service says beside its status is not read.
        match request.send().await {
            Ok(response) => outcome(response.status(), response.headers()),
            Err(error) if is_refusal(&error) => Outcome::Refused(Refusal::NotPublic.to_string()),
            Err(_) => Outcome::Later(None),
        }
    }
}

fn outcome(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match status {
        _ if status.is_success() => Outcome::Sent,
        StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Gone,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Later(retry_after(headers)),
        _ if status.is_server_error() => Outcome::Later(retry_after(headers)),
        _ => Outcome::Refused(format!("its push service answered {status}")),
    }
}

/// The seconds of `Retry-After`; a date, which push services do not send, counts as nothing said.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn is_refusal(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<Refusal>() {
            return true;
        }
        source = error.source();
    }
    false
}
