//! One HTTP exchange: redirects that keep the body, a deadline, a bound on what is read, and what went wrong as a
//! closed type.

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::outcome::Cause;
use crate::secret::Secret;
use crate::settings::{BaseUrl, ClientSettings};

/// The most redirects of one call.
const MAX_HOPS: usize = 5;
/// The most bytes of an answer that are read; 200 records with every property stay far below.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept; shorter than what load balancers commonly allow.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS has nothing to check certificates with.
    #[error("no CA certificates on this machine: install ca-certificates")]
    NoCaCertificates,
    /// The HTTP client refused its settings.
    #[error("the HTTP client could not be made")]
    Build(#[source] reqwest::Error),
}

/// The way to HubSpot.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: BaseUrl,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The body and its content type.
    pub(crate) body: Option<(Bytes, &'static str)>,
    pub(crate) timeout: Duration,
}

/// Why there was no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// Nothing was sent, or it is unknown whether it was received.
    Failed(Cause),
    /// The caller stopped waiting.
    Stopped,
    /// Sent elsewhere: to a host that must not see tokens, or in a way that would lose the body.
    Redirected { status: u16, host: String },
}

impl Transport {
    pub(crate) fn new(settings: &ClientSettings) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hubferry/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.max_idle_connections)
            .tcp_nodelay(true);
        if settings.base_url.is_plain() {
            // Nothing to verify, so the simulator works on a machine without certificates; and no proxy in between.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        Ok(Self {
            http: builder.build().map_err(build_error)?,
            base: settings.base_url.clone(),
        })
    }

    /// Makes the request and reads the whole answer. Dropping the future drops the connection: whether the request
    /// was carried out is then unknown.
    pub(crate) async fn exchange(
        &self,
        ask: &Ask,
        bearer: Option<&Secret>,
        stop: &CancellationToken,
    ) -> Result<Answer, Trouble> {
        let answer = within(ask.timeout, self.follow(ask, bearer));
        tokio::select! {
            // Losing the exchange is what stopping means; losing the token's future loses nothing.
            () = stop.cancelled() => Err(Trouble::Stopped),
            answer = answer => answer,
        }
    }

    async fn follow(&self, ask: &Ask, bearer: Option<&Secret>) -> Result<Answer, Trouble> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_HOPS {
            let response = self.once(ask, &url, bearer).await?;
            let status = response.status().as_u16();
            if !(300..400).contains(&status) {
                return read(response).await;
            }
            url = self.next_hop(&response, &url)?;
        }
        Err(Trouble::Failed(Cause::Broken))
    }

    /// Where a redirect leads. Only 307 and 308 keep method and body (actions.md §1), and a body with personal data
    /// goes nowhere the token may not go.
    fn next_hop(&self, response: &Response, from: &Url) -> Result<Url, Trouble> {
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION);
        let target = location
            .and_then(|value| value.to_str().ok())
            .and_then(|value| from.join(value).ok());
        match target {
            Some(url) if matches!(status, 307 | 308) && self.base.trusts(&url) => Ok(url),
            elsewhere => Err(Trouble::Redirected {
                status,
                host: elsewhere
                    .and_then(|url| url.host_str().map(str::to_owned))
                    .unwrap_or_else(|| "an unknown place".to_owned()),
            }),
        }
    }

    async fn once(
        &self,
        ask: &Ask,
        url: &Url,
        bearer: Option<&Secret>,
    ) -> Result<Response, Trouble> {
        let mut request = self.http.request(ask.method.clone(), url.clone());
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, authorization(token)?);
        }
        if let Some((body, content_type)) = &ask.body {
            request = request
                .header(CONTENT_TYPE, *content_type)
                .body(body.clone());
        }
        request.send().await.map_err(|e| Trouble::Failed(cause(&e)))
    }
}

/// Marked as sensitive, so that no layer below prints it.
fn authorization(token: &Secret) -> Result<HeaderValue, Trouble> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        // A token with control characters cannot be sent; the settings were checked, a refreshed one was not.
        .map_err(|_| Trouble::Failed(Cause::Connect))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Trouble::Failed(Cause::Timeout)),
    }
}

async fn read(mut response: Response) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|e| Trouble::Failed(cause(&e)))?
    {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Trouble::Failed(Cause::Broken));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body: body.freeze(),
    })
}

fn cause(error: &reqwest::Error) -> Cause {
    if error.is_connect() {
        Cause::Connect
    } else if error.is_timeout() {
        Cause::Timeout
    } else {
        Cause::Broken
    }
}

fn build_error(error: reqwest::Error) -> ClientError {
    if chain(&error).contains("CA certificates") {
        ClientError::NoCaCertificates
    } else {
        ClientError::Build(error)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    words.join(": ")
}
