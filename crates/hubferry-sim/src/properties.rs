//! Property definitions and property groups of one object type.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::objects::ObjectType;
use crate::property::{FieldType, Property, PropertyOption, Role, ValueType};

/// Unique-value properties allowed per object type, HubSpot's own not counted.
const MOST_UNIQUE: usize = 10;

/// Classes of sensitivity.
const SENSITIVITIES: [&str; 3] = ["non_sensitive", "sensitive", "highly_sensitive"];

/// A property's place in its book. It stays the same as long as the book lives, archived or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PropertyKey(u16);

/// The body of a property create.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PropertyCreate {
    name: Option<String>,
    label: Option<String>,
    #[serde(rename = "type")]
    value_type: Option<String>,
    field_type: Option<String>,
    group_name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    options: Vec<PropertyOption>,
    #[serde(default)]
    display_order: Option<i64>,
    #[serde(default)]
    has_unique_value: Option<bool>,
    #[serde(default)]
    hidden: Option<bool>,
    #[serde(default)]
    form_field: Option<bool>,
    #[serde(default)]
    data_sensitivity: Option<String>,
    #[serde(default)]
    external_options: Option<bool>,
}

impl PropertyCreate {
    /// The same in a group, unless it names one.
    pub(crate) fn in_group(mut self, group: &str) -> Self {
        self.group_name.get_or_insert_with(|| group.to_owned());
        self
    }

    /// The class of sensitivity asked for.
    pub(crate) fn sensitivity(&self) -> &str {
        self.data_sensitivity.as_deref().unwrap_or("non_sensitive")
    }
}

/// The body of a property patch. What it does not name stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PropertyPatch {
    label: Option<String>,
    #[serde(rename = "type")]
    value_type: Option<ValueType>,
    field_type: Option<FieldType>,
    group_name: Option<String>,
    description: Option<String>,
    options: Option<Vec<PropertyOption>>,
    display_order: Option<i64>,
    hidden: Option<bool>,
    form_field: Option<bool>,
}

/// A property group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PropertyGroup {
    pub(crate) name: String,
    pub(crate) label: String,
    #[serde(default = "no_order")]
    pub(crate) display_order: i64,
    #[serde(default)]
    pub(crate) archived: bool,
}

fn no_order() -> i64 {
    -1
}

/// What an object type shows, needs and searches by itself; property names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits<'a> {
    /// Shown after a write.
    pub(crate) written: &'a [&'a str],
    /// Shown by a read.
    pub(crate) read: &'a [&'a str],
    /// A new record needs one of these.
    pub(crate) one_of: &'a [&'a str],
    /// Looked at by a free text search.
    pub(crate) searched: &'a [&'a str],
}

/// All definitions of one object type.
#[derive(Debug, Clone)]
pub(crate) struct PropertyBook {
    pub(crate) object: ObjectType,
    /// See [`Habits`].
    pub(crate) written: Vec<PropertyKey>,
    pub(crate) read: Vec<PropertyKey>,
    pub(crate) one_of: Vec<PropertyKey>,
    pub(crate) searched: Vec<PropertyKey>,
    /// A new record needs all of these.
    pub(crate) required: Vec<PropertyKey>,
    properties: Vec<Property>,
    by_name: HashMap<Arc<str>, PropertyKey>,
    groups: Vec<PropertyGroup>,
}

impl PropertyBook {
    pub(crate) fn new(object: ObjectType, groups: &[(&str, &str)]) -> Self {
        let groups = groups
            .iter()
            .enumerate()
            .map(|(order, (name, label))| PropertyGroup {
                name: (*name).to_owned(),
                label: (*label).to_owned(),
                display_order: i64::try_from(order).unwrap_or(-1),
                archived: false,
            })
            .collect();
        Self {
            object,
            written: Vec::new(),
            read: Vec::new(),
            one_of: Vec::new(),
            searched: Vec::new(),
            required: Vec::new(),
            properties: Vec::new(),
            by_name: HashMap::new(),
            groups,
        }
    }

    /// Adds a definition as it is; the name must be new.
    pub(crate) fn add(&mut self, property: Property) -> PropertyKey {
        let key = PropertyKey(u16::try_from(self.properties.len()).unwrap_or(u16::MAX));
        self.by_name.insert(property.name.clone(), key);
        self.properties.push(property);
        key
    }

    /// Takes over the habits of an object type; names it does not define are left out.
    pub(crate) fn learn(&mut self, habits: Habits<'_>) {
        self.written = self.keys_of(habits.written);
        self.read = self.keys_of(habits.read);
        self.one_of = self.keys_of(habits.one_of);
        self.searched = self.keys_of(habits.searched);
    }

    /// The keys of the names that are defined.
    pub(crate) fn keys_of(&self, names: &[&str]) -> Vec<PropertyKey> {
        let found = names.iter().filter_map(|name| self.find(name));
        found.map(|(key, _)| key).collect()
    }

    /// A definition that is not archived.
    pub(crate) fn find(&self, name: &str) -> Option<(PropertyKey, &Property)> {
        let key = *self.by_name.get(name)?;
        let property = self.get(key);
        (!property.archived).then_some((key, property))
    }

    /// The definition behind a key.
    pub(crate) fn get(&self, key: PropertyKey) -> &Property {
        &self.properties[usize::from(key.0)]
    }

    /// The key of the first property with a role.
    pub(crate) fn role(&self, role: Role) -> Option<PropertyKey> {
        self.keys().find(|key| self.get(*key).role == role)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = PropertyKey> + use<> {
        (0..u16::try_from(self.properties.len()).unwrap_or(u16::MAX)).map(PropertyKey)
    }

    /// Definitions, archived or not, in the order they were made.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Property> {
        self.properties.iter()
    }

    /// Properties of the account's own that are not archived.
    pub(crate) fn own(&self) -> usize {
        let own = self.properties.iter();
        own.filter(|one| !one.built_in && !one.archived).count()
    }

    /// Replaces the options of every property with a role.
    pub(crate) fn set_options(&mut self, role: Role, options: Vec<PropertyOption>) {
        for property in &mut self.properties {
            if property.role == role {
                property.options.clone_from(&options);
            }
        }
    }

    /// The first property among these that only some tokens may see or write, by class.
    pub(crate) fn sensitive(&self, keys: impl Iterator<Item = PropertyKey>) -> Option<&str> {
        let mut classes = keys.map(|key| self.get(key).sensitivity.as_str());
        classes.find(|class| *class != "non_sensitive")
    }

    /// Creates a property, or restores an archived one of that name.
    pub(crate) fn create(
        &mut self,
        body: PropertyCreate,
        visible_from: Duration,
        at_ms: i64,
    ) -> Result<PropertyKey, Refusal> {
        let property = self.checked(body, visible_from, at_ms)?;
        let known = self.by_name.get(&property.name).copied();
        match known {
            Some(key) if self.get(key).archived => {
                self.properties[usize::from(key.0)].archived = false;
                Ok(key)
            }
            Some(_) => Err(exists(&property.name)),
            None if self.properties.len() >= usize::from(u16::MAX) => Err(Refusal::validation(
                "The account has reached its limit of properties",
            )),
            None => Ok(self.add(property)),
        }
    }

    fn checked(
        &self,
        body: PropertyCreate,
        visible_from: Duration,
        at_ms: i64,
    ) -> Result<Property, Refusal> {
        let name = required("name", body.name)?;
        let label = required("label", body.label)?;
        let value_type: ValueType = one_of("type", required("type", body.value_type)?)?;
        let field_type: FieldType = one_of("fieldType", required("fieldType", body.field_type)?)?;
        let group = required("groupName", body.group_name)?;
        if !valid_name(&name) {
            return Err(Refusal::validation(format!(
                "Invalid property name '{name}'. Names start with a letter and hold lower-case letters, digits and underscores."
            )));
        }
        if !field_type.fits(value_type) {
            return Err(wrong_pair(value_type, field_type));
        }
        self.group_exists(&group)?;
        let unique = body.has_unique_value.unwrap_or(false);
        if unique && !matches!(value_type, ValueType::String | ValueType::Number) {
            return Err(Refusal::validation(
                "hasUniqueValue is only possible for string and number properties",
            ));
        }
        if unique
            && self
                .properties
                .iter()
                .filter(|p| p.unique && !p.built_in && !p.archived)
                .count()
                >= MOST_UNIQUE
        {
            return Err(Refusal::validation(format!(
                "At most {MOST_UNIQUE} properties with unique values are allowed"
            )));
        }
        let sensitivity = body
            .data_sensitivity
            .unwrap_or_else(|| "non_sensitive".to_owned());
        if !SENSITIVITIES.contains(&sensitivity.as_str()) {
            return Err(Refusal::validation(format!(
                "'{sensitivity}' is not a valid dataSensitivity"
            )));
        }
        let enumerated = value_type == ValueType::Enumeration;
        if enumerated && body.options.is_empty() && body.external_options != Some(true) {
            return Err(Refusal::validation(format!(
                "Property '{name}' is an enumeration and needs options"
            )));
        }
        let options = body.options.iter();
        let values: HashSet<&str> = options.map(|option| option.value.as_str()).collect();
        if values.len() < body.options.len() {
            return Err(Refusal::validation(format!(
                "The options of property '{name}' must have different values"
            )));
        }
        Ok(Property {
            name: name.into(),
            label,
            value_type,
            field_type,
            group,
            description: body.description.unwrap_or_default(),
            options: body.options,
            display_order: body.display_order.unwrap_or(-1),
            unique,
            read_only: field_type == FieldType::CalculationEquation,
            hidden: body.hidden.unwrap_or(false),
            form_field: body.form_field.unwrap_or(false),
            built_in: false,
            archived: false,
            sensitivity,
            role: Role::Plain,
            visible_from,
            created_ms: at_ms,
            updated_ms: at_ms,
        })
    }

    /// Changes what may change: not the name, not uniqueness, not sensitivity.
    pub(crate) fn patch(
        &mut self,
        name: &str,
        body: PropertyPatch,
        at_ms: i64,
    ) -> Result<PropertyKey, Refusal> {
        let (key, current) = self.find(name).ok_or_else(|| unknown_property(name))?;
        let value_type = body.value_type.unwrap_or(current.value_type);
        let field_type = body.field_type.unwrap_or(current.field_type);
        if !field_type.fits(value_type) {
            return Err(wrong_pair(value_type, field_type));
        }
        if let Some(group) = &body.group_name {
            self.group_exists(group)?;
        }
        let property = &mut self.properties[usize::from(key.0)];
        property.value_type = value_type;
        property.field_type = field_type;
        property.updated_ms = at_ms;
        replace(&mut property.label, body.label);
        replace(&mut property.group, body.group_name);
        replace(&mut property.description, body.description);
        replace(&mut property.options, body.options);
        replace(&mut property.display_order, body.display_order);
        replace(&mut property.hidden, body.hidden);
        replace(&mut property.form_field, body.form_field);
        Ok(key)
    }

    /// Archives a property of the account's own.
    pub(crate) fn archive(&mut self, name: &str) -> Result<(), Refusal> {
        let (key, property) = self.find(name).ok_or_else(|| unknown_property(name))?;
        if property.built_in {
            return Err(Refusal::validation(format!(
                "Property '{name}' is defined by HubSpot and cannot be deleted"
            )));
        }
        self.properties[usize::from(key.0)].archived = true;
        Ok(())
    }

    pub(crate) fn groups(&self) -> &[PropertyGroup] {
        &self.groups
    }

    pub(crate) fn create_group(&mut self, group: PropertyGroup) -> Result<&PropertyGroup, Refusal> {
        if self.groups.iter().any(|known| known.name == group.name) {
            let message = format!("A property group named '{}' already exists.", group.name);
            return Err(Refusal::new(409, message).with("category", "OBJECT_ALREADY_EXISTS"));
        }
        self.groups.push(group);
        self.groups.last().ok_or_else(Refusal::not_found)
    }

    pub(crate) fn group(&mut self, name: &str) -> Result<&mut PropertyGroup, Refusal> {
        self.groups
            .iter_mut()
            .find(|group| group.name == name)
            .ok_or_else(|| {
                Refusal::new(404, format!("Property group '{name}' does not exist"))
                    .with("category", "OBJECT_NOT_FOUND")
            })
    }

    pub(crate) fn archive_group(&mut self, name: &str) -> Result<(), Refusal> {
        self.group(name)?;
        if self
            .properties
            .iter()
            .any(|property| property.group == name && !property.archived)
        {
            return Err(Refusal::validation(format!(
                "Property group '{name}' still has properties"
            )));
        }
        self.groups.retain(|group| group.name != name);
        Ok(())
    }

    fn group_exists(&self, name: &str) -> Result<(), Refusal> {
        let known = self.groups.iter().any(|group| group.name == name);
        if known {
            Ok(())
        } else {
            Err(Refusal::validation(format!(
                "Property group '{name}' does not exist"
            )))
        }
    }
}

/// The 404 for a property nobody defined.
pub(crate) fn unknown_property(name: &str) -> Refusal {
    Refusal::new(404, format!("Property '{name}' does not exist"))
        .with("category", "OBJECT_NOT_FOUND")
}

fn exists(name: &str) -> Refusal {
    Refusal::new(409, format!("A property named '{name}' already exists."))
        .with("subCategory", "Properties.PROPERTY_WITH_NAME_EXISTS")
        .with("category", "OBJECT_ALREADY_EXISTS")
}

fn wrong_pair(value_type: ValueType, field_type: FieldType) -> Refusal {
    Refusal::validation(format!(
        "fieldType {} cannot be used with type {}",
        json!(field_type),
        json!(value_type)
    ))
}

fn required(field: &str, value: Option<String>) -> Result<String, Refusal> {
    match value {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(Refusal::validation(format!(
            "Some required fields were not set: [{field}]"
        ))),
    }
}

fn one_of<T: for<'de> Deserialize<'de>>(field: &str, text: String) -> Result<T, Refusal> {
    let refusal = Refusal::validation(format!("'{text}' is not a valid {field}"));
    serde_json::from_value(Value::String(text)).map_err(|_| refusal)
}

fn valid_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::catalogue;
    use crate::objects::ObjectType;

    fn created(changes: Value) -> Result<(), (u16, String)> {
        let mut body = json!({"name": "plan", "label": "Plan", "type": "string", "fieldType": "text",
            "groupName": "contactinformation"});
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        let mut book = catalogue::book(ObjectType::Contacts);
        let create = serde_json::from_value(body).unwrap();
        book.create(create, Duration::ZERO, 0)
            .map(|_| ())
            .map_err(|refusal| (refusal.status, refusal.message().to_owned()))
    }

    #[test]
    fn creation_rules() {
        assert_eq!(created(json!({})), Ok(()));
        let rows = [
            (
                json!({"name": "email"}),
                409,
                "A property named 'email' already exists.",
            ),
            (
                json!({"name": null}),
                400,
                "Some required fields were not set: [name]",
            ),
            (
                json!({"label": ""}),
                400,
                "Some required fields were not set: [label]",
            ),
            (json!({"type": "text"}), 400, "'text' is not a valid type"),
            (
                json!({"fieldType": "number"}),
                400,
                "fieldType \"number\" cannot be used with type \"string\"",
            ),
            (
                json!({"groupName": "nowhere"}),
                400,
                "Property group 'nowhere' does not exist",
            ),
            (
                json!({"name": "Plan"}),
                400,
                "Invalid property name 'Plan'. Names start with a letter and hold lower-case letters, digits and underscores.",
            ),
            (
                json!({"type": "bool", "fieldType": "booleancheckbox", "hasUniqueValue": true}),
                400,
                "hasUniqueValue is only possible for string and number properties",
            ),
        ];
        for (changes, status, message) in rows {
            assert_eq!(
                created(changes.clone()),
                Err((status, message.to_owned())),
                "{changes}"
            );
        }
    }

    #[test]
    fn archived_names_are_restored_by_a_create() {
        let mut book = catalogue::book(ObjectType::Companies);
        let body = json!({"name": "plan", "label": "Plan", "type": "string", "fieldType": "text",
            "groupName": "companyinformation"});
        let create = || serde_json::from_value(body.clone()).unwrap();
        let first = book.create(create(), Duration::ZERO, 0).unwrap();
        book.archive("plan").unwrap();
        assert!(book.find("plan").is_none());
        assert_eq!(book.create(create(), Duration::ZERO, 0).unwrap(), first);
        assert!(book.find("plan").is_some());
        assert_eq!(book.archive("name").unwrap_err().status, 400);
    }
}
