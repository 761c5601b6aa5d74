//! Token endpoints of the OAuth app, in their own error shape.

use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::portal::Visit;
use crate::settings::OAuthApp;
use crate::urls::{field, form};

/// `POST /oauth/{V}/token`.
pub(crate) fn token(visit: &Visit<'_>) -> Reply {
    let (app, fields) = match client(visit) {
        Ok(known) => known,
        Err(refused) => return Ok(refused),
    };
    match field(&fields, "grant_type") {
        Some("refresh_token") => {
            let token = field(&fields, "refresh_token").unwrap_or_default();
            match app.refresh_tokens.iter().any(|known| known == token) {
                true => Ok(issue(visit, app, token)),
                false => Ok(bad_grant(
                    "BAD_REFRESH_TOKEN",
                    "refresh token is invalid, expired or revoked",
                )),
            }
        }
        Some("authorization_code") => {
            let code = field(&fields, "code").unwrap_or_default();
            let mut state = visit.state();
            let good = app.codes.iter().any(|known| known == code)
                && !state.tokens.spent_codes.iter().any(|spent| spent == code);
            if !good {
                return Ok(bad_grant("BAD_AUTH_CODE", "missing or unknown auth code"));
            }
            state.tokens.spent_codes.push(code.to_owned());
            drop(state);
            Ok(issue(
                visit,
                app,
                app.refresh_tokens.first().map_or("", String::as_str),
            ))
        }
        _ => Ok(refused(
            "unsupported_grant_type",
            "BAD_GRANT_TYPE",
            "missing or unknown grant type",
        )),
    }
}

/// The app a request came from, and the fields of the request.
type Client<'a> = (&'a OAuthApp, Vec<(String, String)>);

/// The app named by the request. v1 takes the fields from the query too.
fn client<'a>(visit: &'a Visit<'_>) -> Result<Client<'a>, Answer> {
    let mut fields = form(&visit.text());
    fields.extend(visit.query.iter().cloned());
    let app = visit.settings.oauth.as_ref();
    let known = app.filter(|app| field(&fields, "client_id") == Some(&app.client_id));
    let Some(app) = known else {
        return Err(refused(
            "invalid_client",
            "BAD_CLIENT_ID",
            "missing or unknown client id",
        ));
    };
    if field(&fields, "client_secret") != Some(&app.client_secret) {
        return Err(refused(
            "invalid_client",
            "BAD_CLIENT_SECRET",
            "missing or invalid client secret",
        ));
    }
    Ok((app, fields))
}

fn issue(visit: &Visit<'_>, app: &OAuthApp, refresh_token: &str) -> Answer {
    let mut state = visit.state();
    let access_token = format!(
        "sim-access-{}-{}",
        visit.settings.seed,
        state.tokens.issued.len() + 1
    );
    state.tokens.issued.insert(
        access_token.clone(),
        visit.stamp.since.saturating_add(app.token_life),
    );
    drop(state);
    Answer::json(
        200,
        &json!({
            "access_token": access_token, "refresh_token": refresh_token, "expires_in": app.token_life.as_secs(),
            "token_type": "bearer", "hub_id": visit.settings.portal_id, "scopes": app.scopes, "token_use": "access_token",
        }),
    )
}

fn bad_grant(status: &str, message: &str) -> Answer {
    refused("invalid_grant", status, message)
}

fn refused(error: &str, status: &str, message: &str) -> Answer {
    Answer::json(
        400,
        &json!({"error": error, "error_description": message, "status": status, "message": message}),
    )
}

/// `POST /oauth/{V}/token/introspect`. The token's field is named differently by specification and documentation.
pub(crate) fn introspect(visit: &Visit<'_>) -> Reply {
    let (app, fields) = match client(visit) {
        Ok(known) => known,
        Err(refused) => return Ok(refused),
    };
    let named = ["token", "access_token", "refresh_token"]
        .into_iter()
        .find_map(|name| field(&fields, name));
    let token = named.unwrap_or_default();
    if app.refresh_tokens.iter().any(|known| known == token) {
        let mut about = about(visit, app, token);
        about["token_use"] = json!("refresh_token");
        return Ok(Answer::json(200, &about));
    }
    let Some(left) = time_left(visit, token) else {
        return Ok(Answer::json(200, &json!({"active": false})));
    };
    let mut about = about(visit, app, token);
    about["token_use"] = json!("access_token");
    about["expires_in"] = json!(left.as_secs());
    Ok(Answer::json(200, &about))
}

fn about(visit: &Visit<'_>, app: &OAuthApp, token: &str) -> Value {
    json!({
        "active": true, "token": token, "token_type": "bearer", "hub_id": visit.settings.portal_id,
        "client_id": app.client_id, "app_id": 1, "user_id": 1, "scopes": app.scopes,
    })
}

fn time_left(visit: &Visit<'_>, token: &str) -> Option<Duration> {
    let until = *visit.state().tokens.issued.get(token)?;
    until
        .checked_sub(visit.stamp.since)
        .filter(|left| !left.is_zero())
}

/// `GET /oauth/v1/access-tokens/{token}`.
pub(crate) fn token_info(visit: &Visit<'_>, token: &str) -> Reply {
    let app = visit.settings.oauth.as_ref();
    match (app, time_left(visit, token)) {
        (Some(app), Some(left)) => {
            let mut about = about(visit, app, token);
            about["expires_in"] = json!(left.as_secs());
            Ok(Answer::json(200, &about))
        }
        _ => Err(Refusal::not_found()),
    }
}

/// `GET /oauth/v1/refresh-tokens/{token}`.
pub(crate) fn refresh_token_info(visit: &Visit<'_>, token: &str) -> Reply {
    match visit.settings.oauth.as_ref() {
        Some(app) if app.refresh_tokens.iter().any(|known| known == token) => {
            Ok(Answer::json(200, &about(visit, app, token)))
        }
        _ => Err(Refusal::not_found()),
    }
}
