//! Portals that do not send until someone acts: said once when it begins and once when it ends.

use std::sync::Arc;

use hubferry_delivery::{HeldState, Stats};

/// Watches the portals of a worker.
pub(crate) struct Holds {
    portals: Vec<Watched>,
}

struct Watched {
    name: String,
    stats: Arc<Stats>,
    held: Vec<HeldState>,
}

impl Holds {
    /// Watches these portals, by the name of their destination.
    pub(crate) fn new(portals: impl IntoIterator<Item = (String, Arc<Stats>)>) -> Self {
        let portals = portals
            .into_iter()
            .map(|(name, stats)| Watched {
                name,
                stats,
                held: Vec::new(),
            })
            .collect();
        Self { portals }
    }

    /// One line for every hold that began since the last look; holds that ended are logged.
    pub(crate) fn begun(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for portal in &mut self.portals {
            let held = portal.stats.snapshot().holds;
            let known = |state: &HeldState, among: &[HeldState]| {
                among
                    .iter()
                    .any(|one| one.mapping == state.mapping && one.reason == state.reason)
            };
            lines.extend(
                held.iter()
                    .filter(|state| !known(state, &portal.held))
                    .map(|state| line(&portal.name, state)),
            );
            for state in portal.held.iter().filter(|state| !known(state, &held)) {
                let who = state.mapping.as_ref().unwrap_or(&portal.name);
                tracing::info!(who, reason = state.reason, "sending again");
            }
            portal.held = held;
        }
        lines
    }
}

/// What happened, and what to do about it.
fn line(destination: &str, state: &HeldState) -> String {
    let (code, fix) = match state.reason {
        "auth" => (
            "connection_lost",
            "replace the token or connect the app again",
        ),
        "scope" => ("forbidden", "give the app the scopes it needs"),
        _ => (
            "config_invalid",
            "correct the mapping or the portal's properties",
        ),
    };
    let who = state.mapping.as_ref().map_or_else(
        || format!("destination {destination}"),
        |mapping| format!("mapping {mapping}"),
    );
    format!(
        "{code}: {who} is on hold: {}; {fix}. Nothing is lost: positions stay where they are",
        state.message
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_one_line_that_says_what_to_do() {
        let portal = HeldState {
            mapping: None,
            reason: "auth",
            message: "the token is expired".to_owned(),
        };
        assert_eq!(
            line("acme", &portal),
            "connection_lost: destination acme is on hold: the token is expired; replace the token or connect the app again. Nothing is lost: positions stay where they are"
        );
        let mapping = HeldState {
            mapping: Some("acme/companies".to_owned()),
            reason: "scope",
            message: "missing scopes: crm.objects.companies.write".to_owned(),
        };
        assert_eq!(
            line("acme", &mapping),
            "forbidden: mapping acme/companies is on hold: missing scopes: crm.objects.companies.write; give the app the scopes it needs. Nothing is lost: positions stay where they are"
        );
    }
}
