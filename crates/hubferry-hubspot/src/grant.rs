//! The token endpoint: a form out, a grant or the reason for none back (hubspot-api.md §11.1).

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, Url};
use serde_json::Value;

use crate::answer::Answer;
use crate::headers;
use crate::json::{text, texts};
use crate::outcome::Cause;
use crate::probe::PortalId;
use crate::secret::Secret;
use crate::transport::{Ask, Trouble};
use crate::words::clean;

/// How long a token lives when the answer does not say (hubspot-api.md §11).
const DEFAULT_LIFE: Duration = Duration::from_secs(1_800);
/// The longest life that is believed; it keeps the arithmetic of instants safe.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// What HubSpot calls a grant that is no more: the owner has taken it back, or the account is gone.
const REVOKED: [&str; 3] = ["BAD_REFRESH_TOKEN", "BAD_HUB", "invalid_grant"];

/// What the token endpoint granted.
pub(crate) struct Granted {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) life: Duration,
    pub(crate) portal_id: Option<PortalId>,
    pub(crate) scopes: Vec<String>,
}

/// Why there is no token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TokenError {
    /// HubSpot does not grant one: somebody has to act.
    Refused { message: String },
    /// The grant is no more: the account's owner has to connect the app again.
    Revoked { message: String },
    /// The token endpoint is in trouble.
    Passing {
        cause: Cause,
        after: Option<Duration>,
    },
    /// The caller stopped waiting.
    Stopped,
}

/// Pairs as a form.
pub(crate) fn form(pairs: &[(&str, &str)]) -> (Bytes, &'static str) {
    let mut url = Url::parse("form:").expect("a literal URL parses");
    url.query_pairs_mut().extend_pairs(pairs);
    let body = Bytes::from(url.query().unwrap_or_default().to_owned());
    (body, "application/x-www-form-urlencoded")
}

/// Asks the token endpoint.
pub(crate) fn ask(url: &Url, timeout: Duration, pairs: &[(&str, &str)]) -> Ask {
    Ask {
        method: Method::POST,
        url: url.clone(),
        body: Some(form(pairs)),
        timeout,
    }
}

/// Reads the token endpoint's answer. 429, 477 and 5xx pass, whatever their bodies say (hubspot-api.md §11.1).
pub(crate) fn granted(answer: Result<Answer, Trouble>) -> Result<Granted, TokenError> {
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
        status => Err(refusal(status, &body)),
    }
}

fn grant_of(body: &Value) -> Option<Granted> {
    let life = text(body, "expires_in")
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(DEFAULT_LIFE);
    let portal_id = text(body, "hub_id").and_then(|id| id.parse().ok());
    Some(Granted {
        access_token: secret(body, "access_token")?,
        refresh_token: secret(body, "refresh_token"),
        life: life.min(MAX_LIFE),
        portal_id: portal_id.map(PortalId::new),
        scopes: texts(body, "scopes"),
    })
}

/// A token is visible ASCII; anything else could not be sent.
fn secret(body: &Value, key: &str) -> Option<Secret> {
    let token = text(body, key)?;
    let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    sound.then(|| Secret::new(&token))
}

fn refusal(status: u16, body: &Value) -> TokenError {
    let code = text(body, "status").or_else(|| text(body, "error"));
    let words = text(body, "message").or_else(|| text(body, "error_description"));
    let revoked = [text(body, "status"), text(body, "error")]
        .iter()
        .flatten()
        .any(|code| REVOKED.contains(&code.as_str()));
    let told: Vec<String> = code.into_iter().chain(words).collect();
    let message = match told.is_empty() {
        true => format!("the token endpoint answered {status}"),
        false => clean(&told.join(": "), &[]),
    };
    match revoked {
        true => TokenError::Revoked { message },
        false => TokenError::Refused { message },
    }
}
