//! Where OAuth grants are kept: sealed in Redis for a fleet, in the file of the refresh token for a process of its own.
//!
//! Beside the grant stand in Redis the lease of whoever renews it, and whether the connection was cut (`cut`).

mod cut;
mod file;

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Pool};
use hubferry_hubspot::{Auth, Lease, StoreError, StoreFuture, StoredGrant, TokenStore};
use hubferry_memory::CredentialKey;
use redis::Script;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::config::{Configuration, Destination, hex};
use crate::exit::Failure;
use crate::seal::SealKey;

pub(crate) use cut::{Cut, LOOK_EVERY};
use file::FileTokens;

/// How long Redis may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a connection keeps in Redis: the keys of one destination's credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Keys {
    /// The grant, sealed.
    grant: String,
    /// Who may renew it now.
    lease: String,
    /// Whether the connection was cut, and why.
    cut: String,
    /// The processes that use the connection, and what each has seen of the cut.
    seen: String,
}

impl Keys {
    /// Of a destination. An OAuth app has one grant per portal; while the portal is not configured the destination's
    /// name stands for it. A cut is one destination's alone.
    pub(crate) fn of(prefix: &str, destination: &Destination) -> Self {
        let portal = destination.hubspot.portal_id;
        let portal = portal.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let key = |of: &str| {
            let digest = Sha256::digest(of.as_bytes());
            format!("{prefix}:v1:{portal}:token:{}", hex(&digest[..12]))
        };
        let grant = key(&identity(destination));
        let own = key(&format!("destination {}", destination.name));
        Self {
            lease: format!("{grant}:lease"),
            cut: format!("{own}:cut"),
            seen: format!("{own}:seen"),
            grant,
        }
    }
}

/// What stays the same of a destination's credentials when tokens are replaced.
fn identity(destination: &Destination) -> String {
    let app = match &destination.hubspot.auth {
        Auth::Private(_) => "private",
        Auth::OAuth { client_id, .. } => client_id.as_str(),
    };
    match destination.hubspot.portal_id {
        Some(portal) => format!("{app} {portal}"),
        None => format!("{app} {}", destination.name),
    }
}

/// By what the fleet remembers the portal behind these credentials.
pub(crate) fn credential(destination: &Destination) -> CredentialKey {
    match &destination.hubspot.auth {
        Auth::Private(token) => CredentialKey::of(token.expose()),
        // Its tokens come and go.
        Auth::OAuth { .. } => CredentialKey::of(&format!("oauth {}", identity(destination))),
    }
}

/// Where the grant of a destination is kept; `None` for a private app, whose token is no grant.
///
/// # Errors
///
/// Redis does not answer, or what it has was sealed with another key.
pub(crate) async fn store(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
) -> Result<Option<Arc<dyn TokenStore>>, Failure> {
    let Auth::OAuth { refresh_token, .. } = &destination.hubspot.auth else {
        return Ok(None);
    };
    let (Some(pool), Some(redis)) = (pool, &configuration.redis) else {
        let file = destination.hubspot.refresh_token_file.clone();
        let store = file.map(|file| FileTokens::new(file, refresh_token.clone()));
        return Ok(store.map(|store| Arc::new(store) as Arc<dyn TokenStore>));
    };
    let Some(seal) = configuration.seal_key.clone() else {
        return Err(Failure::Usage(
            "config_invalid: secrets.key_file: missing: OAuth tokens are kept in redis sealed"
                .to_owned(),
        ));
    };
    let tokens = RedisTokens::new(pool.clone(), Keys::of(&redis.prefix, destination), seal);
    // A wrong key is said once at the start and not every few seconds.
    tokens
        .load()
        .await
        .map_err(|error| Failure::Outside(format!("destination {}: {error}", destination.name)))?;
    Ok(Some(Arc::new(tokens)))
}

/// A grant in Redis.
#[derive(Clone)]
pub(crate) struct RedisTokens {
    pool: Pool,
    keys: Keys,
    seal: SealKey,
}

impl std::fmt::Debug for RedisTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RedisTokens({})", self.keys.grant)
    }
}

/// Keeps a grant only while the lease is the writer's own.
const SAVE: &str = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1";

/// Deletes a lease only when it is the caller's own.
const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

impl RedisTokens {
    /// A grant under these keys.
    pub(crate) fn new(pool: Pool, keys: Keys, seal: SealKey) -> Self {
        Self { pool, keys, seal }
    }

    async fn read(&self) -> Result<Option<StoredGrant>, StoreError> {
        let asked = async {
            let mut connection = connection(&self.pool).await?;
            let mut get = redis::cmd("GET");
            get.arg(&self.keys.grant);
            let sealed: Option<String> = get.query_async(&mut connection).await.map_err(said)?;
            Ok(sealed)
        };
        let Some(sealed) = in_time(asked).await? else {
            return Ok(None);
        };
        let opened = self.seal.open(&sealed, &self.keys.grant);
        let plain = opened.map_err(|error| {
            StoreError(format!(
                "{}: {error}; check secrets.key_file",
                self.keys.grant
            ))
        })?;
        let grant = std::str::from_utf8(&plain)
            .ok()
            .and_then(StoredGrant::parse);
        grant
            .map(Some)
            .ok_or_else(|| StoreError(format!("{}: written by another version", self.keys.grant)))
    }

    async fn take_lease(&self, life: Duration) -> Result<Option<Lease>, StoreError> {
        let mine = hex(&rand::random::<[u8; 16]>());
        let asked = async {
            let mut connection = connection(&self.pool).await?;
            let mut set = redis::cmd("SET");
            set.arg(&self.keys.lease).arg(&mine).arg("NX").arg("PX");
            set.arg(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            let set: Option<String> = set.query_async(&mut connection).await.map_err(said)?;
            Ok(set.is_some())
        };
        let taken = in_time(asked).await?;
        Ok(taken.then_some(Lease(mine)))
    }

    async fn write(&self, lease: &Lease, grant: &StoredGrant) -> Result<(), StoreError> {
        let sealed = self
            .seal
            .seal(grant.expose_json().as_bytes(), &self.keys.grant)
            .map_err(|error| StoreError(error.to_string()))?;
        let asked = async {
            let mut connection = connection(&self.pool).await?;
            let script = Script::new(SAVE);
            let mut call = script.key(&self.keys.grant);
            call.key(&self.keys.lease).arg(&lease.0).arg(sealed);
            let saved: i64 = call.invoke_async(&mut connection).await.map_err(said)?;
            Ok(saved)
        };
        match in_time(asked).await? {
            1 => Ok(()),
            _ => Err(StoreError("the lease has ended".to_owned())),
        }
    }

    async fn give_back(&self, lease: Lease) -> Result<(), StoreError> {
        in_time(async {
            let mut connection = connection(&self.pool).await?;
            let script = Script::new(RELEASE);
            let mut call = script.key(&self.keys.lease);
            call.arg(&lease.0);
            call.invoke_async::<i64>(&mut connection)
                .await
                .map(drop)
                .map_err(said)
        })
        .await
    }
}

impl TokenStore for RedisTokens {
    fn load(&self) -> StoreFuture<'_, Option<StoredGrant>> {
        Box::pin(self.read())
    }

    fn lease(&self, life: Duration) -> StoreFuture<'_, Option<Lease>> {
        Box::pin(self.take_lease(life))
    }

    fn save<'a>(&'a self, lease: &'a Lease, grant: &'a StoredGrant) -> StoreFuture<'a, ()> {
        Box::pin(self.write(lease, grant))
    }

    fn release(&self, lease: Lease) -> StoreFuture<'_, ()> {
        Box::pin(self.give_back(lease))
    }
}

/// How long a change by a person waits for the lease of a renewal.
const PERSON_WAITS: Duration = Duration::from_secs(20);

/// Changes the grant of a store under its lease: `change` makes the new one of the old one, whose version follows.
///
/// # Errors
///
/// The store fails, or another process renews for longer than any renewal lasts.
pub(crate) async fn change(
    store: &dyn TokenStore,
    change: impl FnOnce(Option<StoredGrant>) -> StoredGrant,
) -> Result<(), StoreError> {
    let until = tokio::time::Instant::now() + PERSON_WAITS;
    let lease = loop {
        if let Some(lease) = store.lease(PERSON_WAITS).await? {
            break lease;
        }
        if tokio::time::Instant::now() >= until {
            return Err(StoreError("another process renews the token".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let saved = match store.load().await {
        Ok(old) => {
            let before = old.as_ref().map_or(0, |grant| grant.version);
            let mut grant = change(old);
            grant.version = before + 1;
            store.save(&lease, &grant).await
        }
        Err(error) => Err(error),
    };
    let released = store.release(lease).await;
    saved.and(released)
}

async fn connection(pool: &Pool) -> Result<Connection, StoreError> {
    let got = pool.get().await;
    got.map_err(|error| StoreError(format!("redis: {error}")))
}

fn said(error: redis::RedisError) -> StoreError {
    StoreError(format!("redis: {error}"))
}

async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = || Err(StoreError("redis did not answer within 2 s".to_owned()));
    timeout(DEADLINE, asked).await.unwrap_or_else(|_| late())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, load_text};

    fn destination(auth: &str, portal: &str) -> Destination {
        let text = format!(
            "destinations:\n- name: acme\n  hubspot: {{ auth: {{ {auth} }}{portal} }}\n  mappings:\n  - {{ name: c, action: upsertContact, trigger: type = \"identify\", use_defaults: true }}\n"
        );
        let loaded = load_text(&text, &Surroundings::default());
        let mut configuration = loaded.unwrap_or_else(|e| panic!("{e:#?}")).configuration;
        configuration.destinations.remove(0)
    }

    #[test]
    fn a_rotated_token_stays_in_its_place() {
        let of = |auth: &str, portal: &str| Keys::of("p", &destination(auth, portal)).grant;
        let app =
            |token| format!("kind: oauth, client_id: a, client_secret: s, refresh_token: {token}");
        let one = of(&app("r1"), "");
        assert_eq!(one, of(&app("r2"), ""));
        assert!(one.starts_with("p:v1:-:token:"), "{one}");
        let portal = of(&app("r1"), ", portal_id: 7");
        assert!(portal.starts_with("p:v1:7:token:"), "{portal}");
        assert_ne!(of("kind: private_app, token: t", ", portal_id: 7"), portal);
    }
}
