//! One case: the event is rehearsed, and what came of it compared with what was expected.

use serde_json::{Value, json};

use super::compare::{Difference, compare, compare_texts};
use super::file::{Case, Expected};
use crate::clock;
use crate::closing::Closing;
use crate::workbench::open::Bench;
use crate::workbench::rehearsal::{EventReport, FiredReport, MappingReport, Rehearsal, Verdict};

/// The differences of a case; none when it is as expected.
///
/// # Errors
///
/// The case cannot be run.
pub(super) async fn judge(case: &Case, bench: &Bench) -> Result<Vec<Difference>, String> {
    let mut rehearsal = bench.rehearsal();
    for event in &case.before {
        rehearse(&mut rehearsal, event).await?;
    }
    let mut reports = rehearse(&mut rehearsal, &case.event).await?;
    let Some(event) = reports.pop() else {
        return Err("the event holds no events".to_owned());
    };
    let came = Came::of(&event)?;
    Ok(came.differences(&case.expected))
}

/// An event is written as it is, or as the text of a message.
async fn rehearse(rehearsal: &mut Rehearsal, event: &Value) -> Result<Vec<EventReport>, String> {
    let body = match event {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut reports = Vec::new();
    rehearsal.admit(1, body.as_bytes(), clock::now_ms(), &mut reports);
    rehearsal
        .play(&mut reports)
        .await
        .map_err(|failure| failure.to_string())?;
    Ok(reports)
}

/// What came of an event.
struct Came<'r> {
    closing: Option<&'r Closing>,
    because: Option<&'r str>,
    fired: Option<&'r FiredReport>,
}

impl<'r> Came<'r> {
    fn of(event: &'r EventReport) -> Result<Self, String> {
        match &event.mappings[..] {
            [] => Ok(Self {
                closing: event.closed.as_ref(),
                because: None,
                fired: None,
            }),
            [MappingReport { verdict, .. }] => Ok(match verdict {
                Verdict::NotFired(because) => Self {
                    closing: event.closed.as_ref(),
                    because: Some(because),
                    fired: None,
                },
                Verdict::Fired(fired) => Self {
                    closing: fired.ending.as_ref(),
                    because: None,
                    fired: Some(fired),
                },
            }),
            several => {
                let ids: Vec<&str> = several.iter().map(|mapping| mapping.id.as_str()).collect();
                Err(format!(
                    "the configuration has several mappings: say which with `mapping:` ({})",
                    ids.join(", ")
                ))
            }
        }
    }

    fn differences(&self, expected: &Expected) -> Vec<Difference> {
        let mut found = Vec::new();
        self.compare_ending(expected, &mut found);
        if let Some(payload) = &expected.payload {
            let came = self.fired.and_then(|fired| fired.payload.clone());
            compare(
                "payload",
                payload,
                came.map(Value::Object).as_ref(),
                &mut found,
            );
        }
        if let Some(steps) = &expected.steps {
            self.compare_steps(steps, &mut found);
        }
        // An ending that differs has its reasons; without them one would have to guess.
        if let Some(first) = found.first_mut() {
            first.because = self.reasons();
        }
        found
    }

    fn compare_ending(&self, expected: &Expected, found: &mut Vec<Difference>) {
        let came = self.closing.map(ending_text);
        let wanted = match expected {
            Expected {
                error: Some(error), ..
            } => format!("dead({})", error.code),
            Expected {
                skipped: Some(reason),
                ..
            } => format!("skipped({reason})"),
            Expected {
                ending: Some(ending),
                ..
            } => {
                let came = self.closing.map(Closing::as_str);
                if came != Some(ending.as_str()) {
                    let shown = self.closing.map(ending_text).map(Value::String);
                    found.push(Difference::new("ending", Some(json!(ending)), shown));
                }
                return;
            }
            // A payload or steps without a word on the ending want a mapping that fires.
            _ => return,
        };
        if came.as_deref() != Some(&*wanted) {
            let came = came.map(Value::String);
            found.push(Difference::new("ending", Some(json!(wanted)), came));
            return;
        }
        let paths = expected
            .error
            .as_ref()
            .and_then(|error| error.paths.as_ref());
        if let Some(paths) = paths {
            let mut wanted = paths.clone();
            let violations = self.fired.map(|fired| &fired.violations[..]);
            let mut came: Vec<String> = violations
                .unwrap_or_default()
                .iter()
                .map(|(path, _)| path.clone())
                .collect();
            wanted.sort();
            came.sort();
            if wanted != came {
                found.push(Difference::new(
                    "error.paths",
                    Some(json!(wanted)),
                    Some(json!(came)),
                ));
            }
        }
    }

    /// Steps that make sure of the schema need not be written.
    fn compare_steps(&self, expected: &[Value], found: &mut Vec<Difference>) {
        let is_ensure = |step: &Value| step.get("ensure").is_some();
        let spelt_out = expected.iter().any(is_ensure);
        let came: Vec<Value> = self
            .fired
            .map(|fired| fired.steps.iter().map(|step| step.to_json()).collect())
            .unwrap_or_default();
        let came: Vec<Value> = came
            .into_iter()
            .filter(|step| spelt_out || !is_ensure(step))
            .collect();
        compare_texts(
            "steps",
            &Value::Array(expected.to_vec()),
            Some(&Value::Array(came)),
            found,
        );
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.because.map(ToOwned::to_owned).into_iter().collect();
        let Some(fired) = self.fired else {
            if let Some(Closing::Dead(failed)) = self.closing {
                reasons.push(failed.message.clone());
            }
            return reasons;
        };
        reasons.extend(fired.notes.iter().cloned());
        let violations = fired.violations.iter();
        reasons.extend(violations.map(|(path, message)| format!("{path}: {message}")));
        if let (Some(Closing::Dead(failed)), true) = (self.closing, fired.violations.is_empty()) {
            reasons.push(failed.message.clone());
        }
        reasons
    }
}

fn ending_text(closing: &Closing) -> String {
    match closing.reason() {
        "" => closing.as_str().to_owned(),
        reason => format!("{}({reason})", closing.as_str()),
    }
}
