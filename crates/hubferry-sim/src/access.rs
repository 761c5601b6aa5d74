//! Who may call: bearer tokens, their expiry, their scopes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use crate::answer::Refusal;
use crate::policies::Product;
use crate::routes::Route;
use crate::settings::{OAuthApp, SimSettings};
use crate::values::iso;

/// Tokens and codes handed out, and what became of them.
#[derive(Default)]
pub(crate) struct Tokens {
    /// When each access token expires, since the start.
    pub(crate) issued: HashMap<String, Duration>,
    pub(crate) codes: HashMap<String, Code>,
    /// Refresh tokens made here, besides those of the settings.
    pub(crate) rotated: HashSet<String>,
    /// Refresh tokens that work no more.
    pub(crate) dropped: HashSet<String>,
    /// Scopes that were asked for when consent was given last.
    pub(crate) consented: Option<Vec<String>>,
    pub(crate) grants: u64,
    pub(crate) refreshes: u64,
    pub(crate) refused_refreshes: u64,
}

/// An authorization code and what it is bound to.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) redirect: String,
    pub(crate) challenge: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) spent: bool,
}

impl Tokens {
    /// Whether a refresh token works.
    pub(crate) fn refreshes_with(&self, app: &OAuthApp, token: &str) -> bool {
        let known =
            self.rotated.contains(token) || app.refresh_tokens.iter().any(|one| one == token);
        known && !self.dropped.contains(token)
    }
}

/// What a valid token says about its bearer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// `None` means every scope.
    pub(crate) scopes: Option<Vec<String>>,
    /// OAuth apps have no daily limit and no daily headers.
    pub(crate) oauth: bool,
}

impl Bearer {
    /// Whether one of these scopes was granted.
    pub(crate) fn has_any(&self, needed: &[String]) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|granted| needed.iter().any(|scope| granted.contains(scope)))
    }

    /// A bearer with the scopes of a specification, where no scope means all.
    fn new(scopes: &[String], oauth: bool) -> Self {
        Self {
            scopes: (!scopes.is_empty()).then(|| scopes.to_vec()),
            oauth,
        }
    }
}

/// Checks the `Authorization` header.
pub(crate) fn bearer(
    settings: &SimSettings,
    tokens: &Tokens,
    header: Option<&str>,
    now: Duration,
    epoch_ms: i64,
) -> Result<Bearer, Refusal> {
    let token = header
        .and_then(|header| header.strip_prefix("Bearer "))
        .map(str::trim)
        .unwrap_or_default();
    if token.is_empty() {
        return Err(invalid());
    }
    if let Some(known) = settings.tokens.iter().find(|spec| spec.token == token) {
        return Ok(Bearer::new(&known.scopes, false));
    }
    if let Some(until) = tokens.issued.get(token) {
        let installed = settings.oauth.as_ref().map(|app| app.scopes.as_slice());
        let consented = tokens.consented.as_deref().unwrap_or_default();
        let scopes = installed.filter(|scopes| !scopes.is_empty());
        return match now.checked_sub(*until) {
            None => Ok(Bearer::new(scopes.unwrap_or(consented), true)),
            Some(ago) => {
                let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                Err(expired(
                    &format!("{} second(s)", ago.as_secs()),
                    epoch_ms.saturating_sub(ago_ms),
                ))
            }
        };
    }
    let anyone = settings.tokens.is_empty() && settings.oauth.is_none();
    if anyone {
        return Ok(Bearer::default());
    }
    Err(if well_formed(token) {
        invalid()
    } else {
        malformed(epoch_ms)
    })
}

/// Checks that the bearer was granted what the endpoint needs.
pub(crate) fn permitted(bearer: &Bearer, route: &Route) -> Result<(), Refusal> {
    let needed = route.scopes();
    let enough = match route.any_scope() {
        true => needed.is_empty() || bearer.has_any(&needed),
        false => needed
            .iter()
            .all(|scope| bearer.has_any(std::slice::from_ref(scope))),
    };
    if enough {
        Ok(())
    } else {
        Err(missing_scopes(&needed))
    }
}

/// The 403 that lists what is missing.
pub(crate) fn missing_scopes(needed: &[String]) -> Refusal {
    Refusal::new(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.",
    )
    .with(
        "errors",
        json!([{
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": needed},
        }]),
    )
    .with("links", json!({"scopes": "https://developers.hubspot.com/scopes"}))
    .with("category", "MISSING_SCOPES")
}

/// The 403 of an account whose subscription lacks a product (the older of the two recorded shapes).
pub(crate) fn missing_product(product: Product) -> Refusal {
    let scope = match product {
        Product::CustomEvents => "behavioral_events.event_definitions.read_write",
        Product::CustomObjects => "custom-object-read",
    };
    Refusal::new(403, "One or more of the following scopes are required.")
        .with("context", json!({"requiredGranularScopes": [scope]}))
        .with("category", "MISSING_SCOPES")
}

/// The 401 for a token that ran out.
pub(crate) fn expired(ago: &str, expired_at_ms: i64) -> Refusal {
    Refusal::new(
        401,
        format!("The OAuth token used to make this call expired {ago} ago."),
    )
    .with("category", "EXPIRED_AUTHENTICATION")
    .with("context", json!({"expire time": [iso(expired_at_ms)]}))
}

/// The 401 for a token nobody issued.
pub(crate) fn invalid() -> Refusal {
    Refusal::new(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
    )
    .with("category", "INVALID_AUTHENTICATION")
    .with("links", json!({}))
}

/// A token of a wrong form reads as one that ran out in 1970.
fn malformed(epoch_ms: i64) -> Refusal {
    expired(&format!("{} day(s)", epoch_ms / 86_400_000), 0)
}

fn well_formed(token: &str) -> bool {
    token.len() >= 8
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bearer, Tokens, bearer, permitted};
    use crate::objects::Names;
    use crate::routes::Route;
    use crate::settings::{SimSettings, TokenSpec};

    const NOW_MS: i64 = 20_543 * 86_400_000 + 5_000;

    fn strict() -> SimSettings {
        let token = TokenSpec {
            token: "pat-na1-good".to_owned(),
            scopes: vec!["crm.objects.contacts.read".to_owned()],
        };
        SimSettings {
            tokens: vec![token],
            ..SimSettings::default()
        }
    }

    fn refused(header: Option<&str>) -> String {
        let mut tokens = Tokens::default();
        tokens
            .issued
            .insert("sim-access-1".to_owned(), Duration::from_secs(10));
        bearer(&strict(), &tokens, header, Duration::from_secs(85), NOW_MS)
            .unwrap_err()
            .message()
            .to_owned()
    }

    #[test]
    fn every_kind_of_bad_token_has_its_own_401() {
        assert!(refused(None).starts_with("Authentication credentials not found."));
        assert!(
            refused(Some("Bearer pat-na1-other"))
                .starts_with("Authentication credentials not found.")
        );
        assert_eq!(
            refused(Some("Bearer not a token")),
            "The OAuth token used to make this call expired 20543 day(s) ago."
        );
        assert_eq!(
            refused(Some("Bearer sim-access-1")),
            "The OAuth token used to make this call expired 75 second(s) ago."
        );
    }

    #[test]
    fn any_token_is_good_when_none_is_named() {
        let open = SimSettings::default();
        assert!(
            bearer(
                &open,
                &Tokens::default(),
                Some("Bearer x"),
                Duration::ZERO,
                NOW_MS
            )
            .is_ok()
        );
        assert!(
            bearer(
                &open,
                &Tokens::default(),
                Some("Bearer "),
                Duration::ZERO,
                NOW_MS
            )
            .is_err()
        );
    }

    #[test]
    fn scopes_are_checked_per_endpoint() {
        let reader = Bearer {
            scopes: Some(vec!["crm.objects.contacts.read".to_owned()]),
            oauth: false,
        };
        let route =
            |method: &str, path: &str| Route::parse(method, path, &Names::default()).unwrap();
        let read = route("POST", "/crm/v3/objects/contacts/batch/read");
        let write = route("POST", "/crm/v3/objects/contacts/batch/upsert");
        let definitions = route("GET", "/crm/v3/properties/contacts");
        assert_eq!(permitted(&reader, &read), Ok(()));
        assert_eq!(permitted(&reader, &definitions), Ok(()));
        assert_eq!(permitted(&reader, &write).unwrap_err().status, 403);
    }
}
