//! What the queue does, seen from the plugin: the events that arrive, and in which order. The agent goes on when the
//! test says so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use tokio::sync::{Semaphore, mpsc::UnboundedReceiver, mpsc::UnboundedSender};

use super::super::Answering;
use super::*;

/// Says the message, then waits to be let through.
#[derive(Debug)]
struct Gated(Semaphore);

impl Agent for Gated {
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_> {
        Box::pin(async move {
            pieces.send(Piece::Delta(turn.message)).await.unwrap();
            self.0.acquire().await.unwrap().forget();
            Ok(())
        })
    }
}

struct Plugin(UnboundedSender<(Ticket, Event)>);

impl Events for Plugin {
    async fn event(self: &Arc<Self>, ticket: Ticket, event: Event) -> bool {
        self.0.send((ticket, event)).unwrap();
        true
    }

    async fn said_before(self: &Arc<Self>, _: &str, _: &str, _: u32) -> Vec<Said> {
        Vec::new()
    }
}

struct Bench {
    queue: AgentQueue,
    agent: Arc<Gated>,
    plugin: Arc<Plugin>,
    events: UnboundedReceiver<(Ticket, Event)>,
}

fn bench(limits: &Limits) -> Bench {
    let agent = Arc::new(Gated(Semaphore::new(0)));
    let queue = AgentQueue::new(agent.clone(), limits);
    let (sender, events) = mpsc::unbounded_channel();
    Bench {
        queue,
        agent,
        plugin: Arc::new(Plugin(sender)),
        events,
    }
}

impl Bench {
    fn enqueue(&self, user: &str, message: &str) -> Ticket {
        let reservation = self.queue.reserve(user.to_owned(), message.to_owned()).unwrap();
        let ticket = reservation.ticket;
        self.queue.enqueue(reservation, &self.plugin);
        ticket
    }

    async fn expect(&mut self, ticket: Ticket, event: Event) {
        assert_eq!(self.events.recv().await.unwrap(), (ticket, event));
    }

    async fn expect_begun(&mut self, ticket: Ticket, message: &str) {
        self.expect(ticket, Event::Started).await;
        self.expect(ticket, Event::Delta(message.to_owned())).await;
    }
}

#[tokio::test]
async fn one_user_is_answered_in_order() {
    let mut bench = bench(&Limits::default());
    let (one, two) = (bench.enqueue("john", "1"), bench.enqueue("john", "2"));
    bench.expect_begun(one, "1").await;
    bench.agent.0.add_permits(2);
    bench.expect(one, Event::Done).await;
    bench.expect_begun(two, "2").await;
    bench.expect(two, Event::Done).await;
}

#[tokio::test]
async fn different_users_are_answered_in_parallel() {
    let mut bench = bench(&Limits::default());
    let john = bench.enqueue("john", "1");
    bench.expect_begun(john, "1").await;
    let mary = bench.enqueue("mary", "2");
    bench.expect_begun(mary, "2").await;
}

#[tokio::test]
async fn a_busy_user_does_not_get_in_front_of_others() {
    let mut bench = bench(&Limits {
        running_turns: 1,
        ..Limits::default()
    });
    let [one, two, three] = ["1", "2", "3"].map(|message| bench.enqueue("john", message));
    let mary = bench.enqueue("mary", "m");
    bench.agent.0.add_permits(4);
    for (ticket, message) in [(one, "1"), (mary, "m"), (two, "2"), (three, "3")] {
        bench.expect_begun(ticket, message).await;
        bench.expect(ticket, Event::Done).await;
    }
}

#[tokio::test]
async fn a_full_queue_refuses_until_there_is_room() {
    let bench = bench(&Limits {
        waiting_turns_per_user: 1,
        ..Limits::default()
    });
    let (_, second) = (bench.enqueue("john", "1"), bench.enqueue("john", "2"));
    assert!(bench.queue.reserve("john".to_owned(), "3".to_owned()).is_err());
    assert!(bench.queue.reserve("mary".to_owned(), "1".to_owned()).is_ok());
    bench.queue.cancel(second, &bench.plugin);
    assert!(bench.queue.reserve("john".to_owned(), "3".to_owned()).is_ok());
}

#[tokio::test]
async fn a_reservation_that_is_dropped_never_was() {
    let bench = bench(&Limits {
        waiting_turns: 1,
        ..Limits::default()
    });
    let reservation = bench.queue.reserve("john".to_owned(), "1".to_owned()).unwrap();
    assert!(bench.queue.reserve("mary".to_owned(), "1".to_owned()).is_err());
    drop(reservation);
    assert_eq!(bench.queue.depth(), (0, 0));
    bench.enqueue("mary", "1");
    assert_eq!(bench.queue.depth(), (0, 1));
}

#[tokio::test]
async fn a_cancelled_answer_says_nothing_more_and_the_next_begins() {
    let mut bench = bench(&Limits::default());
    let (one, two) = (bench.enqueue("john", "1"), bench.enqueue("john", "2"));
    bench.expect_begun(one, "1").await;
    bench.queue.cancel(one, &bench.plugin);
    bench.expect_begun(two, "2").await;
    bench.agent.0.add_permits(1);
    bench.expect(two, Event::Done).await;
}

#[tokio::test]
async fn a_user_who_cancels_and_writes_again_is_answered_once() {
    let mut bench = bench(&Limits {
        running_turns: 1,
        ..Limits::default()
    });
    let mary = bench.enqueue("mary", "m");
    bench.expect_begun(mary, "m").await;
    let cancelled = bench.enqueue("john", "1");
    bench.queue.cancel(cancelled, &bench.plugin);
    let (two, three) = (bench.enqueue("john", "2"), bench.enqueue("john", "3"));
    bench.agent.0.add_permits(3);
    bench.expect(mary, Event::Done).await;
    bench.expect_begun(two, "2").await;
    bench.expect(two, Event::Done).await;
    bench.expect_begun(three, "3").await;
    bench.expect(three, Event::Done).await;
}

#[tokio::test]
async fn a_cleared_queue_is_silent_and_usable() {
    let mut bench = bench(&Limits::default());
    let one = bench.enqueue("john", "1");
    bench.enqueue("john", "2");
    bench.expect_begun(one, "1").await;
    bench.queue.clear();
    assert_eq!(bench.queue.depth(), (0, 0));
    let three = bench.enqueue("john", "3");
    bench.expect_begun(three, "3").await;
}

#[tokio::test]
async fn draining_waits_for_what_is_queued_and_takes_nothing_new() {
    let mut bench = bench(&Limits::default());
    let (one, two) = (bench.enqueue("john", "1"), bench.enqueue("john", "2"));
    let draining = tokio::spawn({
        let queue = bench.queue.clone();
        async move { queue.drain().await }
    });
    bench.expect_begun(one, "1").await;
    assert!(bench.queue.reserve("mary".to_owned(), "1".to_owned()).is_err());
    bench.agent.0.add_permits(2);
    bench.expect(one, Event::Done).await;
    bench.expect_begun(two, "2").await;
    bench.expect(two, Event::Done).await;
    draining.await.unwrap();
}
