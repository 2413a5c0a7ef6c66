//! Numbers of messages in the agent's queue. They follow from the messages, so that the next instance, which puts what has
//! not been answered in the queue again, gives the same number again, and the agent goes on with what it does.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Bits of a number that every reader of JSON takes as it is.
const BITS: u32 = 52;
/// Messages of which it is known how often they were given. A number that is given again is of a message long answered.
const MAX_KNOWN: usize = 4_096;

/// How often each message was given.
#[derive(Default)]
pub(crate) struct Tickets(HashMap<u64, u32>);

impl Tickets {
    /// The number for a message, another one each time. Who does not know the key cannot look for a message that has the
    /// number of somebody else's.
    pub(crate) fn next(&mut self, key: &str, user: &str, message: &str) -> u64 {
        let first = number(key, user, message, 0);
        if self.0.len() >= MAX_KNOWN && !self.0.contains_key(&first) {
            self.0.clear();
        }
        let times = self.0.entry(first).or_default();
        let ticket = number(key, user, message, *times);
        *times = times.wrapping_add(1);
        ticket
    }
}

fn number(key: &str, user: &str, message: &str, times: u32) -> u64 {
    let mut hash = Sha256::new();
    for part in [key, user, message] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.update(times.to_le_bytes());
    let bytes = hash.finalize();
    let number = bytes.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    number >> (u64::BITS - BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_instance_gives_the_same_number() {
        let next = |tickets: &mut Tickets| tickets.next("key", "friend:john", "hello");
        let (mut first, mut second) = (Tickets::default(), Tickets::default());
        assert_eq!(next(&mut first), next(&mut second));
        assert_eq!(next(&mut first), next(&mut second));
    }

    #[test]
    fn other_messages_have_other_numbers() {
        let mut tickets = Tickets::default();
        let given = [
            tickets.next("key", "friend:john", "hello"),
            tickets.next("key", "friend:john", "hello"),
            tickets.next("key", "friend:joh", "nhello"),
            tickets.next("other", "friend:john", "hello"),
        ];
        for (at, ticket) in given.iter().enumerate() {
            assert!(*ticket < 1 << BITS);
            assert!(!given.iter().take(at).any(|other| other == ticket));
        }
    }
}
