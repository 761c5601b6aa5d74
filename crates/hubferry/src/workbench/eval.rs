//! `hubferry eval`: cases of the mapping language as NDJSON, one answer a line, in order.
//!
//! A bad case is a result like any other. Everything is read, answered and forgotten line by line, so the input may be
//! as long as it likes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, BufWriter, Read, Write};

use clap::Subcommand;
use hubferry_actions::ActionSlug;
use hubferry_event::parse_json;
use hubferry_mapping::{CleanOptions, Mapping, MappingFault, Trigger, TriggerDialect, Violation};
use serde_json::{Map, Value, json};

use super::lines::{Line, Lines};
use crate::exit::Failure;

/// What the cases are about.
#[derive(Clone, Copy, Subcommand, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// {"id", "mapping", "input"} → {"id", "output"}: the input resolved by the mapping; no output when undefined
    Mapping,
    /// {"id", "trigger", "event", "dialect"?} → {"id", "output"}: whether the event fires it (dialect: reference, fql)
    Trigger,
    /// {"id", "action", "mapping"?, "event"} → {"id", "payload"}: mapped, cleaned, coerced and checked
    Fields,
}

/// Answers the cases on standard input.
///
/// # Errors
///
/// Standard input cannot be read, or standard output not be written.
pub(crate) fn eval(what: What) -> Result<(), Failure> {
    let out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    answer_all(what, Lines::of(io::stdin().lock()), out)
}

fn answer_all(what: What, mut cases: Lines<impl Read>, mut out: impl Write) -> Result<(), Failure> {
    let mut compiled = Compiled::default();
    while let Some((_, line)) = cases.next()? {
        let answer = answer(what, line, &mut compiled);
        let written = serde_json::to_writer(&mut out, &answer)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"));
        // Whoever waits for this answer before asking on gets it now.
        let written = if cases.may_wait() {
            written.and_then(|()| out.flush())
        } else {
            written
        };
        if let Err(error) = written {
            return unwritten(&error);
        }
    }
    match out.flush() {
        Ok(()) => Ok(()),
        Err(error) => unwritten(&error),
    }
}

/// A reader that has seen enough (`| head`) is no failure.
fn unwritten(error: &io::Error) -> Result<(), Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failure::Outside(format!(
        "could not write to standard output: {error}"
    )))
}

/// A case that has no result: a code of names.md §5, and why.
#[derive(Debug)]
struct Refused {
    code: &'static str,
    message: String,
    path: Option<String>,
    violations: Vec<Violation>,
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: None,
            violations: Vec::new(),
        }
    }

    fn into_json(self) -> Value {
        let mut error = Map::new();
        error.insert("code".to_owned(), self.code.into());
        error.insert("message".to_owned(), self.message.into());
        if let Some(path) = self.path {
            error.insert("path".to_owned(), path.into());
        }
        if !self.violations.is_empty() {
            let listed = self.violations.iter().map(|violation| {
                json!({
                    "path": violation.path,
                    "message": format!("expected {}, got {}", violation.expected, violation.actual),
                })
            });
            error.insert("violations".to_owned(), listed.collect());
        }
        Value::Object(error)
    }
}

/// Mappings that are likely to be asked for again: compiling one takes longer than evaluating it.
#[derive(Default)]
struct Compiled {
    /// The default mappings of the actions.
    defaults: HashMap<ActionSlug, Mapping>,
    /// The mapping that a case wrote last, by its text: the order of members means something, and equal values may
    /// differ in it.
    last: Option<(String, Mapping)>,
}

impl Compiled {
    fn default_of(&mut self, action: ActionSlug) -> Result<&Mapping, Refused> {
        Ok(match self.defaults.entry(action) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(compile(&Value::Object(action.default_mapping()))?)
            }
        })
    }

    fn written(&mut self, written: &Value) -> Result<&Mapping, Refused> {
        let text = written.to_string();
        let last = match self.last.take() {
            Some(same) if same.0 == text => same,
            _ => (text, compile(written)?),
        };
        Ok(&self.last.insert(last).1)
    }
}

fn compile(written: &Value) -> Result<Mapping, Refused> {
    Mapping::compile(written).map_err(|faults| uncompiled(&faults))
}

fn answer(what: What, line: Line<'_>, compiled: &mut Compiled) -> Value {
    let mut answer = Map::new();
    answer.insert("id".to_owned(), Value::Null);
    let case = match read(what, line) {
        Ok(case) => case,
        Err(refused) => {
            answer.insert("error".to_owned(), refused.into_json());
            return Value::Object(answer);
        }
    };
    if let Some(id) = case.get("id") {
        answer.insert("id".to_owned(), id.clone());
    }
    let (name, result) = match what {
        What::Mapping => ("output", mapping(case, compiled)),
        What::Trigger => ("output", trigger(&case).map(|fired| Some(fired.into()))),
        What::Fields => ("payload", fields(case, compiled).map(Some)),
    };
    match result {
        Ok(Some(value)) => drop(answer.insert(name.to_owned(), value)),
        // Undefined: there is no such member.
        Ok(None) => {}
        Err(refused) => drop(answer.insert("error".to_owned(), refused.into_json())),
    }
    Value::Object(answer)
}

/// The case of a line. A line that is none counts as a mapping, trigger or payload that cannot be read.
fn read(what: What, line: Line<'_>) -> Result<Map<String, Value>, Refused> {
    let code = match what {
        What::Mapping => "mapping_invalid",
        What::Trigger => "trigger_invalid",
        What::Fields => "payload_invalid",
    };
    let bytes = match line {
        Line::Whole(bytes) => bytes,
        Line::TooLong => return Err(Refused::new(code, "the line is too long")),
    };
    match parse_json(bytes) {
        Ok(Value::Object(case)) => Ok(case),
        Ok(_) => Err(Refused::new(code, "the line is no JSON object")),
        Err(malformed) => Err(Refused::new(
            code,
            format!("the line is no case: {malformed}"),
        )),
    }
}

fn mapping(
    mut case: Map<String, Value>,
    compiled: &mut Compiled,
) -> Result<Option<Value>, Refused> {
    let Some(written) = case.shift_remove("mapping") else {
        return Err(Refused::new("mapping_invalid", "the case has no `mapping`"));
    };
    resolve(compiled.written(&written)?, &input(&mut case, "input"))
}

/// An input that is not given is an event without members (mapping.md §6).
fn input(case: &mut Map<String, Value>, name: &str) -> Value {
    case.shift_remove(name)
        .unwrap_or_else(|| Value::Object(Map::new()))
}

fn resolve(mapping: &Mapping, input: &Value) -> Result<Option<Value>, Refused> {
    mapping
        .resolve(input)
        .map_err(|error| Refused::new("mapping_failed", error.to_string()))
}

fn uncompiled(faults: &[MappingFault]) -> Refused {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Refused {
        path: faults.first().map(|fault| fault.location.clone()),
        ..Refused::new("mapping_invalid", lines.join("; "))
    }
}

fn trigger(case: &Map<String, Value>) -> Result<bool, Refused> {
    let refused = |message: String| Refused::new("trigger_invalid", message);
    let dialect = match case.get("dialect").map(|value| (value, value.as_str())) {
        None | Some((Value::Null, _) | (_, Some("reference"))) => TriggerDialect::Reference,
        Some((_, Some("fql"))) => TriggerDialect::Fql,
        Some((other, _)) => {
            return Err(refused(format!(
                "{other} is no dialect: there are reference and fql"
            )));
        }
    };
    let text = match case.get("trigger") {
        Some(Value::String(text)) => text,
        Some(_) => return Err(refused("`trigger` is no text".to_owned())),
        None => return Err(refused("the case has no `trigger`".to_owned())),
    };
    let trigger = Trigger::parse(text, dialect).map_err(|fault| refused(fault.to_string()))?;
    let nothing = Value::Object(Map::new());
    Ok(trigger.matches(case.get("event").unwrap_or(&nothing)))
}

fn fields(mut case: Map<String, Value>, compiled: &mut Compiled) -> Result<Value, Refused> {
    let action = match case.get("action").and_then(Value::as_str) {
        Some(slug) => slug
            .parse::<ActionSlug>()
            .map_err(|error| Refused::new("mapping_invalid", error.to_string()))?,
        None => return Err(Refused::new("mapping_invalid", "the case has no `action`")),
    };
    let event = input(&mut case, "event");
    let mapping = match case.shift_remove("mapping") {
        None | Some(Value::Null) => compiled.default_of(action)?,
        Some(written) => compiled.written(&written)?,
    };
    let payload = match resolve(mapping, &event)? {
        Some(Value::Object(payload)) => payload,
        None => Map::new(),
        Some(_) => {
            return Err(Refused::new(
                "mapping_failed",
                "the mapping gives no object",
            ));
        }
    };
    match action.schema().validate(payload, &CleanOptions::default()) {
        Ok(validated) => Ok(Value::Object(validated.payload)),
        Err(violations) => {
            let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Err(Refused {
                path: violations.first().map(|violation| violation.path.clone()),
                violations,
                ..Refused::new("payload_invalid", lines.join("; "))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(what: What, line: &str) -> String {
        answer(what, Line::Whole(line.as_bytes()), &mut Compiled::default()).to_string()
    }

    #[test]
    fn mappings_are_resolved_and_undefined_has_no_output() {
        for (case, expected) in [
            (
                r#"{"id":1,"mapping":{"a":{"@path":"$.n"}},"input":{"n":12345678901234567890123}}"#,
                r#"{"id":1,"output":{"a":12345678901234567890123}}"#,
            ),
            (
                r#"{"id":"b","mapping":{"@path":"$.nope"},"input":{}}"#,
                r#"{"id":"b"}"#,
            ),
            (
                r#"{"mapping":{"a":{"@path":"$.n"}},"input":{"n":0.12345678901234567890}}"#,
                r#"{"id":null,"output":{"a":0.12345678901234567890}}"#,
            ),
            (
                r#"{"id":2,"mapping":{"@literal":null}}"#,
                r#"{"id":2,"output":null}"#,
            ),
            (
                r#"{"id":{"x":[1]},"mapping":{}}"#,
                r#"{"id":{"x":[1]},"output":{}}"#,
            ),
        ] {
            assert_eq!(answered(What::Mapping, case), expected, "{case}");
        }
    }

    #[test]
    fn a_bad_mapping_names_every_fault_and_the_first_place() {
        let answer = answered(
            What::Mapping,
            r#"{"id":3,"mapping":{"x":{"@oops":1},"y":{"@path":1}},"input":{}}"#,
        );
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["id"], 3);
        assert_eq!(answer["error"]["code"], "mapping_invalid");
        assert_eq!(answer["error"]["path"], "/x");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("/x") && message.contains("/y"),
            "{message}"
        );
    }

    #[test]
    fn each_case_that_cannot_be_answered_has_its_code() {
        for (what, case, code) in [
            (What::Mapping, "{", "mapping_invalid"),
            (What::Mapping, "[]", "mapping_invalid"),
            (What::Mapping, r#"{"id":1}"#, "mapping_invalid"),
            (
                What::Mapping,
                r#"{"id":1,"mapping":"s"}"#,
                "mapping_invalid",
            ),
            (
                What::Mapping,
                r#"{"id":1,"mapping":{},"input":[]}"#,
                "mapping_failed",
            ),
            (
                What::Mapping,
                r#"{"id":1,"mapping":{},"input":null}"#,
                "mapping_failed",
            ),
            (
                What::Mapping,
                r#"{"id":1,"mapping":{"@path":{"@path":"x"}},"input":{}}"#,
                "mapping_failed",
            ),
            (What::Trigger, "nonsense", "trigger_invalid"),
            (What::Trigger, r#"{"event":{}}"#, "trigger_invalid"),
            (What::Trigger, r#"{"trigger":5}"#, "trigger_invalid"),
            (What::Trigger, r#"{"trigger":"and and"}"#, "trigger_invalid"),
            (
                What::Trigger,
                r#"{"trigger":"type = \"a\"","dialect":"sql"}"#,
                "trigger_invalid",
            ),
            (What::Fields, "nonsense", "payload_invalid"),
            (What::Fields, r#"{"event":{}}"#, "mapping_invalid"),
            (
                What::Fields,
                r#"{"action":"upsertContacts","event":{}}"#,
                "mapping_invalid",
            ),
            (
                What::Fields,
                r#"{"action":"upsertContact","event":{}}"#,
                "payload_invalid",
            ),
            (
                What::Fields,
                r#"{"action":"upsertContact","event":1}"#,
                "mapping_failed",
            ),
            (
                What::Fields,
                r#"{"action":"upsertContact","mapping":{"@literal":1},"event":{}}"#,
                "mapping_failed",
            ),
        ] {
            let answer: Value = serde_json::from_str(&answered(what, case)).unwrap();
            assert_eq!(answer["error"]["code"], code, "{case}");
            assert!(answer.get("id").is_some(), "{case}");
        }
        let long = answer(What::Mapping, Line::TooLong, &mut Compiled::default());
        assert_eq!(long["id"], Value::Null);
    }

    #[test]
    fn triggers_are_read_as_the_dialect_says() {
        let case = |dialect: &str| {
            format!(r#"{{"id":1,"trigger":"type = 'track'","event":{{"type":"track"}}{dialect}}}"#)
        };
        for (dialect, fired) in [
            ("", false),
            (r#","dialect":null"#, false),
            (r#","dialect":"reference""#, false),
            (r#","dialect":"fql""#, true),
        ] {
            let expected = format!(r#"{{"id":1,"output":{fired}}}"#);
            assert_eq!(
                answered(What::Trigger, &case(dialect)),
                expected,
                "{dialect}"
            );
        }
    }

    /// events.md §2 and mapping.md §6: there is no intake here that would refuse an unknown type, and a missing event is one
    /// without members.
    #[test]
    fn s2_h_an_event_of_an_unknown_type_is_evaluated_and_a_missing_one_is_empty() {
        for (trigger, event, fired) in [
            ("type = track", r#","event":{"type":"Track"}"#, false),
            ("type != track", r#","event":{"type":"Track"}"#, true),
            (
                "userId = u",
                r#","event":{"type":"buy","userId":"u"}"#,
                true,
            ),
            ("userId = u", r#","event":{"userId":"u"}"#, true),
            ("name = null", "", true),
            ("type = track", "", false),
        ] {
            let case = format!(r#"{{"id":1,"trigger":"{trigger}"{event}}}"#);
            let expected = format!(r#"{{"id":1,"output":{fired}}}"#);
            assert_eq!(answered(What::Trigger, &case), expected, "{case}");
        }
        let case = r#"{"id":1,"mapping":{"a":1,"b":{"@path":"$.b"}}}"#;
        assert_eq!(
            answered(What::Mapping, case),
            r#"{"id":1,"output":{"a":1}}"#
        );
    }

    #[test]
    fn fields_come_from_the_defaults_or_from_the_mapping_alone() {
        let event = r#""event":{"type":"identify","traits":{"email":" A@b.co","phone":7}}"#;
        let defaults = format!(r#"{{"id":1,"action":"upsertContact",{event}}}"#);
        assert_eq!(
            answered(What::Fields, &defaults),
            r#"{"id":1,"payload":{"email":"A@b.co","phone":"7"}}"#
        );
        let alone = format!(
            r#"{{"id":1,"action":"upsertContact","mapping":{{"email":{{"@path":"$.traits.email"}},"zzz":1}},{event}}}"#
        );
        assert_eq!(
            answered(What::Fields, &alone),
            r#"{"id":1,"payload":{"email":"A@b.co"}}"#
        );
    }

    #[test]
    fn every_violation_is_listed_with_its_path() {
        let case = r#"{"id":1,"action":"upsertCompany","mapping":{"createNewCompany":"maybe","numberofemployees":"many"},"event":{}}"#;
        let answer: Value = serde_json::from_str(&answered(What::Fields, case)).unwrap();
        let paths: Vec<&str> = answer["error"]["violations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|violation| violation["path"].as_str().unwrap())
            .collect();
        assert_eq!(
            paths,
            [
                "/createNewCompany",
                "/numberofemployees",
                "/groupid",
                "/associateContact"
            ]
        );
        for violation in answer["error"]["violations"].as_array().unwrap() {
            assert!(
                violation["message"]
                    .as_str()
                    .unwrap()
                    .starts_with("expected ")
            );
        }
    }

    #[test]
    fn a_mapping_that_is_kept_is_used_for_itself_alone() {
        let cases = [
            r#"{"id":1,"mapping":{"a":{"@path":"x"}},"input":{"x":1}}"#,
            r#"{"id":2,"mapping":{"a":{"@path":"x"}},"input":{"x":2}}"#,
            r#"{"id":3,"mapping":{"a":{"@path":"y"}},"input":{"x":3}}"#,
            r#"{"id":4,"mapping":{"a":{"@pth":"x"}},"input":{"x":4}}"#,
            r#"{"id":5,"mapping":{"a":{"@path":"x"},"b":{"@path":"x"}},"input":{"x":5}}"#,
            r#"{"id":6,"mapping":{"b":{"@path":"x"},"a":{"@path":"x"}},"input":{"x":6}}"#,
        ];
        let mut compiled = Compiled::default();
        let answers: Vec<Value> = cases
            .iter()
            .map(|case| answer(What::Mapping, Line::Whole(case.as_bytes()), &mut compiled))
            .collect();
        let outputs: Vec<String> = answers
            .iter()
            .map(|answer| {
                answer
                    .get("output")
                    .map_or_else(String::new, Value::to_string)
            })
            .collect();
        assert_eq!(
            outputs,
            [
                r#"{"a":1}"#,
                r#"{"a":2}"#,
                "{}",
                "",
                r#"{"a":5,"b":5}"#,
                r#"{"b":6,"a":6}"#
            ]
        );
    }

    #[test]
    fn answers_stand_in_the_order_of_the_cases_whatever_they_are() {
        let input = "{\"id\":1,\"trigger\":\"type = \\\"a\\\"\",\"event\":{\"type\":\"a\"}}\n\nbroken\n{\"id\":2,\"trigger\":\"type = \\\"a\\\"\"}\n";
        let mut out = Vec::new();
        answer_all(What::Trigger, Lines::of(input.as_bytes()), &mut out).unwrap();
        let lines: Vec<Value> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], json!({ "id": 1, "output": true }));
        assert_eq!(lines[1]["id"], Value::Null);
        assert_eq!(lines[2], json!({ "id": 2, "output": false }));
    }
}
