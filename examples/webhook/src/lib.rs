//! A channel by webhook: a program posts a text to a secret address, and reads there, as a stream, what was said. The owner's
//! agent opens an address with the tool `hook_open`.
#![cfg(target_family = "wasm")]

use channel_plugin::sqlite::{Connection, Result as Stored, Row, params};
use channel_plugin::{
    AgentEvent, Answers, ChannelPlugin, CloseReason, Condition, Delivery, Entry, Error, Hold, HoldMode, Host, Metadata,
    OutboundMessage, Request, Response, Role, Ticket, Tool, ToolError, sse,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Of a secret only the hash is kept. It has so many bits that the hash needs no salt.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS hooks (name TEXT PRIMARY KEY, secret BLOB NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY AUTOINCREMENT, hook TEXT NOT NULL,
        role TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL, answers INTEGER UNIQUE);
    CREATE INDEX IF NOT EXISTS entries_of_hook ON entries (hook, id);";
/// What every stream listens to besides its own hook; no hook has this name.
const ALL: &str = "*";

channel_plugin::export!(Webhook);

#[derive(Default)]
struct Webhook {
    db: Option<Connection>,
    /// By what is answered: the id of an entry, and its hook.
    answers: Answers<(u64, String)>,
}

impl ChannelPlugin for Webhook {
    fn describe() -> Metadata {
        channel_plugin::metadata!("Webhook", "hook")
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        if self.db.is_some() {
            return Err(Error::AlreadyStarted);
        }
        let db = open()?;
        let sql = "SELECT id, hook, text FROM entries AS asked WHERE role = 'user'
            AND NOT EXISTS (SELECT 1 FROM entries WHERE answers = asked.id) ORDER BY id";
        let open: Vec<(_, _, String)> = db.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for (id, hook, text) in open {
            match host.enqueue(&format!("hook:{hook}"), &text) {
                Ok(ticket) => self.answers.add((id, hook), ticket),
                Err(error) => tracing::error!(id, %error, "a text is not answered before the next start"),
            }
        }
        self.db = Some(db);
        Ok(())
    }

    fn stop(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        *self = Self::default();
        Ok(host.close(ALL, CloseReason::STOPPING).map(drop)?)
    }

    fn handle(&mut self, host: &mut dyn Host, request: &Request) -> Result<Response, Error> {
        let db = self.db.as_ref().ok_or(Error::NotStarted)?;
        let secret = Sha256::digest(request.path.strip_prefix("/hook/").unwrap_or_default());
        let sql = "SELECT name FROM hooks WHERE secret = ?1";
        let Some(hook) = db.query_row(sql, params![secret.as_slice()], |row| row.get::<String>(0))? else {
            return Ok(Response::error(404, "There is nothing here"));
        };
        let text = str::from_utf8(&request.body).unwrap_or_default().trim();
        match (request.method.as_str(), text) {
            ("POST", "") => Ok(Response::error(400, "Post a text")),
            ("POST", text) => {
                let ticket = host.enqueue(&format!("hook:{hook}"), text)?;
                let id = self.say(host, &hook, Role::User, text, None)?.id;
                self.answers.add((id, hook), ticket);
                Ok(Response::json(202, &json!({ "id": id })))
            }
            ("GET", _) => {
                let sql = "SELECT id, role, text, at_ms FROM entries WHERE hook = ?1 AND id > ?2 ORDER BY id";
                let said = db.query(sql, params![&hook, sse::resume_point(request).unwrap_or(0)], frame)?;
                let topics = vec![hook, ALL.to_owned()];
                let hold = Hold::new(HoldMode::Stream, topics, Some((sse::COMMENT, 20_000)), 3_600_000);
                Ok(sse::response(said.concat()).held(hold))
            }
            _ => Ok(Response::error(405, "Post a text, or get what was said").with("allow", "GET, POST")),
        }
    }

    fn on_agent_event(&mut self, host: &mut dyn Host, ticket: Ticket, event: AgentEvent) -> Result<(), Error> {
        if let Some(((id, hook), said)) = self.answers.hear(ticket, event)? {
            let said = said.as_deref().unwrap_or("The agent could not answer.");
            self.say(host, &hook, Role::Agent, said, Some(id))?;
        }
        Ok(())
    }

    fn send_to_user(&mut self, host: &mut dyn Host, user: &str, message: &OutboundMessage) -> Result<Delivery, Error> {
        let (_, hook) = self.hook(user)?;
        if message.content.trim().is_empty() {
            return Err(Error::Invalid("content must have a text".to_owned()));
        }
        self.say(host, hook, Role::Nudge, &message.content, None)
    }

    fn history(&mut self, user: &str, limit: u32) -> Result<Vec<Entry>, Error> {
        let (db, hook) = self.hook(user)?;
        let sql = "SELECT * FROM (SELECT id, role, text, at_ms FROM entries WHERE hook = ?1 ORDER BY id DESC LIMIT ?2)
            ORDER BY id";
        Ok(db.query(sql, params![hook, limit.min(1_000)], channel_plugin::entry)?)
    }

    fn verify(&mut self) -> Result<Condition, Error> {
        self.with_db(channel_plugin::condition)
    }

    fn tools() -> Vec<Tool> {
        let description = "Open an address for a program: what it posts there comes to you, and it reads there what you \
            say. Answers with the path, which is secret. An earlier one of the same name ends.";
        let parameters = r#"{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}"#;
        vec![Tool::for_owner("hook_open", description, parameters)]
    }

    fn call_tool(&mut self, host: &mut dyn Host, tool: &str, arguments: &str) -> Result<String, ToolError> {
        let arguments: Value = channel_plugin::arguments(tool, arguments)?;
        let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
        if !channel_plugin::is_plain_name(name, 1..=32) {
            let rule = "Give a name of 1 to 32 of a-z, 0-9 and _.";
            return Err(ToolError::InvalidArguments(rule.to_owned()));
        }
        let secret = host.random().token();
        let sql = "INSERT OR REPLACE INTO hooks (name, secret) VALUES (?1, ?2)";
        self.with_db(|db| db.execute(sql, params![name, Sha256::digest(&secret).as_slice()]))?;
        host.close(name, CloseReason::STOPPING).map_err(Error::from)?;
        Ok(format!("POST a text to /hook/{secret}, and GET what was said."))
    }
}

impl Webhook {
    /// Works on the database, which a plugin that does not run opens for the length of the call.
    fn with_db<T>(&self, work: impl FnOnce(&Connection) -> Stored<T>) -> Result<T, Error> {
        match &self.db {
            Some(db) => Ok(work(db)?),
            None => Ok(work(&open()?)?),
        }
    }

    /// The database, and the hook that a user is.
    fn hook<'a>(&self, user: &'a str) -> Result<(&Connection, &'a str), Error> {
        let db = self.db.as_ref().ok_or(Error::NotStarted)?;
        let hook = channel_plugin::user_name(user, "hook")?;
        let found = db.query_row("SELECT 1 FROM hooks WHERE name = ?1", params![hook], |_| Ok((db, hook)))?;
        found.ok_or_else(|| Error::UnknownUser(user.to_owned()))
    }

    /// Keeps what was said, perhaps in answer to an entry, and gives it to who reads.
    fn say(&self, host: &mut dyn Host, hook: &str, role: Role, text: &str, to: Option<u64>) -> Result<Delivery, Error> {
        let db = self.db.as_ref().ok_or(Error::NotStarted)?;
        let sql = "INSERT INTO entries (hook, role, text, at_ms, answers) VALUES (?1, ?2, ?3, ?4, ?5)
            RETURNING id, role, text, at_ms";
        let said = db.query(sql, params![hook, role.name(), text, host.now_ms(), to], frame)?;
        let connections = host.publish(hook, said.concat().as_bytes())?;
        let id = db.last_insert_rowid().unsigned_abs();
        Ok(Delivery { connections, id })
    }
}

fn open() -> Stored<Connection> {
    let db = Connection::open("webhook.db")?;
    db.execute_batch(SCHEMA)?;
    Ok(db)
}

/// An entry as an event of a stream.
fn frame(row: &Row<'_>) -> Stored<String> {
    let (id, role, text, at_ms): (i64, String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let said = json!({ "id": id, "role": role, "text": text, "at_ms": at_ms });
    Ok(sse::frame(Some(id), &said.to_string()))
}
