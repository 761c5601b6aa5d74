//! Lists and who is on them.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::objects::ObjectType;
use crate::records::Stamp;
use crate::values::iso;

/// How a list gets its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Processing {
    Manual,
    Dynamic,
    Snapshot,
}

/// One list.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) object: ObjectType,
    pub(crate) processing: Processing,
    version: u64,
    created_ms: i64,
    updated_ms: i64,
    /// Records with the first and the latest time they were added.
    pub(crate) members: BTreeMap<u64, (i64, i64)>,
}

impl List {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "listId": self.id.to_string(), "listVersion": self.version, "name": self.name,
            "objectTypeId": self.object.type_id(), "processingType": self.processing, "processingStatus": "COMPLETE",
            "size": self.members.len(), "createdAt": iso(self.created_ms), "updatedAt": iso(self.updated_ms),
        })
    }

    /// Memberships of dynamic lists follow from their filters alone.
    pub(crate) fn writable(&self) -> Result<(), Refusal> {
        match self.processing {
            Processing::Manual | Processing::Snapshot => Ok(()),
            Processing::Dynamic => Err(Refusal::validation(format!(
                "Cannot change the memberships of list {}: its processing type is DYNAMIC.",
                self.id
            ))),
        }
    }
}

/// What a change of memberships did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) added: Vec<u64>,
    pub(crate) removed: Vec<u64>,
}

/// All lists of the account.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    lists: BTreeMap<u64, List>,
    /// Ids by folded name: a name is taken once per account.
    by_name: HashMap<String, u64>,
    made: u64,
}

impl Lists {
    pub(crate) fn create(
        &mut self,
        name: &str,
        object: ObjectType,
        processing: Processing,
        stamp: Stamp,
    ) -> Result<&List, Refusal> {
        let folded = name.to_lowercase();
        if self.by_name.contains_key(&folded) {
            return Err(duplicate(name));
        }
        self.made += 1;
        let id = self.made;
        self.by_name.insert(folded, id);
        Ok(self.lists.entry(id).or_insert(List {
            id,
            name: name.to_owned(),
            object,
            processing,
            version: 1,
            created_ms: stamp.at_ms,
            updated_ms: stamp.at_ms,
            members: BTreeMap::new(),
        }))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &List> {
        self.lists.values()
    }

    /// A list by its name in any case, if it is about this object type.
    pub(crate) fn named(&self, object: ObjectType, name: &str) -> Option<&List> {
        let id = self.by_name.get(&name.to_lowercase())?;
        self.lists.get(id).filter(|list| list.object == object)
    }

    pub(crate) fn get(&self, id: &str) -> Result<&List, Refusal> {
        let found = id.parse().ok().and_then(|id: u64| self.lists.get(&id));
        found.ok_or_else(|| missing(id))
    }

    fn get_mut(&mut self, id: &str) -> Result<&mut List, Refusal> {
        let found = id.parse().ok().and_then(|id: u64| self.lists.get_mut(&id));
        found.ok_or_else(|| missing(id))
    }

    pub(crate) fn rename(&mut self, id: &str, name: &str, stamp: Stamp) -> Result<&List, Refusal> {
        let own = self.get(id)?.id;
        let folded = name.to_lowercase();
        if self.by_name.get(&folded).is_some_and(|taken| *taken != own) {
            return Err(duplicate(name));
        }
        self.by_name.retain(|_, known| *known != own);
        self.by_name.insert(folded, own);
        let list = self.get_mut(id)?;
        name.clone_into(&mut list.name);
        list.version += 1;
        list.updated_ms = stamp.at_ms;
        Ok(list)
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let list = self.get(id)?.id;
        self.lists.remove(&list);
        self.by_name.retain(|_, known| *known != list);
        Ok(())
    }

    /// Adds records that are not there yet and removes ones that are; the others are ignored.
    pub(crate) fn change(
        &mut self,
        id: &str,
        add: &[u64],
        remove: &[u64],
        stamp: Stamp,
    ) -> Result<Moved, Refusal> {
        let list = self.get_mut(id)?;
        list.writable()?;
        let mut moved = Moved::default();
        for record in remove {
            if list.members.remove(record).is_some() {
                moved.removed.push(*record);
            }
        }
        for record in add {
            let known = list.members.get_mut(record);
            match known {
                Some(times) => times.1 = stamp.at_ms,
                None => {
                    list.members.insert(*record, (stamp.at_ms, stamp.at_ms));
                    moved.added.push(*record);
                }
            }
        }
        list.updated_ms = stamp.at_ms;
        Ok(moved)
    }

    /// Takes a record from every list, or puts another one into its place.
    pub(crate) fn replace(&mut self, object: ObjectType, old: u64, new: Option<u64>) {
        let lists = self.lists.values_mut();
        for list in lists.filter(|list| list.object == object) {
            if let (Some(times), Some(new)) = (list.members.remove(&old), new) {
                list.members.entry(new).or_insert(times);
            }
        }
    }
}

fn duplicate(name: &str) -> Refusal {
    Refusal::validation(format!("A list with the name '{name}' already exists."))
        .with("subCategory", "ILS.DUPLICATE_LIST_NAMES")
}

fn missing(id: &str) -> Refusal {
    Refusal::new(404, format!("List does not exist with ID {id}."))
        .with("category", "OBJECT_NOT_FOUND")
        .with("subCategory", "ILS.LIST_NOT_FOUND")
}
