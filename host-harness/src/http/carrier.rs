//! Carries a call to its end, though its client goes in the middle: a call that is given up costs the plugin its
//! instance, and that is not a client's to decide.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::sync::ReusableBoxFuture;

use crate::request_id::RequestId;

/// Carries one call after another, all in the same piece of memory.
#[derive(Debug)]
pub(super) struct Carrier<T: 'static>(Mutex<Option<ReusableBoxFuture<'static, T>>>);

/// A call on its way. One that is dropped before its end goes on as a task of its own.
#[derive(Debug)]
pub(super) struct Carried<'a, T: Send + 'static> {
    carrier: &'a Carrier<T>,
    call: Option<ReusableBoxFuture<'static, T>>,
}

impl<T: 'static> Default for Carrier<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Send + 'static> Carrier<T> {
    /// Takes a call. It is begun when it is awaited.
    pub(super) fn carry(&self, call: impl Future<Output = T> + Send + 'static) -> Carried<'_, T> {
        let call = match self.place().take() {
            None => ReusableBoxFuture::new(call),
            Some(mut place) => {
                place.set(call);
                place
            }
        };
        Carried {
            carrier: self,
            call: Some(call),
        }
    }

    fn place(&self) -> MutexGuard<'_, Option<ReusableBoxFuture<'static, T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Future for Carried<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(call) = &mut self.call else {
            return Poll::Pending;
        };
        let polled = call.poll(cx);
        if polled.is_ready() {
            *self.carrier.place() = self.call.take();
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Carried<'_, T> {
    fn drop(&mut self) {
        let (Some(call), Ok(runtime)) = (self.call.take(), Handle::try_current()) else {
            return;
        };
        tracing::debug!("a client has gone in the middle of a call, which goes on");
        runtime.spawn(RequestId::current_or_new().scope(async move { drop(call.await) }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_call_that_is_left_goes_on_under_its_id() {
        let carrier = Carrier::default();
        let (tell, told) = oneshot::channel();
        let (go_on, gate) = oneshot::channel::<()>();
        let id = RequestId::new();
        let left = async {
            let call = async move {
                gate.await.unwrap();
                tell.send(RequestId::current()).unwrap();
            };
            tokio::select! {
                biased;
                () = carrier.carry(call) => {}
                () = std::future::ready(()) => {}
            }
        };
        id.clone().scope(left).await;
        go_on.send(()).unwrap();
        assert_eq!(told.await.unwrap(), Some(id));
    }
}
