//! The answer nearly every write gets: one result for each input and no error. It is read without building its tree,
//! because all that counts in the long list of a record's properties is two of them. Whatever is unusual in any way is left
//! to the reading that knows every rule.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use hubferry_actions::{RECORD_ID_PROPERTY, RecordId};
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::call::{Request, StepId};
use crate::inputs::normal;
use crate::outcome::{Done, Outcome};

const STAGE: &str = "lifecyclestage";

/// The outcomes of a usual answer, in the order of the inputs; `None` when it has to be read with care.
pub(crate) fn written(request: &Request, body: &[u8]) -> Option<Vec<(StepId, Outcome)>> {
    let Names { unique, inputs } = names(request)?;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let results = reader.deserialize_map(Envelope { unique }).ok()?;
    reader.end().ok()?;
    let steps = request.steps();
    if results.len() != steps.len() || inputs.len() != steps.len() {
        return None;
    }
    let mut by_trace = HashMap::new();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; steps.len()];
    for result in results {
        let at = match &result.trace {
            Some(trace) => {
                if by_trace.is_empty() {
                    by_trace = (0..)
                        .zip(&steps)
                        .map(|(at, step)| (step.0.to_string(), at))
                        .collect();
                }
                *by_trace.get(&**trace)?
            }
            None => *inputs.get(&*result.name(unique)?)?,
        };
        if outcomes[at].is_some() {
            return None;
        }
        let created = match request {
            Request::Update { .. } => Some(false),
            _ => result.new,
        };
        outcomes[at] = Some(Outcome::Done(Done::Written {
            id: RecordId::new(&result.id),
            created,
            stage: result.stage.map(Cow::into_owned),
        }));
    }
    steps
        .into_iter()
        .zip(outcomes)
        .map(|(step, outcome)| Some((step, outcome?)))
        .collect()
}

/// The property that tells the inputs apart, nothing where the record id does, and the inputs by it.
struct Names<'r> {
    unique: Option<&'r str>,
    inputs: HashMap<Cow<'r, str>, usize>,
}

fn names(request: &Request) -> Option<Names<'_>> {
    let (unique, inputs) = match request {
        Request::Upsert {
            id_property,
            inputs,
            ..
        } if id_property.as_str() != RECORD_ID_PROPERTY => {
            let unique = id_property.as_str();
            let names = inputs.iter().map(|input| normal(unique, &input.value));
            (Some(unique), names.zip(0..).collect())
        }
        Request::Update { inputs, .. } => {
            let names = inputs.iter().map(|input| Cow::Borrowed(input.id.as_str()));
            (None, names.zip(0..).collect())
        }
        _ => return None,
    };
    Some(Names { unique, inputs })
}

/// What counts of one result.
struct Record<'de> {
    id: Cow<'de, str>,
    new: Option<bool>,
    trace: Option<Cow<'de, str>>,
    /// The value of the unique property.
    value: Option<Cow<'de, str>>,
    stage: Option<Cow<'de, str>>,
}

impl Record<'_> {
    fn name(&self, unique: Option<&str>) -> Option<Cow<'_, str>> {
        match unique {
            Some(unique) => Some(normal(unique, self.value.as_deref()?)),
            None => Some(Cow::Borrowed(&self.id)),
        }
    }
}

/// A text, or nothing where it is null; any other kind is unusual.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

fn key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_key_seed(Text)?.map(Option::unwrap_or_default))
}

/// The envelope: `results`, and no `errors`.
struct Envelope<'u> {
    unique: Option<&'u str>,
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = Vec<Record<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("results without errors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut results = None;
        while let Some(key) = key(&mut map)? {
            match &*key {
                "results" if results.is_none() => {
                    let unique = self.unique;
                    results = Some(map.next_value_seed(Results { unique })?);
                }
                "results" => return Err(A::Error::custom("results twice")),
                "errors" => {
                    let errors: Vec<IgnoredAny> = map.next_value()?;
                    if !errors.is_empty() {
                        return Err(A::Error::custom("errors"));
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        results.ok_or_else(|| A::Error::missing_field("results"))
    }
}

struct Results<'u> {
    unique: Option<&'u str>,
}

impl<'de> DeserializeSeed<'de> for Results<'_> {
    type Value = Vec<Record<'de>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Results<'_> {
    type Value = Vec<Record<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut results = Vec::with_capacity(100);
        let unique = self.unique;
        while let Some(result) = list.next_element_seed(One { unique })? {
            results.push(result);
        }
        Ok(results)
    }
}

struct One<'u> {
    unique: Option<&'u str>,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Record<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a result with an id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut new, mut trace, mut shown) = (None, None, None, None);
        while let Some(key) = key(&mut map)? {
            match &*key {
                "id" if id.is_none() => id = map.next_value_seed(Text)?,
                "new" if new.is_none() => new = map.next_value()?,
                "objectWriteTraceId" if trace.is_none() => trace = map.next_value_seed(Text)?,
                "properties" if shown.is_none() => {
                    let unique = self.unique;
                    shown = Some(map.next_value_seed(Shown { unique })?);
                }
                "id" | "new" | "objectWriteTraceId" | "properties" => {
                    return Err(A::Error::custom("a key twice"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let id = id.filter(|id| !id.is_empty());
        let (value, stage) = shown.unwrap_or_default();
        Ok(Record {
            id: id.ok_or_else(|| A::Error::missing_field("id"))?,
            new,
            trace,
            value,
            stage,
        })
    }
}

/// The unique property and the lifecycle stage of a record's properties.
struct Shown<'u> {
    unique: Option<&'u str>,
}

type Pair<'de> = (Option<Cow<'de, str>>, Option<Cow<'de, str>>);

impl<'de> DeserializeSeed<'de> for Shown<'_> {
    type Value = Pair<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Shown<'_> {
    type Value = Pair<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut value, mut stage) = (None, None);
        while let Some(key) = key(&mut map)? {
            if Some(&*key) == self.unique {
                value = map.next_value_seed(Text)?;
            } else if key == STAGE {
                // A stage that is shown as null is shown as empty.
                let shown = map.next_value_seed(Text)?;
                stage = Some(shown.unwrap_or_default());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((value, stage))
    }
}

#[cfg(test)]
#[path = "usual_tests.rs"]
mod tests;
