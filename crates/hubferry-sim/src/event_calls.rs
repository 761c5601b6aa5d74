//! Event endpoints: definitions, sends, occurrences.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal, Reply};
use crate::emails::valid_email;
use crate::event_properties::epoch_ms;
use crate::events::{Birth, Definition, Occurrence};
use crate::inputs::{LooseText, WrittenProperties};
use crate::objects::ObjectType;
use crate::property::Role;
use crate::routes::EventCall;
use crate::state::State;
use crate::urls::field;
use crate::values::iso;
use crate::visit::Visit;

/// Inputs of one send.
const MOST_INPUTS: usize = 500;

/// Definitions on a page when no number is asked for.
const USUAL_PAGE: usize = 10;
const LARGEST_PAGE: usize = 500;

/// Every call about events.
pub(crate) fn events(visit: &Visit<'_>, call: &EventCall) -> Reply {
    let mut state = visit.state();
    let at_ms = visit.stamp.at_ms;
    match call {
        EventCall::Definitions => definitions(visit, &state),
        EventCall::Define => define(visit, &mut state),
        EventCall::Definition(name) => {
            let with_properties = field(&visit.query, "includeProperties") == Some("true");
            let definition = state.events.get(name)?;
            Ok(Answer::json(200, &definition.to_json(with_properties)))
        }
        EventCall::Redefine(name) => {
            let definition = state.events.get_mut(name)?;
            definition.relabel(visit.parse()?, at_ms);
            Ok(Answer::json(201, &definition.to_json(true)))
        }
        EventCall::Undefine(name) => {
            state.events.get_mut(name)?.archive();
            Ok(Answer::empty(204))
        }
        EventCall::AddProperty(name) => {
            let birth = birth(visit, &state);
            let definition = state.events.get_mut(name)?;
            let added = definition.add(visit.parse()?, birth)?;
            Ok(Answer::json(201, &added.to_json()))
        }
        EventCall::ChangeProperty(name, property) => {
            let definition = state.events.get_mut(name)?;
            let changed = definition.relabel_property(property, visit.parse()?)?;
            Ok(Answer::json(201, &changed))
        }
        EventCall::RemoveProperty(name, property) => {
            state.events.get_mut(name)?.archive_property(property)?;
            Ok(Answer::empty(204))
        }
        EventCall::Send => {
            let input: Input = visit.parse()?;
            visit.carried(1);
            send(visit, &mut state, vec![input])
        }
        EventCall::SendBatch => {
            let body: Inputs = visit.parse()?;
            visit.carried(body.inputs.len());
            if body.inputs.len() > MOST_INPUTS {
                return Err(Refusal::validation(format!(
                    "The maximum number of inputs supported in a batch is {MOST_INPUTS}. Please reduce the number of items and try again"
                )));
            }
            send(visit, &mut state, body.inputs)
        }
        EventCall::Occurrences => occurrences(visit, &state),
    }
}

fn birth(visit: &Visit<'_>, state: &State) -> Birth {
    let delay = std::time::Duration::from_millis(state.switches.definition_delay_ms);
    Birth {
        at_ms: visit.stamp.at_ms,
        visible_from: visit.visible_after(delay),
    }
}

fn define(visit: &Visit<'_>, state: &mut State) -> Reply {
    let body = visit.parse()?;
    let birth = birth(visit, state);
    let State {
        events,
        names,
        switches,
        ..
    } = state;
    let defined = events.define(
        body,
        visit.settings.portal_id,
        switches.most_event_definitions,
        birth,
        |text| names.resolve(text),
    )?;
    Ok(Answer::json(201, &defined.to_json(true)))
}

fn definitions(visit: &Visit<'_>, state: &State) -> Reply {
    let number = |name: &str| field(&visit.query, name).and_then(|text| text.parse().ok());
    let limit: usize = number("limit").unwrap_or(USUAL_PAGE);
    if limit == 0 || limit > LARGEST_PAGE {
        return Err(Refusal::validation(format!(
            "limit must be between 1 and {LARGEST_PAGE}"
        )));
    }
    let after = number("after").unwrap_or(0);
    let with_properties = field(&visit.query, "includeProperties") == Some("true");
    let wanted = field(&visit.query, "searchString").unwrap_or_default();
    let wanted = wanted.to_lowercase();
    let found: Vec<&Definition> = state
        .events
        .all()
        .iter()
        .filter(|one| one.full_name.contains(&wanted))
        .collect();
    let page = found.iter().skip(after).take(limit);
    let results: Vec<Value> = page.map(|one| one.to_json(with_properties)).collect();
    let mut body = json!({"total": found.len(), "results": results});
    let next = after.saturating_add(limit);
    if next < found.len() {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Answer::json(200, &body))
}

#[derive(Debug, Deserialize)]
struct Inputs {
    inputs: Vec<Input>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    event_name: Option<String>,
    #[serde(default)]
    properties: Option<WrittenProperties>,
    object_id: Option<LooseText>,
    email: Option<String>,
    utk: Option<String>,
    occurred_at: Option<LooseText>,
    uuid: Option<String>,
}

/// An input that can be counted.
struct Checked {
    input: Input,
    occurred_ms: i64,
    properties: Vec<(String, String)>,
}

/// All or nothing, and a refusal does not say which input it is about.
fn send(visit: &Visit<'_>, state: &mut State, inputs: Vec<Input>) -> Reply {
    let mut checked = Vec::with_capacity(inputs.len());
    for input in inputs {
        checked.push(check(visit, state, input)?);
    }
    for one in checked {
        count(visit, state, one);
    }
    Ok(Answer::empty(204))
}

fn check(visit: &Visit<'_>, state: &State, input: Input) -> Result<Checked, Refusal> {
    let name = input.event_name.as_deref().unwrap_or_default();
    let prefix = format!("pe{}_", visit.settings.portal_id);
    if !name.starts_with(&prefix) {
        return Err(Refusal::validation(format!(
            "Event name '{name}' is not valid for this account: it must start with {prefix}"
        )));
    }
    let definition = state.events.find(name);
    let definition = definition.filter(|one| one.known_to_sends(visit.stamp.since));
    let Some(definition) = definition else {
        return Err(Refusal::validation(format!(
            "Event with fully qualified name {name} does not exist."
        )));
    };
    let properties = plain(input.properties.as_ref())?;
    let refuse_unknown = state.switches.events_refuse_unknown_properties;
    definition.check(&properties, visit.stamp.since, refuse_unknown)?;
    identified(definition, &input, &properties)?;
    let occurred_ms = match &input.occurred_at {
        None => visit.stamp.at_ms,
        Some(text) => epoch_ms(&text.0).ok_or_else(|| {
            Refusal::validation("occurredAt must be ISO 8601 or milliseconds since 1970")
        })?,
    };
    Ok(Checked {
        input,
        occurred_ms,
        properties,
    })
}

fn plain(written: Option<&WrittenProperties>) -> Result<Vec<(String, String)>, Refusal> {
    let mut properties = Vec::new();
    for (name, value) in written.into_iter().flat_map(WrittenProperties::iter) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => String::new(),
            Value::Array(_) | Value::Object(_) => {
                return Err(Refusal::validation(
                    "Event property values must be text, numbers or booleans",
                ));
            }
        };
        properties.push((name.to_lowercase(), text));
    }
    Ok(properties)
}

/// An event needs somebody it is about; an address that is none refuses it.
fn identified(
    definition: &Definition,
    input: &Input,
    properties: &[(String, String)],
) -> Result<(), Refusal> {
    let email = input.email.as_deref().filter(|text| !text.is_empty());
    let utk = input.utk.as_deref().filter(|text| !text.is_empty());
    let matched = definition.matching.as_ref().is_some_and(|(_, name)| {
        properties
            .iter()
            .any(|(known, value)| known == name && !value.is_empty())
    });
    if email.is_none() && utk.is_none() && input.object_id.is_none() && !matched {
        return Err(Refusal::validation(
            "At least one of email, utk or objectId must be provided",
        ));
    }
    match email {
        Some(email) if !valid_email(&email.trim().to_lowercase()) => {
            Err(Refusal::validation("The email of the event is invalid"))
        }
        _ => Ok(()),
    }
}

fn count(visit: &Visit<'_>, state: &mut State, checked: Checked) {
    let Checked {
        input,
        occurred_ms,
        properties,
    } = checked;
    let name = input.event_name.clone().unwrap_or_default();
    let record = resolve(visit, state, &name, &input, &properties);
    let utk = input.utk.filter(|_| record.is_none());
    let keep = visit.settings.history;
    let Ok(definition) = state.events.get_mut(&name) else {
        return;
    };
    if !definition.first(input.uuid.as_deref()) {
        definition.counted.repeated += 1;
        return;
    }
    if record.is_none() && utk.is_none() {
        definition.counted.dropped += 1;
        return;
    }
    definition.counted.occurrences += 1;
    if keep {
        definition.occurrences.push(Occurrence {
            uuid: input.uuid,
            object_id: record.map(|id| id.to_string()),
            utk,
            occurred_at: iso(occurred_ms),
            call: visit.stamp.call,
            properties,
        });
    }
}

/// Whom an event is about, in HubSpot's order: the matching property, the record id, the e-mail.
fn resolve(
    visit: &Visit<'_>,
    state: &mut State,
    name: &str,
    input: &Input,
    properties: &[(String, String)],
) -> Option<u64> {
    let definition = state.events.find(name)?;
    let primary = definition.primary;
    let drawer = state.drawer(primary);
    if let Some((target, own)) = &definition.matching
        && let Some((_, value)) = properties.iter().find(|(known, _)| known == own)
        && let Some((key, _)) = drawer.book.find(target)
        && let Some(owner) = drawer.shelf.owner(&drawer.book, key, value)
    {
        return Some(owner);
    }
    if let Some(id) = &input.object_id {
        return drawer.shelf.parse_id(&id.0);
    }
    let email = input.email.as_deref().filter(|text| !text.is_empty())?;
    if primary != ObjectType::Contacts {
        return None;
    }
    let key = drawer.book.role(Role::Email)?;
    match drawer.shelf.owner(&drawer.book, key, email) {
        Some(owner) => Some(owner),
        None if state.switches.events_create_contacts => made(visit, state, email),
        None => None,
    }
}

/// The contact that HubSpot makes for an e-mail it has not seen.
fn made(visit: &Visit<'_>, state: &mut State, email: &str) -> Option<u64> {
    let drawer = state.drawer_mut(ObjectType::Contacts);
    let mut properties = Map::new();
    properties.insert("email".to_owned(), json!(email));
    let written: WrittenProperties = serde_json::from_value(Value::Object(properties)).ok()?;
    let changes = drawer
        .shelf
        .plan(&drawer.book, &written, visit.stamp.since)
        .ok()?;
    Some(drawer.shelf.create(&drawer.book, changes, visit.stamp))
}

/// Occurrences of one event type, or of one record.
fn occurrences(visit: &Visit<'_>, state: &State) -> Reply {
    let kind = field(&visit.query, "eventType");
    let object = field(&visit.query, "objectId");
    let definitions = state.events.all().iter();
    let results: Vec<Value> = definitions
        .filter(|one| kind.is_none_or(|kind| kind == one.full_name || kind == one.name))
        .flat_map(|one| one.occurrences.iter().map(move |occurrence| (one, occurrence)))
        .filter(|(_, occurrence)| object.is_none() || occurrence.object_id.as_deref() == object)
        .take(LARGEST_PAGE)
        .map(|(one, occurrence)| {
            let properties: Map<String, Value> = occurrence
                .properties
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            json!({"id": occurrence.uuid, "eventType": one.full_name, "objectType": one.primary.shouted(),
                "objectId": occurrence.object_id, "occurredAt": occurrence.occurred_at, "properties": properties})
        })
        .collect();
    Ok(Answer::json(200, &json!({"results": results})))
}
