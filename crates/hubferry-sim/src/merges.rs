//! Two records made one, and contacts that must be forgotten for good.

use serde::Deserialize;
use serde_json::json;

use crate::answer::{Answer, Refusal, Reply};
use crate::inputs::LooseText;
use crate::objects::ObjectType;
use crate::records::Wanted;
use crate::state::State;
use crate::visit::Visit;
use crate::writes::id_property;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MergeBody {
    primary_object_id: LooseText,
    object_id_to_merge: LooseText,
}

/// `/{objectType}/merge`: the survivor answers under every id that was merged into it.
pub(crate) fn merge(visit: &Visit<'_>, object: ObjectType) -> Reply {
    let body: MergeBody = visit.parse()?;
    let mut state = visit.state();
    let shelf = &state.drawer(object).shelf;
    let find = |id: &LooseText| shelf.parse_id(&id.0).ok_or_else(Refusal::not_found);
    let (primary, other) = (
        find(&body.primary_object_id)?,
        find(&body.object_id_to_merge)?,
    );
    if primary == other {
        return Err(Refusal::validation("Cannot merge a record into itself"));
    }
    let survivor = join(visit, &mut state, object, primary, other)?;
    let drawer = state.drawer(object);
    let view = drawer
        .shelf
        .view(&drawer.book, survivor, Wanted::Named(&[]));
    Ok(Answer::json(200, &view))
}

/// Merges `other` into `primary`; returns the id of what is left.
pub(crate) fn join(
    visit: &Visit<'_>,
    state: &mut State,
    object: ObjectType,
    primary: u64,
    other: u64,
) -> Result<u64, Refusal> {
    let new_id = state.switches.merge_makes_new_id;
    let drawer = state.drawer_mut(object);
    let survivor = drawer
        .shelf
        .merge(&drawer.book, primary, other, new_id, visit.stamp)?;
    for old in [primary, other] {
        if old != survivor {
            state.graph.hand_over(object, old, survivor);
            state.lists.replace(object, old, Some(survivor));
        }
    }
    Ok(survivor)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForgetBody {
    object_id: LooseText,
    id_property: Option<String>,
}

/// `/contacts/gdpr-delete`: nothing of the contact is left, and it cannot be restored. Unknown addresses are noted.
pub(crate) fn forget(visit: &Visit<'_>) -> Reply {
    let body: ForgetBody = visit.parse()?;
    let mut state = visit.state();
    let contacts = ObjectType::Contacts;
    let drawer = state.drawer(contacts);
    let found = match &body.id_property {
        Some(name) => {
            let key = id_property(&drawer.book, name, "delete", visit.settings.portal_id)?;
            drawer.shelf.owner(&drawer.book, key, &body.object_id.0)
        }
        None => drawer.shelf.parse_id(&body.object_id.0),
    };
    match found {
        Some(id) => {
            state.archive(contacts, id);
            state.drawer_mut(contacts).shelf.purge(id);
        }
        None if body.id_property.is_some() => {
            state.blocked.insert(body.object_id.0.to_lowercase());
        }
        None => {
            return Err(Refusal::new(404, "Contact does not exist")
                .with("category", "OBJECT_NOT_FOUND")
                .with("context", json!({"id": [body.object_id.0]})));
        }
    }
    Ok(Answer::empty(204))
}
