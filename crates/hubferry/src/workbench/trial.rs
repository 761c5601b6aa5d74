//! `hubferry try`: what would these events do? Nothing is written anywhere.
//!
//! Writing to a `String` cannot fail, so what `write!` returns is let go.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::lines::{self, Line, MAX_LINE_BYTES};
use super::open::Bench;
use super::paint::{Paint, Tone};
use super::rehearsal::{CallReport, EventReport, FiredReport, MappingReport, Verdict};
use crate::clock;
use crate::closing::Closing;
use crate::config::Surroundings;
use crate::exit::Failure;
use crate::hints::hint;
use crate::output::{self, Form};
use crate::run::tell_warnings;
use crate::tally::Tally;
use crate::words::counted;

/// What was asked of a trial.
pub(super) struct Asked {
    /// Events as NDJSON, or `-`.
    pub(super) events: String,
    /// The one mapping to try, by id or name.
    pub(super) mapping: Option<String>,
    /// How the result is printed.
    pub(super) form: Form,
}

/// Events that are rehearsed together: more than fill any call, few enough to keep in memory.
const TOGETHER: usize = 1_000;

/// Tries events and says what they would do.
///
/// # Errors
///
/// The configuration has problems, the events cannot be read, or standard output is closed.
pub(super) async fn trial(
    paths: &[PathBuf],
    around: &Surroundings,
    asked: Asked,
) -> Result<(), Failure> {
    let bench = Bench::open(paths, around, asked.mapping.as_deref())?;
    let mut input = lines::open(&asked.events)?;
    if asked.form == Form::Text {
        tell_warnings(&bench.warnings);
    }
    let mut rehearsal = bench.rehearsal();
    let mut sums = Sums::default();
    let paint = Paint::of_stdout(around);
    loop {
        let mut events = Vec::new();
        while events.len() < TOGETHER
            && let Some((line, bytes)) = input.next()?
        {
            // A line that is too long is too large for an event, as a worker would say of it.
            let body = match bytes {
                Line::Whole(body) => body.to_vec(),
                Line::TooLong => vec![b'x'; MAX_LINE_BYTES],
            };
            rehearsal.admit(line, &body, clock::now_ms(), &mut events);
        }
        if events.is_empty() {
            break;
        }
        let calls = rehearsal.play(&mut events).await?;
        sums.count(&events, &calls);
        let page: String = match asked.form {
            Form::Json => events
                .iter()
                .map(|event| format!("{}\n", event_json(event)))
                .collect(),
            Form::Text => events
                .iter()
                .map(|event| event_text(event, &calls, paint))
                .collect(),
        };
        output::print(&page)?;
    }
    sums.tally.waiting_links = rehearsal.waiting_links().await?;
    match asked.form {
        Form::Json => output::print_json(&sums.to_json()),
        Form::Text => output::print(&sums.to_text(paint)),
    }
}

/// The sums of a trial.
#[derive(Default)]
struct Sums {
    tally: Tally,
    calls: BTreeMap<String, u64>,
}

impl Sums {
    fn count(&mut self, events: &[EventReport], calls: &[CallReport]) {
        for event in events {
            self.tally.events += 1;
            if let Some(closing) = &event.closed {
                self.tally.deliveries += 1;
                self.tally.count(None, closing);
            }
            for mapping in &event.mappings {
                if let Verdict::Fired(fired) = &mapping.verdict {
                    self.tally.deliveries += 1;
                    if let Some(closing) = &fired.ending {
                        self.tally.count(Some(mapping.index), closing);
                    }
                }
            }
        }
        for call in calls {
            *self.calls.entry(call.endpoint.clone()).or_default() += 1;
        }
    }

    fn to_json(&self) -> Value {
        let tally = &self.tally;
        json!({ "total": {
            "events": tally.events,
            "deliveries": tally.deliveries,
            "delivered": tally.delivered,
            "merged": tally.merged,
            "skipped": tally.skipped_total(),
            "dead": tally.dead_total(),
            "skipped_by_reason": tally.skipped,
            "dead_by_code": tally.dead,
            "links_waiting": tally.waiting_links,
            "calls": self.calls,
            "calls_total": self.calls.values().sum::<u64>(),
        }})
    }

    fn to_text(&self, paint: Paint) -> String {
        let tally = &self.tally;
        let total: u64 = self.calls.values().sum();
        let these = if tally.events == 1 { "This" } else { "These" };
        let costs = if tally.events == 1 { "costs" } else { "cost" };
        let mut page = paint.text(
            Tone::Strong,
            format!(
                "{these} {} {costs} {}",
                counted(tally.events, "event"),
                counted(total, "call")
            ),
        );
        let listed: Vec<String> = self
            .calls
            .iter()
            .map(|(endpoint, count)| format!("{count} × {endpoint}"))
            .collect();
        if !listed.is_empty() {
            write!(page, ": {}", listed.join(", ")).ok();
        }
        let by = |named: &BTreeMap<&str, u64>| match named.len() {
            0 => String::new(),
            _ => {
                let named: Vec<String> = named
                    .iter()
                    .map(|(name, count)| format!("{name} {count}"))
                    .collect();
                format!(" ({})", named.join(", "))
            }
        };
        write!(
            page,
            "\n{} delivered, {} merged, {} skipped{}, {} dead{}\n",
            tally.delivered,
            tally.merged,
            tally.skipped_total(),
            by(&tally.skipped),
            tally.dead_total(),
            by(&tally.dead),
        )
        .ok();
        if tally.waiting_links > 0 {
            let waits = counted(tally.waiting_links, "association");
            let verb = if tally.waiting_links == 1 {
                "waits"
            } else {
                "wait"
            };
            writeln!(
                page,
                "{waits} {verb} for a contact that none of these events brings"
            )
            .ok();
        }
        page.push_str(&paint.text(
            Tone::Dim,
            "Tried against a portal without records, with the schema pinned beside the configuration where there is one; nothing was written.",
        ));
        page.push('\n');
        page
    }
}

fn event_json(event: &EventReport) -> Value {
    let mut report = Map::new();
    report.insert("line".to_owned(), event.line.into());
    if let Some(position) = event.position {
        report.insert("element".to_owned(), position.into());
    }
    if let Some(kind) = event.kind {
        report.insert("type".to_owned(), kind.as_str().into());
    }
    if let Some(name) = &event.name {
        report.insert("name".to_owned(), name.as_str().into());
    }
    if let Some(id) = &event.message_id {
        report.insert("messageId".to_owned(), id.as_str().into());
    }
    if let Some(closing) = &event.closed {
        add_closing(&mut report, closing);
    }
    let mappings: Vec<Value> = event.mappings.iter().map(mapping_json).collect();
    report.insert("mappings".to_owned(), mappings.into());
    Value::Object(report)
}

fn mapping_json(mapping: &MappingReport) -> Value {
    let mut report = Map::new();
    report.insert("mapping".to_owned(), mapping.id.as_str().into());
    let fired = match &mapping.verdict {
        Verdict::NotFired(because) => {
            report.insert("fired".to_owned(), false.into());
            report.insert("because".to_owned(), because.as_str().into());
            return Value::Object(report);
        }
        Verdict::Fired(fired) => fired,
    };
    report.insert("fired".to_owned(), true.into());
    report.insert("action".to_owned(), fired.action.into());
    if let Some(membership) = fired.membership {
        report.insert("membership".to_owned(), membership.as_str().into());
    }
    if let Some(payload) = &fired.payload {
        report.insert("payload".to_owned(), Value::Object(payload.clone()));
    }
    report.insert("notes".to_owned(), notes(fired).into());
    if !fired.violations.is_empty() {
        let listed: Vec<Value> = fired
            .violations
            .iter()
            .map(|(path, message)| json!({ "path": path, "message": message }))
            .collect();
        report.insert("violations".to_owned(), listed.into());
    }
    let steps = fired.steps.iter().map(super::rehearsal::Step::to_json);
    report.insert("steps".to_owned(), steps.collect());
    report.insert("calls".to_owned(), fired.calls.clone().into());
    if let Some(closing) = &fired.ending {
        add_closing(&mut report, closing);
    }
    Value::Object(report)
}

fn add_closing(report: &mut Map<String, Value>, closing: &Closing) {
    report.insert("ending".to_owned(), closing.as_str().into());
    match closing {
        Closing::Delivered | Closing::Merged => {}
        Closing::Skipped(reason) => drop(report.insert("reason".to_owned(), (*reason).into())),
        Closing::Dead(failed) => {
            report.insert("code".to_owned(), failed.code.into());
            report.insert("message".to_owned(), failed.message.as_str().into());
        }
    }
}

/// What was made to fit, left out, or is still to come.
fn notes(fired: &FiredReport) -> Vec<String> {
    use hubferry_delivery::Note;
    let ended = fired.endnotes.iter().map(|note| match note {
        Note::DroppedProperty { property, reason } => {
            format!("{}: left out; it is {reason}", property.as_str())
        }
        Note::WaitingLink => "the association waits for its contact".to_owned(),
        Note::MissingTarget => "an association was left out: there is no such record".to_owned(),
    });
    fired.notes.iter().cloned().chain(ended).collect()
}

fn event_text(event: &EventReport, calls: &[CallReport], paint: Paint) -> String {
    let mut heading = format!("line {}", event.line);
    if let Some(position) = event.position {
        write!(heading, ", element {position}").ok();
    }
    if let Some(kind) = event.kind {
        write!(heading, "  {kind}").ok();
    }
    if let Some(name) = &event.name {
        write!(heading, " {name:?}").ok();
    }
    if let Some(id) = &event.message_id {
        write!(heading, "  {id}").ok();
    }
    let mut page = paint.text(Tone::Strong, heading);
    if let Some(closing) = &event.closed {
        write!(page, "  {}", closing_text(closing, paint)).ok();
    }
    page.push('\n');
    if let Some(Closing::Dead(failed)) = &event.closed {
        row(&mut page, "why", &failed.message);
        row(&mut page, "fix", hint(failed.code));
    }
    for mapping in &event.mappings {
        match &mapping.verdict {
            Verdict::NotFired(because) => {
                let line = format!("  {}  does not fire: {because}", mapping.id);
                page.push_str(&paint.text(Tone::Dim, line));
                page.push('\n');
            }
            Verdict::Fired(fired) => fired_text(&mut page, &mapping.id, fired, calls, paint),
        }
    }
    page.push('\n');
    page
}

fn fired_text(
    page: &mut String,
    id: &str,
    fired: &FiredReport,
    calls: &[CallReport],
    paint: Paint,
) {
    write!(page, "  {id}  fires {}", fired.action).ok();
    if let Some(closing) = &fired.ending {
        write!(page, ": {}", closing_text(closing, paint)).ok();
    }
    page.push('\n');
    if let Some(membership) = fired.membership {
        row(page, "membership", membership.as_str());
    }
    if let Some(payload) = &fired.payload {
        row(page, "payload", &Value::Object(payload.clone()).to_string());
    }
    for note in notes(fired) {
        row(page, "note", &paint.text(Tone::Note, note));
    }
    for (path, message) in &fired.violations {
        row(
            page,
            "invalid",
            &paint.text(Tone::Bad, format!("{path}: {message}")),
        );
    }
    if let Some(Closing::Dead(failed)) = &fired.ending {
        if fired.violations.is_empty() {
            row(page, "why", &paint.text(Tone::Bad, &failed.message));
        }
        row(page, "fix", hint(failed.code));
    }
    for step in &fired.steps {
        row(page, "step", &step.to_string());
    }
    for number in &fired.calls {
        if let Some(call) = calls.iter().find(|call| call.number == *number) {
            let others = match call.inputs {
                0 | 1 => String::new(),
                inputs => format!(" with {}", counted(inputs - 1, "other")),
            };
            row(page, "call", &format!("{number} {}{others}", call.endpoint));
        }
    }
}

fn row(page: &mut String, name: &str, text: &str) {
    writeln!(page, "    {name:<8} {text}").ok();
}

fn closing_text(closing: &Closing, paint: Paint) -> String {
    let tone = match closing {
        Closing::Delivered | Closing::Merged => Tone::Good,
        Closing::Skipped(_) => Tone::Note,
        Closing::Dead(_) => Tone::Bad,
    };
    let text = match closing.reason() {
        "" => closing.as_str().to_owned(),
        reason => format!("{}({reason})", closing.as_str()),
    };
    paint.text(tone, text)
}
