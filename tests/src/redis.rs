//! A real Redis, as tests need it: a key prefix of their own, and a look at what stands there.

use anyhow::{Context as _, Result};
use redis::AsyncCommands as _;

use crate::services::unique;

/// A part of a Redis that no other test uses.
#[derive(Debug, Clone)]
pub struct Redis {
    /// The URL of the server.
    pub url: String,
    /// The key prefix of this test.
    pub prefix: String,
}

impl Redis {
    pub(crate) fn at(url: &str, label: &str) -> Redis {
        Redis {
            url: url.to_owned(),
            prefix: unique(label),
        }
    }

    /// Every key under the prefix, sorted.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn keys(&self) -> Result<Vec<String>> {
        let client = redis::Client::open(self.url.as_str())?;
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .with_context(|| format!("no answer from {}", self.url))?;
        let mut keys = Vec::new();
        let mut found = connection
            .scan_match::<_, String>(format!("{}:*", self.prefix))
            .await?;
        while let Some(key) = found.next_item().await {
            keys.push(key?);
        }
        keys.sort();
        Ok(keys)
    }
}
