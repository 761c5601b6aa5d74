//! What a client needs to know: where HubSpot is, which version of its API, how to sign in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use crate::secret::Secret;
use crate::store::TokenStore;

/// Everything a client needs to know.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Where HubSpot is.
    pub base_url: BaseUrl,
    /// Which version of its API.
    pub version: ApiVersion,
    /// Where the custom events' paths begin; by version when missing.
    pub events_prefix: Option<EventsPrefix>,
    /// How to sign in.
    pub auth: Auth,
    /// Where the OAuth grant is kept that the workers of a fleet share; without it, in this client alone. What it holds wins
    /// over the refresh token of [`ClientSettings::auth`].
    pub tokens: Option<Arc<dyn TokenStore>>,
    /// How long a call that carries one thing may take, its connection included.
    pub timeout_single: Duration,
    /// How long a batch may take, its connection included.
    pub timeout_batch: Duration,
    /// How many idle connections are kept open.
    pub max_idle_connections: usize,
}

impl ClientSettings {
    /// HubSpot itself, version 2026-03, 10 s for a single thing and 30 s for a batch.
    #[must_use]
    pub fn new(auth: Auth) -> Self {
        Self {
            base_url: BaseUrl::hubspot(),
            version: ApiVersion::default(),
            events_prefix: None,
            auth,
            tokens: None,
            timeout_single: Duration::from_secs(10),
            timeout_batch: Duration::from_secs(30),
            // 100 calls in ten seconds at a second each are ten calls in flight; the rest is head room.
            max_idle_connections: 16,
        }
    }
}

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// A private app's token or a service key: it does not expire.
    Private(Secret),
    /// An OAuth app: access tokens live half an hour and are renewed with the refresh token.
    OAuth {
        /// The app's public id.
        client_id: String,
        /// The app's secret.
        client_secret: Secret,
        /// What the account's owner granted; empty when only a store has it.
        refresh_token: Secret,
    },
}

/// A version of HubSpot's API (hubspot-api.md §1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ApiVersion {
    /// `2026-03`.
    #[default]
    V2026_03,
    /// `2026-09`.
    V2026_09,
    /// The undated set: v3 objects with v4 associations.
    Legacy,
}

impl ApiVersion {
    /// Where the custom events' paths begin in this version (hubspot-api.md §1.2). HubSpot's own pages disagree on it, which
    /// is why [`ClientSettings::events_prefix`] may say otherwise.
    pub(crate) const fn events_prefix(self) -> &'static str {
        match self {
            Self::Legacy => "events/v3",
            Self::V2026_03 => "events/2026-03",
            Self::V2026_09 => "events/custom/2026-09",
        }
    }
}

/// Where the custom events' paths begin, e.g. `events/custom/2026-03`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventsPrefix(Arc<str>);

/// Text that is no prefix of a path.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no path such as events/2026-03: letters, digits, dots, - and _ between slashes")]
pub struct InvalidPrefix(String);

impl EventsPrefix {
    /// Reads a path; slashes around it are dropped.
    ///
    /// # Errors
    ///
    /// When a segment is empty, made of dots alone, or holds anything but letters, digits, `.`, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, InvalidPrefix> {
        let path = text.trim().trim_matches('/');
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let sound =
            |segment: &str| segment.bytes().all(plain) && segment.bytes().any(|byte| byte != b'.');
        if path.split('/').all(sound) {
            Ok(Self(Arc::from(path)))
        } else {
            Err(InvalidPrefix(text.to_owned()))
        }
    }

    /// The path, without slashes around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A version that is none of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown API version {0:?}: use 2026-03, 2026-09 or v3")]
pub struct UnknownVersion(String);

impl FromStr for ApiVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "2026-03" => Ok(Self::V2026_03),
            "2026-09" => Ok(Self::V2026_09),
            // Both name the legacy set, of which v3 is one half and v4 the other.
            "v3" | "v4" => Ok(Self::Legacy),
            other => Err(UnknownVersion(other.to_owned())),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2026_03 => "2026-03",
            Self::V2026_09 => "2026-09",
            Self::Legacy => "v3",
        })
    }
}

/// Where HubSpot is: an https address, or a plain http one that cannot be on the public internet
/// (loopback, or a host name without a dot such as a compose service). A token never travels in the
/// clear beyond that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl(Url);

/// Why an address is no base URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BaseUrlError {
    /// It is no URL at all.
    #[error("the base URL is not an absolute URL such as https://api.hubapi.com")]
    Malformed,
    /// It would send tokens in the clear.
    #[error(
        "the base URL must begin with https:// (http:// only for localhost or a host name without a dot)"
    )]
    Insecure,
    /// It carries more than scheme, host, port and path.
    #[error("the base URL must not carry a user name, a password, a query or a fragment")]
    Extra,
}

impl BaseUrl {
    /// `https://api.hubapi.com`, which serves all regions (hubspot-api.md §1).
    #[must_use]
    pub fn hubspot() -> Self {
        Self(Url::parse("https://api.hubapi.com/").expect("a literal URL parses"))
    }

    /// Reads an address; a path is kept as a prefix of every call's path.
    ///
    /// # Errors
    ///
    /// When it is no absolute URL, not secure, or carries credentials, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text.trim()).map_err(|_| BaseUrlError::Malformed)?;
        let host = url.host_str().ok_or(BaseUrlError::Malformed)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => is_local(host),
            _ => false,
        };
        if !secure {
            return Err(BaseUrlError::Insecure);
        }
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(BaseUrlError::Extra);
        }
        Ok(Self(url))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether calls stay on this machine or its private network, in plain http.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether credentials may go to this address: the configured origin, or HubSpot's own hosts over https.
    pub(crate) fn trusts(&self, url: &Url) -> bool {
        let hubspot = url
            .host_str()
            .is_some_and(|h| h == "hubapi.com" || h.ends_with(".hubapi.com"));
        url.origin() == self.0.origin() || (url.scheme() == "https" && hubspot)
    }
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => !bare.contains('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiVersion, BaseUrl, BaseUrlError, EventsPrefix};
    use reqwest::Url;

    #[test]
    fn versions_are_the_four_names() {
        let table = [
            ("2026-03", Some(ApiVersion::V2026_03)),
            ("2026-09", Some(ApiVersion::V2026_09)),
            ("v3", Some(ApiVersion::Legacy)),
            ("v4", Some(ApiVersion::Legacy)),
            ("V3", None),
            ("2025-09", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_prefix_is_a_plain_path() {
        let table = [
            ("events/2026-03", Some("events/2026-03")),
            ("/events/custom/2026-09/", Some("events/custom/2026-09")),
            ("", None),
            ("events//x", None),
            ("events/../x", None),
            ("https://x", None),
            ("events?x", None),
        ];
        for (text, expected) in table {
            let parsed = EventsPrefix::parse(text).ok();
            assert_eq!(
                parsed.as_ref().map(EventsPrefix::as_str),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_that_keep_the_token_safe_are_accepted() {
        let table = [
            ("https://api.hubapi.com", Ok("https://api.hubapi.com/")),
            (
                "https://proxy.example/hub/",
                Ok("https://proxy.example/hub/"),
            ),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080/")),
            ("http://[::1]:80", Ok("http://[::1]/")),
            ("http://localhost:1", Ok("http://localhost:1/")),
            ("http://sim:8080", Ok("http://sim:8080/")),
            ("http://api.hubapi.com", Err(BaseUrlError::Insecure)),
            ("http://10.0.0.1", Err(BaseUrlError::Insecure)),
            ("ftp://localhost", Err(BaseUrlError::Insecure)),
            ("api.hubapi.com", Err(BaseUrlError::Malformed)),
            ("https://u:p@api.hubapi.com", Err(BaseUrlError::Extra)),
            (
                "https://api.hubapi.com/?hapikey=1",
                Err(BaseUrlError::Extra),
            ),
        ];
        for (text, expected) in table {
            let parsed = BaseUrl::parse(text);
            assert_eq!(
                parsed.as_ref().map(BaseUrl::as_str).map_err(|e| *e),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_stay_with_hubspot_and_the_configured_origin() {
        let base = BaseUrl::parse("http://localhost:9000").unwrap();
        let table = [
            ("http://localhost:9000/x", true),
            ("http://localhost:9001/x", false),
            ("https://api-eu1.hubapi.com/x", true),
            ("https://hubapi.com/x", true),
            ("http://api.hubapi.com/x", false),
            ("https://evilhubapi.com/x", false),
            ("https://api.hubapi.com.evil.example/x", false),
        ];
        for (text, expected) in table {
            assert_eq!(base.trusts(&Url::parse(text).unwrap()), expected, "{text}");
        }
    }
}
