//! Where an OAuth grant is kept, so that the workers of a fleet share one: one of them renews it, the others pick it up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::json::text;
use crate::secret::Secret;

/// What a store answers, some time.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps one grant for all workers of a fleet. The client asks it at most every few seconds and around renewals; when it
/// fails, a worker goes on with what it has.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// The grant as it was saved last; none when none ever was.
    fn load(&self) -> StoreFuture<'_, Option<StoredGrant>>;

    /// The right to renew the grant, for at most `life`; none while another worker has it.
    fn lease(&self, life: Duration) -> StoreFuture<'_, Option<Lease>>;

    /// Keeps a grant in place of the last one, whole or not at all, and only while the lease holds.
    fn save<'a>(&'a self, lease: &'a Lease, grant: &'a StoredGrant) -> StoreFuture<'a, ()>;

    /// Gives a lease back before it ends; one that has ended already is no error.
    fn release(&self, lease: Lease) -> StoreFuture<'_, ()>;
}

/// The right to renew a grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease(pub String);

/// Why a store failed; without secrets.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the token store failed: {0}")]
pub struct StoreError(pub String);

/// What an account's owner granted, and the access token made of it last.
#[derive(Clone, Debug)]
pub struct StoredGrant {
    /// Makes access tokens; HubSpot may replace it with each of them.
    pub refresh_token: Secret,
    /// The access token, when one was made.
    pub access: Option<StoredAccess>,
    /// Another number whenever anything of the grant changes; one more than before.
    pub version: u64,
    /// Why nothing may be sent any more, when somebody has cut the connection or HubSpot has revoked it.
    pub disconnected: Option<String>,
}

/// An access token and its life.
#[derive(Clone, Debug)]
pub struct StoredAccess {
    /// The token.
    pub token: Secret,
    /// From when a new one is made.
    pub renew_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl StoredGrant {
    /// A grant that no access token was made of yet.
    #[must_use]
    pub const fn new(refresh_token: Secret) -> Self {
        Self {
            refresh_token,
            access: None,
            version: 0,
            disconnected: None,
        }
    }

    /// The grant as JSON with its secrets, for a store that encrypts it.
    #[must_use]
    pub fn expose_json(&self) -> String {
        let access = self.access.as_ref().map(|access| {
            json!({
                "token": access.token.expose(),
                "renew_at": access.renew_at.to_string(),
                "expires_at": access.expires_at.to_string(),
            })
        });
        json!({
            "v": 1,
            "refresh_token": self.refresh_token.expose(),
            "access": access,
            "version": self.version,
            "disconnected": self.disconnected,
        })
        .to_string()
    }

    /// Reads what [`StoredGrant::expose_json`] wrote; `None` when it is anything else, a later format included.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(json).ok()?;
        if text(&value, "v").as_deref() != Some("1") {
            return None;
        }
        let access = match value.get("access") {
            None | Some(Value::Null) => None,
            Some(access) => Some(StoredAccess {
                token: Secret::new(&text(access, "token")?),
                renew_at: text(access, "renew_at")?.parse().ok()?,
                expires_at: text(access, "expires_at")?.parse().ok()?,
            }),
        };
        Some(Self {
            refresh_token: Secret::new(&text(&value, "refresh_token")?),
            access,
            version: text(&value, "version")?.parse().ok()?,
            disconnected: text(&value, "disconnected"),
        })
    }
}

/// A store of one worker alone.
#[derive(Default, Debug)]
pub(crate) struct LocalTokens {
    grant: Mutex<Option<StoredGrant>>,
}

impl TokenStore for LocalTokens {
    fn load(&self) -> StoreFuture<'_, Option<StoredGrant>> {
        let grant = self.grant.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = grant.clone();
        Box::pin(async { Ok(grant) })
    }

    /// Whoever renews holds the client's own lock already.
    fn lease(&self, _: Duration) -> StoreFuture<'_, Option<Lease>> {
        Box::pin(async { Ok(Some(Lease(String::new()))) })
    }

    fn save<'a>(&'a self, _: &'a Lease, grant: &'a StoredGrant) -> StoreFuture<'a, ()> {
        let mut kept = self.grant.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(grant.clone());
        Box::pin(async { Ok(()) })
    }

    fn release(&self, _: Lease) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::{StoredAccess, StoredGrant};
    use crate::secret::Secret;

    fn grant() -> StoredGrant {
        StoredGrant {
            refresh_token: Secret::new("re"),
            access: Some(StoredAccess {
                token: Secret::new("ac"),
                renew_at: "2026-11-23T10:24:00Z".parse().unwrap(),
                expires_at: "2026-11-23T10:30:00Z".parse().unwrap(),
            }),
            version: 7,
            disconnected: Some("why".to_owned()),
        }
    }

    #[test]
    fn a_grant_survives_being_written_and_read() {
        let json = grant().expose_json();
        assert_eq!(
            json,
            r#"{"v":1,"refresh_token":"re","access":{"token":"ac","renew_at":"2026-11-23T10:24:00Z","expires_at":"2026-11-23T10:30:00Z"},"version":7,"disconnected":"why"}"#
        );
        assert_eq!(StoredGrant::parse(&json).unwrap().expose_json(), json);
        let bare = StoredGrant::new(Secret::new("re")).expose_json();
        assert_eq!(StoredGrant::parse(&bare).unwrap().expose_json(), bare);
        for other in [
            "",
            "{}",
            r#"{"v":2,"refresh_token":"re","version":1}"#,
            r#"{"v":1,"refresh_token":"re","access":{},"version":1}"#,
        ] {
            assert!(StoredGrant::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_grant_prints_no_secret() {
        let shown = format!("{:?}", grant());
        assert!(
            !shown.contains("re\"") && !shown.contains("ac\""),
            "{shown}"
        );
    }
}
