//! What requests are made of, read as leniently as HubSpot reads it.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::associations::Category;

/// Text, or a number or boolean where HubSpot reads text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LooseText(pub(crate) String);

impl<'de> Deserialize<'de> for LooseText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(flag) => Ok(Self(flag.to_string())),
            _ => Err(serde::de::Error::custom(
                "Cannot deserialize value of type `java.lang.String`",
            )),
        }
    }
}

/// An association asked for together with a record's creation.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewAssociation {
    pub(crate) to: Reference,
    pub(crate) types: Vec<TypeReference>,
}

/// `{id}`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reference {
    pub(crate) id: LooseText,
}

/// An association type as requests name it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TypeReference {
    pub(crate) association_category: Category,
    /// A number, or the same as text.
    #[serde(deserialize_with = "loose_number")]
    pub(crate) association_type_id: u32,
}

fn loose_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = LooseText::deserialize(deserializer)?;
    text.0
        .parse()
        .map_err(|_| serde::de::Error::custom("Cannot deserialize value of type `int` from String"))
}

/// Properties above which repeated names are looked for with a map instead of one by one.
const MANY: usize = 64;

/// The `properties` of a write in the order written. Of a name written twice the last counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct WrittenProperties(Vec<(String, Value)>);

impl WrittenProperties {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn put(&mut self, name: String, value: Value) {
        let known = match self.0.len() {
            ..MANY => self.0.iter_mut().find(|(known, _)| *known == name),
            _ => None,
        };
        match known {
            Some(place) => place.1 = value,
            None => self.0.push((name, value)),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Properties)
    }
}

struct Properties;

impl<'de> Visitor<'de> for Properties {
    type Value = WrittenProperties;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of property values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut properties = WrittenProperties::default();
        while let Some((name, value)) = map.next_entry()? {
            properties.put(name, value);
        }
        if properties.len() > MANY {
            let unique: Map<String, Value> = properties.0.into_iter().collect();
            properties = WrittenProperties(unique.into_iter().collect());
        }
        Ok(properties)
    }
}

#[cfg(test)]
mod tests {
    use super::{LooseText, WrittenProperties};

    #[test]
    fn numbers_and_booleans_pass_for_text() {
        let read = |text: &str| {
            serde_json::from_str::<LooseText>(text)
                .ok()
                .map(|text| text.0)
        };
        for (written, expected) in [
            ("\"a\"", "a"),
            ("171000000001", "171000000001"),
            ("true", "true"),
        ] {
            assert_eq!(read(written).as_deref(), Some(expected), "{written}");
        }
        assert_eq!(read("{}"), None);
        assert_eq!(read("null"), None);
    }

    #[test]
    fn of_a_name_written_twice_the_last_counts() {
        let few = r#"{"a": 1, "b": 2, "a": 3}"#.to_owned();
        let many: Vec<String> = (0..100).map(|n| format!("\"p{n}\": {n}")).collect();
        let many = format!("{{{}, \"p0\": 7, \"p99\": 8}}", many.join(", "));
        for (written, count, name, expected) in [
            (&few, 2, "a", 3),
            (&many, 100, "p0", 7),
            (&many, 100, "p99", 8),
        ] {
            let properties: WrittenProperties = serde_json::from_str(written).unwrap();
            assert_eq!(properties.len(), count);
            let values: Vec<_> = properties
                .iter()
                .filter(|(known, _)| *known == name)
                .collect();
            assert_eq!(values, [(name, &serde_json::json!(expected))]);
        }
    }
}
