//! Signing in: the account's owner grants the app access in a browser, which comes back with a code, and the code becomes a
//! grant (authorisation code with PKCE; RFC 7636, hubspot-api.md §11.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::grant::{self, Granted, TokenError};
use crate::known::RENEWED_AFTER;
use crate::outcome::Cause;
use crate::paths::{Addresses, Parts, Route};
use crate::probe::PortalId;
use crate::secret::Secret;
use crate::settings::{Auth, ClientSettings};
use crate::store::{StoredAccess, StoredGrant};
use crate::transport::{ClientError, Transport};

/// Where people sign in to HubSpot; it sends those of other regions on.
const AUTHORIZE: &str = "https://app.hubspot.com/oauth/authorize";

/// One sign-in: what ties the browser's answer to the question. Its verifier is a secret.
#[derive(Clone, Debug)]
pub struct Login {
    redirect_uri: String,
    state: Secret,
    verifier: Secret,
}

/// What a sign-in brought.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// What to keep.
    pub grant: StoredGrant,
    /// The account it opens, when HubSpot tells.
    pub portal_id: Option<PortalId>,
    /// What it allows, when HubSpot tells.
    pub scopes: Vec<String>,
}

/// Why a sign-in failed. Each is one line.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The settings are those of a private app.
    #[error("only OAuth apps sign in: this destination has a token of its own")]
    NotOAuth,
    /// HubSpot does not take the code, or does not know the app.
    #[error("HubSpot refused the sign-in: {message}")]
    Refused {
        /// HubSpot's words, redacted.
        message: String,
    },
    /// HubSpot was not reached or is in trouble.
    #[error("HubSpot could not be reached or is busy: sign in again later")]
    Unavailable,
    /// The answer holds no refresh token.
    #[error("HubSpot granted no refresh token")]
    NoRefreshToken,
    /// The HTTP client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The caller stopped waiting.
    #[error("stopped before HubSpot answered")]
    Stopped,
}

impl Login {
    /// Begins a sign-in. `random` must come from a generator fit for secrets; the redirect address is one that the app
    /// allows, e.g. `http://localhost:8977/callback`.
    #[must_use]
    pub fn new(random: &[u8; 64], redirect_uri: &str) -> Self {
        let (state, verifier) = random.split_at(32);
        Self {
            redirect_uri: redirect_uri.to_owned(),
            state: Secret::new(&base64_url(state)),
            verifier: Secret::new(&base64_url(verifier)),
        }
    }

    /// Whether an answer belongs to this sign-in: its `state` is the one that was sent. Others must be dropped.
    #[must_use]
    pub fn is_answered_by(&self, state: &str) -> bool {
        let (ours, theirs) = (self.state.expose().as_bytes(), state.as_bytes());
        // Compared whole, so that the time tells nothing.
        let differences = ours.iter().zip(theirs).fold(0, |all, (a, b)| all | (a ^ b));
        ours.len() == theirs.len() && differences == 0
    }

    /// The address to open in a browser. The optional scopes are granted where the account has them.
    ///
    /// # Errors
    ///
    /// When the settings are those of a private app.
    pub fn authorize_url(
        &self,
        settings: &ClientSettings,
        scopes: &[&str],
        optional: &[&str],
    ) -> Result<String, LoginError> {
        let Auth::OAuth { client_id, .. } = &settings.auth else {
            return Err(LoginError::NotOAuth);
        };
        let mut url = authorize_address(settings);
        url.query_pairs_mut()
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &scopes.join(" "));
        if !optional.is_empty() {
            url.query_pairs_mut()
                .append_pair("optional_scope", &optional.join(" "));
        }
        url.query_pairs_mut()
            .append_pair("state", self.state.expose())
            .append_pair("code_challenge", &challenge(self.verifier.expose()))
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Turns the code of the answer into a grant. The code works once and for a short time.
    ///
    /// # Errors
    ///
    /// When the settings are those of a private app, HubSpot refuses the code, or cannot be reached.
    pub async fn exchange(
        &self,
        settings: &ClientSettings,
        code: &str,
        stop: &CancellationToken,
    ) -> Result<NewGrant, LoginError> {
        let Auth::OAuth {
            client_id,
            client_secret,
            ..
        } = &settings.auth
        else {
            return Err(LoginError::NotOAuth);
        };
        let transport = Transport::new(settings)?;
        let url = Addresses::new(settings).url(Route::Token, Parts::default());
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", client_id.as_str()),
            ("client_secret", client_secret.expose()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code", code),
            ("code_verifier", self.verifier.expose()),
        ];
        let ask = grant::ask(&url, settings.timeout_single, &pairs);
        let granted = grant::granted(transport.exchange(&ask, None, stop).await)?;
        new_grant(granted)
    }
}

fn authorize_address(settings: &ClientSettings) -> Url {
    let base = settings.base_url.url();
    let is_hubspot = base
        .host_str()
        .is_some_and(|host| host == "hubapi.com" || host.ends_with(".hubapi.com"));
    if is_hubspot {
        return Url::parse(AUTHORIZE).expect("a literal URL parses");
    }
    let mut url = base.clone();
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}/oauth/authorize"));
    url
}

fn new_grant(granted: Granted) -> Result<NewGrant, LoginError> {
    let now = clock::now();
    let until = |after: Duration| now.checked_add(after).unwrap_or(now);
    let refresh_token = granted.refresh_token.ok_or(LoginError::NoRefreshToken)?;
    let grant = StoredGrant {
        access: Some(StoredAccess {
            token: granted.access_token,
            renew_at: until(granted.life.mul_f64(RENEWED_AFTER)),
            expires_at: until(granted.life),
        }),
        version: 1,
        ..StoredGrant::new(refresh_token)
    };
    Ok(NewGrant {
        grant,
        portal_id: granted.portal_id,
        scopes: granted.scopes,
    })
}

impl From<TokenError> for LoginError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused { message } | TokenError::Revoked { message } => {
                Self::Refused { message }
            }
            TokenError::Passing {
                cause:
                    Cause::Connect
                    | Cause::Timeout
                    | Cause::Broken
                    | Cause::Server(_)
                    | Cause::Locked
                    | Cause::Migrating,
                ..
            } => Self::Unavailable,
            TokenError::Stopped => Self::Stopped,
        }
    }
}

/// What the verifier is challenged with: S256 of RFC 7636.
fn challenge(verifier: &str) -> String {
    base64_url(&Sha256::digest(verifier.as_bytes()))
}

/// Base64 for addresses, without padding (RFC 4648 §5).
fn base64_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Login, base64_url, challenge};
    use crate::secret::Secret;
    use crate::settings::{Auth, BaseUrl, ClientSettings};

    /// The octets and their challenge in appendix B of RFC 7636.
    const OCTETS: [u8; 32] = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];

    fn login() -> Login {
        let mut random = [7; 64];
        random[32..].copy_from_slice(&OCTETS);
        Login::new(&random, "http://localhost:8977/callback")
    }

    fn settings() -> ClientSettings {
        ClientSettings::new(Auth::OAuth {
            client_id: "app".to_owned(),
            client_secret: Secret::new("hush"),
            refresh_token: Secret::new(""),
        })
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let verifier = base64_url(&OCTETS);
        assert_eq!(verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        let table = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
        ];
        for (bytes, expected) in table {
            assert_eq!(base64_url(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn the_browser_is_sent_where_people_sign_in_and_never_sees_the_verifier() {
        let login = login();
        let url = login
            .authorize_url(
                &settings(),
                &["oauth", "crm.objects.contacts.write"],
                &["crm.lists.read"],
            )
            .unwrap();
        let state = base64_url(&[7; 32]);
        assert_eq!(
            url,
            format!(
                "https://app.hubspot.com/oauth/authorize?client_id=app&redirect_uri=http%3A%2F%2Flocalhost%3A8977%2Fcallback\
                 &scope=oauth+crm.objects.contacts.write&optional_scope=crm.lists.read&state={state}\
                 &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
            )
        );
        let mut local = settings();
        local.base_url = BaseUrl::parse("http://sim:8080/hub").unwrap();
        let url = login.authorize_url(&local, &[], &[]).unwrap();
        assert!(url.starts_with("http://sim:8080/hub/oauth/authorize?client_id=app"));
        let private = ClientSettings::new(Auth::Private(Secret::new("pat")));
        assert!(login.authorize_url(&private, &[], &[]).is_err());
        assert!(!format!("{login:?}").contains("dBjft"));
    }

    #[test]
    fn only_the_answer_to_this_sign_in_counts() {
        let login = login();
        let state = base64_url(&[7; 32]);
        assert!(login.is_answered_by(&state));
        assert!(!login.is_answered_by(""));
        assert!(!login.is_answered_by(&state[1..]));
        assert!(!login.is_answered_by(&format!("{state}A")));
        assert!(!login.is_answered_by(&base64_url(&[8; 32])));
    }
}
