//! Data directories with as many friends and messages as a case needs, made by the harness itself and filled in with the
//! program `sqlite3` while it does not run.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::harness::Harness;

/// An agent that repeats what it is told at once; and bounds that would be met by a load from one address, and by hundreds of
/// answers at the same time.
const CONFIG: &str = r#"
[agent]
use = "echo:0ms"

[channels.friends]
messagesPerMinute = 1000000
historyCount = 100000000

[limits]
connections_per_address = 20000
waiting_calls = 5000
running_turns = 1000
waiting_turns = 5000
waiting_turns_per_user = 64
"#;

/// A data directory; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Data {
    directory: tempfile::TempDir,
}

impl Data {
    /// An empty one, whose plugin was compiled before if there was a run before.
    pub(crate) fn empty() -> anyhow::Result<Self> {
        let data = Self::cold()?;
        let cache = workshop()?.join("cache");
        fs::create_dir_all(&cache)?;
        symlink(cache, data.path().join("cache"))?;
        Ok(data)
    }

    /// An empty one, for which nothing is compiled.
    pub(crate) fn cold() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("data-").tempdir_in(workshop()?)?;
        fs::write(directory.path().join("config.toml"), CONFIG)?;
        Ok(Self { directory })
    }

    /// One with friends who are signed in, and with this many messages of each.
    pub(crate) async fn with(friends: usize, entries_each: usize) -> anyhow::Result<Self> {
        let data = Self::empty()?;
        data.begin().await?;
        data.add_friends(friends).await?;
        data.add_entries(friends, entries_each).await?;
        Ok(data)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Lets the plugin make its database.
    async fn begin(&self) -> anyhow::Result<()> {
        Harness::start(self, &[]).await?.stop().await
    }

    async fn add_friends(&self, friends: usize) -> anyhow::Result<()> {
        let now_ms = now_ms()?;
        let mut sql = "BEGIN;\n".to_owned();
        for number in 1..=friends {
            let hash = Sha256::digest(token(number).as_bytes());
            let hex = hash.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a `String` cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            let name = name(number);
            writeln!(
                sql,
                "INSERT INTO friends (id, username, nickname, created_at_ms) VALUES ({number}, '{name}', '{name}', {now_ms});\n\
                 INSERT INTO sessions (token_hash, friend_id, created_at_ms, last_used_ms) \
                 VALUES (x'{hex}', {number}, {now_ms}, {now_ms});"
            )?;
        }
        sql.push_str("COMMIT;\n");
        self.sqlite(sql).await
    }

    /// Questions and answers in turn, as if the friends had written at the same time.
    async fn add_entries(&self, friends: usize, entries_each: usize) -> anyhow::Result<()> {
        let (now_ms, rows) = (now_ms()?, friends.saturating_mul(entries_each));
        if rows == 0 {
            return Ok(());
        }
        self.sqlite(format!(
            "INSERT INTO entries (id, friend_id, role, text, at_ms, state, in_reply_to)
             WITH RECURSIVE row (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row WHERE n + 1 < {rows})
             SELECT n + 1, n % {friends} + 1,
                 CASE (n / {friends}) % 2 WHEN 0 THEN 'friend' ELSE 'agent' END,
                 'A sentence of *ordinary* length, number ' || n || ', as people write them.',
                 {now_ms} - {rows} + n, 'answered',
                 CASE (n / {friends}) % 2 WHEN 0 THEN NULL ELSE n + 1 - {friends} END
             FROM row;\n"
        ))
        .await
    }

    async fn sqlite(&self, sql: String) -> anyhow::Result<()> {
        let script = self.path().join("fill.sql");
        fs::write(&script, sql)?;
        let status = Command::new("sqlite3")
            .arg("-bail")
            .arg(self.path().join("plugin/friends.db"))
            .stdin(fs::File::open(&script)?)
            .stdout(Stdio::null())
            .status()
            .await
            .context("running sqlite3: `./setup bench` installs it")?;
        fs::remove_file(script)?;
        ensure!(status.success(), "filling the database: {status}");
        Ok(())
    }
}

/// Where data and reports lie: `bench` in the target directory.
pub(crate) fn workshop() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("finding the target directory")?;
    let workshop = target.join("bench");
    fs::create_dir_all(&workshop)?;
    Ok(workshop)
}

/// The name of a friend by number, from 1.
pub(crate) fn name(number: usize) -> String {
    format!("friend_{number}")
}

/// The session token of a friend by number.
pub(crate) fn token(number: usize) -> String {
    format!("{number:064x}")
}

fn now_ms() -> anyhow::Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())
}
