//! `hubferry doctor`: everything outside, one line a check, and the fix where something is not as it should be.

mod hubspot;
mod kafka;
mod redis;

use serde_json::{Value, json};

use crate::config::{Configuration, Loaded};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::words::{counted, size};

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// As it should be.
    Pass,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the result.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Check {
    /// What was looked at, as in `redis.eviction` or `hubspot.acme.scopes`.
    name: String,
    verdict: Verdict,
    message: String,
    fix: Option<String>,
}

/// All checks, in the order in which they were made.
#[derive(Default, Debug)]
struct Checks(Vec<Check>);

impl Checks {
    fn pass(&mut self, name: impl Into<String>, message: impl Into<String>) {
        self.add(name, Verdict::Pass, message, None);
    }

    fn warn(
        &mut self,
        name: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(name, Verdict::Warn, message, Some(fix.into()));
    }

    fn fail(
        &mut self,
        name: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(name, Verdict::Fail, message, Some(fix.into()));
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        verdict: Verdict,
        message: impl Into<String>,
        fix: Option<String>,
    ) {
        self.0.push(Check {
            name: name.into(),
            verdict,
            message: message.into(),
            fix,
        });
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|one| one.verdict == verdict).count()
    }

    fn to_json(&self) -> Value {
        let checks = self.0.iter().map(|check| {
            json!({
                "check": check.name,
                "verdict": check.verdict.as_str(),
                "message": check.message,
                "fix": check.fix,
            })
        });
        json!({
            "checks": checks.collect::<Vec<_>>(),
            "pass": self.count(Verdict::Pass),
            "warn": self.count(Verdict::Warn),
            "fail": self.count(Verdict::Fail),
        })
    }

    fn to_text(&self) -> String {
        let width = self.0.iter().map(|check| check.name.len()).max();
        let width = width.unwrap_or_default();
        let lines = self.0.iter().map(|check| {
            let (verdict, name, message) = (check.verdict.as_str(), &check.name, &check.message);
            let fix = check.fix.as_ref();
            let fix = fix.map_or_else(String::new, |fix| format!("; fix: {fix}"));
            format!("{verdict}  {name:width$}  {message}{fix}\n")
        });
        lines.collect()
    }
}

/// Looks at everything that a worker of this configuration needs.
///
/// # Errors
///
/// At least one check failed.
pub(crate) async fn doctor(loaded: Loaded, form: Form) -> Result<(), Failure> {
    let mut checks = Checks::default();
    versions(&loaded, &mut checks);
    let configuration = &loaded.configuration;
    match &configuration.kafka {
        Some(kafka) => kafka::check(configuration, kafka, &mut checks).await,
        None => checks.warn(
            "kafka.brokers",
            "no kafka in the configuration",
            "add kafka.brokers and kafka.topics; `run --input FILE` needs none",
        ),
    }
    let pool = redis::check(configuration.redis.as_ref(), &mut checks).await;
    let enabled = configuration.destinations.iter().filter(|one| one.enabled);
    for destination in enabled {
        hubspot::check(configuration, destination, pool.as_ref(), &mut checks).await;
    }
    match form {
        Form::Json => output::print_json(&checks.to_json())?,
        Form::Text => output::print(&checks.to_text())?,
    }
    match checks.count(Verdict::Fail) {
        0 => Ok(()),
        failed => Err(Failure::Outside(format!(
            "{failed} of {} failed",
            counted(size(checks.0.len()), "check")
        ))),
    }
}

fn versions(loaded: &Loaded, checks: &mut Checks) {
    checks.pass("version", format!("hubferry {}", env!("CARGO_PKG_VERSION")));
    let warnings = size(loaded.warnings.len());
    let hash = &loaded.configuration.hash;
    if warnings == 0 {
        checks.pass(
            "configuration",
            format!("{}, hash {hash}", shape(&loaded.configuration)),
        );
    } else {
        checks.warn(
            "configuration",
            format!("{}, hash {hash}", counted(warnings, "warning")),
            "`hubferry check` prints them",
        );
    }
}

fn shape(configuration: &Configuration) -> String {
    let enabled = configuration.destinations.iter().filter(|one| one.enabled);
    counted(size(enabled.count()), "destination")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_looked_at_how_it_is_and_what_to_do() {
        let mut checks = Checks::default();
        checks.pass("version", "hubferry 1");
        checks.warn("redis.version", "Redis 6.2", "use 7.0");
        checks.fail("kafka.brokers", "no answer", "check kafka.brokers");
        assert_eq!(
            checks.to_text(),
            "pass  version        hubferry 1\n\
             warn  redis.version  Redis 6.2; fix: use 7.0\n\
             fail  kafka.brokers  no answer; fix: check kafka.brokers\n"
        );
        let shown = checks.to_json();
        assert_eq!(shown["fail"], 1);
        assert_eq!(
            shown["checks"][1],
            json!({"check": "redis.version", "verdict": "warn", "message": "Redis 6.2", "fix": "use 7.0"})
        );
    }
}
