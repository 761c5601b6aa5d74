//! The inputs of a call, found again in its answer: by trace id, unique value or record id, never by position
//! of a result (hubspot-api.md §3.5).

use std::borrow::Cow;
use std::collections::HashMap;

use hubferry_actions::{Properties, RECORD_ID_PROPERTY};
use serde_json::Value;

use crate::body::{ADDITIONAL_EMAILS, EMAIL};
use crate::call::{OccurrenceInput, Request, StepId};
use crate::ends;
use crate::failure::{Detail, Failure};
use crate::json::text;
use crate::outcome::Outcome;
use crate::words::option_of;

/// The inputs of a call by everything an answer may call them.
pub(crate) struct Inputs<'a> {
    request: &'a Request,
    steps: Vec<StepId>,
    by_trace: HashMap<String, usize>,
    /// By unique property and its normalised value.
    by_value: HashMap<(&'a str, Cow<'a, str>), usize>,
    by_id: HashMap<&'a str, usize>,
    by_pair: HashMap<(&'a str, &'a str), usize>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn of(request: &'a Request) -> Self {
        let steps = request.steps();
        let by_trace = (0..)
            .zip(&steps)
            .map(|(i, s)| (s.0.to_string(), i))
            .collect();
        let mut inputs = Self {
            request,
            steps,
            by_trace,
            by_value: HashMap::new(),
            by_id: HashMap::new(),
            by_pair: HashMap::new(),
        };
        inputs.index();
        inputs
    }

    fn index(&mut self) {
        match self.request {
            Request::Update { inputs, .. } => {
                self.by_id = (0..).zip(inputs).map(|(i, x)| (x.id.as_str(), i)).collect();
            }
            Request::Archive { inputs, .. } => {
                self.by_id = (0..).zip(inputs).map(|(i, x)| (x.id.as_str(), i)).collect();
            }
            Request::ChangeMembers { inputs, .. } => {
                let ids = (0..).zip(inputs).map(|(i, x)| (x.record.as_str(), i));
                self.by_id = ids.collect();
            }
            Request::Link { inputs, .. } => {
                self.by_pair = (0..)
                    .zip(inputs)
                    .map(|(i, x)| ((x.from.as_str(), x.to.as_str()), i))
                    .collect();
            }
            _ => {
                self.by_value = (0..self.len())
                    .filter_map(|at| {
                        let (name, value) = self.unique(at)?;
                        Some(((name, normal(name, value)), at))
                    })
                    .collect();
            }
        }
    }

    /// The property that tells an input from all others, with its value.
    fn unique(&self, at: usize) -> Option<(&'a str, &'a str)> {
        match self.request {
            Request::Upsert {
                id_property,
                inputs,
                ..
            } => Some((id_property.as_str(), &inputs[at].value)),
            Request::Read {
                id_property,
                inputs,
                ..
            } => Some((id_property.as_str(), &inputs[at].value)),
            Request::Create { inputs, .. } => {
                let unique = inputs[at].unique.as_ref();
                unique.map(|(name, value)| (name.as_str(), &**value))
            }
            Request::CreateProperties { inputs, .. } => {
                Some(("name", inputs[at].definition.name.as_str()))
            }
            _ => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn step(&self, at: usize) -> StepId {
        self.steps[at]
    }

    /// The same outcome for every step.
    pub(crate) fn each(&self, outcome: &Outcome) -> Vec<(StepId, Outcome)> {
        let steps = self.steps.iter();
        steps.map(|step| (*step, outcome.clone())).collect()
    }

    pub(crate) const fn request(&self) -> &'a Request {
        self.request
    }

    /// The input of a record id.
    pub(crate) fn of_record(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The inputs a result may belong to, the likeliest first: mostly one, none when it does not say. A contact that was
    /// read by e-mail belongs to all who asked by one of its addresses.
    pub(crate) fn of_result(&self, result: &Value) -> Vec<usize> {
        if let Some(trace) = text(result, "objectWriteTraceId")
            && let Some(&at) = self.by_trace.get(&trace)
        {
            return vec![at];
        }
        match self.request {
            Request::Upsert { id_property, .. } | Request::Read { id_property, .. } => {
                self.of_shown_value(id_property.as_str(), result)
            }
            Request::Create { .. } => self.of_shown_unique(result).into_iter().collect(),
            Request::Link { .. } => self.of_shown_pair(result).into_iter().collect(),
            Request::CreateProperties { .. } => {
                let named = text(result, "name").and_then(|name| self.by_value("name", &name));
                named.into_iter().collect()
            }
            _ => {
                let id = text(result, "id");
                let at = id.and_then(|id| self.by_id.get(id.as_str()).copied());
                at.into_iter().collect()
            }
        }
    }

    fn by_value(&self, property: &'a str, value: &str) -> Option<usize> {
        let key = (property, Cow::Owned(normal(property, value).into_owned()));
        self.by_value.get(&key).copied()
    }

    /// Each created record may have a unique property of its own.
    fn of_shown_unique(&self, result: &Value) -> Option<usize> {
        let shown = result.get("properties")?;
        let mut names: Vec<&'a str> = self.by_value.keys().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().find_map(|name| {
            let value = text(shown, name)?;
            self.by_value(name, &value)
        })
    }

    /// Ids come as text or numbers, as `from.id` or `fromObjectId`, and the pair may stand in the other direction
    /// (hubspot-api.md §4.1).
    fn of_shown_pair(&self, result: &Value) -> Option<usize> {
        let end = |side: &str, flat: &str| {
            let nested = result.get(side).and_then(|end| text(end, "id"));
            nested.or_else(|| text(result, flat))
        };
        let from = end("from", "fromObjectId")?;
        let to = end("to", "toObjectId")?;
        let straight = self.by_pair.get(&(from.as_str(), to.as_str()));
        let reversed = || self.by_pair.get(&(to.as_str(), from.as_str()));
        straight.or_else(reversed).copied()
    }

    fn of_shown_value(&self, unique: &'a str, result: &Value) -> Vec<usize> {
        if unique == RECORD_ID_PROPERTY {
            let id = text(result, "id").and_then(|id| self.by_value(unique, &id));
            return id.into_iter().collect();
        }
        let Some(shown) = result.get("properties") else {
            return Vec::new();
        };
        let primary = text(shown, unique).and_then(|value| self.by_value(unique, &value));
        let mut found: Vec<usize> = primary.into_iter().collect();
        if unique == EMAIL {
            // The address asked for may be a secondary one of the contact that answered.
            let secondary = text(shown, ADDITIONAL_EMAILS).unwrap_or_default();
            found.extend(
                secondary
                    .split(';')
                    .filter_map(|e| self.by_value(unique, e)),
            );
        }
        found
    }

    /// Whether a result that matched nothing may be the one input that is left. One that shows another unique value
    /// is not; only contacts answer with their primary address when asked by a secondary one.
    pub(crate) fn may_be(&self, at: usize, result: &Value) -> bool {
        let Some((unique, _)) = self.unique(at) else {
            return matches!(self.request, Request::Create { .. });
        };
        let asked_by_secondary = unique == EMAIL && !matches!(self.request, Request::Create { .. });
        let shown = result.get("properties").and_then(|p| text(p, unique));
        asked_by_secondary || shown.is_none()
    }

    /// The inputs that an error names by trace id, position, value or record id.
    pub(crate) fn named_by(&self, failure: &Failure) -> Vec<usize> {
        let named = &failure.named;
        let mut found: Vec<usize> = named
            .trace_ids
            .iter()
            .filter_map(|trace| self.by_trace.get(trace).copied())
            .chain(named.indexes.iter().copied().filter(|&i| i < self.len()))
            .collect();
        found.extend(named.ids.iter().filter_map(|id| self.by_key(id)));
        match self.request {
            Request::Link { inputs, .. } => found.extend(ends::named_by(inputs, failure)),
            Request::CreateProperties { .. } | Request::SendEvents { .. } => {
                found.extend((0..self.len()).filter(|&at| self.is_mentioned(at, failure)));
            }
            _ => {}
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn by_key(&self, key: &str) -> Option<usize> {
        match self.request {
            Request::Upsert { id_property, .. } | Request::Read { id_property, .. } => {
                self.by_value(id_property.as_str(), key)
            }
            _ => self.by_id.get(key.trim()).copied(),
        }
    }

    /// Whether the words of an error name the property to create, or the event that does not exist.
    fn is_mentioned(&self, at: usize, failure: &Failure) -> bool {
        match self.request {
            Request::CreateProperties { inputs, .. } => {
                let name = inputs[at].definition.name.as_str();
                let by_detail = |detail: &Detail| {
                    detail.property.as_deref() == Some(name) || names(&detail.message, name)
                };
                names(&failure.message, name) || failure.details.iter().any(by_detail)
            }
            // Other errors name the event too, and are about one of its occurrences.
            Request::SendEvents { inputs } => {
                let mut after = failure.message.split("Event with fully qualified name ");
                let first = |rest: &str| rest.split_whitespace().next() == Some(&*inputs[at].event);
                after.next();
                after.any(first)
            }
            _ => false,
        }
    }

    /// The inputs that carry the values or properties an error speaks of. Each of them is at fault: the property is
    /// unknown for all who carry it, and a value that is refused once is refused for all who have it.
    pub(crate) fn carrying(&self, details: &[Detail]) -> Vec<usize> {
        let guilty = |at: usize| details.iter().any(|detail| self.carries(at, detail));
        (0..self.len()).filter(|&at| guilty(at)).collect()
    }

    fn carries(&self, at: usize, detail: &Detail) -> bool {
        let Some(property) = &detail.property else {
            return false;
        };
        let Some(value) = self.value(at, property) else {
            return false;
        };
        if self.is_about_another_event(at, &detail.message) {
            return false;
        }
        match detail.code.as_deref() {
            Some("PROPERTY_DOESNT_EXIST" | "READ_ONLY_VALUE") => true,
            _ => {
                refused_value(&detail.message).is_some_and(|refused| refused.trim() == value.trim())
            }
        }
    }

    /// Events have properties of their own: what is said of one event's says nothing of another's.
    fn is_about_another_event(&self, at: usize, message: &str) -> bool {
        let Request::SendEvents { inputs } = self.request else {
            return false;
        };
        let is_named = |input: &OccurrenceInput| names(message, &input.event);
        !is_named(&inputs[at]) && inputs.iter().any(is_named)
    }

    fn value(&self, at: usize, property: &str) -> Option<&'a str> {
        if let Some((_, value)) = self.unique(at).filter(|(name, _)| *name == property) {
            return Some(value);
        }
        if let Request::SendEvents { inputs } = self.request {
            let mut pairs = inputs[at].properties.iter();
            return pairs
                .find(|(name, _)| name.as_str().eq_ignore_ascii_case(property))
                .map(|(_, value)| &**value);
        }
        let mut pairs = self.properties(at)?.iter();
        pairs
            .find(|(name, _)| name.as_str() == property)
            .map(|(_, value)| value.expose())
    }

    /// Every value that was sent for an input and may be personal, for masking.
    pub(crate) fn values(&self, at: usize) -> Vec<&'a str> {
        if let Request::SendEvents { inputs } = self.request {
            return occurrence_values(&inputs[at]);
        }
        if let Request::CreateProperties { .. } = self.request {
            return Vec::new();
        }
        let properties = self.properties(at).into_iter().flatten();
        properties
            .map(|(_, value)| value.expose())
            .chain(self.unique(at).map(|(_, value)| value))
            .collect()
    }

    /// What was written or searched for.
    pub(crate) fn properties(&self, at: usize) -> Option<&'a Properties> {
        match self.request {
            Request::Upsert { inputs, .. } => Some(&inputs[at].properties),
            Request::Update { inputs, .. } => Some(&inputs[at].properties),
            Request::Create { inputs, .. } => Some(&inputs[at].properties),
            Request::Search { inputs, .. } => Some(&inputs[at].filters),
            _ => None,
        }
    }
}

fn occurrence_values(input: &OccurrenceInput) -> Vec<&str> {
    let texts = input.properties.iter().map(|(_, value)| &**value);
    texts
        .chain(input.email.as_deref())
        .chain(input.utk.as_deref())
        .collect()
}

/// Whether a text names something, as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_-".contains(c));
    let mut hits = text.match_indices(name);
    !name.is_empty()
        && hits.any(|(at, _)| {
            !joins(text[..at].chars().next_back()) && !joins(text[at + name.len()..].chars().next())
        })
}

/// A unique value as HubSpot compares it: trimmed, e-mails in lower case.
pub(crate) fn normal<'v>(unique: &str, value: &'v str) -> Cow<'v, str> {
    let value = value.trim();
    let is_lower = |c: char| c.is_ascii() && !c.is_ascii_uppercase();
    if unique == EMAIL && !value.chars().all(is_lower) {
        Cow::Owned(value.to_lowercase())
    } else {
        Cow::Borrowed(value)
    }
}

/// The value a message is about, where the message has a shape we know (hubspot-api.md §9.2).
fn refused_value(message: &str) -> Option<&str> {
    let email = message
        .strip_prefix("Email address ")
        .and_then(|rest| rest.strip_suffix(" is invalid"));
    let number = || {
        message
            .split_once(" was not a valid ")
            .map(|(value, _)| value)
    };
    let date = || {
        let (value, rest) = message.split_once(" is at ")?;
        rest.contains("not midnight").then_some(value)
    };
    email
        .or_else(|| option_of(message).map(|(value, _)| value))
        .or_else(number)
        .or_else(date)
}
