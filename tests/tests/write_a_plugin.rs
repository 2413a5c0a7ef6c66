//! Who follows `docs/write-a-plugin.md` to the letter has a chat at the end. Observed by doing so: files are written and commands
//! run as they stand there, but for where this machine has what was built, and a free port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use friends_chat_tests::{Data, Process, free_port};

const PAGE: &str = include_str!("../../docs/write-a-plugin.md");

/// What the reader does with a block: what the comment before it says, or runs it.
fn steps() -> Vec<(&'static str, &'static str)> {
    let mut steps = Vec::new();
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (block, after) = after.split_once("\n```").unwrap();
        let comment = before.rsplit('\n').next().unwrap();
        let what = comment
            .strip_prefix("<!-- ")
            .and_then(|comment| comment.strip_suffix(" -->"));
        steps.push((what.unwrap_or("run"), block.split_once('\n').unwrap().1));
        rest = after;
    }
    steps
}

#[test]
fn who_follows_the_page_has_a_chat() {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::os::unix::fs::symlink(root, directory.path().join("friends-chat")).unwrap();
    let harness = PathBuf::from(Data::bare_command(&[]).get_program());
    let target = harness.ancestors().nth(2).unwrap();
    let port = free_port().to_string();
    let here = |text: &str| {
        text.replace("../friends-chat/target/debug/host-harness", harness.to_str().unwrap())
            .replace("target/wasm32", target.join("wasm32").to_str().unwrap())
            .replace("3001", &port)
    };
    let mut project = directory.path().to_owned();
    let (mut said, mut running) = (String::new(), Vec::new());
    for (what, block) in steps() {
        let shell = |script: String| {
            let mut command = Command::new("sh");
            command
                .args(["-euc", &script])
                .current_dir(&project)
                .env("CARGO_TARGET_DIR", target);
            command
        };
        match what.split_once(" to ") {
            Some((how, name)) => {
                let file = project.join(name);
                let mut file = OpenOptions::new()
                    .create(true)
                    .write(true)
                    .append(how == "append")
                    .truncate(how == "write")
                    .open(file)
                    .unwrap();
                writeln!(file, "\n{block}").unwrap();
            }
            None if what == "leave running" => {
                let process = Process::start(shell(format!("exec {}", here(block))));
                process.stdout.find(|line| line.starts_with("The chat is at ")).unwrap();
                running.push(process);
            }
            None if what == "is answered" => assert_eq!(said, block),
            None => {
                let output = shell(here(block)).output().unwrap();
                assert!(output.status.success(), "{block}\n{output:?}");
                said = String::from_utf8(output.stdout).unwrap();
                if let Some((_, name)) = block.split_once("cd ") {
                    project.push(name.lines().next().unwrap());
                }
            }
        }
    }
    assert!(!running.is_empty() && !said.is_empty(), "the page ends with a chat");
}
