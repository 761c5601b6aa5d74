//! A connection that somebody has cut: no process of the fleet sends with it until somebody connects it again.
//!
//! The cut is one key. Every process that uses the connection looks at it twice a second and writes down what it has seen,
//! so that whoever cuts can wait until all have.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::Pool;
use hubferry_hubspot::{Client, StoreError};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Keys, connection, in_time, said};
use crate::clock::now_ms;
use crate::config::hex;

/// How often a process looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A process that has not looked for so long is gone.
const GONE_AFTER_MS: i64 = 10_000;
/// How long whoever cuts waits for the others.
const PATIENCE: Duration = Duration::from_secs(15);

/// The switch of one connection.
pub(crate) struct Cut {
    pool: Pool,
    keys: Keys,
    /// Tells this process from others.
    own: String,
    /// What the client does already.
    followed: Mutex<String>,
}

/// A connection that was cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CutState {
    /// Tells one cut from the next.
    pub(crate) id: String,
    /// When, in milliseconds since 1970.
    pub(crate) since_ms: i64,
}

impl CutState {
    fn to_json(&self) -> String {
        json!({"v": 1, "id": self.id, "since_ms": self.since_ms}).to_string()
    }

    /// Whatever stands there says that the connection is cut.
    fn read(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let id = value.get("id").and_then(Value::as_str).unwrap_or(text);
        Self {
            id: id.to_owned(),
            since_ms: value
                .get("since_ms")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
        }
    }
}

impl Cut {
    /// The switch under these keys.
    pub(crate) fn new(pool: Pool, keys: Keys) -> Self {
        Self {
            pool,
            keys,
            own: hex(&rand::random::<[u8; 8]>()),
            followed: Mutex::default(),
        }
    }

    /// Whether the connection is cut.
    ///
    /// # Errors
    ///
    /// Redis does not answer.
    pub(crate) async fn state(&self) -> Result<Option<CutState>, StoreError> {
        in_time(async {
            let mut connection = connection(&self.pool).await?;
            let mut get = redis::cmd("GET");
            get.arg(&self.keys.cut);
            let text: Option<String> = get.query_async(&mut connection).await.map_err(said)?;
            Ok(text.map(|text| CutState::read(&text)))
        })
        .await
    }

    /// Looks once, and makes the client do as the switch says. While Redis is away everything stays as it was.
    pub(crate) async fn follow(&self, client: &Client) -> Result<(), StoreError> {
        let state = self.state().await?;
        match (&state, client.is_disconnected()) {
            (Some(_), false) => client.disconnect(),
            (None, true) => client.reconnect().await,
            (Some(_), true) | (None, false) => {}
        }
        self.say_seen(state.as_ref()).await
    }

    /// Says what was seen the time before: a call that was just about to leave when the client was stopped has left by now.
    async fn say_seen(&self, state: Option<&CutState>) -> Result<(), StoreError> {
        let now_seen = state.map_or_else(String::new, |state| state.id.clone());
        let seen = {
            let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *followed, now_seen)
        };
        let (now, life) = (now_ms(), GONE_AFTER_MS.saturating_mul(6));
        in_time(async {
            let mut connection = connection(&self.pool).await?;
            let mut both = redis::pipe();
            both.hset(&self.keys.seen, &self.own, format!("{now} {seen}"))
                .ignore()
                .pexpire(&self.keys.seen, life)
                .ignore();
            both.query_async::<()>(&mut connection).await.map_err(said)
        })
        .await
    }

    /// This process uses the connection no more.
    pub(crate) async fn leave(&self) {
        let left = in_time(async {
            let mut connection = connection(&self.pool).await?;
            let mut delete = redis::cmd("HDEL");
            delete.arg(&self.keys.seen).arg(&self.own);
            delete
                .query_async::<i64>(&mut connection)
                .await
                .map_err(said)
        });
        if let Err(error) = left.await {
            tracing::debug!(%error, "could not sign off");
        }
    }

    /// Cuts the connection and waits until every process that uses it has seen it; gives how many there are.
    ///
    /// # Errors
    ///
    /// Redis does not answer, or some process does not look any more though it did a moment ago.
    pub(crate) async fn cut(&self) -> Result<usize, StoreError> {
        let state = CutState {
            id: hex(&rand::random::<[u8; 8]>()),
            since_ms: now_ms(),
        };
        in_time(async {
            let mut connection = connection(&self.pool).await?;
            let mut set = redis::cmd("SET");
            set.arg(&self.keys.cut).arg(state.to_json());
            set.query_async::<()>(&mut connection).await.map_err(said)
        })
        .await?;
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            let (behind, all) = self.behind(&state).await?;
            if behind == 0 {
                return Ok(all);
            }
            if Instant::now() >= give_up_at {
                let message =
                    format!("{behind} of {all} processes have not said that they stopped");
                return Err(StoreError(message));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many living processes have not seen this cut, and how many there are.
    async fn behind(&self, state: &CutState) -> Result<(usize, usize), StoreError> {
        let all: BTreeMap<String, String> = in_time(async {
            let mut connection = connection(&self.pool).await?;
            let mut get = redis::cmd("HGETALL");
            get.arg(&self.keys.seen);
            get.query_async(&mut connection).await.map_err(said)
        })
        .await?;
        let oldest = now_ms().saturating_sub(GONE_AFTER_MS);
        let living = all.values().filter_map(|said| said.split_once(' '));
        let living = living.filter(|(at, _)| at.parse::<i64>().is_ok_and(|at| at >= oldest));
        let living: Vec<&str> = living.map(|(_, seen)| seen).collect();
        let behind = living.iter().filter(|seen| **seen != state.id).count();
        Ok((behind, living.len()))
    }

    /// Connects again; says whether it was cut.
    ///
    /// # Errors
    ///
    /// Redis does not answer.
    pub(crate) async fn mend(&self) -> Result<bool, StoreError> {
        in_time(async {
            let mut connection = connection(&self.pool).await?;
            let mut delete = redis::cmd("DEL");
            delete.arg(&self.keys.cut);
            let deleted: i64 = delete.query_async(&mut connection).await.map_err(said)?;
            Ok(deleted > 0)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::CutState;

    #[test]
    fn what_stands_there_says_that_it_is_cut_whatever_it_is() {
        let state = CutState {
            id: "7f".to_owned(),
            since_ms: 12,
        };
        assert_eq!(CutState::read(&state.to_json()), state);
        assert_eq!(CutState::read("by hand").id, "by hand");
    }
}
