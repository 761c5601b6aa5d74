//! One record write, prepared: which record, which changes, or why not. Single calls and batches share it.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::associations::Direction;
use crate::inputs::{NewAssociation, TypeReference, WrittenProperties};
use crate::objects::ObjectType;
use crate::properties::{PropertyBook, PropertyKey};
use crate::property::Role;
use crate::records::{Changes, Shelf, Stamp, UniqueValue};
use crate::state::{Drawer, State};
use crate::values::{BadValue, Change, check};
use crate::visit::Visit;

/// Why one input cannot be written.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Some values are bad.
    Invalid(Vec<BadValue>),
    /// A contact with this email exists; its id, unless it is being made by the same batch.
    Exists(Option<u64>),
    /// No record behind the id.
    Missing,
    /// Anything else.
    Refused(Refusal),
}

/// A write that can be applied.
#[derive(Debug)]
pub(crate) struct Prepared {
    target: Option<u64>,
    changes: Changes,
    joins: Vec<(Direction, u64, Vec<usize>)>,
}

/// Identifying values claimed by inputs of the same batch, with the record each is for.
pub(crate) type Claimed = HashMap<UniqueValue, Option<u64>>;

/// What a write is about.
pub(crate) enum Aim<'a> {
    /// A new record.
    New(&'a [NewAssociation]),
    /// A record known to exist.
    Existing(u64),
    /// The record with this value of an identifying property, new if there is none.
    Upsert(PropertyKey, &'a str),
}

/// Checks one write. Claims it makes are noted, so that a later input of the batch cannot make them too.
pub(crate) fn prepare(
    state: &State,
    object: ObjectType,
    aim: &Aim<'_>,
    properties: &WrittenProperties,
    visit: &Visit<'_>,
    claimed: &mut Claimed,
) -> Result<Prepared, Fault> {
    let Drawer { book, shelf } = state.drawer(object);
    let (target, id_value) = match aim {
        Aim::New(_) => (None, None),
        Aim::Existing(id) => (Some(*id), None),
        Aim::Upsert(key, value) => (shelf.owner(book, *key, value), Some((*key, *value))),
    };
    let mut bad = Vec::new();
    let mut changes = shelf
        .plan(book, properties, visit.stamp.since)
        .unwrap_or_else(|refused| {
            bad = refused;
            Changes::new()
        });
    if let (None, Some((key, value))) = (target, id_value) {
        match named(book, key, value) {
            Ok(change) => {
                changes.retain(|(known, _)| *known != key);
                changes.push((key, change));
            }
            Err(refused) => bad.push(refused),
        }
    }
    if !bad.is_empty() {
        return Err(Fault::Invalid(bad));
    }
    let missing = missing_values(state, object, target, &changes, visit);
    if !missing.is_empty() {
        return Err(Fault::Invalid(missing));
    }
    claim(shelf, book, target, &changes, claimed)?;
    let joins = match aim {
        Aim::New(associations) => joins(state, object, associations).map_err(Fault::Refused)?,
        Aim::Existing(_) | Aim::Upsert(..) => Vec::new(),
    };
    Ok(Prepared {
        target,
        changes,
        joins,
    })
}

fn named(book: &PropertyBook, key: PropertyKey, value: &str) -> Result<Change, BadValue> {
    let property = book.get(key);
    match check(property, &json!(value))? {
        Change::Set(value) => Ok(Change::Set(value)),
        Change::Append(_) | Change::Clear => Err(BadValue::new(
            &property.name,
            "MISSING_REQUIRED_PROPERTY",
            "The id of an input must not be empty",
        )),
    }
}

/// What the record would have to hold besides: the minimum of its type, and since 2026-09 what the account wants.
fn missing_values(
    state: &State,
    object: ObjectType,
    target: Option<u64>,
    changes: &Changes,
    visit: &Visit<'_>,
) -> Vec<BadValue> {
    let Drawer { book, shelf } = state.drawer(object);
    let written = |key: &PropertyKey| {
        let change = changes.iter().rfind(|(known, _)| known == key);
        change.map(|(_, change)| *change != Change::Clear)
    };
    let mut missing = Vec::new();
    if target.is_none() {
        if !book.one_of.is_empty() && !book.one_of.iter().any(|key| written(key) == Some(true)) {
            missing.push(minimum(book));
        }
        for key in &book.required {
            if written(key) != Some(true) {
                missing.push(required(&book.get(*key).name));
            }
        }
    }
    if !visit.strict() {
        return missing;
    }
    let held = |key: &PropertyKey| {
        written(key).unwrap_or_else(|| target.is_some_and(|id| shelf.value(id, *key).is_some()))
    };
    if target.is_none() {
        let rules = state.switches.creation_required.iter();
        let rules = rules.filter(|(name, _)| state.names.resolve(name) == Some(object));
        for (key, property) in rules
            .flat_map(|(_, list)| list)
            .filter_map(|name| book.find(name))
        {
            if !held(&key) {
                missing.push(required(&property.name));
            }
        }
    }
    for rule in &state.switches.conditional_required {
        let Some((key, _)) = book.find(&rule.property) else {
            continue;
        };
        let set = changes.iter().rfind(|(known, _)| *known == key);
        let value = match set {
            Some((_, Change::Set(value))) => Some(&**value),
            Some(_) => None,
            None => target.and_then(|id| shelf.value(id, key)),
        };
        if state.names.resolve(&rule.object) != Some(object) || value != Some(&rule.value) {
            continue;
        }
        for (key, property) in rule.required.iter().filter_map(|name| book.find(name)) {
            if !held(&key) {
                missing.push(BadValue::new(
                    &property.name,
                    "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
                    format!(
                        "\"{}\" is required because \"{}\" is {}",
                        property.name, rule.property, rule.value
                    ),
                ));
            }
        }
    }
    missing
}

fn required(name: &str) -> BadValue {
    BadValue::new(
        name,
        "MISSING_REQUIRED_PROPERTY",
        format!("\"{name}\" is required to create this record"),
    )
}

/// Contacts need an email or a name, companies a name or a domain (objects guide).
fn minimum(book: &PropertyBook) -> BadValue {
    let names = book.one_of.iter().map(|key| &*book.get(*key).name);
    let names: Vec<&str> = names.collect();
    BadValue::new(
        names.first().copied().unwrap_or_default(),
        "MISSING_REQUIRED_PROPERTY",
        format!(
            "At least one of these properties is required: {}",
            names.join(", ")
        ),
    )
}

fn claim(
    shelf: &Shelf,
    book: &PropertyBook,
    target: Option<u64>,
    changes: &Changes,
    claimed: &mut Claimed,
) -> Result<(), Fault> {
    let claims = Shelf::claims(book, changes);
    let conflict = shelf
        .conflict(target, &claims)
        .map(|(claim, owner)| (claim, Some(owner)))
        .or_else(|| {
            claims.iter().find_map(|claim| {
                let other = *claimed.get(claim)?;
                (other.is_none() || other != target).then_some((claim, other))
            })
        });
    if let Some(((key, _), owner)) = conflict {
        let property = book.get(*key);
        return Err(match property.role {
            Role::Email => Fault::Exists(owner),
            _ => Fault::Invalid(vec![BadValue::taken(
                &property.name,
                owner.unwrap_or_default(),
            )]),
        });
    }
    claimed.extend(claims.into_iter().map(|claim| (claim, target)));
    Ok(())
}

fn joins(
    state: &State,
    object: ObjectType,
    associations: &[NewAssociation],
) -> Result<Vec<(Direction, u64, Vec<usize>)>, Refusal> {
    let mut joins = Vec::new();
    for association in associations {
        let mut places = Vec::new();
        let mut towards = None;
        for kind in &association.types {
            let found = state.graph.directions_from(object).find_map(|to| {
                let direction = (object, to);
                let place = state.graph.place(
                    direction,
                    kind.association_category,
                    kind.association_type_id,
                )?;
                Some((direction, place))
            });
            let Some((direction, place)) = found else {
                return Err(unknown_type(*kind));
            };
            towards = Some(direction);
            places.push(place);
        }
        let Some(direction) = towards else { continue };
        let id = state
            .drawer(direction.1)
            .shelf
            .parse_id(&association.to.id.0);
        let id = id.ok_or_else(|| {
            no_such_record(direction.1, &association.to.id.0, "TO_OBJECT_NOT_FOUND")
        })?;
        joins.push((direction, id, places));
    }
    Ok(joins)
}

/// The error for an association type that this pair of object types does not have.
pub(crate) fn unknown_type(kind: TypeReference) -> Refusal {
    Refusal::validation(format!(
        "Association type {} of category {} does not exist for these object types",
        kind.association_type_id,
        json!(kind.association_category)
            .as_str()
            .unwrap_or_default()
    ))
}

/// The 404 of association calls.
pub(crate) fn no_such_record(object: ObjectType, id: &str, code: &str) -> Refusal {
    Refusal::new(404, format!("No {} with ID {id} exists", object.singular()))
        .with(
            "context",
            json!({"objectType": [object.singular()], "id": [id]}),
        )
        .with("category", "OBJECT_NOT_FOUND")
        .with("subCategory", format!("crm.associations.{code}"))
}

impl Prepared {
    /// Writes. Returns the record's id and whether it is new.
    pub(crate) fn apply(self, state: &mut State, object: ObjectType, stamp: Stamp) -> (u64, bool) {
        let Drawer { book, shelf } = state.drawer_mut(object);
        let (id, new) = match self.target {
            Some(id) => {
                shelf.apply(book, id, self.changes, stamp);
                (id, false)
            }
            None => (shelf.create(book, self.changes, stamp), true),
        };
        for (direction, to, places) in self.joins {
            state.graph.label(direction, id, to, &places);
        }
        (id, new)
    }

    /// The properties written.
    pub(crate) fn keys(&self) -> Vec<PropertyKey> {
        self.changes.iter().map(|(key, _)| *key).collect()
    }
}

impl Fault {
    /// As a whole answer.
    pub(crate) fn into_refusal(self, portal_id: u64) -> Refusal {
        match self {
            Self::Invalid(bad) => invalid_values(&bad, portal_id),
            Self::Exists(owner) => conflict(owner),
            Self::Missing => Refusal::not_found(),
            Self::Refused(refusal) => refusal,
        }
    }
}

/// `Property values were not valid: […]` with one `errors` item per bad value.
pub(crate) fn invalid_values(bad: &[BadValue], portal_id: u64) -> Refusal {
    let listed: Vec<Value> = bad
        .iter()
        .map(|one| {
            let mut item = json!(one);
            item["localizedErrorMessage"] = json!(one.message);
            item["portalId"] = json!(portal_id);
            item
        })
        .collect();
    let errors: Vec<Value> = bad
        .iter()
        .map(|one| json!({"message": one.message, "code": one.error, "context": {"propertyName": [one.name]}}))
        .collect();
    Refusal::new(
        400,
        format!("Property values were not valid: {}", Value::Array(listed)),
    )
    .with("errors", errors)
    .with("category", "VALIDATION_ERROR")
}

/// The conflict of a contact's email.
pub(crate) fn conflict(owner: Option<u64>) -> Refusal {
    let message = match owner {
        Some(id) => format!("Contact already exists. Existing ID: {id}"),
        None => "Contact already exists.".to_owned(),
    };
    Refusal::new(409, message).with("category", "CONFLICT")
}

/// The identifying property an `idProperty` names, or HubSpot's refusal of the whole call.
pub(crate) fn id_property(
    book: &PropertyBook,
    name: &str,
    operation: &str,
    portal_id: u64,
) -> Result<PropertyKey, Refusal> {
    match book.find(name) {
        Some((key, property)) if property.identifies() => Ok(key),
        _ => Err(non_unique(book, name, operation, portal_id)),
    }
}

/// The refusal itself.
pub(crate) fn non_unique(
    book: &PropertyBook,
    name: &str,
    operation: &str,
    portal_id: u64,
) -> Refusal {
    let type_id = book.object.type_id();
    Refusal::validation(format!(
        "Unable to perform {operation} by non-unique {type_id} property {name} in portal ID {portal_id}"
    ))
}
