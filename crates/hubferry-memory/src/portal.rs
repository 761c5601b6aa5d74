//! Which portal a credential belongs to: known before the first call, so that even that call keeps the portal's limit.

use std::time::Duration;

use deadpool_redis::Pool;
use tokio::time::timeout;

use crate::error::MemoryError;
use crate::person::{hash, hex};

/// A credential, as a hash: it opens nothing and names no one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CredentialKey(String);

impl CredentialKey {
    /// Hashes what tells one credential from another: a token, or the id of an OAuth app and its refresh token.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(hex(hash(&[b"credential", secret.as_bytes()])))
    }

    fn key(&self, prefix: &str) -> String {
        format!("{prefix}:v1:portal:{}", self.0)
    }
}

const DEADLINE: Duration = Duration::from_secs(2);
const REMEMBERED: Duration = Duration::from_hours(30 * 24);
/// The version that stands before a value.
const VERSION: &str = "1:";

/// The portal a worker of the fleet has found behind a credential in the last 30 days.
///
/// # Errors
///
/// Redis does not answer, or with an error.
pub async fn known_portal(
    pool: &Pool,
    prefix: &str,
    credential: &CredentialKey,
) -> Result<Option<u64>, MemoryError> {
    let ask = async {
        let mut connection = pool.get().await.map_err(MemoryError::Unreachable)?;
        let mut get = ::redis::cmd("GET");
        get.arg(credential.key(prefix));
        let value: Option<String> = get
            .query_async(&mut connection)
            .await
            .map_err(MemoryError::Failed)?;
        Ok(value.and_then(|value| value.strip_prefix(VERSION)?.parse().ok()))
    };
    timeout(DEADLINE, ask)
        .await
        .unwrap_or(Err(MemoryError::TooSlow(DEADLINE)))
}

/// Remembers the portal behind a credential.
///
/// # Errors
///
/// Redis does not answer, or with an error.
pub async fn keep_portal(
    pool: &Pool,
    prefix: &str,
    credential: &CredentialKey,
    portal: u64,
) -> Result<(), MemoryError> {
    let ask = async {
        let mut connection = pool.get().await.map_err(MemoryError::Unreachable)?;
        let mut set = ::redis::cmd("SET");
        set.arg(credential.key(prefix))
            .arg(format!("{VERSION}{portal}"))
            .arg("EX")
            .arg(REMEMBERED.as_secs());
        set.query_async::<()>(&mut connection)
            .await
            .map_err(MemoryError::Failed)
    };
    timeout(DEADLINE, ask)
        .await
        .unwrap_or(Err(MemoryError::TooSlow(DEADLINE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_kept_as_a_hash_only() {
        let key = CredentialKey::of("pat-na1-secret").key("hubferry");
        assert!(
            key.starts_with("hubferry:v1:portal:") && !key.contains("secret"),
            "{key}"
        );
        assert_ne!(CredentialKey::of("a"), CredentialKey::of("b"));
    }
}
