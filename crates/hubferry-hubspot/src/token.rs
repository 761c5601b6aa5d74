//! The token of a call: a private app's own, or an OAuth access token that is renewed before it expires, by one worker of
//! the fleet at a time (hubspot-api.md §11, actions.md §1).

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::grant;
pub(crate) use crate::grant::TokenError;
use crate::known::{Bearer, Known};
use crate::outcome::Cause;
use crate::secret::Secret;
use crate::settings::Auth;
use crate::store::{Lease, LocalTokens, StoreError, StoredGrant, TokenStore};
use crate::transport::Transport;

/// How often the store is looked at while another worker renews.
const LOOK: Duration = Duration::from_millis(200);
/// How much longer than the exchange a lease lasts, for saving what it brought.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// Where the tokens of calls come from.
#[derive(Debug)]
pub(crate) enum Tokens {
    Private(Secret),
    OAuth(Box<OAuth>),
}

/// What a client signs in with.
pub(crate) enum Credentials {
    Private(Secret),
    OAuth {
        client_id: String,
        client_secret: Secret,
        access: Secret,
    },
}

/// An app's grant and the access token made from it.
#[derive(Debug)]
pub(crate) struct OAuth {
    url: Url,
    timeout: Duration,
    client_id: String,
    client_secret: Secret,
    store: Arc<dyn TokenStore>,
    /// Whether other workers see the store.
    shared: bool,
    // Held across the exchange on purpose: whoever waits here wants the token that the exchange brings.
    known: Mutex<Known>,
}

impl Tokens {
    /// `store` is what the fleet shares; without one the grant lives and ends with this client.
    pub(crate) fn new(
        auth: Auth,
        store: Option<Arc<dyn TokenStore>>,
        url: Url,
        timeout: Duration,
    ) -> Self {
        match auth {
            Auth::Private(token) => Self::Private(token),
            Auth::OAuth {
                client_id,
                client_secret,
                refresh_token,
            } => Self::OAuth(Box::new(OAuth {
                url,
                timeout,
                client_id,
                client_secret,
                shared: store.is_some(),
                store: store.unwrap_or_else(|| Arc::new(LocalTokens::default())),
                known: Mutex::new(Known::of(StoredGrant::new(refresh_token))),
            })),
        }
    }

    /// The token to use now.
    pub(crate) async fn current(
        &self,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        match self {
            Self::Private(token) => Ok(Bearer {
                secret: token.clone(),
                version: 0,
            }),
            Self::OAuth(oauth) => oauth.current(transport, stop).await,
        }
    }

    /// Another token than the one that was refused; none when there can be no other.
    pub(crate) async fn instead_of(
        &self,
        refused: &Bearer,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Option<Bearer>, TokenError> {
        match self {
            Self::Private(_) => Ok(None),
            Self::OAuth(oauth) => oauth.instead_of(refused, transport, stop).await.map(Some),
        }
    }

    /// What the client signs in with now.
    pub(crate) async fn credentials(
        &self,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Credentials, TokenError> {
        match self {
            Self::Private(token) => Ok(Credentials::Private(token.clone())),
            Self::OAuth(oauth) => Ok(Credentials::OAuth {
                client_id: oauth.client_id.clone(),
                client_secret: oauth.client_secret.clone(),
                access: oauth.current(transport, stop).await?.secret,
            }),
        }
    }

    /// Looks at the store anew with the next call, whatever failed before.
    pub(crate) async fn forget_failures(&self) {
        if let Self::OAuth(oauth) = self {
            let mut known = oauth.known.lock().await;
            known.failed = None;
            known.seen_at = None;
        }
    }
}

impl OAuth {
    async fn current(
        &self,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        if known.is_view_old(now) {
            self.look(&mut known, now).await;
        }
        known.check()?;
        if let Some(bearer) = known.usable(now, |access| access.renew_at) {
            return Ok(bearer);
        }
        match self.renew(&mut known, now, transport, stop).await {
            Ok(bearer) => Ok(bearer),
            Err(error @ TokenError::Revoked { .. }) => Err(error),
            // Four fifths of its life are over, but it still works.
            Err(error) => known
                .usable(Instant::now(), |access| access.expires_at)
                .ok_or(error),
        }
    }

    async fn instead_of(
        &self,
        refused: &Bearer,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        self.look(&mut known, now).await;
        known.check()?;
        if known.grant.version == refused.version {
            known.access = None;
        }
        if let Some(bearer) = known.usable(now, |access| access.expires_at) {
            return Ok(bearer);
        }
        self.renew(&mut known, now, transport, stop).await
    }

    /// Takes from the store what is new there, or brings it what could not be saved before. A store that fails changes
    /// nothing.
    async fn look(&self, known: &mut Known, now: Instant) {
        known.seen_at = Some(now);
        let stored = match self.store.load().await {
            Ok(stored) => stored,
            Err(error) => return warn(&error),
        };
        let version = known.grant.version;
        let is_stale = |stored: &StoredGrant| known.unsaved && stored.version < version;
        match stored {
            Some(grant) if grant.version != version && !is_stale(&grant) => known.adopt(grant, now),
            _ if known.unsaved => self.save_late(known).await,
            _ => {}
        }
    }

    async fn save_late(&self, known: &mut Known) {
        match self.store.lease(LEASE_MARGIN).await {
            Ok(Some(lease)) => {
                self.save(known, Some(&lease)).await;
                self.release(lease).await;
            }
            Ok(None) => {}
            Err(error) => warn(&error),
        }
    }

    async fn release(&self, lease: Lease) {
        if let Err(error) = self.store.release(lease).await {
            warn(&error);
        }
    }

    async fn renew(
        &self,
        known: &mut Known,
        now: Instant,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        if let Some((error, until)) = &known.failed
            && now < *until
        {
            return Err(error.clone());
        }
        let before = known.grant.version;
        let lease = match self.lease(known, stop).await? {
            Turn::Ours(lease) => lease,
            // Another worker was faster.
            Turn::Theirs => return known.usable_now().ok_or(PASSING),
        };
        if lease.is_some() {
            self.look(known, now).await;
        }
        let is_new = known.grant.version != before;
        let renewed = match known.usable_now().filter(|_| is_new) {
            Some(bearer) => Ok(bearer),
            None => match known.check() {
                Ok(()) => self.exchange(known, lease.as_ref(), transport, stop).await,
                Err(error) => Err(error),
            },
        };
        if let Some(lease) = lease {
            self.release(lease).await;
        }
        renewed
    }

    /// The right to renew, once no other worker has it. A store that fails stops nobody: HubSpot lets several workers
    /// renew one grant (hubspot-api.md §11.1), it is only not wanted.
    async fn lease(&self, known: &mut Known, stop: &CancellationToken) -> Result<Turn, TokenError> {
        let life = self.timeout + LEASE_MARGIN;
        let before = known.grant.version;
        let give_up_at = Instant::now() + life;
        loop {
            match self.store.lease(life).await {
                Ok(Some(lease)) => return Ok(Turn::Ours(Some(lease))),
                Ok(None) if Instant::now() >= give_up_at => return Err(PASSING),
                Ok(None) => {}
                Err(error) => {
                    warn(&error);
                    return Ok(Turn::Ours(None));
                }
            }
            // The token in use may still work while another worker renews it.
            if known.usable_now().is_some() {
                return Ok(Turn::Theirs);
            }
            tokio::select! {
                // Whichever ends the wait, the store is asked again or not at all.
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return Err(TokenError::Stopped),
            }
            self.look(known, Instant::now()).await;
            known.check()?;
            if known.grant.version != before && known.usable_now().is_some() {
                return Ok(Turn::Theirs);
            }
        }
    }

    async fn exchange(
        &self,
        known: &mut Known,
        lease: Option<&Lease>,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        if known.grant.refresh_token.expose().is_empty() {
            let message = "no account is connected: sign in first".to_owned();
            return Err(known.remember(TokenError::Refused { message }));
        }
        let asked_at = Instant::now();
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", known.grant.refresh_token.expose()),
        ];
        let ask = grant::ask(&self.url, self.timeout, &pairs);
        match grant::granted(transport.exchange(&ask, None, stop).await) {
            Ok(granted) => {
                let bearer = known.take(granted, asked_at);
                self.save(known, lease).await;
                Ok(bearer)
            }
            Err(error) => {
                if let (TokenError::Revoked { message }, true) = (&error, self.shared) {
                    known.grant.disconnected = Some(message.clone());
                    known.grant.version += 1;
                    known.access = None;
                    self.save(known, lease).await;
                }
                Err(known.remember(error))
            }
        }
    }

    async fn save(&self, known: &mut Known, lease: Option<&Lease>) {
        let Some(lease) = lease else {
            known.unsaved = true;
            return;
        };
        let saved = self.store.save(lease, &known.grant).await;
        known.unsaved = saved.is_err();
        if let Err(error) = saved {
            warn(&error);
        }
    }
}

/// Whose turn it is to renew.
enum Turn {
    /// Ours; without a lease when the store failed.
    Ours(Option<Lease>),
    /// Another worker's.
    Theirs,
}

/// Another worker should have renewed the token and has not.
const PASSING: TokenError = TokenError::Passing {
    cause: Cause::Timeout,
    after: None,
};

fn warn(error: &StoreError) {
    tracing::warn!(%error, "the token store failed");
}
