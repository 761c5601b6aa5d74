//! HubSpot: the token, whose it is, what it may do, and the limits.

use deadpool_redis::Pool;
use hubferry_actions::{ObjectType, Sensitivity};
use hubferry_hubspot::{Call, Client, Daily, ProbeError, Request, StepId, Window};
use tokio_util::sync::CancellationToken;

use super::Checks;
use crate::auth::scopes;
use crate::config::{Configuration, Destination};
use crate::portals::{self, Turns};
use crate::words::grouped;

/// Calls that this makes to a portal.
const CALLS: u32 = 3;

pub(super) async fn check(
    configuration: &Configuration,
    destination: &Destination,
    pool: Option<&Pool>,
    checks: &mut Checks,
) {
    let of = |what: &str| format!("hubspot.{}.{what}", destination.name);
    let connected = match portals::connect(configuration, destination, pool).await {
        Ok(connected) => connected,
        Err(failure) => {
            let fix = "see the message; CA certificates and Redis are needed";
            return checks.fail(of("client"), failure.to_string(), fix);
        }
    };
    let client = &connected.client;
    if client.is_disconnected() {
        let fix = format!("hubferry auth reconnect --destination {}", destination.name);
        return checks.fail(of("token"), "the connection was cut by an operator", fix);
    }
    if let Ok(turns) = Turns::of(configuration, destination, pool).await {
        turns.take(CALLS).await;
    }
    let account = match client.probe(&CancellationToken::new()).await {
        Ok(account) => account,
        Err(error) => return checks.fail(of("token"), error.to_string(), fix_of(&error)),
    };
    checks.pass(of("token"), "accepted");
    let found = account.portal_id.get();
    let kind = account.account_type.as_deref().unwrap_or("kind not told");
    let zone = account.time_zone.as_deref().unwrap_or("time zone not told");
    let said = format!("portal {found}, {kind}, {zone}");
    match destination.hubspot.portal_id {
        Some(wanted) if wanted != found => checks.fail(
            of("portal"),
            format!("{said}, but hubspot.portal_id says {wanted}"),
            "use the token of the other portal, or correct hubspot.portal_id",
        ),
        _ => checks.pass(of("portal"), said),
    }
    rights(destination, client, &of("scopes"), checks).await;
    limits(destination, client, &of, checks).await;
}

async fn rights(destination: &Destination, client: &Client, name: &str, checks: &mut Checks) {
    let needs = scopes::needs(destination);
    match scopes::compare(client, &needs, &CancellationToken::new()).await {
        Ok(lacking) if lacking.is_empty() => {
            checks.pass(
                name,
                "what the enabled mappings need, as far as HubSpot tells",
            );
        }
        Ok(lacking) => {
            for lacks in lacking {
                checks.fail(
                    name,
                    format!(
                        "mapping {} lacks {}",
                        lacks.mapping,
                        lacks.missing.join(", ")
                    ),
                    "add the scopes to the app and connect it again; other mappings go on",
                );
            }
        }
        Err(error) => checks.warn(
            name,
            error.to_string(),
            "try again, or see `hubferry auth status`",
        ),
    }
}

/// A cheap call whose headers tell the limits.
async fn limits(
    destination: &Destination,
    client: &Client,
    of: &impl Fn(&str) -> String,
    checks: &mut Checks,
) {
    let prepared = client.prepare(&Call {
        request: Request::ReadProperties {
            step: StepId(0),
            object: ObjectType::contacts(),
            sensitivity: Sensitivity::Plain,
        },
    });
    let reply = client.send(prepared, &CancellationToken::new()).await;
    let configured = destination.hubspot.limits.ten_seconds.get();
    window(configured, reply.window, of("limits.ten_seconds"), checks);
    if let Some(day) = reply.daily {
        daily(day, of("limits.daily"), checks);
    }
}

fn window(configured: u32, told: Option<Window>, name: String, checks: &mut Checks) {
    match told {
        None => checks.pass(
            name,
            format!("{configured} configured; HubSpot does not tell its own"),
        ),
        Some(window) if window.max < configured => checks.warn(
            name,
            format!("{configured} configured, but HubSpot allows {}", window.max),
            format!("hubspot.limits.ten_seconds: {}", window.max),
        ),
        Some(window) if window.max > configured => checks.pass(
            name,
            format!(
                "{configured} configured of the {} that HubSpot allows",
                window.max
            ),
        ),
        Some(window) => checks.pass(name, format!("{} in ten seconds", window.max)),
    }
}

fn daily(day: Daily, name: String, checks: &mut Checks) {
    let (left, limit) = (u64::from(day.remaining), u64::from(day.limit));
    let said = format!("{} of {} calls left today", grouped(left), grouped(limit));
    if day.remaining < day.limit / 20 {
        let fix =
            "wait for the account's midnight, or raise the limit; live events go before replay";
        checks.warn(name, said, fix);
    } else {
        checks.pass(name, said);
    }
}

fn fix_of(error: &ProbeError) -> &'static str {
    match error {
        ProbeError::Unauthorized { .. } => "make a new token, or `hubferry auth login`",
        ProbeError::Forbidden { .. } => "grant the app what the message names",
        ProbeError::Connect { .. } | ProbeError::Timeout { .. } => {
            "check hubspot.base_url, DNS, the proxy and the network policy"
        }
        ProbeError::Passing { .. } | ProbeError::Stopped => "try again later",
        ProbeError::Unexpected { .. } => "check hubspot.base_url and hubspot.api_version",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_limit_above_the_portals_is_named() {
        let told = |max| {
            Some(Window {
                max,
                remaining: max,
            })
        };
        for (configured, told, verdict) in [
            (100, None, Verdict::Pass),
            (100, told(100), Verdict::Pass),
            (100, told(190), Verdict::Pass),
            (190, told(100), Verdict::Warn),
        ] {
            let mut checks = Checks::default();
            window(configured, told, "limits".to_owned(), &mut checks);
            assert_eq!(checks.0[0].verdict, verdict, "{configured} {told:?}");
        }
    }

    #[test]
    fn a_day_that_is_nearly_spent_is_named() {
        for (remaining, verdict) in [(50_000, Verdict::Pass), (49_999, Verdict::Warn)] {
            let mut checks = Checks::default();
            let day = Daily {
                limit: 1_000_000,
                remaining,
            };
            daily(day, "day".to_owned(), &mut checks);
            assert_eq!(checks.0[0].verdict, verdict, "{remaining}");
        }
    }
}
