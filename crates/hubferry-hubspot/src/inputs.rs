//! The inputs of a call, found again in its answer: by trace id, unique value or record id, never by position
//! of a result (hubspot-api.md §3.5).

use std::collections::HashMap;

use hubferry_actions::{Properties, PropertyName};
use serde_json::Value;

use crate::body::{ADDITIONAL_EMAILS, EMAIL};
use crate::call::{Request, StepId};
use crate::failure::{Detail, Failure};
use crate::json::text;
use crate::words::option_of;

/// The inputs of a call by everything an answer may call them.
pub(crate) struct Inputs<'a> {
    request: &'a Request,
    steps: Vec<StepId>,
    by_trace: HashMap<String, usize>,
    by_value: HashMap<String, usize>,
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
        let mut by_value = HashMap::new();
        let mut by_id = HashMap::new();
        let mut by_pair = HashMap::new();
        match request {
            Request::Upsert {
                id_property,
                inputs,
                ..
            } => {
                by_value = (0..)
                    .zip(inputs)
                    .map(|(i, x)| (normal(id_property, &x.value), i))
                    .collect();
            }
            Request::Read {
                id_property,
                inputs,
                ..
            } => {
                by_value = (0..)
                    .zip(inputs)
                    .map(|(i, x)| (normal(id_property, &x.value), i))
                    .collect();
            }
            Request::Update { inputs, .. } => {
                by_id = (0..).zip(inputs).map(|(i, x)| (x.id.as_str(), i)).collect();
            }
            Request::Associate { inputs, .. } => {
                by_pair = (0..)
                    .zip(inputs)
                    .map(|(i, x)| ((x.from.as_str(), x.to.as_str()), i))
                    .collect();
            }
            Request::Search { .. } | Request::CreateProperty { .. } => {}
        }
        Self {
            request,
            steps,
            by_trace,
            by_value,
            by_id,
            by_pair,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn step(&self, at: usize) -> StepId {
        self.steps[at]
    }

    /// The input a result belongs to, when the result says so.
    pub(crate) fn of_result(&self, result: &Value) -> Option<usize> {
        if let Some(trace) = text(result, "objectWriteTraceId")
            && let Some(&at) = self.by_trace.get(&trace)
        {
            return Some(at);
        }
        match self.request {
            Request::Upsert { id_property, .. } | Request::Read { id_property, .. } => {
                self.of_shown_value(id_property, result)
            }
            Request::Associate { .. } => self.of_shown_pair(result),
            _ => self.by_id.get(text(result, "id")?.as_str()).copied(),
        }
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

    fn of_shown_value(&self, unique: &PropertyName, result: &Value) -> Option<usize> {
        let shown = result.get("properties")?;
        let find = |value: &str| self.by_value.get(&normal(unique, value)).copied();
        let primary = text(shown, unique.as_str()).as_deref().and_then(find);
        if primary.is_some() || unique.as_str() != EMAIL {
            return primary;
        }
        // The address asked for may be a secondary one of the contact that answered.
        let secondary = text(shown, ADDITIONAL_EMAILS)?;
        secondary.split(';').find_map(find)
    }

    /// Whether a result that matched nothing may be the one input that is left. One that shows another unique value
    /// is not; only contacts answer with their primary address when asked by a secondary one.
    pub(crate) fn may_be_any(&self, result: &Value) -> bool {
        self.id_property().is_some_and(|unique| {
            let shown = result
                .get("properties")
                .and_then(|p| text(p, unique.as_str()));
            unique.as_str() == EMAIL || shown.is_none()
        })
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
        found.extend(self.associations_named_by(failure));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn by_key(&self, key: &str) -> Option<usize> {
        match self.id_property() {
            Some(unique) => self.by_value.get(&normal(unique, key)).copied(),
            None => self.by_id.get(key.trim()).copied(),
        }
    }

    /// Associations have no trace id: an error names the record of one of their ends (hubspot-api.md §4.2).
    fn associations_named_by(&self, failure: &Failure) -> Vec<usize> {
        let Request::Associate { inputs, .. } = self.request else {
            return Vec::new();
        };
        let named = &failure.named;
        let sub_category = failure.sub_category.as_deref().unwrap_or_default();
        // Ids of two types may be equal; the sub-category tells which end is meant.
        let only_to = sub_category.ends_with("TO_OBJECT_NOT_FOUND");
        let only_from = sub_category.ends_with("FROM_OBJECT_NOT_FOUND");
        let among = |ids: &[String], id: &str| ids.iter().any(|x| x.trim() == id);
        let is_named = |from: &str, to: &str| {
            let by_pair = match (named.from_ids.is_empty(), named.to_ids.is_empty()) {
                (true, true) => false,
                (false, true) => among(&named.from_ids, from),
                (true, false) => among(&named.to_ids, to),
                (false, false) => among(&named.from_ids, from) && among(&named.to_ids, to),
            };
            by_pair
                || (!only_from && among(&named.ids, to))
                || (!only_to && among(&named.ids, from))
        };
        (0..)
            .zip(inputs)
            .filter(|(_, x)| is_named(x.from.as_str(), x.to.as_str()))
            .map(|(i, _)| i)
            .collect()
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
        match detail.code.as_deref() {
            Some("PROPERTY_DOESNT_EXIST" | "READ_ONLY_VALUE") => true,
            _ => {
                refused_value(&detail.message).is_some_and(|refused| refused.trim() == value.trim())
            }
        }
    }

    fn value(&self, at: usize, property: &str) -> Option<&'a str> {
        if self
            .id_property()
            .is_some_and(|unique| unique.as_str() == property)
        {
            return self.unique_value(at);
        }
        let mut pairs = self.properties(at)?.iter();
        pairs
            .find(|(name, _)| name.as_str() == property)
            .map(|(_, value)| value.expose())
    }

    /// Every value that was sent for an input, for masking.
    pub(crate) fn values(&self, at: usize) -> Vec<&'a str> {
        let properties = self.properties(at).into_iter().flatten();
        properties
            .map(|(_, value)| value.expose())
            .chain(self.unique_value(at))
            .collect()
    }

    fn properties(&self, at: usize) -> Option<&'a Properties> {
        match self.request {
            Request::Upsert { inputs, .. } => Some(&inputs[at].properties),
            Request::Update { inputs, .. } => Some(&inputs[at].properties),
            Request::Search { inputs, .. } => Some(&inputs[at].filters),
            Request::Read { .. } | Request::Associate { .. } | Request::CreateProperty { .. } => {
                None
            }
        }
    }

    fn unique_value(&self, at: usize) -> Option<&'a str> {
        match self.request {
            Request::Upsert { inputs, .. } => Some(&inputs[at].value),
            Request::Read { inputs, .. } => Some(&inputs[at].value),
            _ => None,
        }
    }

    fn id_property(&self) -> Option<&'a PropertyName> {
        match self.request {
            Request::Upsert { id_property, .. } | Request::Read { id_property, .. } => {
                Some(id_property)
            }
            _ => None,
        }
    }
}

/// A unique value as HubSpot compares it: trimmed, e-mails in lower case.
fn normal(unique: &PropertyName, value: &str) -> String {
    if unique.as_str() == EMAIL {
        value.trim().to_lowercase()
    } else {
        value.trim().to_owned()
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
