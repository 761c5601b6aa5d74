//! The OAuth app: consent, codes, tokens; token endpoints answer in an error shape of their own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::access::Code;
use crate::answer::{Answer, Refusal, Reply};
use crate::pkce;
use crate::settings::OAuthApp;
use crate::state::State;
use crate::urls::{encoded, field, form};
use crate::visit::Visit;

/// `GET /oauth/authorize`: consent is given at once, the browser is sent back with a code.
pub(crate) fn authorize(visit: &Visit<'_>) -> Reply {
    let asked = |name: &str| field(&visit.query, name);
    let known = visit.settings.oauth.as_ref();
    let known = known.filter(|app| asked("client_id") == Some(&app.client_id));
    let (Some(_), Some(redirect)) = (known, asked("redirect_uri")) else {
        return Err(Refusal::validation(
            "client_id and redirect_uri must be those of the app",
        ));
    };
    let scopes = [asked("scope"), asked("optional_scope")];
    let scopes = scopes.into_iter().flatten();
    let mut state = visit.state();
    let code = format!("sim-code-{}", state.tokens.codes.len() + 1);
    let granted = Code {
        redirect: redirect.to_owned(),
        challenge: asked("code_challenge").map(str::to_owned),
        scopes: scopes
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect(),
        spent: false,
    };
    state.tokens.codes.insert(code.clone(), granted);
    let joint = if redirect.contains('?') { '&' } else { '?' };
    let mut location = format!("{redirect}{joint}code={code}");
    if let Some(opaque) = asked("state") {
        location.push_str("&state=");
        location.push_str(&encoded(opaque));
    }
    Ok(Answer::empty(302).with_header("Location", location))
}

/// `POST /oauth/{V}/token`.
pub(crate) fn token(visit: &Visit<'_>) -> Reply {
    let (app, fields) = match client(visit) {
        Ok(known) => known,
        Err(refused) => return Ok(refused),
    };
    let mut state = visit.state();
    let answer = match field(&fields, "grant_type") {
        Some("refresh_token") => {
            let token = field(&fields, "refresh_token").unwrap_or_default();
            refreshed(visit, &mut state, app, token)
        }
        Some("authorization_code") => exchanged(visit, &mut state, app, &fields),
        _ => refused(
            "unsupported_grant_type",
            "BAD_GRANT_TYPE",
            "missing or unknown grant type",
        ),
    };
    Ok(answer)
}

fn refreshed(visit: &Visit<'_>, state: &mut State, app: &OAuthApp, token: &str) -> Answer {
    if !state.tokens.refreshes_with(app, token) || state.switches.uninstalled {
        state.tokens.refused_refreshes += 1;
        return bad_grant(
            "BAD_REFRESH_TOKEN",
            "refresh token is invalid, expired or revoked",
        );
    }
    state.tokens.refreshes += 1;
    let next = match state.switches.rotate_refresh_tokens {
        true => {
            let next = format!("sim-refresh-{}", state.tokens.refreshes);
            state.tokens.dropped.insert(token.to_owned());
            state.tokens.rotated.insert(next.clone());
            next
        }
        false => token.to_owned(),
    };
    issue(visit, state, app, &next)
}

fn exchanged(
    visit: &Visit<'_>,
    state: &mut State,
    app: &OAuthApp,
    fields: &[(String, String)],
) -> Answer {
    let code = field(fields, "code").unwrap_or_default();
    let bad_code = || bad_grant("BAD_AUTH_CODE", "missing or unknown auth code");
    if app.codes.iter().any(|known| known == code) {
        // A code from the settings is bound to nothing.
        let bound = Code {
            spent: false,
            ..Code::default()
        };
        state.tokens.codes.entry(code.to_owned()).or_insert(bound);
    }
    let Some(known) = state.tokens.codes.get_mut(code) else {
        return bad_code();
    };
    let redirect = field(fields, "redirect_uri").unwrap_or_default();
    if !known.redirect.is_empty() && known.redirect != redirect {
        return bad_grant("BAD_REDIRECT_URI", "missing or invalid redirect uri");
    }
    let verifier = field(fields, "code_verifier").unwrap_or_default();
    let proved = known
        .challenge
        .as_ref()
        .is_none_or(|challenge| pkce::proves(verifier, challenge));
    // A code is worth one try, whatever came of it.
    if std::mem::replace(&mut known.spent, true) || !proved {
        return bad_code();
    }
    let scopes = std::mem::take(&mut known.scopes);
    if !scopes.is_empty() {
        state.tokens.consented = Some(scopes);
    }
    state.tokens.grants += 1;
    let first = app.refresh_tokens.first();
    let token = first
        .filter(|token| !state.tokens.dropped.contains(*token))
        .cloned();
    let token = token.unwrap_or_else(|| {
        let token = format!("sim-refresh-of-{code}");
        state.tokens.rotated.insert(token.clone());
        token
    });
    issue(visit, state, app, &token)
}

/// The app named by a request, and the fields of the request.
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

fn issue(visit: &Visit<'_>, state: &mut State, app: &OAuthApp, refresh_token: &str) -> Answer {
    let access_token = format!(
        "sim-access-{}-{}",
        visit.settings.seed,
        state.tokens.issued.len() + 1
    );
    state.tokens.issued.insert(
        access_token.clone(),
        visit.stamp.since.saturating_add(app.token_life),
    );
    Answer::json(
        200,
        &json!({
            "access_token": access_token, "refresh_token": refresh_token, "expires_in": app.token_life.as_secs(),
            "token_type": "bearer", "hub_id": visit.settings.portal_id, "user_id": 1,
            "scopes": granted(state, app), "token_use": "access_token",
        }),
    )
}

/// What every token of the app may do: as switched, else as installed, else as consented to.
fn granted<'a>(state: &'a State, app: &'a OAuthApp) -> &'a [String] {
    let consented = state.tokens.consented.as_deref().unwrap_or_default();
    match &state.switches.scopes {
        Some(scopes) => scopes,
        None if app.scopes.is_empty() => consented,
        None => &app.scopes,
    }
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

/// The token a form names; its field is named differently by specification and documentation.
fn named(fields: &[(String, String)]) -> &str {
    let names = ["token", "access_token", "refresh_token"];
    let found = names.into_iter().find_map(|name| field(fields, name));
    found.unwrap_or_default()
}

/// `POST /oauth/{V}/token/introspect`.
pub(crate) fn introspect(visit: &Visit<'_>) -> Reply {
    let (app, fields) = match client(visit) {
        Ok(known) => known,
        Err(refused) => return Ok(refused),
    };
    let token = named(&fields);
    let state = visit.state();
    if state.tokens.refreshes_with(app, token) && !state.switches.uninstalled {
        let mut about = about(visit, &state, app, token);
        about["token_use"] = json!("refresh_token");
        return Ok(Answer::json(200, &about));
    }
    let Some(left) = time_left(visit, &state, token) else {
        return Ok(Answer::json(200, &json!({"active": false})));
    };
    let mut about = about(visit, &state, app, token);
    about["token_use"] = json!("access_token");
    about["expires_in"] = json!(left.as_secs());
    Ok(Answer::json(200, &about))
}

/// `POST /oauth/{V}/token/revoke`: of no effect on unknown tokens.
pub(crate) fn revoke(visit: &Visit<'_>) -> Reply {
    let (app, fields) = match client(visit) {
        Ok(known) => known,
        Err(refused) => return Ok(refused),
    };
    drop_token(visit, app, named(&fields));
    Ok(Answer::empty(200))
}

/// `DELETE /oauth/v1/refresh-tokens/{token}`.
pub(crate) fn drop_refresh_token(visit: &Visit<'_>, token: &str) -> Reply {
    if let Some(app) = &visit.settings.oauth {
        drop_token(visit, app, token);
    }
    Ok(Answer::empty(204))
}

fn drop_token(visit: &Visit<'_>, app: &OAuthApp, token: &str) {
    let mut state = visit.state();
    if state.tokens.refreshes_with(app, token) {
        state.tokens.dropped.insert(token.to_owned());
    }
    state.tokens.issued.remove(token);
}

fn about(visit: &Visit<'_>, state: &State, app: &OAuthApp, token: &str) -> Value {
    json!({
        "active": true, "token": token, "token_type": "bearer", "hub_id": visit.settings.portal_id,
        "client_id": app.client_id, "app_id": 1, "user_id": 1, "user": "admin@portal.example",
        "hub_domain": "portal.example", "scopes": granted(state, app),
    })
}

fn time_left(visit: &Visit<'_>, state: &State, token: &str) -> Option<Duration> {
    let until = *state.tokens.issued.get(token)?;
    until
        .checked_sub(visit.stamp.since)
        .filter(|left| !left.is_zero())
}

/// `GET /oauth/v1/access-tokens/{token}`.
pub(crate) fn token_info(visit: &Visit<'_>, token: &str) -> Reply {
    let state = visit.state();
    let app = visit.settings.oauth.as_ref();
    match (app, time_left(visit, &state, token)) {
        (Some(app), Some(left)) if !state.switches.uninstalled => {
            let mut about = about(visit, &state, app, token);
            about["expires_in"] = json!(left.as_secs());
            Ok(Answer::json(200, &about))
        }
        _ => Err(Refusal::not_found()),
    }
}

/// `GET /oauth/v1/refresh-tokens/{token}`.
pub(crate) fn refresh_token_info(visit: &Visit<'_>, token: &str) -> Reply {
    let state = visit.state();
    match visit.settings.oauth.as_ref() {
        Some(app) if state.tokens.refreshes_with(app, token) && !state.switches.uninstalled => {
            Ok(Answer::json(200, &about(visit, &state, app, token)))
        }
        _ => Err(Refusal::not_found()),
    }
}
