//! Dead letters for people and for programs. What is shown here is free of personal data: headers carry hashes and masked
//! messages, and the event itself is not shown.

use std::fmt::Write;

use hubferry_stream::{Cause, Causes, FailedMapping, Letter, Tally};
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::hints::hint;
use crate::words::{counted, for_people, grouped, wrapped};

/// A failure is taken to go on when it was seen within this time.
const RECENTLY_MS: i64 = 3_600_000;

/// A line of `dlq list`.
pub(super) fn line(letter: &Letter, failed: &[&FailedMapping]) -> String {
    let causes: Vec<String> = failed.iter().map(|failed| cause(failed)).collect();
    let what = &letter.letter;
    let replays = what.replay.as_ref().map_or(0, |replay| replay.count);
    let again = match replays {
        0 => String::new(),
        some => format!("  replayed {}", counted(some.into(), "time")),
    };
    format!(
        "{}  {}  {}  {}  {}{again}\n",
        letter.id(),
        rfc3339(what.last_failed_ms),
        what.origin,
        what.event_type.as_deref().unwrap_or("-"),
        causes.join(" "),
    )
}

/// The same for programs.
pub(super) fn line_json(letter: &Letter, failed: &[&FailedMapping]) -> Value {
    let what = &letter.letter;
    json!({
        "id": letter.id(),
        "last_failed_at": rfc3339(what.last_failed_ms),
        "origin": { "topic": what.origin.topic.as_str(), "partition": what.origin.partition.get(),
            "offset": what.origin.offset.get(), "element": what.element },
        "message_id": what.message_id,
        "identity": what.identity_hash,
        "type": what.event_type,
        "causes": failed.iter().map(|failed| cause(failed)).collect::<Vec<_>>(),
        "message": what.message,
        "replays": what.replay.as_ref().map_or(0, |replay| replay.count),
        "truncated": letter.cut.is_some(),
    })
}

fn cause(failed: &FailedMapping) -> String {
    Cause::of(failed).to_string()
}

/// Everything but the event.
pub(super) fn headers(letter: &Letter) -> Value {
    let mut all = letter.letter.to_json();
    if let Some(all) = all.as_object_mut() {
        all.remove("event");
        all.remove("raw");
        all.insert("value.bytes".to_owned(), letter.letter.value.len().into());
    }
    all
}

/// The page of one letter.
pub(super) fn page(letter: &Letter) -> String {
    let what = &letter.letter;
    let mut out = format!("dead letter {}\n", letter.id());
    for failed in &what.failed {
        let status = failed
            .status
            .map_or_else(String::new, |status| format!(", HTTP {status}"));
        out += &format!(
            "  failed     {} at stage {} (class {}{status})\n",
            cause(failed),
            failed.stage,
            failed.class
        );
        out += &wrapped(13, "→ ", hint(&failed.code));
    }
    for done in &what.done {
        let record = done.record_id.as_deref().unwrap_or("-");
        out += &format!(
            "  delivered  {} ({} {record})\n",
            done.mapping, done.object_type
        );
    }
    for skipped in &what.skipped {
        out += &format!("  skipped    {} ({})\n", skipped.mapping, skipped.reason);
    }
    out += &wrapped(2, "message    ", &what.message);
    let bytes = counted(crate::words::size(what.value.len()), "byte");
    for (name, value) in [
        ("stands at", letter.at.to_string()),
        ("origin", origin(letter)),
        ("event", event(letter)),
        ("value", format!("{bytes}; --raw prints it")),
        ("attempts", what.attempts.to_string()),
        ("first", rfc3339(what.first_failed_ms)),
        ("last", rfc3339(what.last_failed_ms)),
        ("HubSpot", what.correlation_id.clone().unwrap_or_default()),
        ("blocked by", what.blocked_by.clone().unwrap_or_default()),
        (
            "replays",
            what.replay.as_ref().map_or_else(String::new, |replay| {
                format!("{}, last {}", replay.count, replay.last_id)
            }),
        ),
        ("configured", what.config_hash.clone()),
    ] {
        if !value.is_empty() {
            // Writing to a string does not fail.
            writeln!(out, "  {name:<10} {value}").ok();
        }
    }
    out
}

fn origin(letter: &Letter) -> String {
    let element = letter.letter.element;
    let element = element.map_or_else(String::new, |element| format!(", element {element}"));
    format!("{}{element}", letter.letter.origin)
}

fn event(letter: &Letter) -> String {
    let what = &letter.letter;
    let parts = [
        what.event_type.clone(),
        what.event_name.clone(),
        what.message_id.as_ref().map(|id| format!("id {id}")),
        what.identity_hash
            .as_ref()
            .map(|hash| format!("identity {hash}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The page of `dlq count`.
pub(super) fn causes(causes: &Causes, letters: u64) -> String {
    let mut out = format!(
        "{} in {}\n",
        counted(crate::words::size(causes.len()), "cause"),
        counted(letters, "open dead letter")
    );
    for (cause, tally) in causes.by_count() {
        out += &format!("\n{:>9}  {cause}\n", grouped(tally.count));
        out += &block(cause, tally);
    }
    out
}

/// Since when, an example, what to do.
fn block(cause: &Cause, tally: &Tally) -> String {
    let mut out = format!(
        "           first {}, last {}\n",
        rfc3339(tally.first_ms),
        rfc3339(tally.last_ms)
    );
    let example = format!("{} ({})", tally.example.message, tally.example.id);
    out += &wrapped(11, "e.g. ", &example);
    out += &wrapped(11, "→ ", hint(&cause.code));
    out
}

/// The same for programs.
pub(super) fn causes_json(causes: &Causes, letters: u64) -> Value {
    let list: Vec<Value> = causes
        .by_count()
        .into_iter()
        .map(|(cause, tally)| cause_json(cause, tally))
        .collect();
    json!({ "letters": letters, "causes": list })
}

fn cause_json(cause: &Cause, tally: &Tally) -> Value {
    json!({
        "cause": cause.to_string(),
        "mapping": cause.mapping,
        "code": cause.code,
        "property": cause.property,
        "count": tally.count,
        "first_at": rfc3339(tally.first_ms),
        "last_at": rfc3339(tally.last_ms),
        "example": { "id": tally.example.id, "origin": tally.example.origin.to_string(),
            "class": tally.example.class, "stage": tally.example.stage, "message": tally.example.message },
        "hint": hint(&cause.code),
    })
}

/// The page of `dlq explain`.
pub(super) fn explained(causes: &Causes, letters: &[String], now_ms: i64) -> String {
    let mut out = String::new();
    for (cause, tally) in causes.by_count() {
        out += &format!(
            "{cause}  {}\n",
            counted(tally.count, "failed delivery").replace("deliverys", "deliveries")
        );
        out += &format!(
            "           class {}, stage {}; docs/errors/{}.md tells more\n",
            tally.example.class, tally.example.stage, cause.code
        );
        out += &block(cause, tally);
        out += &format!("           {}\n", happening(tally, now_ms));
    }
    out += &format!("letters: {}\n", letters.join(" "));
    let only = causes.by_count();
    if let [(cause, _)] = only.as_slice() {
        out += &format!("when it is mended: hubferry replay plan --cause {cause}\n");
    }
    out
}

fn happening(tally: &Tally, now_ms: i64) -> String {
    let ago = now_ms.saturating_sub(tally.last_ms);
    if ago < RECENTLY_MS {
        return "still happening: seen within the last hour".to_owned();
    }
    // Whole hours are near enough for something that is over.
    let whole = ago / RECENTLY_MS * RECENTLY_MS;
    format!("not seen for {}", for_people(whole))
}

/// The same for programs.
pub(super) fn explained_json(causes: &Causes, letters: &[String], now_ms: i64) -> Value {
    let list: Vec<Value> = causes
        .by_count()
        .into_iter()
        .map(|(cause, tally)| {
            let mut one = cause_json(cause, tally);
            one["still_happening"] = (now_ms.saturating_sub(tally.last_ms) < RECENTLY_MS).into();
            one["page"] = format!("docs/errors/{}.md", cause.code).into();
            one
        })
        .collect();
    json!({ "causes": list, "letters": letters })
}
