//! What one worker knows of its grant: the access token on its own clock, and what went wrong with the last renewal.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::clock;
use crate::grant::{Granted, TokenError};
use crate::secret::Secret;
use crate::store::{StoredAccess, StoredGrant};

/// How long after a failed renewal the next one is tried, so that a broken token endpoint is not stormed.
const PAUSE: Duration = Duration::from_secs(5);
/// The same after a refusal, which only a person can change (fleet.md iv.1).
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// How old the view of a shared store may be: so long a disconnection or another worker's token may go unnoticed.
const VIEW_AGE: Duration = Duration::from_secs(5);
/// The part of its life after which a token is renewed.
pub(crate) const RENEWED_AFTER: f64 = 0.8;

/// A token, and which of several it is.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) secret: Secret,
    pub(crate) version: u64,
}

/// What this worker knows of the grant.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) grant: StoredGrant,
    pub(crate) access: Option<Access>,
    /// When the store was looked at last.
    pub(crate) seen_at: Option<Instant>,
    /// The grant could not be saved: it is newer than what the store has.
    pub(crate) unsaved: bool,
    /// The last renewal failed: why, and until when it is not tried again.
    pub(crate) failed: Option<(TokenError, Instant)>,
}

/// The access token on this worker's own clock.
#[derive(Debug)]
pub(crate) struct Access {
    secret: Secret,
    pub(crate) renew_at: Instant,
    pub(crate) expires_at: Instant,
}

impl Known {
    pub(crate) const fn of(grant: StoredGrant) -> Self {
        Self {
            grant,
            access: None,
            seen_at: None,
            unsaved: false,
            failed: None,
        }
    }

    pub(crate) fn is_view_old(&self, now: Instant) -> bool {
        self.seen_at.is_none_or(|at| now >= at + VIEW_AGE)
    }

    /// Whether anything may be sent at all.
    pub(crate) fn check(&self) -> Result<(), TokenError> {
        match &self.grant.disconnected {
            None => Ok(()),
            Some(message) => Err(TokenError::Revoked {
                message: message.clone(),
            }),
        }
    }

    pub(crate) fn usable_now(&self) -> Option<Bearer> {
        self.usable(Instant::now(), |access| access.expires_at)
    }

    pub(crate) fn usable(
        &self,
        now: Instant,
        until: impl Fn(&Access) -> Instant,
    ) -> Option<Bearer> {
        let access = self.access.as_ref().filter(|access| now < until(access))?;
        Some(Bearer {
            secret: access.secret.clone(),
            version: self.grant.version,
        })
    }

    /// Takes what another worker or a person has saved.
    pub(crate) fn adopt(&mut self, grant: StoredGrant, now: Instant) {
        let wall = clock::now();
        let left =
            |until: Timestamp| Duration::try_from(until.duration_since(wall)).unwrap_or_default();
        self.access = grant.access.as_ref().map(|access| Access {
            secret: access.token.clone(),
            renew_at: now + left(access.renew_at),
            expires_at: now + left(access.expires_at),
        });
        self.grant = grant;
        self.failed = None;
        self.unsaved = false;
    }

    /// Counts a token's life from before it was asked for, so that it is never believed longer than it lives.
    pub(crate) fn take(&mut self, granted: Granted, asked_at: Instant) -> Bearer {
        let renewed_after = granted.life.mul_f64(RENEWED_AFTER);
        let asked_ago = asked_at.elapsed();
        let wall = clock::now();
        let until = |after: Duration| {
            let left = after.saturating_sub(asked_ago);
            wall.checked_add(left).unwrap_or(wall)
        };
        self.failed = None;
        if let Some(rotated) = granted.refresh_token {
            self.grant.refresh_token = rotated;
        }
        self.grant.version += 1;
        self.grant.disconnected = None;
        self.grant.access = Some(StoredAccess {
            token: granted.access_token.clone(),
            renew_at: until(renewed_after),
            expires_at: until(granted.life),
        });
        self.access = Some(Access {
            secret: granted.access_token.clone(),
            renew_at: asked_at + renewed_after,
            expires_at: asked_at + granted.life,
        });
        Bearer {
            secret: granted.access_token,
            version: self.grant.version,
        }
    }

    pub(crate) fn remember(&mut self, error: TokenError) -> TokenError {
        let pause = match &error {
            TokenError::Refused { .. } | TokenError::Revoked { .. } => REFUSED_PAUSE,
            TokenError::Passing { after, .. } => after.map_or(PAUSE, |after| after.max(PAUSE)),
            TokenError::Stopped => return error,
        };
        self.failed = Some((error.clone(), Instant::now() + pause));
        error
    }
}
