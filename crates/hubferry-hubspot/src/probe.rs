//! Asking HubSpot who we are: the portal behind a token, or in one line why there is none.

use serde_json::Value;

use crate::answer::Answer;
use crate::failure::Failure;
use crate::json::text;
use crate::words;

/// HubSpot's number of an account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PortalId(u64);

impl PortalId {
    /// Takes the number as HubSpot prints it.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The account behind the credentials (hubspot-api.md §8.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountInfo {
    /// Its number.
    pub portal_id: PortalId,
    /// The zone whose midnight ends the day's limit, e.g. `US/Eastern`; absent when HubSpot does not tell it.
    pub time_zone: Option<String>,
    /// `STANDARD`, `DEVELOPER_TEST`, `SANDBOX` or `APP_DEVELOPER`.
    pub account_type: Option<String>,
    /// Where its data is kept: `na1`, `eu1`, …
    pub data_hosting_location: Option<String>,
}

/// Why the account could not be read. Each is one line that says what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProbeError {
    /// 401, or no token for the refresh token.
    #[error("HubSpot does not accept the token: {message}; make a new one or reconnect the app")]
    Unauthorized {
        /// HubSpot's words, redacted.
        message: String,
    },
    /// 403.
    #[error("the token may not read this account: {message}; grant the app what it names")]
    Forbidden {
        /// HubSpot's words, redacted, or the scopes that are missing.
        message: String,
    },
    /// No connection.
    #[error("no connection to {host}: check hubspot.base_url, DNS and the proxy")]
    Connect {
        /// Where it was tried.
        host: String,
    },
    /// No answer in time.
    #[error("{host} did not answer in time")]
    Timeout {
        /// Where it was tried.
        host: String,
    },
    /// 429, 423, 477 or 5xx: it will pass.
    #[error("HubSpot is busy or in trouble (status {status}): try again later")]
    Passing {
        /// The status.
        status: u16,
    },
    /// An answer that is not HubSpot's.
    #[error(
        "{host} does not answer like HubSpot ({detail}): check hubspot.base_url and hubspot.api_version"
    )]
    Unexpected {
        /// Where it was tried.
        host: String,
        /// What came instead.
        detail: String,
    },
    /// The caller stopped waiting.
    #[error("stopped before HubSpot answered")]
    Stopped,
}

/// Reads the answer of the account endpoint.
pub(crate) fn read(host: &str, answer: &Answer) -> Result<AccountInfo, ProbeError> {
    if !(200..300).contains(&answer.status) {
        return Err(refusal(host, answer));
    }
    account(&answer.body).ok_or_else(|| ProbeError::Unexpected {
        host: host.to_owned(),
        detail: "the account's details are not in the answer".to_owned(),
    })
}

/// What an answer means that is no success.
pub(crate) fn refusal(host: &str, answer: &Answer) -> ProbeError {
    let status = answer.status;
    let words = || {
        let failure = Failure::of_call(status, None, &answer.body);
        if failure.scopes.is_empty() {
            words::of_failure(&failure, None, None, &[])
        } else {
            words::of_scopes(&failure.scopes)
        }
    };
    match status {
        401 => ProbeError::Unauthorized { message: words() },
        403 => ProbeError::Forbidden { message: words() },
        408 | 423 | 429 | 477 | 500..=599 => ProbeError::Passing { status },
        _ => ProbeError::Unexpected {
            host: host.to_owned(),
            detail: format!("status {status}"),
        },
    }
}

fn account(body: &[u8]) -> Option<AccountInfo> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(AccountInfo {
        portal_id: PortalId(text(&body, "portalId")?.parse().ok()?),
        time_zone: text(&body, "timeZone"),
        account_type: text(&body, "accountType"),
        data_hosting_location: text(&body, "dataHostingLocation"),
    })
}
