//! The body of a held stream on HTTP/2: its beginning, then what is published, a frame now and then while nothing is, and an
//! end after its time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep};

use crate::push::{End, Held, Next};

/// A body that goes on while the connection is held.
#[derive(Debug)]
pub(super) struct HeldBody {
    beginning: Option<Bytes>,
    held: Held,
    keep_alive: Option<Interval>,
    life: Pin<Box<Sleep>>,
    ended: bool,
    _alive: Alive,
}

/// Tells its receiver, by being dropped, that the body is.
pub(super) type Alive = oneshot::Sender<Infallible>;

impl HeldBody {
    /// A stream that begins with `beginning`.
    pub(super) fn new(beginning: Bytes, held: Held, alive: Alive) -> Self {
        let hold = held.hold();
        let keep_alive = hold.keep_alive.as_ref().map(|keep_alive| {
            let mut interval = interval_at(Instant::now() + keep_alive.every, keep_alive.every);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        let life = Box::pin(sleep(hold.life));
        Self {
            beginning: (!beginning.is_empty()).then_some(beginning),
            held,
            keep_alive,
            life,
            ended: false,
            _alive: alive,
        }
    }
}

impl Body for HeldBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(beginning) = this.beginning.take() {
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        match this.held.poll_next(cx.waker()) {
            Poll::Ready(Next::Frame(frame)) => return Poll::Ready(Some(Ok(Frame::data(frame)))),
            Poll::Ready(Next::End(End::Closed(_) | End::Answered(_) | End::Cut)) => {
                this.ended = true;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        if this.life.as_mut().poll(cx).is_ready() {
            this.ended = true;
            return Poll::Ready(None);
        }
        let (Some(interval), Some(keep_alive)) = (this.keep_alive.as_mut(), this.held.hold().keep_alive.as_ref())
        else {
            return Poll::Pending;
        };
        ready!(interval.poll_tick(cx));
        Poll::Ready(Some(Ok(Frame::data(keep_alive.frame.clone()))))
    }
}
