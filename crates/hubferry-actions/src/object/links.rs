//! The associations a record gets and loses (actions.md §6.6).

use serde_json::{Map, Value};

use super::named;
use crate::action::{PlanNote, Refusal};
use crate::association::labelled;
use crate::nouns::ObjectType;
use crate::plan::{Existing, LinkChange, LinkStep, Target, WhenMissing};
use crate::values::take_text;

/// A field of links.
#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    change: LinkChange,
    when_missing: WhenMissing,
}

/// The links of a payload: each once, and what is taken away wins over what is made.
pub(super) fn of(
    payload: &mut Map<String, Value>,
    notes: &mut Vec<PlanNote>,
) -> Result<Vec<LinkStep>, Refusal> {
    let creates = match payload.remove("association_sync_mode") {
        Some(Value::String(mode)) if mode == "read" => WhenMissing::Skip,
        _ => WhenMissing::Create,
    };
    let dissociations = Field {
        name: "dissociations",
        change: LinkChange::Dissociate,
        when_missing: WhenMissing::Skip,
    };
    let associations = Field {
        name: "associations",
        change: LinkChange::Associate,
        when_missing: creates,
    };
    let mut links = Vec::new();
    for field in [dissociations, associations] {
        let Some(Value::Array(items)) = payload.remove(field.name) else {
            continue;
        };
        for item in items {
            if let Some(link) = link(item, field)? {
                admit(link, &mut links, notes);
            }
        }
    }
    // As they are carried out: what is made, then what is taken away.
    links.sort_by_key(|link| link.change);
    Ok(links)
}

fn admit(link: LinkStep, links: &mut Vec<LinkStep>, notes: &mut Vec<PlanNote>) {
    let same = links
        .iter()
        .find(|other| other.target.record == link.target.record && other.kind == link.kind);
    match same {
        None => links.push(link),
        Some(other) if other.change == link.change => {}
        Some(_) => notes.push(PlanNote::Contradiction),
    }
}

/// A link; `None` when a part of it is blank, which says that there is nothing to link.
fn link(item: Value, field: Field) -> Result<Option<LinkStep>, Refusal> {
    let Value::Object(mut item) = item else {
        return Ok(None);
    };
    let mut part = |name| take_text(&mut item, name).filter(|text| !text.is_empty());
    let parts = (
        part("object_type"),
        part("association_label"),
        part("id_field_name"),
        part("id_field_value"),
    );
    let (Some(object), Some(label), Some(name), Some(value)) = parts else {
        return Ok(None);
    };
    let record = ObjectType::parse(&object).and_then(|object| named(object, &name, &value));
    let Some(record) = record else {
        return Ok(None);
    };
    Ok(Some(LinkStep {
        change: field.change,
        kind: labelled(&label, field.name)?,
        target: Target {
            // HubSpot makes record ids itself: a target that is named by one cannot be created.
            when_missing: match record.record_id() {
                Some(_) => WhenMissing::Skip,
                None => field.when_missing,
            },
            record,
            existing: Existing::ById,
        },
    }))
}
