//! `hubferry limits`: the account's windows as the fleet keeps them and as HubSpot tells them, and who holds what.

mod show;

use hubferry_hubspot::{AccountInfo, DailyUsage};
use hubferry_limiter::View;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) use show::view_json;

use crate::config::{Configuration, Destination, Loaded};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::{self, Turns, outside};
use crate::run::tell_warnings;

/// Calls that this makes to a portal.
const CALLS: u32 = 2;

/// What is known of one destination's limits.
struct Found {
    destination: String,
    account: AccountInfo,
    /// What the fleet's store says; none without Redis, where every worker has its own.
    view: Option<View>,
    /// What HubSpot says of the day; none for apps whose day it does not count.
    usage: Option<DailyUsage>,
}

/// Asks HubSpot who the token belongs to and how much of the day is used, and Redis for the rest.
///
/// # Errors
///
/// Redis does not answer, or HubSpot refuses.
pub(crate) async fn limits(loaded: Loaded, form: Form) -> Result<(), Failure> {
    let Loaded {
        configuration,
        warnings,
    } = loaded;
    if form == Form::Text {
        tell_warnings(&warnings);
    }
    let mut found = Vec::new();
    for destination in configuration.destinations.iter().filter(|one| one.enabled) {
        found.push(of_destination(&configuration, destination).await?);
    }
    match form {
        Form::Json => {
            output::print_json(&json!(found.iter().map(Found::to_json).collect::<Vec<_>>()))
        }
        Form::Text => output::print(
            &found
                .iter()
                .map(Found::to_text)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    }
}

async fn of_destination(
    configuration: &Configuration,
    destination: &Destination,
) -> Result<Found, Failure> {
    let failed = |error: &dyn std::fmt::Display| outside(destination, &error.to_string());
    let pool = match &configuration.redis {
        Some(settings) => Some(portals::redis(settings).await?),
        None => None,
    };
    let connected = portals::connect(configuration, destination, pool.as_ref()).await?;
    if connected.client.is_disconnected() {
        return Err(portals::was_cut(destination));
    }
    let turns = Turns::of(configuration, destination, pool.as_ref()).await?;
    turns.take(CALLS).await;
    let stop = CancellationToken::new();
    let account = connected.client.probe(&stop).await;
    let account = account.map_err(|error| failed(&error))?;
    let usage = connected.client.directory(&stop).daily_usage().await;
    let view = match pool.as_ref().zip(configuration.redis.as_ref()) {
        None => None,
        Some(shared) => {
            let shape = &configuration.limiter;
            let limiter = portals::limiter_of(destination, shape, &account, Some(shared))?;
            Some(limiter.inspect().await.map_err(|error| failed(&error))?)
        }
    };
    Ok(Found {
        destination: destination.name.clone(),
        account,
        view,
        // A token may lack the right to read it; what the store knows is worth showing anyway.
        usage: usage.unwrap_or_default(),
    })
}

impl Found {
    fn to_json(&self) -> Value {
        json!({
            "destination": self.destination,
            "portal": self.account.portal_id.get(),
            "time_zone": self.account.time_zone,
            "store": self.view.as_ref().map(view_json),
            "hubspot": self.usage.as_ref().map(|usage| json!({
                "daily_limit": usage.limit,
                "daily_used": usage.used,
                "daily_left": usage.limit.saturating_sub(usage.used),
                "counted_at": usage.collected_at,
                "resets_at": usage.resets_at,
            })),
        })
    }

    fn to_text(&self) -> String {
        let zone = self
            .account
            .time_zone
            .as_deref()
            .unwrap_or("time zone unknown");
        let mut text = format!(
            "destination {}: portal {}, {zone}\n",
            self.destination,
            self.account.portal_id.get()
        );
        match &self.view {
            Some(view) => text.push_str(&show::view_text(view)),
            None => text.push_str(
                "  no redis: every worker keeps limits of its own, see /debug/limiter there\n",
            ),
        }
        match &self.usage {
            Some(usage) => text.push_str(&format!(
                "  HubSpot says: {} of {} calls of the day used{}\n",
                usage.used,
                usage.limit,
                usage
                    .resets_at
                    .as_ref()
                    .map(|at| format!(", begins anew {at}"))
                    .unwrap_or_default()
            )),
            None => text.push_str("  HubSpot does not tell the day's use of this app\n"),
        }
        text
    }
}
