//! What HubSpot knows of a token: whose it is and what it may do (hubspot-api.md §11.2).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Directory, DirectoryError};
use crate::grant;
use crate::json::{text, texts};
use crate::paths::{Parts, Route};
use crate::probe::{PortalId, ProbeError};
use crate::token::Credentials;
use crate::transport::Ask;

/// What HubSpot knows of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenInfo {
    /// The account it opens.
    pub portal_id: Option<PortalId>,
    /// The app it belongs to.
    pub app_id: Option<u64>,
    /// What it may do.
    pub scopes: BTreeSet<String>,
    /// How long it still lives; none for tokens that do not expire.
    pub expires_in: Option<Duration>,
}

impl Directory<'_> {
    /// What HubSpot knows of the token in use; none when it does not tell (which service keys and other hosts may bring).
    /// The token travels in the body, as HubSpot wants it.
    ///
    /// # Errors
    ///
    /// When HubSpot is not reached, or does not accept the token.
    pub async fn token_info(&self) -> Result<Option<TokenInfo>, DirectoryError> {
        let credentials = self.client.credentials(self.stop).await;
        let credentials = credentials.map_err(DirectoryError::Unreachable)?;
        let ask = self.introspecting(&credentials);
        match self.asked("the token", &ask).await {
            Ok(body) => Ok(TokenInfo::read(&body)),
            Err(DirectoryError::Refused { .. }) => Ok(None),
            Err(DirectoryError::Unreachable(ProbeError::Unexpected { .. })) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn introspecting(&self, credentials: &Credentials) -> Ask {
        let (route, body) = match credentials {
            Credentials::Private(token) => {
                let body = json!({"tokenKey": token.expose()}).to_string();
                (Route::PrivateToken, (Bytes::from(body), "application/json"))
            }
            Credentials::OAuth {
                client_id,
                client_secret,
                access,
            } => {
                let token = access.expose();
                // HubSpot's specification and its documentation name the field differently: both are sent.
                let form = grant::form(&[
                    ("client_id", client_id.as_str()),
                    ("client_secret", client_secret.expose()),
                    ("token_type_hint", "access_token"),
                    ("token", token),
                    ("access_token", token),
                ]);
                (Route::Introspect, form)
            }
        };
        Ask {
            method: Method::POST,
            url: self.client.url(route, Parts::default()),
            body: Some(body),
            timeout: self.client.patience(),
        }
    }
}

impl TokenInfo {
    fn read(body: &Value) -> Option<Self> {
        let either = |snake, camel| text(body, snake).or_else(|| text(body, camel));
        let number = |text: String| text.parse::<u64>().ok();
        body.get("scopes")?;
        Some(Self {
            portal_id: either("hub_id", "hubId")
                .and_then(number)
                .map(PortalId::new),
            app_id: either("app_id", "appId").and_then(number),
            scopes: texts(body, "scopes").into_iter().collect(),
            expires_in: either("expires_in", "expiresIn")
                .and_then(number)
                .map(Duration::from_secs),
        })
    }
}
