//! Reading an answer: pure and total. Whatever comes back, every step of the call gets exactly one outcome
//! (fleet.md ii.5), or the call was refused as a whole.

use std::time::Duration;

use bytes::Bytes;
use hubferry_actions::{LinkChange, PropertyName, PropertyText, RecordId};
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::call::{Call, Request, StepId};
use crate::classify::Ruling;
use crate::created;
use crate::failure::Failure;
use crate::headers;
use crate::inputs::Inputs;
use crate::json::{items, text};
use crate::judge::Judged;
use crate::learned;
use crate::members;
use crate::outcome::{
    Answers, Cause, Code, Done, ErrorClass, Found, Hold, HoldScope, Outcome, Refusal, Reply,
};
use crate::search;
use crate::tally::Tally;
use crate::usual;

/// An answer as it came over the wire.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Reads the answer to a call. `now` is only used for dates in `Retry-After`.
pub(crate) fn read(request: &Request, answer: &Answer, now: Timestamp) -> Reply {
    let wait = headers::retry_after(&answer.headers, now);
    let answers = if (200..300).contains(&answer.status) {
        Answers::PerStep(accepted(request, answer, wait))
    } else {
        refused(request, answer, wait)
    };
    Reply {
        answers,
        window: headers::window(&answer.headers),
        daily: headers::daily(&answer.headers),
        status: Some(answer.status),
    }
}

/// The same outcome for every step.
pub(crate) fn all(request: &Request, outcome: &Outcome) -> Answers {
    let steps = request.steps().into_iter();
    Answers::PerStep(steps.map(|step| (step, outcome.clone())).collect())
}

/// A call that brought no answer.
pub(crate) fn unanswered(call: &Call, cause: Cause, after: Option<Duration>) -> Reply {
    without_answer(&call.request, &Outcome::Transient { cause, after })
}

/// A call that could not be made before somebody acts.
pub(crate) fn portal_held(call: &Call, reason: Hold) -> Reply {
    let scope = HoldScope::Portal;
    without_answer(&call.request, &Outcome::Held { scope, reason })
}

fn without_answer(request: &Request, outcome: &Outcome) -> Reply {
    Reply {
        answers: all(request, outcome),
        window: None,
        daily: None,
        status: None,
    }
}

fn accepted(request: &Request, answer: &Answer, wait: Option<Duration>) -> Vec<(StepId, Outcome)> {
    usual::written(request, &answer.body).unwrap_or_else(|| with_care(request, answer, wait))
}

/// An accepted answer, read with every rule.
pub(crate) fn with_care(
    request: &Request,
    answer: &Answer,
    wait: Option<Duration>,
) -> Vec<(StepId, Outcome)> {
    let inputs = Inputs::of(request);
    match request {
        // The status says all there is to know; what was created is read when it is needed.
        Request::CreateEventDefinition { .. }
        | Request::CreateEventProperty { .. }
        | Request::CreateList { .. }
        | Request::GdprDelete { .. } => return inputs.each(&Outcome::Done(Done::There)),
        _ if answer.body.is_empty() => return told_nothing(request, &inputs),
        _ => {}
    }
    let body = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(body) if body.is_object() => body,
        // Cut off, or not HubSpot's: it may have been written.
        _ => {
            return inputs.each(&Outcome::Transient {
                cause: Cause::Broken,
                after: None,
            });
        }
    };
    match request {
        Request::Search { inputs, .. } => search::attribute(inputs, &body),
        Request::ChangeMembers { .. } => members::settled(&inputs, &body),
        Request::ReadProperties { .. }
        | Request::ReadObjectType { .. }
        | Request::ReadEventDefinition { .. }
        | Request::ReadList { .. } => {
            let fact = learned::fact(request, &body);
            let learned = |fact| Outcome::Done(Done::Learned(fact));
            inputs.each(&fact.map_or(Outcome::Unaccounted, learned))
        }
        _ => batch(request, &inputs, &body, answer, wait),
    }
}

/// An accepted call without a body.
fn told_nothing(request: &Request, inputs: &Inputs<'_>) -> Vec<(StepId, Outcome)> {
    if is_told_by_status(request) {
        inputs.each(&Outcome::Done(Done::There))
    } else {
        inputs.each(&Outcome::Unaccounted)
    }
}

/// Calls whose answers list failures at most: occurrences that were taken (204, hubspot-api.md §7.2), records that were
/// archived (204, §3.10) and labels that were taken away (204, in the dated versions an envelope, §4.1).
const fn is_told_by_status(request: &Request) -> bool {
    matches!(
        request,
        Request::SendEvents { .. }
            | Request::Archive { .. }
            | Request::Link {
                change: LinkChange::Dissociate,
                ..
            }
    )
}

/// The envelope of batches: `results` and, partially, `errors` (hubspot-api.md §2.2).
fn batch(
    request: &Request,
    inputs: &Inputs<'_>,
    body: &Value,
    answer: &Answer,
    wait: Option<Duration>,
) -> Vec<(StepId, Outcome)> {
    let mut tally = Tally::new(inputs.len());
    let correlation_id = headers::correlation_id(&answer.headers);
    let mut anonymous = Vec::new();
    for entry in items(body, "errors") {
        let failure = Failure::of_entry(entry, correlation_id);
        let named = inputs.named_by(&failure);
        let judged = Judged::new(request, inputs, &named, &failure, wait);
        for &at in &named {
            tally.fail(at, judged.outcome(at));
        }
        if named.is_empty() {
            anonymous.push(failure);
        }
    }
    let mut left = Vec::new();
    for result in items(body, "results") {
        if !confirmed(request, inputs, &mut tally, result) {
            left.push(result);
        }
    }
    if let Request::Create { .. } = request {
        left = created::matched(inputs, &mut tally, left);
    }
    eliminate(request, inputs, &mut tally, &left, &anonymous, wait);
    if is_told_by_status(request) && anonymous.is_empty() {
        for at in tally.open() {
            tally.confirm(at, Outcome::Done(Done::There));
        }
    }
    tally.settled(inputs)
}

fn confirmed(request: &Request, inputs: &Inputs<'_>, tally: &mut Tally, result: &Value) -> bool {
    let owners = inputs.of_result(result);
    let Some(done) = done(request, result).filter(|_| !owners.is_empty()) else {
        return false;
    };
    match (&done, request) {
        // Both directions and several labels may be listed: a second result for an input is no surplus.
        (Done::There, _) => {
            for at in owners {
                tally.confirm(at, Outcome::Done(Done::There));
            }
            true
        }
        // One contact answers all who asked for it, by whichever of its addresses.
        (_, Request::Read { .. }) => {
            let mut taken = false;
            for at in owners {
                taken |= tally.confirm(at, Outcome::Done(done.clone()));
            }
            taken
        }
        _ => owners
            .into_iter()
            .any(|at| tally.confirm(at, Outcome::Done(done.clone()))),
    }
}

/// What is left on both sides, when there is only one way to put it together.
fn eliminate(
    request: &Request,
    inputs: &Inputs<'_>,
    tally: &mut Tally,
    left: &[&Value],
    anonymous: &[Failure],
    wait: Option<Duration>,
) {
    let open = tally.open();
    let judge = |failure| Judged::new(request, inputs, &open, failure, wait);
    match (open.as_slice(), left, anonymous) {
        (&[at], &[result], []) if inputs.may_be(at, result) => {
            if let Some(done) = done(request, result) {
                tally.confirm(at, Outcome::Done(done));
            }
        }
        (&[at], [], [failure]) => tally.fail(at, judge(failure).outcome(at)),
        // Reads fail in one way only: those that were not found.
        (_, [], [_, ..])
            if matches!(request, Request::Read { .. })
                && anonymous.iter().all(|f| judge(f).ruling == Ruling::Missing) =>
        {
            for &at in &open {
                tally.confirm(at, Outcome::Done(Done::Found(Vec::new())));
            }
        }
        _ => {}
    }
}

/// What a result says about its record; nothing without an id.
pub(crate) fn done(request: &Request, result: &Value) -> Option<Done> {
    if let Request::Link { .. } | Request::CreateProperties { .. } | Request::SendEvents { .. } =
        request
    {
        return Some(Done::There);
    }
    let id = RecordId::new(&text(result, "id").filter(|id| !id.is_empty())?);
    let none = Value::Null;
    let shown = result.get("properties").unwrap_or(&none);
    match request {
        Request::Upsert { .. } => Some(Done::Written {
            id,
            created: result.get("new").and_then(Value::as_bool),
            stage: stage(shown),
        }),
        Request::Update { .. } => Some(Done::Written {
            id,
            created: Some(false),
            stage: stage(shown),
        }),
        Request::Read {
            id_property,
            properties,
            ..
        } => {
            let wanted = std::iter::once(id_property).chain(properties);
            Some(Done::Found(vec![found(id, wanted, shown)]))
        }
        Request::Create { .. } => Some(Done::Written {
            id,
            created: Some(true),
            stage: stage(shown),
        }),
        _ => None,
    }
}

fn stage(shown: &Value) -> Option<String> {
    let value = shown.get("lifecyclestage")?;
    Some(value.as_str().unwrap_or_default().to_owned())
}

/// A record with those of the wanted properties that have a value.
pub(crate) fn found<'a>(
    id: RecordId,
    wanted: impl Iterator<Item = &'a PropertyName>,
    shown: &Value,
) -> Found {
    let mut properties: Vec<(PropertyName, PropertyText)> = Vec::new();
    for name in wanted {
        let value = text(shown, name.as_str()).filter(|value| !value.is_empty());
        let again = properties.iter().any(|(n, _)| n == name);
        if let Some(value) = value.filter(|_| !again) {
            properties.push((name.clone(), PropertyText::new(&value)));
        }
    }
    Found { id, properties }
}

/// A call that was not accepted: nothing of it was written.
fn refused(request: &Request, answer: &Answer, wait: Option<Duration>) -> Answers {
    let inputs = Inputs::of(request);
    let correlation_id = headers::correlation_id(&answer.headers);
    let failure = Failure::of_call(answer.status, correlation_id, &answer.body);
    let everyone: Vec<usize> = (0..inputs.len()).collect();
    let judged = Judged::new(request, &inputs, &everyone, &failure, wait);
    let alone = everyone.len() == 1;
    match judged.ruling {
        Ruling::Refused(code, class) => {
            let culprits = culprits(&inputs, &failure);
            Answers::Refused(refusal(&judged, culprits, (code, class)))
        }
        Ruling::NamedRefused(code, class) => match inputs.named_by(&failure) {
            named if named.is_empty() => {
                Answers::Refused(refusal(&judged, Vec::new(), (code, class)))
            }
            named => guilty(&judged, &inputs, &failure, &named),
        },
        // Alone, each of them is no refusal: nobody is named, so that the offender is sent alone.
        Ruling::Taken | Ruling::There if !alone => {
            let reason = (Code::NotUnique, ErrorClass::Conflict);
            Answers::Refused(refusal(&judged, Vec::new(), reason))
        }
        Ruling::Unchanged if !alone => {
            let reason = (Code::HubspotRejected, ErrorClass::Input);
            Answers::Refused(refusal(&judged, Vec::new(), reason))
        }
        Ruling::Missing => missing(request, &judged, &inputs, &failure),
        _ => all(request, &judged.outcome(0)),
    }
}

fn refusal(
    judged: &Judged<'_>,
    culprits: Vec<StepId>,
    (code, class): (Code, ErrorClass),
) -> Refusal {
    Refusal {
        rejection: judged.rejection(code, class),
        culprits,
    }
}

/// Whom an error names, or who carries what it is about.
fn culprits(inputs: &Inputs<'_>, failure: &Failure) -> Vec<StepId> {
    let mut culprits = inputs.named_by(failure);
    if culprits.is_empty() {
        culprits = inputs.carrying(&failure.details);
    }
    culprits.into_iter().map(|at| inputs.step(at)).collect()
}

/// 404 to a whole call: the named records are gone, the others did nothing wrong; without names all are looked up again.
fn missing(
    request: &Request,
    judged: &Judged<'_>,
    inputs: &Inputs<'_>,
    failure: &Failure,
) -> Answers {
    let about_records = matches!(
        request,
        Request::Update { .. }
            | Request::Read { .. }
            | Request::Link { .. }
            | Request::GdprDelete { .. }
            | Request::Archive { .. }
    );
    if !about_records {
        return all(request, &judged.misconfigured());
    }
    let named = inputs.named_by(failure);
    let several = inputs.len() > 1;
    match request {
        // Which of them is gone is found out one by one: none may pass for archived because another is.
        Request::Archive { .. } if named.is_empty() && several => {
            let reason = (Code::HubspotRejected, ErrorClass::Missing);
            Answers::Refused(refusal(judged, Vec::new(), reason))
        }
        _ if named.is_empty() => all(request, &judged.outcome(0)),
        _ => guilty(judged, inputs, failure, &named),
    }
}

/// What a refused call comes to for those it names; the others did nothing wrong and go again.
fn guilty(judged: &Judged<'_>, inputs: &Inputs<'_>, failure: &Failure, named: &[usize]) -> Answers {
    let innocent = Outcome::Transient {
        cause: Cause::Server(failure.status),
        after: None,
    };
    let outcome = |at: usize| {
        if named.contains(&at) {
            judged.outcome(at)
        } else {
            innocent.clone()
        }
    };
    let each = (0..inputs.len()).map(|at| (inputs.step(at), outcome(at)));
    Answers::PerStep(each.collect())
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
