//! The token of a call: a private app's own, or an OAuth access token that is renewed before it expires, by one caller
//! at a time (hubspot-api.md §11).

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, Url};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::headers;
use crate::json::text;
use crate::outcome::Cause;
use crate::secret::Secret;
use crate::settings::Auth;
use crate::transport::{Ask, Transport, Trouble};
use crate::words::clean;

/// How long a token lives when the answer does not say (hubspot-api.md §11).
const DEFAULT_LIFE: Duration = Duration::from_secs(1_800);
/// The longest life that is believed; it keeps the arithmetic of instants safe.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How long after a failed renewal the next one is tried, so that a broken token endpoint is not stormed.
const PAUSE: Duration = Duration::from_secs(5);
/// The same after a refusal, which only a person can change (fleet.md iv.1).
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Where the tokens of calls come from.
#[derive(Debug)]
pub(crate) enum Tokens {
    Private(Secret),
    OAuth(Box<OAuth>),
}

/// A token, and which of several it is.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) secret: Secret,
    generation: u64,
}

/// Why there is no token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TokenError {
    /// HubSpot does not grant one: somebody has to act.
    Refused { message: String },
    /// The token endpoint is in trouble.
    Passing {
        cause: Cause,
        after: Option<Duration>,
    },
    /// The caller stopped waiting.
    Stopped,
}

/// An app's grant and the access token made from it.
#[derive(Debug)]
pub(crate) struct OAuth {
    url: Url,
    timeout: Duration,
    client_id: String,
    client_secret: Secret,
    // Held across the exchange on purpose: whoever waits here wants the token that the exchange brings.
    grant: Mutex<Grant>,
}

#[derive(Debug)]
struct Grant {
    refresh_token: Secret,
    access: Option<Access>,
    generation: u64,
    /// The last renewal failed: why, and until when it is not tried again.
    failed: Option<(TokenError, Instant)>,
}

#[derive(Debug)]
struct Access {
    secret: Secret,
    renew_at: Instant,
    expires_at: Instant,
}

impl Tokens {
    pub(crate) fn new(auth: Auth, url: Url, timeout: Duration) -> Self {
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
                grant: Mutex::new(Grant {
                    refresh_token,
                    access: None,
                    generation: 0,
                    failed: None,
                }),
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
                generation: 0,
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
}

impl OAuth {
    async fn current(
        &self,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        let mut grant = self.grant.lock().await;
        let now = Instant::now();
        if let Some(bearer) = grant.usable(now, |access| access.renew_at) {
            return Ok(bearer);
        }
        match self.renew(&mut grant, now, transport, stop).await {
            Ok(bearer) => Ok(bearer),
            // Four fifths of its life are over, but it still works.
            Err(error) => grant
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
        let mut grant = self.grant.lock().await;
        let now = Instant::now();
        if grant.generation == refused.generation {
            grant.access = None;
        }
        if let Some(bearer) = grant.usable(now, |access| access.expires_at) {
            return Ok(bearer);
        }
        self.renew(&mut grant, now, transport, stop).await
    }

    async fn renew(
        &self,
        grant: &mut Grant,
        now: Instant,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Result<Bearer, TokenError> {
        if let Some((error, until)) = &grant.failed
            && now < *until
        {
            return Err(error.clone());
        }
        let ask = self.ask(&grant.refresh_token);
        match granted(transport.exchange(&ask, None, stop).await) {
            Ok(granted) => Ok(grant.take(granted, now)),
            Err(error) => {
                grant.remember(&error);
                Err(error)
            }
        }
    }

    fn ask(&self, refresh_token: &Secret) -> Ask {
        let mut form = Url::parse("form:").expect("a literal URL parses");
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose())
            .append_pair("refresh_token", refresh_token.expose());
        let body = Bytes::from(form.query().unwrap_or_default().to_owned());
        Ask {
            method: Method::POST,
            url: self.url.clone(),
            body: Some((body, "application/x-www-form-urlencoded")),
            timeout: self.timeout,
        }
    }
}

impl Grant {
    fn usable(&self, now: Instant, until: impl Fn(&Access) -> Instant) -> Option<Bearer> {
        let access = self.access.as_ref().filter(|access| now < until(access))?;
        Some(Bearer {
            secret: access.secret.clone(),
            generation: self.generation,
        })
    }

    /// Counts a token's life from before it was asked for, so that it is never believed longer than it lives.
    fn take(&mut self, granted: Granted, asked_at: Instant) -> Bearer {
        self.generation += 1;
        self.failed = None;
        if let Some(rotated) = granted.refresh_token {
            self.refresh_token = rotated;
        }
        self.access = Some(Access {
            secret: granted.access_token.clone(),
            renew_at: asked_at + granted.life.mul_f64(0.8),
            expires_at: asked_at + granted.life,
        });
        Bearer {
            secret: granted.access_token,
            generation: self.generation,
        }
    }

    fn remember(&mut self, error: &TokenError) {
        let pause = match error {
            TokenError::Refused { .. } => REFUSED_PAUSE,
            TokenError::Passing { after, .. } => after.map_or(PAUSE, |after| after.max(PAUSE)),
            TokenError::Stopped => return,
        };
        self.failed = Some((error.clone(), Instant::now() + pause));
    }
}

struct Granted {
    access_token: Secret,
    refresh_token: Option<Secret>,
    life: Duration,
}

/// Reads the token endpoint's answer. 429, 477 and 5xx pass, whatever their bodies say (hubspot-api.md §11.1).
fn granted(answer: Result<Answer, Trouble>) -> Result<Granted, TokenError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Trouble::Stopped) => return Err(TokenError::Stopped),
        Err(Trouble::Failed(cause)) => return Err(TokenError::Passing { cause, after: None }),
        Err(Trouble::Redirected { status, host }) => {
            let message = format!("the token endpoint redirects to {host} (status {status})");
            return Err(TokenError::Refused { message });
        }
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200..=299 => grant_of(&body).ok_or(TokenError::Passing {
            cause: Cause::Broken,
            after: None,
        }),
        status @ (408 | 423 | 429 | 477 | 500..=599) => Err(TokenError::Passing {
            cause: Cause::Server(status),
            after: headers::retry_after(&answer.headers, crate::clock::now()),
        }),
        status => Err(TokenError::Refused {
            message: refusal(status, &body),
        }),
    }
}

fn grant_of(body: &Value) -> Option<Granted> {
    let life = text(body, "expires_in")
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(DEFAULT_LIFE);
    Some(Granted {
        access_token: secret(body, "access_token")?,
        refresh_token: secret(body, "refresh_token"),
        life: life.min(MAX_LIFE),
    })
}

/// A token is visible ASCII; anything else could not be sent.
fn secret(body: &Value, key: &str) -> Option<Secret> {
    let token = text(body, key)?;
    let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    sound.then(|| Secret::new(&token))
}

fn refusal(status: u16, body: &Value) -> String {
    let code = text(body, "status").or_else(|| text(body, "error"));
    let words = text(body, "message").or_else(|| text(body, "error_description"));
    let told: Vec<String> = code.into_iter().chain(words).collect();
    match told.is_empty() {
        true => format!("the token endpoint answered {status}"),
        false => clean(&told.join(": "), &[]),
    }
}
