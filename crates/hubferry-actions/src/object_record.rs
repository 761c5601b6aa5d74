//! Custom Object Record, the older action for objects (actions.md §5).

use std::sync::{Arc, LazyLock};

use hubferry_mapping::{FieldSchema, Schema};
use serde_json::{Map, Value};

use crate::action::{PlanNote, Planning, Refusal, RefusalCode};
use crate::association::labelled;
use crate::contact::stage_of;
use crate::nouns::{ObjectType, RecordRef};
use crate::plan::{
    Existing, Lifecycle, LinkChange, LinkStep, Person, Plan, RecordPlan, RecordStep, SearchBy,
    Target, WhenFound, WhenMissing, Work,
};
use crate::values::{
    LIFECYCLE_STAGE, creation_of, flatten, normalise_stage, search_fields, take_text,
};

/// The three fields that an association takes together.
const TO_TYPE: &str = "toObjectType";
const TO_SEARCH: &str = "searchFieldsToAssociateCustomObjects";
const LABEL: &str = "associationLabel";

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(vec![
        FieldSchema::text("objectType")
            .label("Object Type")
            .required(),
        FieldSchema::object("properties")
            .label("Properties")
            .required(),
        FieldSchema::boolean("createNewCustomRecord").label("Create a Record if Not Found"),
        FieldSchema::object("customObjectSearchFields").label("Search Fields"),
        FieldSchema::text("toObjectType").label("Object Type to Associate"),
        FieldSchema::object("searchFieldsToAssociateCustomObjects")
            .label("Search Fields of the Record to Associate"),
        FieldSchema::text("associationLabel").label("Association Label"),
    ])
});

pub(crate) fn plan(
    mut payload: Map<String, Value>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<Plan, Refusal> {
    let object = take_text(&mut payload, "objectType").unwrap_or_default();
    let object = ObjectType::parse(&object).ok_or_else(|| {
        let message = "objectType is blank: it says what the record is";
        Refusal::new(RefusalCode::PayloadInvalid, Some("objectType"), message)
    })?;
    let creation = creation_of(&payload, &object, planning.policy);
    let creates = payload.remove("createNewCustomRecord") != Some(Value::Bool(false));
    let (record, existing) =
        record_of(object, payload.remove("customObjectSearchFields"), planning)?;
    let links = link_of(&mut payload, planning, notes)?;
    let mut properties = match payload.remove("properties") {
        Some(Value::Object(properties)) => flatten(properties, planning.settings),
        _ => Vec::new(),
    };
    normalise_stage(&mut properties);
    if planning.policy.lifecycle == Lifecycle::Never {
        properties.retain(|(name, _)| name.as_str() != LIFECYCLE_STAGE);
    }
    let step = RecordStep {
        record,
        stage: stage_of(&properties),
        properties,
        existing,
        when_missing: if creates {
            WhenMissing::Create
        } else {
            WhenMissing::Skip
        },
        when_found: WhenFound::Write,
        person: Person::new(),
        needs: None,
        creation,
    };
    Ok(Plan {
        time: planning.time,
        work: Work::Record(Box::new(RecordPlan {
            links,
            ..RecordPlan::only(step)
        })),
        policy: Arc::clone(planning.policy),
    })
}

/// Which record: the one that a search finds, or one of its own when the mapping has no search.
fn record_of(
    object: ObjectType,
    search: Option<Value>,
    planning: &Planning<'_>,
) -> Result<(RecordRef, Existing), Refusal> {
    let is_wanted = matches!(&search, Some(Value::Object(fields)) if !fields.is_empty());
    let fields = search_fields(search, planning.settings);
    if !fields.is_empty() {
        let record = RecordRef::searched(object, &fields);
        let mode = planning.settings.search;
        return Ok((record, Existing::SearchAlone(SearchBy { fields, mode })));
    }
    if is_wanted {
        // Going on would make a record of its own with every such event.
        let field = "customObjectSearchFields";
        let message = "none of the search fields has a value: nothing says which record is meant";
        return Err(Refusal::new(RefusalCode::IdMissing, Some(field), message));
    }
    let record = RecordRef::fresh(object, planning.key.as_str());
    Ok((record, Existing::Nowhere))
}

/// The association, when all three of its fields have a value; one or two of them are worth a note.
fn link_of(
    payload: &mut Map<String, Value>,
    planning: &Planning<'_>,
    notes: &mut Vec<PlanNote>,
) -> Result<Vec<LinkStep>, Refusal> {
    let to = take_text(payload, TO_TYPE)
        .as_deref()
        .and_then(ObjectType::parse);
    let label = take_text(payload, LABEL).filter(|label| !label.is_empty());
    let fields = search_fields(payload.remove(TO_SEARCH), planning.settings);
    let (Some(to), Some(label), false) = (&to, &label, fields.is_empty()) else {
        let present = [
            (TO_TYPE, to.is_some()),
            (LABEL, label.is_some()),
            (TO_SEARCH, !fields.is_empty()),
        ];
        if present.iter().any(|(_, there)| *there) {
            let missing = present.iter().filter(|(_, there)| !there);
            notes.extend(missing.map(|(field, _)| PlanNote::NoAssociation(field)));
        }
        return Ok(Vec::new());
    };
    Ok(vec![LinkStep {
        change: LinkChange::Associate,
        kind: labelled(label, LABEL)?,
        target: Target {
            record: RecordRef::searched(to.clone(), &fields),
            existing: Existing::SearchAlone(SearchBy {
                fields,
                mode: planning.settings.search,
            }),
            when_missing: WhenMissing::Skip,
        },
    }])
}

#[cfg(test)]
mod tests;
