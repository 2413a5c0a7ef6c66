//! What comes from a node on one topic: in order, nothing twice, and nothing lost unnoticed.

use tokio::task::AbortHandle;

use super::last_id::last_id;
use super::wire::Published;
use crate::push::What;

/// A topic that somebody here listens to.
#[derive(Debug)]
pub(super) struct Topic {
    /// Of the node that has the tenant.
    epoch: u64,
    /// The number of the last that was handed on.
    last: u64,
    /// The last id that was handed on, and with which number.
    last_id: Option<(u64, String)>,
    /// Connections that are about to listen, and ask for what they miss.
    beginning: usize,
    /// What came while they did.
    came: Vec<Published>,
    /// A loss was noticed; what comes waits until it is made good.
    waiting: Option<Vec<Published>>,
    reading: AbortHandle,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    /// With its number.
    HandOn(u64, What),
    /// What came after this number is to be asked for.
    Mend(u64),
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Topic {
    /// A topic of a node, of which all is known up to a number. What reads it ends with it.
    pub(super) fn new(epoch: u64, last: u64, reading: AbortHandle) -> Self {
        Self {
            epoch,
            last,
            last_id: None,
            beginning: 0,
            came: Vec::new(),
            waiting: None,
            reading,
        }
    }

    /// A connection is about to listen to what a node publishes, which may be another than before.
    pub(super) fn begin(&mut self, epoch: u64, last: u64) {
        if epoch > self.epoch {
            (self.epoch, self.last, self.last_id) = (epoch, last, None);
            self.came.clear();
        }
        self.beginning += 1;
    }

    /// A connection listens, and has been told all up to a number; gives what was handed on after that. If it is the only one, the
    /// topic begins there.
    pub(super) fn begun(&mut self, upto: u64, is_first: bool) -> Vec<Published> {
        // What waits is handed on later.
        let later = |came: &&Published| came.epoch == self.epoch && came.number > upto && came.number <= self.last;
        let later = self.came.iter().filter(later).cloned().collect();
        self.beginning = self.beginning.saturating_sub(1);
        if self.beginning == 0 {
            self.came = Vec::new();
        }
        if is_first {
            self.last = self.last.max(upto);
        }
        later
    }

    /// Whether it is needed though nobody listens.
    pub(super) fn is_busy(&self) -> bool {
        self.beginning > 0 || self.waiting.is_some()
    }

    /// Takes what came. What a node says that has the tenant no more, or not yet as far as is known here, is nothing.
    pub(super) fn take(&mut self, published: Published) -> Step {
        if published.epoch != self.epoch {
            return Step::Nothing;
        }
        if self.beginning > 0 {
            self.came.push(published.clone());
        }
        match &mut self.waiting {
            Some(waiting) => {
                waiting.push(published);
                Step::Nothing
            }
            None => self.next(published),
        }
    }

    fn next(&mut self, published: Published) -> Step {
        if published.number <= self.last {
            return Step::Nothing;
        }
        if published.before > self.last {
            self.waiting = Some(vec![published]);
            return Step::Mend(self.last);
        }
        self.hand_on(published)
    }

    fn hand_on(&mut self, published: Published) -> Step {
        self.last = published.number;
        let what = What::from(published.what);
        if let What::Frame(frame) = &what
            && let Some(id) = last_id(frame)
        {
            self.last_id = Some((self.last, id));
        }
        Step::HandOn(self.last, what)
    }

    /// What was lost has come, all up to a number; gives what to do about it and about what waited.
    pub(super) fn mended(&mut self, upto: u64, published: Vec<Published>) -> Vec<Step> {
        let waited = self.waiting.take().unwrap_or_default();
        let mut steps = Vec::new();
        for published in published {
            if published.epoch == self.epoch && published.number > self.last {
                steps.push(self.hand_on(published));
            }
        }
        if steps.is_empty() {
            self.last = self.last.max(upto);
        }
        for published in waited {
            if published.epoch == self.epoch {
                steps.push(self.take_waiting(published));
            }
        }
        steps
    }

    fn take_waiting(&mut self, published: Published) -> Step {
        match &mut self.waiting {
            Some(waiting) => {
                waiting.push(published);
                Step::Nothing
            }
            None => self.next(published),
        }
    }

    /// Something may have been lost.
    pub(super) fn look_again(&mut self) -> Step {
        match self.waiting {
            Some(_) => Step::Nothing,
            None => {
                self.waiting = Some(Vec::new());
                Step::Mend(self.last)
            }
        }
    }

    /// The last id that was handed on after a number of a node.
    pub(super) fn last_id_after(&self, epoch: u64, number: u64) -> Option<(u64, &str)> {
        let (at, id) = self.last_id.as_ref()?;
        (epoch == self.epoch && *at > number).then_some((*at, id.as_str()))
    }
}
