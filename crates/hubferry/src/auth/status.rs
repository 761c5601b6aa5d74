//! `hubferry auth status`: whose tokens these are, how long they live, and which mappings lack scopes.

use std::time::Duration;

use deadpool_redis::Pool;
use hubferry_hubspot::{Auth, Client, DirectoryError, ProbeError, TokenInfo};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::scopes::{self, Lacks};
use crate::clock::rfc3339;
use crate::config::{Configuration, Destination};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::{self, Turns};
use crate::words::counted;

/// What is found of one connection.
struct Found {
    name: String,
    kind: &'static str,
    state: State,
    portal: Option<u64>,
    lives: Option<Duration>,
    granted: Vec<String>,
    needed: Vec<String>,
    lacking: Vec<Lacks>,
    mappings: Vec<String>,
}

/// The state of a connection (names.md §1).
enum State {
    Connected,
    Disconnected(String),
    /// Nobody knows: HubSpot does not answer.
    Unknown(String),
}

/// Looks at connections.
///
/// # Errors
///
/// Redis or HubSpot does not answer.
pub(super) async fn status(
    configuration: &Configuration,
    wanted: &[&Destination],
    pool: Option<&Pool>,
    form: Form,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for destination in wanted {
        found.push(look(configuration, destination, pool).await?);
    }
    match form {
        Form::Json => {
            let all: Vec<Value> = found.iter().map(Found::to_json).collect();
            output::print_json(&json!({ "connections": all }))?;
        }
        Form::Text => {
            let all: Vec<String> = found.iter().map(Found::to_text).collect();
            output::print(&all.join("\n"))?;
        }
    }
    let unknown = found.iter().find_map(|one| match &one.state {
        State::Unknown(why) => Some(format!("destination {}: {why}", one.name)),
        State::Connected | State::Disconnected(_) => None,
    });
    unknown.map_or(Ok(()), |why| Err(Failure::Outside(why)))
}

async fn look(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
) -> Result<Found, Failure> {
    let connected = portals::connect(configuration, destination, pool).await?;
    let needs = scopes::needs(destination);
    let (state, info) = if let Some(since) = connected.cut_since {
        let since = rfc3339(since);
        let why =
            format!("cut by an operator at {since}; `hubferry auth reconnect` connects it again");
        (State::Disconnected(why), None)
    } else {
        let turns = Turns::of(configuration, destination, pool).await?;
        turns.take(1).await;
        ask(&connected.client).await
    };
    let granted = info.as_ref().map(|info| &info.scopes);
    let portal = match (&info, &state) {
        (Some(info), _) if info.portal_id.is_some() => info.portal_id.map(|id| id.get()),
        // Not every host tells it with the token.
        (_, State::Connected) => portals::ask(destination, &connected.client, None)
            .await
            .ok(),
        _ => None,
    };
    Ok(Found {
        name: destination.name.clone(),
        kind: match destination.hubspot.auth {
            Auth::Private(_) => "private_app",
            Auth::OAuth { .. } => "oauth",
        },
        state,
        portal: portal.or(destination.hubspot.portal_id),
        lives: info.as_ref().and_then(|info| info.expires_in),
        granted: granted.into_iter().flatten().cloned().collect(),
        lacking: granted.map_or_else(Vec::new, |granted| scopes::lacking(&needs, granted)),
        needed: scopes::wanted(&needs),
        mappings: needs.into_iter().map(|one| one.mapping).collect(),
    })
}

async fn ask(client: &Client) -> (State, Option<TokenInfo>) {
    let stop = CancellationToken::new();
    match client.directory(&stop).token_info().await {
        Ok(Some(info)) => (State::Connected, Some(info)),
        // The token endpoint tells nothing of this token; the account does.
        Ok(None) => match client.probe(&stop).await {
            Ok(_) => (State::Connected, None),
            Err(error) => (state_of(&error), None),
        },
        Err(DirectoryError::Unreachable(error)) => (state_of(&error), None),
        Err(error) => (State::Unknown(error.to_string()), None),
    }
}

fn state_of(error: &ProbeError) -> State {
    match error {
        ProbeError::Unauthorized { .. } => State::Disconnected(error.to_string()),
        ProbeError::Forbidden { .. } => State::Connected,
        ProbeError::Connect { .. }
        | ProbeError::Timeout { .. }
        | ProbeError::Passing { .. }
        | ProbeError::Unexpected { .. }
        | ProbeError::Stopped => State::Unknown(error.to_string()),
    }
}

impl State {
    const fn name(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected(_) => "disconnected",
            Self::Unknown(_) => "unknown",
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Connected => None,
            Self::Disconnected(why) | Self::Unknown(why) => Some(why),
        }
    }
}

impl Found {
    fn lacks(&self, mapping: &str) -> &[String] {
        let lacks = self.lacking.iter().find(|one| one.mapping == mapping);
        lacks.map_or(&[], |lacks| &lacks.missing)
    }

    fn to_json(&self) -> Value {
        let mappings = self.mappings.iter().map(|mapping| {
            let missing = self.lacks(mapping);
            let state = match (self.granted.is_empty(), missing.is_empty()) {
                (true, _) => "unknown",
                (false, true) => "ok",
                (false, false) => "needs_reauthorization",
            };
            json!({"mapping": mapping, "state": state, "missing": missing})
        });
        json!({
            "destination": self.name,
            "kind": self.kind,
            "connection": self.state.name(),
            "reason": self.state.why(),
            "portal": self.portal,
            "expires_in_seconds": self.lives.map(|lives| lives.as_secs()),
            "scopes": {"granted": self.granted, "needed": self.needed},
            "mappings": mappings.collect::<Vec<_>>(),
        })
    }

    fn to_text(&self) -> String {
        let mut out = format!("{}  {}  {}", self.name, self.kind, self.state.name());
        let mut add = |text: &str| out.push_str(text);
        if let Some(portal) = self.portal {
            add(&format!("  portal {portal}"));
        }
        if let Some(lives) = self.lives {
            add(&format!("  token good for {}", minutes(lives)));
        }
        add("\n");
        if let Some(why) = self.state.why() {
            add(&format!("  {why}\n"));
        }
        if self.granted.is_empty() && matches!(self.state, State::Connected) {
            add("  HubSpot does not tell what this token may do; the mappings need:\n");
            add(&format!("  {}\n", self.needed.join(", ")));
        }
        for mapping in &self.mappings {
            let missing = self.lacks(mapping);
            if !missing.is_empty() {
                add(&format!(
                    "  {mapping}: needs re-authorisation: lacks {}\n",
                    missing.join(", ")
                ));
            } else if !self.granted.is_empty() {
                add(&format!("  {mapping}: has the scopes it needs\n"));
            }
        }
        out
    }
}

/// A time as people say it.
pub(super) fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => counted(seconds, "second"),
        seconds => counted(seconds / 60, "minute"),
    }
}
