//! The simulator in a process of its own, with settings that the command line of `hubferry sim` does not offer.
//!
//! The one argument is a JSON object; what it leaves out stays at the simulator's default.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hubferry_sim::{Faults, OAuthApp, SimSettings, Simulator};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    limits_on: bool,
    history: bool,
    email_upsert_partial: bool,
    faults: Faults,
    oauth: Option<App>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    token_life_seconds: u64,
}

impl Default for Wanted {
    fn default() -> Self {
        let usual = SimSettings::default();
        Wanted {
            limits_on: usual.limits_on,
            history: usual.history,
            email_upsert_partial: usual.email_upsert_partial,
            faults: usual.faults,
            oauth: None,
        }
    }
}

impl From<Wanted> for SimSettings {
    fn from(wanted: Wanted) -> SimSettings {
        SimSettings {
            limits_on: wanted.limits_on,
            history: wanted.history,
            email_upsert_partial: wanted.email_upsert_partial,
            faults: wanted.faults,
            oauth: wanted.oauth.map(OAuthApp::from),
            ..SimSettings::default()
        }
    }
}

impl From<App> for OAuthApp {
    fn from(app: App) -> OAuthApp {
        OAuthApp {
            client_id: app.client_id,
            client_secret: app.client_secret,
            refresh_tokens: vec![app.refresh_token],
            codes: Vec::new(),
            scopes: Vec::new(),
            token_life: Duration::from_secs(app.token_life_seconds),
        }
    }
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    reason = "the first line says where it listens, as that of `hubferry sim` does"
)]
async fn main() -> Result<()> {
    let wanted = std::env::args().nth(1).context("one argument: settings")?;
    let wanted: Wanted = serde_json::from_str(&wanted)?;
    let simulator = Simulator::start(wanted.into()).await?;
    println!("listening on {}", simulator.base_url());
    // It serves until somebody ends the process.
    std::future::pending::<()>().await;
    Ok(())
}
