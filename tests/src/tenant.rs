//! One of many owners whose chats a harness serves.

use crate::{Data, Friend, Harness, Invite, Outcome};

/// An owner, and the host where the chat is.
#[derive(Debug, Clone)]
pub struct Tenant {
    name: String,
    data: Data,
}

impl Tenant {
    /// Adds a tenant to data, who may be served already.
    #[track_caller]
    pub fn add(data: &Data, name: &str, arguments: &[&str]) -> Self {
        let tenant = Self {
            name: name.to_owned(),
            data: data.clone(),
        };
        let base_url = format!("http://{}", tenant.host());
        data.run(&[&["tenant", "add", name, "--base-url", &base_url], arguments].concat())
            .success();
        tenant
    }

    /// Where the chat is.
    pub fn host(&self) -> String {
        format!("{}.example.org", self.name)
    }

    /// Its own data, below that of all.
    pub fn path(&self) -> std::path::PathBuf {
        self.data.path().join("tenants").join(&self.name)
    }

    /// Carries out a command of this owner's.
    pub fn owner(&self, arguments: &[&str]) -> Outcome {
        self.data.run(&[&["--tenant", &self.name], arguments].concat())
    }

    /// Invites a friend.
    #[track_caller]
    pub fn invite(&self, user: &str) -> Invite {
        Invite::parse(&self.owner(&["invite", user]).success())
    }

    /// Somebody at this owner's chat without a cookie.
    pub fn stranger(&self, harness: &Harness) -> Friend {
        Friend::stranger(harness).asking_for(&self.host())
    }

    /// Invites a friend who joins at once.
    #[track_caller]
    pub fn friend(&self, harness: &Harness, user: &str) -> Friend {
        let friend = self.stranger(harness);
        friend.join(&self.invite(user));
        friend
    }

    /// What the running harness says of it, by a key of its status.
    #[track_caller]
    pub fn health(&self) -> String {
        let status = self.owner(&["status", "--json"]).success();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["plugin"]["health"]["state"].as_str().unwrap().to_owned()
    }
}
