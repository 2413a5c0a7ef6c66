//! Where a friend's browsers are woken that have no page open. Each belongs to the session of its browser and ends
//! with it.

use channel_plugin::Subscription;
use wasi_sqlite::{Connection, params};

use super::{Session, Store, StoreError};

/// Browsers of one friend that are woken: each costs a request for each piece of news.
const MAX_PER_FRIEND: u32 = 10;

impl Store {
    /// Keeps where a session's browser is woken, in place of what was kept of it before. Beyond the bound, the browsers
    /// that were not used for longest are woken no more.
    pub(crate) fn subscribe(&mut self, session: &Session, subscription: &Subscription) -> Result<(), StoreError> {
        self.wakes_any.set(None);
        self.write("keeping where a browser is notified", |connection| {
            // One browser that is signed in as somebody else now has one endpoint all the same.
            forget(connection, &subscription.endpoint)?;
            connection.execute(
                "INSERT OR REPLACE INTO subscriptions (session_id, endpoint, p256dh, auth) VALUES (?1, ?2, ?3, ?4)",
                params![
                    session.id,
                    subscription.endpoint.as_str(),
                    subscription.p256dh.as_slice(),
                    subscription.auth.as_slice()
                ],
            )?;
            connection.execute(
                "DELETE FROM subscriptions WHERE session_id IN
                     (SELECT session_id FROM subscriptions JOIN sessions ON sessions.id = session_id
                      WHERE friend_id = ?1 ORDER BY session_id = ?2 DESC, last_used_ms DESC, session_id DESC
                      LIMIT -1 OFFSET ?3)",
                params![session.friend_id, session.id, MAX_PER_FRIEND],
            )?;
            Ok(())
        })
    }

    /// Wakes a session's browser no more. May be repeated.
    pub(crate) fn unsubscribe(&mut self, session_id: i64) -> Result<(), StoreError> {
        self.write("forgetting where a browser is notified", |connection| {
            connection.execute("DELETE FROM subscriptions WHERE session_id = ?1", params![session_id])?;
            Ok(())
        })
    }

    /// Forgets an endpoint that leads nowhere any more.
    pub(crate) fn forget_endpoint(&mut self, endpoint: &str) -> Result<(), StoreError> {
        self.write("forgetting where a browser was notified", |connection| {
            forget(connection, endpoint)
        })
    }

    /// Where a friend's browsers are woken, with the session of each that has not ended.
    pub(crate) fn subscriptions(&self, friend_id: i64, now_ms: i64) -> Result<Vec<(i64, Subscription)>, StoreError> {
        self.read("looking up where a friend is notified", |connection| {
            if self.wakes_any.get().is_none() {
                let any = connection.query_row("SELECT 1 FROM subscriptions LIMIT 1", params![], |_| Ok(()))?;
                self.wakes_any.set(Some(any.is_some()));
            }
            if self.wakes_any.get() == Some(false) {
                return Ok(Vec::new());
            }
            Ok(connection.query(
                "SELECT session_id, endpoint, p256dh, auth
                 FROM subscriptions JOIN sessions ON sessions.id = session_id
                 WHERE friend_id = ?1 AND last_used_ms > ?2",
                params![friend_id, self.dead_before_ms(now_ms)],
                |row| {
                    let subscription = Subscription {
                        endpoint: row.get(1)?,
                        p256dh: row.get(2)?,
                        auth: row.get(3)?,
                    };
                    Ok((row.get(0)?, subscription))
                },
            )?)
        })
    }
}

fn forget(connection: &Connection, endpoint: &str) -> Result<(), StoreError> {
    connection.execute("DELETE FROM subscriptions WHERE endpoint = ?1", params![endpoint])?;
    Ok(())
}
