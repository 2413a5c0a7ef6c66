//! What a process writes, line by line, as it comes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use crate::DEADLINE;

/// The lines of one stream so far. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Collects a stream on a thread of its own, so that the writer never waits.
    pub fn collect(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let collector = lines.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                line.clear();
                collector.change(|state| state.lines.push(text));
            }
            collector.change(|state| state.ended = true);
        });
        lines
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.state().lines.join("\n")
    }

    /// The first line that fits, as soon as it is there; none when the stream has ended without.
    pub fn find(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        self.wait(|state| match state.lines.iter().find(|line| fits(line)) {
            Some(line) => Some(Some(line.clone())),
            None => state.ended.then_some(None),
        })
    }

    /// The line of this index, as soon as it is there; none when the stream has ended before.
    pub fn nth(&self, index: usize) -> Option<String> {
        self.wait(|state| match state.lines.get(index) {
            Some(line) => Some(Some(line.clone())),
            None => state.ended.then_some(None),
        })
    }

    /// The first line with all these words, as soon as it is there.
    pub fn expect(&self, words: &[&str]) -> String {
        let found = self.find(|line| words.iter().all(|word| line.contains(word)));
        found.unwrap_or_else(|| panic!("no line with {words:?} in:\n{}", self.text()))
    }

    /// Waits for the end of the stream.
    pub fn end(&self) {
        self.wait(|state| state.ended.then_some(()));
    }

    fn wait<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let begin = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(seen) = look(&state) {
                return seen;
            }
            let left = DEADLINE.checked_sub(begin.elapsed());
            let left = left.unwrap_or_else(|| panic!("it was never written:\n{}", state.lines.join("\n")));
            state = self.shared.1.wait_timeout(state, left).unwrap().0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
