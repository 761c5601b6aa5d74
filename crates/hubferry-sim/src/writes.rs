//! One record write, prepared: which record, which changes, or why not. Single calls and batches share it.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::associations::Direction;
use crate::inputs::{NewAssociation, TypeReference, WrittenProperties};
use crate::objects::ObjectType;
use crate::portal::{Drawer, State};
use crate::properties::{PropertyBook, PropertyKey};
use crate::property::Role;
use crate::records::{Changes, Shelf, Stamp, UniqueValue};
use crate::values::{BadValue, Change, check};

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
    now: Duration,
    claimed: &mut Claimed,
) -> Result<Prepared, Fault> {
    let Drawer { book, shelf } = state.drawer(object);
    let (target, id_value) = match aim {
        Aim::New(_) => (None, None),
        Aim::Existing(id) => (Some(*id), None),
        Aim::Upsert(key, value) => (shelf.owner(book, *key, value), Some((*key, *value))),
    };
    let mut bad = Vec::new();
    let mut changes = shelf.plan(book, properties, now).unwrap_or_else(|refused| {
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
    if target.is_none() && !has_minimum(object, book, &changes) {
        return Err(Fault::Invalid(vec![minimum(object)]));
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

/// Contacts need an email or a name, companies a name or a domain (objects guide).
fn has_minimum(object: ObjectType, book: &PropertyBook, changes: &Changes) -> bool {
    let needed: &[&str] = match object {
        ObjectType::Contacts => &["email", "firstname", "lastname"],
        ObjectType::Companies => &["name", "domain"],
    };
    changes
        .iter()
        .any(|(key, change)| *change != Change::Clear && needed.contains(&&*book.get(*key).name))
}

fn minimum(object: ObjectType) -> BadValue {
    let (name, list) = match object {
        ObjectType::Contacts => ("email", "email, firstname, lastname"),
        ObjectType::Companies => ("name", "name, domain"),
    };
    BadValue::new(
        name,
        "MISSING_REQUIRED_PROPERTY",
        format!("At least one of these properties is required: {list}"),
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
            let found = ObjectType::ALL.into_iter().find_map(|to| {
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
