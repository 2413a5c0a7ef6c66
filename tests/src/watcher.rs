//! A program that watches a harness: its health, and its metrics as Prometheus's own parser reads them.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Answer, Connection, Harness};

/// What the harness says where it is.
const SAID: &str = "Its metrics are at http://";

/// What a harness that serves with `--metrics` is asked by.
#[derive(Debug, Clone, Copy)]
pub struct Watcher {
    address: SocketAddr,
}

/// What the metrics were at one moment.
#[derive(Debug)]
pub struct Metrics {
    /// As they came.
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Watcher {
    /// A watcher of a harness.
    #[track_caller]
    pub fn of(harness: &Harness) -> Self {
        let line = harness.output().expect(&[SAID]);
        let address = line.strip_prefix(SAID).unwrap().strip_suffix("/metrics").unwrap();
        Self {
            address: address.parse().unwrap(),
        }
    }

    /// Where it asks.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a path.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut connection = Connection::open(self.address).unwrap();
        connection.request("GET", path, headers, b"");
        Answer::read(connection.response())
    }

    /// The status and the word of `/healthz` or `/readyz`.
    pub fn health(&self, path: &str) -> (u16, String) {
        let answer = self.get(path, &[]);
        (answer.status, answer.text().trim_end().to_owned())
    }

    /// All metrics.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics", &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
        Metrics::read(answer.text())
    }
}

impl Metrics {
    /// Reads a page of metrics.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::current_exe().unwrap();
        let python = python.ancestors().nth(3).unwrap().join("mcp-client/bin/python");
        assert!(python.exists(), "{} is missing: run `./setup test`", python.display());
        let mut parser = Command::new(python)
            .arg(target.join("metrics/samples.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let parsed = parser.wait_with_output().unwrap();
        assert!(parsed.status.success(), "{text}");
        let families: Vec<Value> = serde_json::from_slice(&parsed.stdout).unwrap();
        let mut samples = BTreeMap::new();
        for family in &families {
            let (name, kind) = (family["name"].as_str().unwrap(), family["type"].as_str().unwrap());
            assert!(name.starts_with("host_harness_"), "{name}");
            assert!(!family["help"].as_str().unwrap().is_empty(), "{name}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{name}: {kind}");
            for sample in family["samples"].as_array().unwrap() {
                let labels: Vec<String> = sample[1]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(label, value)| format!("{label}={value}"))
                    .collect();
                let name = sample[0].as_str().unwrap().strip_prefix("host_harness_").unwrap();
                let series = match labels.is_empty() {
                    true => name.to_owned(),
                    false => format!("{name}{{{}}}", labels.join(",")),
                };
                let earlier = samples.insert(series.clone(), sample[2].as_f64().unwrap());
                assert_eq!(earlier, None, "{series} is there twice");
            }
        }
        Self {
            text: text.to_owned(),
            samples,
        }
    }

    /// The value of a series, as in `calls_total{kind="http"}`, without the prefix of all.
    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        let value = self.samples.get(series);
        *value.unwrap_or_else(|| panic!("no {series} in:\n{}", self.text))
    }

    /// All series with their values.
    pub fn series(&self) -> impl Iterator<Item = (&str, f64)> {
        self.samples.iter().map(|(series, value)| (series.as_str(), *value))
    }
}
