//! What a tab's thread was busy with, by Chromium's own records.

use serde_json::{Value, json};

use super::{Devtools, Tab};

/// What is recorded: the tasks of all threads, layouts, and the page's own marks.
const CATEGORIES: [&str; 3] = ["toplevel", "devtools.timeline", "blink.user_timing"];
/// The mark by which the page's thread is told from the others.
const MARK: &str = "traced";

/// A record that goes on until it is read.
#[derive(Debug)]
pub struct Trace<'tab> {
    tab: &'tab Tab,
    devtools: Devtools,
}

/// What was done on the thread of the page.
#[derive(Debug)]
pub struct Work {
    events: Vec<Value>,
}

impl<'tab> Trace<'tab> {
    /// Begins to record.
    #[track_caller]
    pub fn begin(tab: &'tab Tab) -> Self {
        let mut devtools = tab.attach();
        let config = json!({ "includedCategories": CATEGORIES, "excludedCategories": ["*"] });
        devtools.command("Tracing.start", &json!({ "traceConfig": config }));
        tab.run("performance.mark(arguments[0]);", &[MARK.into()]);
        Self { tab, devtools }
    }

    /// Ends the record and reads it.
    #[track_caller]
    pub fn end(mut self) -> Work {
        self.tab.run("performance.mark(arguments[0]);", &[MARK.into()]);
        self.devtools.command("Tracing.end", &json!({}));
        self.devtools.event("Tracing.tracingComplete");
        let parts = self.devtools.events("Tracing.dataCollected");
        let events = parts.into_iter().flat_map(|mut part| match part["value"].take() {
            Value::Array(events) => events,
            other => panic!("{other}"),
        });
        let events: Vec<Value> = events.collect();
        let is_mark = |event: &&Value| event["name"] == MARK;
        let marks: Vec<&Value> = events.iter().filter(is_mark).collect();
        assert_eq!(marks.len(), 2, "the page's thread is found");
        let (process, thread) = (marks[0]["pid"].clone(), marks[0]["tid"].clone());
        let (begin, end) = (at(marks[0]), at(marks[1]));
        let is_meant = |event: &Value| {
            event["pid"] == process && event["tid"] == thread && event["ph"] == "X" && (begin..end).contains(&at(event))
        };
        Work {
            events: events.into_iter().filter(is_meant).collect(),
        }
    }
}

impl Work {
    /// The longest times that a task has kept the thread's processor, longest first, in milliseconds. How busy the
    /// machine is with something else does not matter.
    pub fn longest_tasks_ms(&self) -> Vec<f64> {
        let tasks = self
            .events
            .iter()
            .filter(|event| event["cat"].as_str().unwrap().contains("toplevel"));
        let mut times: Vec<f64> = tasks
            .filter_map(|task| task["tdur"].as_f64())
            .map(|microseconds| microseconds / 1000.0)
            .collect();
        assert!(!times.is_empty(), "this Chromium does not record a thread's own time");
        times.sort_by(|one, other| other.total_cmp(one));
        times.truncate(5);
        times
    }

    /// How many boxes each layout had to compute anew.
    pub fn laid_out(&self) -> Vec<u64> {
        let layouts = self.events.iter().filter(|event| event["name"] == "Layout");
        layouts
            .map(|layout| layout["args"]["beginData"]["dirtyObjects"].as_u64().unwrap())
            .collect()
    }

    /// How long the thread did what is called so, in milliseconds of its own time.
    pub fn total_ms(&self, name: &str) -> f64 {
        let named = self.events.iter().filter(|event| event["name"] == name);
        named.filter_map(|event| event["tdur"].as_f64()).sum::<f64>() / 1000.0
    }
}

/// When something began, in microseconds.
fn at(event: &Value) -> u64 {
    event["ts"].as_u64().unwrap()
}
