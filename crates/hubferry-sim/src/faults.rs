//! Faults on demand: rules that match calls and say what goes wrong with them.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde::Deserialize;
use serde_json::json;

use crate::access;
use crate::answer::{Answer, Refusal};
use crate::limits;
use crate::locks;

/// Fault rules in order; every rule that matches a call applies to it. A file of rules is a JSON list:
///
/// ```
/// let rules = r#"[
///     {"match": {"path_contains": "batch/upsert", "nth": 3}, "then": {"answer": "burst_limit"}},
///     {"match": {"body_contains": "poison@"}, "then": {"answer": "whole_batch_400"}, "times": 2},
///     {"match": {"from": 10, "to": 20, "probability": 0.5}, "then": {"latency_ms": 800}},
///     {"then": {"raw": {"status": 504, "body": "<html>gateway time-out</html>"}}, "times": 1},
///     {"match": {"method": "POST"}, "then": "reset_after_write", "times": 1}
/// ]"#;
/// let faults: hubferry_sim::Faults = serde_json::from_str(rules)?;
/// assert_eq!(faults.rules.len(), 5);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Faults {
    /// The rules.
    pub rules: Vec<FaultRule>,
}

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which calls it is about; without any condition, all.
    #[serde(default, rename = "match")]
    pub matcher: Matcher,
    /// What happens to them.
    pub then: Effect,
    /// How often it strikes at most; without it, always.
    #[serde(default)]
    pub times: Option<u64>,
}

/// Conditions on a call; all given ones must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// HTTP method.
    pub method: Option<String>,
    /// Part of the path.
    pub path_contains: Option<String>,
    /// Part of the request body.
    pub body_contains: Option<String>,
    /// Only the n-th call (from 1) that fulfils the conditions above.
    pub nth: Option<u64>,
    /// Only calls of this number (of all calls, from 1) or later.
    pub from: Option<u64>,
    /// Only calls of this number or earlier.
    pub to: Option<u64>,
    /// Chance in 0..=1 that the rule strikes a call that fulfils everything else.
    pub probability: Option<f64>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// A known refusal instead of the call.
    Answer(Canned),
    /// Any status and body instead of the call.
    Raw {
        /// HTTP status.
        status: u16,
        /// The body; sent as JSON when it starts with `{`, else as HTML.
        body: String,
        /// Value of a `Retry-After` header, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Send the caller to another host, as accounts of another region may be.
    Redirect {
        /// 307 or 308.
        status: u16,
        /// Scheme, host and port; path and query stay.
        base: String,
    },
    /// Wait this many milliseconds before the call takes effect.
    LatencyMs(u64),
    /// Do what was asked, then say nothing for this many milliseconds and cut the connection.
    TimeoutAfterWriteMs(u64),
    /// Cut the connection without doing anything.
    Reset,
    /// Do what was asked, cut the connection instead of answering.
    ResetAfterWrite,
    /// Do what was asked, leave this many results out of the answer.
    DropResults(usize),
    /// Do nothing, answer `COMPLETE` with no results.
    EmptyComplete,
    /// Refuse the first input of a batch with an error that does not say which input it is about.
    AnonymousError,
    /// Do what was asked, send half of the answer's body.
    TruncateBody,
}

/// Refusals known from recordings and documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Canned {
    /// 429 of the ten-second limit.
    BurstLimit,
    /// 429 of the day.
    DailyLimit,
    /// 429 of the search limit.
    SearchLimit,
    /// 423, a write lock.
    Locked,
    /// 477, the account moves to another data centre; `Retry-After` 30.
    Migrating,
    /// 500 with HubSpot's "internal error".
    InternalError,
    /// 502 with a gateway's page.
    BadGateway,
    /// 503 with a gateway's page.
    Unavailable,
    /// 401, the token ran out.
    ExpiredToken,
    /// 401, no such token.
    InvalidToken,
    /// 403, scopes are missing.
    MissingScopes,
    /// 400 for the whole batch that names no input.
    #[serde(rename = "whole_batch_400")]
    WholeBatch400,
}

impl Canned {
    pub(crate) fn answer(self, portal_id: u64, epoch_ms: i64, correlation_id: &str) -> Answer {
        let refusal = |refusal: Refusal| refusal.into_answer(correlation_id);
        match self {
            Self::BurstLimit => refusal(limits::burst_limit(portal_id)),
            Self::DailyLimit => refusal(limits::daily_limit()),
            Self::SearchLimit => refusal(limits::search_limit()),
            Self::Locked => refusal(locks::locked()),
            Self::Migrating => refusal(Refusal::new(
                477,
                "This account is being migrated to another data centre.",
            ))
            .with_header("Retry-After", "30"),
            Self::InternalError => refusal(Refusal::new(500, "internal error")),
            Self::BadGateway => Answer::html(502, GATEWAY_PAGE),
            Self::Unavailable => Answer::html(503, GATEWAY_PAGE),
            Self::ExpiredToken => refusal(access::expired("75 second(s)", epoch_ms - 75_000)),
            Self::InvalidToken => refusal(access::invalid()),
            Self::MissingScopes => {
                let needed = [
                    "crm.objects.contacts.write".to_owned(),
                    "crm.objects.companies.write".to_owned(),
                ];
                refusal(access::missing_scopes(&needed))
            }
            Self::WholeBatch400 => refusal(
                Refusal::new(400, "Property values were not valid")
                    .with("errors", json!([]))
                    .with("category", "VALIDATION_ERROR"),
            ),
        }
    }
}

const GATEWAY_PAGE: &str = "<!DOCTYPE html><html><head><title>HubSpot</title></head><body><h1>Something went wrong</h1></body></html>";

/// Rules with their counters.
#[derive(Debug)]
pub(crate) struct FaultBox {
    rules: Vec<(FaultRule, u64, u64)>,
}

/// The call a rule is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspect<'a> {
    pub(crate) number: u64,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
}

impl FaultBox {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            rules: faults.rules.into_iter().map(|rule| (rule, 0, 0)).collect(),
        }
    }

    /// The effects that strike this call.
    pub(crate) fn strike(&mut self, suspect: Suspect<'_>, chance: &mut StdRng) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (rule, seen, struck) in &mut self.rules {
            if !rule.matcher.describes(suspect) {
                continue;
            }
            *seen += 1;
            let used_up = rule.times.is_some_and(|times| *struck >= times);
            if used_up || !rule.matcher.picks(suspect.number, *seen, chance) {
                continue;
            }
            *struck += 1;
            effects.push(rule.then.clone());
        }
        effects
    }
}

impl Matcher {
    fn describes(&self, suspect: Suspect<'_>) -> bool {
        let body_has = |part: &String| {
            part.is_empty()
                || suspect
                    .body
                    .windows(part.len())
                    .any(|window| window == part.as_bytes())
        };
        self.method
            .as_ref()
            .is_none_or(|method| method.eq_ignore_ascii_case(suspect.method))
            && self
                .path_contains
                .as_ref()
                .is_none_or(|part| suspect.path.contains(part.as_str()))
            && self.body_contains.as_ref().is_none_or(body_has)
    }

    fn picks(&self, number: u64, seen: u64, chance: &mut impl Rng) -> bool {
        self.nth.is_none_or(|nth| nth == seen)
            && self.from.is_none_or(|from| number >= from)
            && self.to.is_none_or(|to| number <= to)
            && self
                .probability
                .is_none_or(|probability| chance.random_range(0.0..1.0) < probability)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use serde_json::json;

    use super::{Canned, Effect, FaultBox, Faults, Suspect};

    fn strikes(rules: serde_json::Value, calls: u64) -> Vec<u64> {
        let faults: Faults = serde_json::from_value(rules).unwrap();
        let mut faults = FaultBox::new(faults);
        let mut chance = StdRng::seed_from_u64(1);
        (1..=calls)
            .filter(|number| {
                let body = if number % 2 == 0 {
                    &b"{\"even\":1}"[..]
                } else {
                    b"{\"odd\":1}"
                };
                let suspect = Suspect {
                    number: *number,
                    method: "POST",
                    path: "/crm/v3/objects/contacts/batch/upsert",
                    body,
                };
                !faults.strike(suspect, &mut chance).is_empty()
            })
            .collect()
    }

    #[test]
    fn conditions_and_counts() {
        let then = json!({"answer": "burst_limit"});
        let rows = [
            (json!({"nth": 3}), None, vec![3]),
            (json!({"from": 2, "to": 4}), None, vec![2, 3, 4]),
            (json!({"body_contains": "even"}), Some(2), vec![2, 4]),
            (json!({"body_contains": "even", "nth": 2}), None, vec![4]),
            (json!({"method": "get"}), None, vec![]),
            (json!({"path_contains": "batch/upsert"}), Some(1), vec![1]),
            (json!({"probability": 0.0}), None, vec![]),
            (json!({"probability": 1.0}), Some(2), vec![1, 2]),
        ];
        for (matcher, times, expected) in rows {
            assert_eq!(
                strikes(json!([{"match": matcher, "then": then, "times": times}]), 6),
                expected,
                "{matcher}"
            );
        }
    }

    #[test]
    fn every_effect_can_be_written_down() {
        let rows = [
            (
                json!({"answer": "whole_batch_400"}),
                Effect::Answer(Canned::WholeBatch400),
            ),
            (
                json!({"redirect": {"status": 307, "base": "http://127.0.0.1:9"}}),
                Effect::Redirect {
                    status: 307,
                    base: "http://127.0.0.1:9".to_owned(),
                },
            ),
            (json!({"latency_ms": 5}), Effect::LatencyMs(5)),
            (
                json!({"timeout_after_write_ms": 5}),
                Effect::TimeoutAfterWriteMs(5),
            ),
            (json!("reset"), Effect::Reset),
            (json!("reset_after_write"), Effect::ResetAfterWrite),
            (json!({"drop_results": 2}), Effect::DropResults(2)),
            (json!("empty_complete"), Effect::EmptyComplete),
            (json!("anonymous_error"), Effect::AnonymousError),
            (json!("truncate_body"), Effect::TruncateBody),
            (
                json!({"raw": {"status": 503, "body": "x", "retry_after": 2}}),
                Effect::Raw {
                    status: 503,
                    body: "x".to_owned(),
                    retry_after: Some(2),
                },
            ),
        ];
        for (written, expected) in rows {
            let faults: Faults = serde_json::from_value(json!([{"then": written}])).unwrap();
            assert_eq!(faults.rules[0].then, expected);
        }
        assert!(serde_json::from_value::<Faults>(json!([{"then": "reset", "tims": 1}])).is_err());
    }
}
