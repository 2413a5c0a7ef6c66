//! What was published of late. A proxy subscribes a connection when it has read the response, so something may be
//! published just before: every item has an id and the id before it, and the proxy asks for what a connection missed.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Items kept for a topic: many times what is published while a response is on its way.
const MAX_ITEMS: usize = 64;
/// Bytes of frames kept for a topic, for the same reason.
const MAX_BYTES: usize = 256 * 1024;
/// Bytes of items that are written down again when the rest is left out.
const MAX_OUTLINE_BYTES: usize = 64 * 1024;
/// Bytes that an item takes beside its own, about.
const ITEM_BYTES: usize = 128;
/// Topics about which something is known. Those who listen to one that was forgotten come back by themselves.
const MAX_TOPICS: usize = 1_024;

/// A change, to be written down for the next instance.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) enum Change<R> {
    /// A topic is used for the first time, or known from what was written down.
    Topic {
        topic: String,
        secret: String,
        latest: u64,
    },
    Item {
        topic: String,
        item: Item<R>,
    },
}

/// What is published.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) enum Item<R> {
    Frame(#[serde(with = "crate::base64")] Vec<u8>),
    /// Takes the place of a response that was withheld.
    Answer(R),
    /// Ends the connection.
    End,
}

/// The ids of an item and of the one before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) id: String,
    pub(crate) before: String,
}

/// What was published since some place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) frames: Vec<u8>,
    pub(crate) ended: bool,
}

struct Topic<R> {
    /// Part of each id, so that nobody can ask for what he was not given.
    secret: String,
    /// Number of the latest item.
    latest: u64,
    /// With the number of each among all topics' items.
    items: VecDeque<(u64, Item<R>)>,
    bytes: usize,
    used: u64,
}

/// The latest items of each topic.
pub(crate) struct Recent<R> {
    topics: HashMap<String, Topic<R>>,
    clock: u64,
    secret: fn() -> String,
    changes: Vec<Change<R>>,
}

impl<R: AsRef<[u8]> + Clone> Recent<R> {
    /// Nothing yet. `secret` gives another word each time, which nobody can guess.
    pub(crate) fn new(secret: fn() -> String) -> Self {
        Self {
            topics: HashMap::new(),
            clock: 0,
            secret,
            changes: Vec::new(),
        }
    }

    /// Repeats what was written down.
    pub(crate) fn repeat(&mut self, changes: impl Iterator<Item = Change<R>>) {
        for change in changes {
            match change {
                Change::Topic { topic, secret, latest } => {
                    let topic = self.topic(&topic);
                    topic.secret = secret;
                    topic.latest = latest;
                }
                Change::Item { topic, item } => {
                    self.add(&topic, item);
                }
            }
        }
        self.changes.clear();
    }

    /// What has changed since this was asked for last.
    pub(crate) fn changes(&mut self) -> Vec<Change<R>> {
        std::mem::take(&mut self.changes)
    }

    /// The changes that lead to what is known now, with no more than the latest items.
    pub(crate) fn outline(&self) -> Vec<Change<R>> {
        let topics = self.topics.iter();
        let items = topics.flat_map(|(name, topic)| topic.items.iter().map(move |(at, item)| (*at, name, item)));
        let mut items: Vec<(u64, &String, &Item<R>)> = items.collect();
        items.sort_unstable_by_key(|(at, ..)| *at);
        let mut bytes = 0;
        let kept = items.iter().rev().take_while(|(_, _, item)| {
            bytes += size(item);
            bytes <= MAX_OUTLINE_BYTES
        });
        let kept = items.len().saturating_sub(kept.count());
        let items = items.get(kept..).unwrap_or_default();
        let mut counts: HashMap<&String, u64> = HashMap::new();
        for (_, name, _) in items {
            *counts.entry(name).or_default() += 1;
        }
        let topics = self.topics.iter().map(|(name, topic)| Change::Topic {
            topic: name.clone(),
            secret: topic.secret.clone(),
            latest: topic
                .latest
                .saturating_sub(counts.get(name).copied().unwrap_or_default()),
        });
        let items = items.iter().map(|(_, name, item)| Change::Item {
            topic: (*name).clone(),
            item: (*item).clone(),
        });
        topics.chain(items).collect()
    }

    /// Keeps an item and gives its ids.
    pub(crate) fn add(&mut self, topic: &str, item: Item<R>) -> Ids {
        let now = self.tick();
        let name = topic;
        let topic = self.topic(name);
        let before = topic.id(topic.latest);
        topic.latest = topic.latest.saturating_add(1);
        topic.bytes = topic.bytes.saturating_add(size(&item));
        topic.items.push_back((now, item.clone()));
        while topic.items.len() > MAX_ITEMS || topic.bytes > MAX_BYTES {
            let Some((_, item)) = topic.items.pop_front() else {
                break;
            };
            topic.bytes = topic.bytes.saturating_sub(size(&item));
        }
        let id = topic.id(topic.latest);
        self.changes.push(Change::Item {
            topic: name.to_owned(),
            item,
        });
        Ids { id, before }
    }

    /// The id of the latest item, or what stands for it before the first.
    pub(crate) fn mark(&mut self, topic: &str) -> String {
        let topic = self.topic(topic);
        topic.id(topic.latest)
    }

    /// What was published to these topics since, in order, up to an end; none where it is not known any more.
    pub(crate) fn missed<'a>(&self, since: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Missed> {
        let mut items = Vec::new();
        for (topic, id) in since {
            items.extend(self.since(topic, id)?);
        }
        items.sort_by_key(|(at, _)| *at);
        let mut missed = Missed {
            frames: Vec::new(),
            ended: false,
        };
        for (_, item) in items {
            match item {
                Item::Frame(frame) => missed.frames.extend_from_slice(frame),
                Item::Answer(_) => {}
                Item::End => {
                    missed.ended = true;
                    break;
                }
            }
        }
        Some(missed)
    }

    /// The latest answer on a topic, for who knows one of its ids.
    pub(crate) fn answered(&self, topic: &str, id: &str) -> Option<&R> {
        let topic = self.topics.get(topic)?;
        topic.number(id)?;
        topic.items.iter().rev().find_map(|(_, item)| match item {
            Item::Answer(answer) => Some(answer),
            Item::Frame(_) | Item::End => None,
        })
    }

    fn since(&self, topic: &str, id: &str) -> Option<impl Iterator<Item = &(u64, Item<R>)>> {
        let topic = self.topics.get(topic)?;
        let count = usize::try_from(topic.latest.checked_sub(topic.number(id)?)?).ok()?;
        let known = topic.items.len().checked_sub(count)?;
        Some(topic.items.iter().skip(known))
    }

    fn topic(&mut self, name: &str) -> &mut Topic<R> {
        if !self.topics.contains_key(name) && self.topics.len() >= MAX_TOPICS {
            self.forget_oldest();
        }
        let now = self.tick();
        let (secret, changes) = (self.secret, &mut self.changes);
        let topic = self.topics.entry(name.to_owned()).or_insert_with(|| Topic {
            secret: first_seen(name, secret(), changes),
            latest: 0,
            items: VecDeque::new(),
            bytes: 0,
            used: 0,
        });
        topic.used = now;
        topic
    }

    /// A quarter at once, as it takes a look at each.
    fn forget_oldest(&mut self) {
        let mut uses: Vec<u64> = self.topics.values().map(|topic| topic.used).collect();
        let (_, limit, _) = uses.select_nth_unstable(MAX_TOPICS / 4);
        let limit = *limit;
        self.topics.retain(|_, topic| topic.used > limit);
    }

    fn tick(&mut self) -> u64 {
        self.clock = self.clock.saturating_add(1);
        self.clock
    }
}

impl<R> Topic<R> {
    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.secret)
    }

    fn number(&self, id: &str) -> Option<u64> {
        let (secret, number) = id.rsplit_once('-')?;
        number.parse().ok().filter(|_| secret == self.secret)
    }
}

/// Notes that a topic is used for the first time, with the word for its ids.
fn first_seen<R>(topic: &str, secret: String, changes: &mut Vec<Change<R>>) -> String {
    changes.push(Change::Topic {
        topic: topic.to_owned(),
        secret: secret.clone(),
        latest: 0,
    });
    secret
}

fn size<R: AsRef<[u8]>>(item: &Item<R>) -> usize {
    let own = match item {
        Item::Frame(frame) => frame.len(),
        Item::Answer(answer) => answer.as_ref().len(),
        Item::End => 0,
    };
    own.saturating_add(ITEM_BYTES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn recent() -> Recent<&'static str> {
        Recent::new(|| "word".to_owned())
    }

    fn frame(text: &str) -> Item<&'static str> {
        Item::Frame(text.as_bytes().to_vec())
    }

    fn missed(recent: &Recent<&'static str>, since: &[(&str, &str)]) -> Option<(String, bool)> {
        let Missed { frames, ended } = recent.missed(since.iter().copied())?;
        Some((String::from_utf8(frames).unwrap(), ended))
    }

    #[test]
    fn each_id_follows_the_one_before() {
        let mut recent = recent();
        let mark = recent.mark("a");
        let first = recent.add("a", frame("1"));
        let second = recent.add("a", frame("2"));
        assert_eq!(first.before, mark);
        assert_eq!(second.before, first.id);
        assert_eq!(recent.mark("a"), second.id);
    }

    #[test]
    fn what_was_missed_of_several_topics_comes_in_order_up_to_the_end() {
        let mut recent = recent();
        let (a, b) = (recent.mark("a"), recent.mark("b"));
        recent.add("a", frame("1"));
        recent.add("b", frame("2"));
        recent.add("c", frame("not this"));
        recent.add("a", frame("3"));
        assert_eq!(
            missed(&recent, &[("a", &a), ("b", &b)]),
            Some(("123".to_owned(), false))
        );
        recent.add("b", Item::End);
        recent.add("a", frame("4"));
        assert_eq!(missed(&recent, &[("a", &a), ("b", &b)]), Some(("123".to_owned(), true)));
        let now = recent.mark("a");
        assert_eq!(missed(&recent, &[("a", &now)]), Some((String::new(), false)));
    }

    #[test]
    fn nothing_is_told_to_who_does_not_know_an_id_or_comes_too_late() {
        let mut recent = recent();
        let mark = recent.mark("a");
        for id in ["", "0", "other-0", "word-", "word-1", "word-x"] {
            assert_eq!(missed(&recent, &[("a", id)]), None, "{id}");
        }
        assert_eq!(missed(&recent, &[("b", &mark)]), None);
        for _ in 0..=MAX_ITEMS {
            recent.add("a", frame("x"));
        }
        assert_eq!(missed(&recent, &[("a", &mark)]), None);

        let mark = recent.mark("long");
        recent.add("long", Item::Frame(vec![0; MAX_BYTES + 1]));
        assert_eq!(missed(&recent, &[("long", &mark)]), None);
    }

    #[test]
    fn an_answer_is_found_by_an_id_of_its_topic() {
        let mut recent = recent();
        let mark = recent.mark("a");
        assert_eq!(recent.answered("a", &mark), None);
        recent.add("a", Item::Answer("yes"));
        recent.add("a", Item::End);
        assert_eq!(recent.answered("a", &mark), Some(&"yes"));
        assert_eq!(recent.answered("a", "other-0"), None);
    }

    #[test]
    fn the_next_instance_goes_on_from_what_was_written_down() {
        let mut first = recent();
        let mark = first.mark("a");
        first.add("a", frame("1"));
        first.add("b", Item::End);
        let mut second = Recent::new(|| "other".to_owned());
        second.repeat(first.changes().into_iter());
        assert_eq!(first.changes(), []);
        assert_eq!(missed(&second, &[("a", &mark)]), Some(("1".to_owned(), false)));
        assert_eq!(second.add("a", frame("2")), first.add("a", frame("2")));

        let mut third = Recent::new(|| "other".to_owned());
        third.repeat(second.outline().into_iter());
        assert_eq!(third.mark("a"), second.mark("a"));
        assert_eq!(missed(&third, &[("a", &mark)]), Some(("12".to_owned(), false)));
    }

    #[test]
    fn of_much_the_latest_is_written_down_again() {
        let mut first = recent();
        let mark = first.mark("a");
        let long = first.add("a", Item::Frame(vec![0; MAX_OUTLINE_BYTES]));
        first.add("b", frame("1"));
        first.add("a", frame("2"));
        let mut second = recent();
        second.repeat(first.outline().into_iter());
        assert_eq!(missed(&second, &[("a", &mark)]), None);
        assert_eq!(missed(&second, &[("a", &long.id)]), Some(("2".to_owned(), false)));
        assert_eq!(second.mark("b"), first.mark("b"));
    }

    #[test]
    fn topics_not_used_for_long_are_forgotten() {
        let mut recent = recent();
        let old = recent.mark("old");
        for number in 0..MAX_TOPICS {
            recent.mark(&number.to_string());
        }
        let kept = recent.mark(&(MAX_TOPICS - 1).to_string());
        assert!(recent.topics.len() <= MAX_TOPICS);
        assert_eq!(missed(&recent, &[("old", &old)]), None);
        assert!(missed(&recent, &[((MAX_TOPICS - 1).to_string().as_str(), &kept)]).is_some());
    }
}
