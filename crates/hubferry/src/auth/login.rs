//! `hubferry auth login`: the address to open in a browser, and the browser's answer on a port of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use deadpool_redis::Pool;
use hubferry_hubspot::{Login, LoginError, NewGrant, StoredGrant};
use hubferry_memory::keep_portal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::scopes;
use crate::config::{Configuration, Destination};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::{self, outside};
use crate::vault;

/// How a sign-in was asked for.
pub(super) struct Asked {
    /// Where the answer is awaited.
    pub(super) listen: SocketAddr,
    /// How long.
    pub(super) patience: Duration,
    /// How the result is printed.
    pub(super) form: Form,
}

/// Signs in and keeps the grant.
///
/// # Errors
///
/// There is nowhere to keep it, nobody answers in time, or HubSpot refuses.
pub(super) async fn login(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
    asked: Asked,
) -> Result<(), Failure> {
    let store = super::store(configuration, destination, pool).await?;
    let listener = TcpListener::bind(asked.listen).await.map_err(|error| {
        Failure::Outside(format!(
            "could not listen on {}: {error}; say another --port that the app allows",
            asked.listen
        ))
    })?;
    let port = listener.local_addr().unwrap_or(asked.listen).port();
    let login = Login::new(&random(), &format!("http://localhost:{port}/callback"));
    let settings = portals::client_settings(destination);
    let needs = scopes::needs(destination);
    let wanted = scopes::wanted(&needs);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let refused = |error: LoginError| outside(destination, &error.to_string());
    let url = login
        .authorize_url(&settings, &wanted, &[])
        .map_err(refused)?;
    output::tell(&format!(
        "Open this address in a browser, signed in to HubSpot as a super admin of the account:\n\n  {url}\n"
    ));
    let code = answered(listener, login.clone(), asked.patience, destination).await?;
    let stop = CancellationToken::new();
    let granted = login
        .exchange(&settings, &code, &stop)
        .await
        .map_err(refused)?;
    belongs(destination, &granted)?;
    keep(configuration, destination, pool, &*store, &granted).await?;
    say(destination, &granted, &needs, configuration, asked.form)
}

/// From the operating system's generator.
fn random() -> [u8; 64] {
    rand::random()
}

/// A grant of another account than the configured one is not kept.
fn belongs(destination: &Destination, granted: &NewGrant) -> Result<(), Failure> {
    let found = granted.portal_id.map(|id| id.get());
    match (destination.hubspot.portal_id, found) {
        (Some(wanted), Some(found)) if wanted != found => Err(outside(
            destination,
            &format!(
                "the sign-in was for portal {found}, but hubspot.portal_id says {wanted}; nothing was kept"
            ),
        )),
        _ => Ok(()),
    }
}

async fn keep(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
    store: &dyn hubferry_hubspot::TokenStore,
    granted: &NewGrant,
) -> Result<(), Failure> {
    let grant = granted.grant.clone();
    let new = |_: Option<StoredGrant>| grant;
    let kept = vault::change(store, new).await;
    kept.map_err(|error| super::unkept(destination, &error))?;
    if let Some((pool, redis)) = pool.zip(configuration.redis.as_ref()) {
        if let Some(id) = granted.portal_id {
            let known = vault::credential(destination);
            if let Err(error) = keep_portal(pool, &redis.prefix, &known, id.get()).await {
                tracing::warn!(%error, "could not remember which portal the token belongs to");
            }
        }
        if let Some(cut) = portals::cut(configuration, destination, Some(pool)) {
            let mended = cut.mend().await;
            mended.map_err(|error| super::unkept(destination, &error))?;
        }
    }
    Ok(())
}

fn say(
    destination: &Destination,
    granted: &NewGrant,
    needs: &[scopes::Needs],
    configuration: &Configuration,
    form: Form,
) -> Result<(), Failure> {
    let portal = granted.portal_id.map(|id| id.get());
    let name = &destination.name;
    let file = destination.hubspot.refresh_token_file.as_ref();
    let kept = match (&configuration.redis, file) {
        (None, Some(file)) => file.display().to_string(),
        (Some(redis), _) => format!("redis at {}", redis.shown()),
        (None, None) => String::new(),
    };
    let scopes = granted.scopes.iter().cloned().collect();
    let lacking = scopes::lacking(needs, &scopes);
    match form {
        Form::Json => output::print_json(&json!({
            "destination": name,
            "connection": "connected",
            "portal": portal,
            "kept": kept,
            "scopes": granted.scopes,
            "lacking": lacking.iter().map(|one| json!({"mapping": one.mapping, "missing": one.missing})).collect::<Vec<_>>(),
        })),
        Form::Text => {
            let portal = portal.map_or_else(String::new, |id| format!(" to portal {id}"));
            output::print(&format!(
                "{name}: connected{portal}; the grant is kept in {kept}\n"
            ))?;
            for lacks in &lacking {
                output::tell(&lacks.line());
            }
            Ok(())
        }
    }
}

/// What the browser brought.
enum Answer {
    Code(String),
    Refused(String),
}

/// Waits for the one answer that belongs to this sign-in; others are turned away.
async fn answered(
    listener: TcpListener,
    login: Login,
    patience: Duration,
    destination: &Destination,
) -> Result<String, Failure> {
    // One answer ends the wait; a second click on the same page needs no place.
    let (sender, mut answers) = mpsc::channel(1);
    let closing = CancellationToken::new();
    let router = Router::new()
        .route("/callback", get(callback))
        .with_state(Arc::new(Door { login, sender }));
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(closing.clone().cancelled_owned())
        .into_future();
    let waited = async {
        let answer = tokio::time::timeout(patience, answers.recv()).await;
        // The page of the answer still has to go out.
        closing.cancel();
        answer
    };
    let (served, answer) = tokio::join!(served, waited);
    if let Err(error) = served {
        tracing::debug!(%error, "the callback ended");
    }
    match answer {
        Ok(Some(Answer::Code(code))) => Ok(code),
        Ok(Some(Answer::Refused(why))) => Err(outside(destination, &why)),
        Ok(None) | Err(_) => Err(outside(
            destination,
            &format!(
                "nobody signed in within {}; ask again",
                super::status::minutes(patience)
            ),
        )),
    }
}

struct Door {
    login: Login,
    sender: mpsc::Sender<Answer>,
}

async fn callback(State(door): State<Arc<Door>>, uri: Uri) -> (StatusCode, &'static str) {
    let query = uri.query().unwrap_or_default();
    let state = field(query, "state").unwrap_or_default();
    if !door.login.is_answered_by(&state) {
        return (
            StatusCode::BAD_REQUEST,
            "This answer belongs to another sign-in. Open the address that hubferry printed last.\n",
        );
    }
    let answer = match field(query, "code") {
        Some(code) if !code.is_empty() => Answer::Code(code),
        _ => Answer::Refused(refusal(query)),
    };
    let is_code = matches!(answer, Answer::Code(_));
    // A second answer to a sign-in that is done changes nothing.
    door.sender.try_send(answer).ok();
    if is_code {
        (StatusCode::OK, "Connected. You can close this page.\n")
    } else {
        (
            StatusCode::OK,
            "HubSpot did not grant access; hubferry says why in the terminal.\n",
        )
    }
}

/// HubSpot's reasons, in a line.
fn refusal(query: &str) -> String {
    let word = |name| field(query, name).unwrap_or_default();
    let (error, told) = (word("error"), word("error_description"));
    let told: String = told.chars().filter(|c| !c.is_control()).take(200).collect();
    let error: String = error.chars().filter(|c| !c.is_control()).take(60).collect();
    let mut line = match (error.is_empty(), told.is_empty()) {
        (true, true) => "HubSpot granted no access".to_owned(),
        (false, true) => format!("HubSpot granted no access: {error}"),
        (true, false) => format!("HubSpot granted no access: {told}"),
        (false, false) => format!("HubSpot granted no access: {error}: {told}"),
    };
    let words = format!("{error} {told}").to_lowercase();
    if ["access_denied", "admin", "permission", "authorized"]
        .iter()
        .any(|word| words.contains(word))
    {
        line.push_str("; a super admin of the account has to connect the app");
    }
    line
}

/// A field of a query, decoded.
fn field(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name);
    found.next().map(|(_, value)| decoded(value))
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3);
        let hex = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        let hex = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_found_by_their_name() {
        for (query, expected) in [
            ("code=a%2Fb%3D&state=x", Some("a/b=")),
            ("state=x&code=a+b", Some("a b")),
            ("code=%", Some("%")),
            ("code=%zz", Some("%zz")),
            ("xcode=1", None),
            ("", None),
        ] {
            assert_eq!(field(query, "code").as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn a_refusal_says_who_can_do_it() {
        assert_eq!(
            refusal("error=access_denied&error_description=User+does+not+have+permission"),
            "HubSpot granted no access: access_denied: User does not have permission; a super admin of the account has to connect the app"
        );
        assert_eq!(refusal("x=1"), "HubSpot granted no access");
    }
}
