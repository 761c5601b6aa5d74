//! The client: a call in, exactly one outcome per step back, however it went.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use reqwest::{Method, Url};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::answer::{self, Answer};
use crate::body;
use crate::call::Call;
use crate::clock;
use crate::headers;
use crate::outcome::{Cause, Hold, Reply};
use crate::paths::{Addresses, Parts, Route};
use crate::probe::{self, AccountInfo, ProbeError};
use crate::settings::ClientSettings;
use crate::token::{Credentials, TokenError, Tokens};
use crate::transport::{Ask, ClientError, Transport, Trouble};

/// Calls of endpoints that take this many inputs have the time of a batch.
const LARGE_BATCH: usize = 100;

/// One portal's way to HubSpot. Share it behind an `Arc`: it keeps connections and the access token.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    tokens: Tokens,
    is_disconnected: AtomicBool,
    addresses: Addresses,
    timeouts: Timeouts,
}

#[derive(Clone, Copy, Debug)]
struct Timeouts {
    single: std::time::Duration,
    batch: std::time::Duration,
}

/// A call with its address and body made: everything slow, done before a permit is used.
pub struct Prepared {
    call: Call,
    ask: Ask,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.ask.body.as_ref().map_or(0, |(body, _)| body.len());
        write!(
            f,
            "Prepared({}, {bytes} bytes)",
            self.call.request.endpoint().name()
        )
    }
}

/// Why an exchange brought no answer to read.
enum NoAnswer {
    Trouble(Trouble),
    Token(TokenError),
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the machine has no CA certificates, or the HTTP client cannot be made.
    pub fn new(settings: ClientSettings) -> Result<Self, ClientError> {
        let transport = Transport::new(&settings)?;
        let addresses = Addresses::new(&settings);
        let token_url = addresses.url(Route::Token, Parts::default());
        Ok(Self {
            transport,
            tokens: Tokens::new(
                settings.auth,
                settings.tokens,
                token_url,
                settings.timeout_single,
            ),
            is_disconnected: AtomicBool::new(false),
            addresses,
            timeouts: Timeouts {
                single: settings.timeout_single,
                batch: settings.timeout_batch,
            },
        })
    }

    /// Makes the address and the body of a call.
    #[must_use]
    pub fn prepare(&self, call: &Call) -> Prepared {
        let request = &call.request;
        let timeout = if request.endpoint().max_inputs() >= LARGE_BATCH {
            self.timeouts.batch
        } else {
            self.timeouts.single
        };
        let body = body::of_request(request);
        let address = self.addresses.of(request);
        Prepared {
            call: call.clone(),
            ask: Ask {
                method: address.method,
                url: address.url,
                body: body.map(|json| (Bytes::from(json), "application/json")),
                timeout,
            },
        }
    }

    /// Makes the call. It never fails: every step of the call gets exactly one outcome, or the call was refused as a
    /// whole. A 401 renews an OAuth token once and repeats this call alone.
    ///
    /// When `stop` is cancelled, or the future is dropped, it is unknown whether HubSpot carried the call out; the
    /// former is answered as a broken connection.
    pub async fn send(&self, prepared: Prepared, stop: &CancellationToken) -> Reply {
        let Prepared { call, ask } = prepared;
        let started = Instant::now();
        let outcome = self.authorized(&ask, stop).await;
        let elapsed = started.elapsed();
        let endpoint = call.request.endpoint().name();
        match outcome {
            Ok(answer) => {
                let reply = answer::read(&call.request, &answer, clock::now());
                tracing::debug!(
                    endpoint,
                    status = answer.status,
                    correlation_id = headers::correlation_id(&answer.headers),
                    ?elapsed,
                    "call answered"
                );
                reply
            }
            Err(none) => {
                tracing::debug!(
                    endpoint,
                    reason = none.name(),
                    ?elapsed,
                    "call not answered"
                );
                none.reply(&call)
            }
        }
    }

    /// Reads the account behind the credentials.
    ///
    /// # Errors
    ///
    /// When the token is refused, the account cannot be reached, or something else answers; each in one line.
    pub async fn probe(&self, stop: &CancellationToken) -> Result<AccountInfo, ProbeError> {
        let ask = Ask {
            method: Method::GET,
            url: self.addresses.url(Route::Account, Parts::default()),
            body: None,
            timeout: self.timeouts.single,
        };
        let answer = self.exchanged(&ask, stop).await?;
        probe::read(&self.host(), &answer)
    }

    /// Cuts the connection: from now on nothing is sent with it, and every call is held. Calls in flight come back as they
    /// will.
    pub fn disconnect(&self) {
        self.is_disconnected.store(true, Ordering::Release);
    }

    /// Lets calls go again after [`Client::disconnect`], with the grant that the store has now.
    pub async fn reconnect(&self) {
        self.tokens.forget_failures().await;
        self.is_disconnected.store(false, Ordering::Release);
    }

    /// Whether the connection was cut here.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.is_disconnected.load(Ordering::Acquire)
    }

    fn check_connected(&self) -> Result<(), NoAnswer> {
        if self.is_disconnected() {
            let message = "the connection was cut by an operator: reconnect it".to_owned();
            return Err(NoAnswer::Token(TokenError::Revoked { message }));
        }
        Ok(())
    }

    /// Opens a connection, so that the first call does not wait for TLS. It carries no token and counts against no
    /// limit; when it fails, the first call will tell.
    pub async fn warm(&self, stop: &CancellationToken) {
        let ask = Ask {
            method: Method::HEAD,
            url: self.addresses.base().clone(),
            body: None,
            timeout: self.timeouts.single,
        };
        let reached = self.transport.exchange(&ask, None, stop).await.is_ok();
        tracing::debug!(reached, "connection opened ahead");
    }

    /// One exchange with a token, repeated once with another when the first is refused.
    async fn authorized(&self, ask: &Ask, stop: &CancellationToken) -> Result<Answer, NoAnswer> {
        self.check_connected()?;
        let bearer = self.tokens.current(&self.transport, stop).await?;
        let answer = self
            .transport
            .exchange(ask, Some(&bearer.secret), stop)
            .await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let other = self
            .tokens
            .instead_of(&bearer, &self.transport, stop)
            .await?;
        self.check_connected()?;
        match other {
            Some(bearer) => Ok(self
                .transport
                .exchange(ask, Some(&bearer.secret), stop)
                .await?),
            None => Ok(answer),
        }
    }

    /// One exchange, beside any limiter.
    pub(crate) async fn exchanged(
        &self,
        ask: &Ask,
        stop: &CancellationToken,
    ) -> Result<Answer, ProbeError> {
        let answer = self.authorized(ask, stop).await;
        answer.map_err(|none| none.probe_error(self.host()))
    }

    /// What the client signs in with now.
    pub(crate) async fn credentials(
        &self,
        stop: &CancellationToken,
    ) -> Result<Credentials, ProbeError> {
        let credentials = self.tokens.credentials(&self.transport, stop).await;
        credentials.map_err(|error| NoAnswer::Token(error).probe_error(self.host()))
    }

    /// The address of a route.
    pub(crate) fn url(&self, route: Route, parts: Parts<'_>) -> Url {
        self.addresses.url(route, parts)
    }

    /// How long a single thing may take.
    pub(crate) const fn patience(&self) -> std::time::Duration {
        self.timeouts.single
    }

    pub(crate) fn host(&self) -> String {
        let url = self.addresses.base();
        let host = url.host_str().unwrap_or_default();
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl From<Trouble> for NoAnswer {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<TokenError> for NoAnswer {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl NoAnswer {
    const fn name(&self) -> &'static str {
        match self {
            Self::Trouble(Trouble::Failed(_)) => "failed",
            Self::Trouble(Trouble::Redirected { .. }) => "redirected",
            Self::Token(TokenError::Refused { .. }) => "token refused",
            Self::Token(TokenError::Revoked { .. }) => "disconnected",
            Self::Token(TokenError::Passing { .. }) => "token endpoint failed",
            Self::Trouble(Trouble::Stopped) | Self::Token(TokenError::Stopped) => "stopped",
        }
    }

    fn reply(self, call: &Call) -> Reply {
        match self {
            Self::Trouble(Trouble::Failed(cause)) => answer::unanswered(call, cause, None),
            Self::Trouble(Trouble::Stopped) | Self::Token(TokenError::Stopped) => {
                answer::unanswered(call, Cause::Broken, None)
            }
            Self::Trouble(Trouble::Redirected { status, host }) => {
                let message = format!(
                    "the call was redirected to {host} (status {status}): check hubspot.base_url"
                );
                answer::portal_held(call, Hold::Config { message })
            }
            Self::Token(TokenError::Refused { message } | TokenError::Revoked { message }) => {
                answer::portal_held(call, Hold::Auth { message })
            }
            Self::Token(TokenError::Passing { cause, after }) => {
                answer::unanswered(call, cause, after)
            }
        }
    }

    fn probe_error(self, host: String) -> ProbeError {
        match self {
            Self::Trouble(Trouble::Stopped) | Self::Token(TokenError::Stopped) => {
                ProbeError::Stopped
            }
            Self::Token(TokenError::Refused { message } | TokenError::Revoked { message }) => {
                ProbeError::Unauthorized { message }
            }
            Self::Trouble(Trouble::Redirected {
                status,
                host: target,
            }) => ProbeError::Unexpected {
                host,
                detail: format!("status {status}, a redirect to {target}"),
            },
            Self::Trouble(Trouble::Failed(cause))
            | Self::Token(TokenError::Passing { cause, .. }) => match cause {
                Cause::Connect => ProbeError::Connect { host },
                Cause::Timeout => ProbeError::Timeout { host },
                Cause::Server(status) => ProbeError::Passing { status },
                Cause::Locked => ProbeError::Passing { status: 423 },
                Cause::Migrating => ProbeError::Passing { status: 477 },
                Cause::Broken => ProbeError::Unexpected {
                    host,
                    detail: "the connection broke".to_owned(),
                },
            },
        }
    }
}
