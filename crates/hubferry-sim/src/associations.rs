//! Which records belong together, and under which labels.
//!
//! Both directions of a pair are stored. A direction has a table of association types; the labels of one pair are a set of
//! places in that table, and each type knows its twin in the table of the other direction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::objects::ObjectType;

/// Labels an account may define per object pair.
const MOST_LABELS: usize = 10;

/// Every association carries the unlabelled type, which is the first of its table.
const UNLABELLED: usize = 0;

/// The primary company of a contact, in the tables between contacts and companies.
const PRIMARY: usize = 1;

/// One direction between two object types.
pub(crate) type Direction = (ObjectType, ObjectType);

/// `associationCategory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Category {
    HubspotDefined,
    UserDefined,
    IntegratorDefined,
    Work,
}

/// An association type of one direction.
#[derive(Debug, Clone)]
pub(crate) struct AssociationType {
    pub(crate) category: Category,
    pub(crate) type_id: u32,
    /// The name legacy paths use: `contact_to_company`.
    pub(crate) name: String,
    pub(crate) label: Option<String>,
    /// Its place in the other direction's table.
    twin: usize,
    removed: bool,
}

impl AssociationType {
    /// As label lists and association lists show it.
    pub(crate) fn to_json(&self) -> Value {
        json!({"category": self.category, "typeId": self.type_id, "label": self.label})
    }
}

/// A set of places in a type table.
type LabelSet = u32;

/// All associations of the portal.
#[derive(Debug)]
pub(crate) struct Graph {
    types: BTreeMap<Direction, Vec<AssociationType>>,
    edges: BTreeMap<Direction, BTreeMap<(u64, u64), LabelSet>>,
    next_type_id: u32,
}

impl Graph {
    pub(crate) fn new() -> Self {
        use ObjectType::{Companies, Contacts};
        let built_in = |type_id, name: &str, label: Option<&str>, twin| AssociationType {
            category: Category::HubspotDefined,
            type_id,
            name: name.to_owned(),
            label: label.map(str::to_owned),
            twin,
            removed: false,
        };
        let primary = Some("Primary");
        let types = BTreeMap::from([
            (
                (Contacts, Companies),
                vec![
                    built_in(279, "contact_to_company", None, 0),
                    built_in(1, "contact_to_company_primary", primary, 1),
                ],
            ),
            (
                (Companies, Contacts),
                vec![
                    built_in(280, "company_to_contact", None, 0),
                    built_in(2, "company_to_contact_primary", primary, 1),
                ],
            ),
            (
                (Contacts, Contacts),
                vec![built_in(449, "contact_to_contact", None, 0)],
            ),
            (
                (Companies, Companies),
                vec![
                    built_in(450, "company_to_company", None, 0),
                    built_in(13, "parent_to_child_company", Some("Child Company"), 2),
                    built_in(14, "child_to_parent_company", Some("Parent Company"), 1),
                ],
            ),
        ]);
        Self {
            types,
            edges: BTreeMap::new(),
            next_type_id: 1,
        }
    }

    /// The types of one direction that were not removed.
    pub(crate) fn types(&self, direction: Direction) -> impl Iterator<Item = &AssociationType> {
        self.types
            .get(&direction)
            .into_iter()
            .flatten()
            .filter(|one| !one.removed)
    }

    /// The place of a type named by category and id.
    pub(crate) fn place(
        &self,
        direction: Direction,
        category: Category,
        type_id: u32,
    ) -> Option<usize> {
        self.types
            .get(&direction)?
            .iter()
            .position(|one| one.category == category && one.type_id == type_id && !one.removed)
    }

    /// The place of a type as legacy paths write it: a name or a bare id.
    pub(crate) fn legacy_place(&self, direction: Direction, text: &str) -> Option<usize> {
        let table = self.types.get(&direction)?;
        // Older documents call the plain type `contact_to_company_unlabeled`.
        let text = text.trim_end_matches("_unlabeled");
        table
            .iter()
            .position(|one| !one.removed && (one.name == text || one.type_id.to_string() == text))
    }

    /// Joins a pair with exactly these labels besides the unlabelled type: the account's own labels it had are replaced,
    /// HubSpot's (primary, parent, child) stay.
    pub(crate) fn label(&mut self, direction: Direction, from: u64, to: u64, places: &[usize]) {
        let kept = self.labels(direction, from, to).unwrap_or(0) & self.hubspot_defined(direction);
        let asked = places.iter().fold(0, |set, place| set | bit(*place));
        if asked & bit(PRIMARY) != 0 {
            self.demote(direction, from, to);
        }
        self.store(direction, from, to, kept | asked | bit(UNLABELLED));
    }

    /// Joins a pair without touching the labels it has.
    pub(crate) fn join(&mut self, direction: Direction, from: u64, to: u64) {
        let kept = self.labels(direction, from, to).unwrap_or(0);
        self.store(direction, from, to, kept | bit(UNLABELLED));
    }

    /// Separates a pair.
    pub(crate) fn part(&mut self, direction: Direction, from: u64, to: u64) {
        self.store(direction, from, to, 0);
    }

    /// Takes labels from a pair. Taking the unlabelled type separates it.
    pub(crate) fn unlabel(&mut self, direction: Direction, from: u64, to: u64, places: &[usize]) {
        let Some(present) = self.labels(direction, from, to) else {
            return;
        };
        let left = places.iter().fold(present, |set, place| set & !bit(*place));
        let parted = places.contains(&UNLABELLED);
        self.store(direction, from, to, if parted { 0 } else { left });
    }

    /// Forgets everything a record takes part in.
    pub(crate) fn forget(&mut self, object: ObjectType, id: u64) {
        for other in ObjectType::ALL {
            for to in self.partners((object, other), id) {
                self.part((object, other), id, to);
            }
        }
    }

    /// The records a record is joined to, by id.
    pub(crate) fn partners(&self, direction: Direction, from: u64) -> Vec<u64> {
        let Some(edges) = self.edges.get(&direction) else {
            return Vec::new();
        };
        edges
            .range((from, 0)..=(from, u64::MAX))
            .map(|((_, to), _)| *to)
            .collect()
    }

    /// The types of one pair; empty when it is not joined.
    pub(crate) fn types_of(
        &self,
        direction: Direction,
        from: u64,
        to: u64,
    ) -> Vec<&AssociationType> {
        let set = self.labels(direction, from, to).unwrap_or(0);
        let table = self.types.get(&direction).map_or(&[][..], Vec::as_slice);
        table
            .iter()
            .enumerate()
            .filter(|(place, one)| set & bit(*place) != 0 && !one.removed)
            .map(|(_, one)| one)
            .collect()
    }

    /// Joined pairs of one direction.
    pub(crate) fn pairs(&self, direction: Direction) -> impl Iterator<Item = (u64, u64)> {
        self.edges
            .get(&direction)
            .into_iter()
            .flat_map(|edges| edges.keys().copied())
    }

    /// Joined pairs, each counted once.
    pub(crate) fn len(&self) -> usize {
        let count = |direction: &Direction| self.edges.get(direction).map_or(0, BTreeMap::len);
        let same: usize = ObjectType::ALL
            .iter()
            .map(|object| count(&(*object, *object)))
            .sum();
        count(&(ObjectType::Contacts, ObjectType::Companies)) + same / 2
    }

    /// Defines a label and its twin; returns the new ids in this direction and in the other.
    pub(crate) fn define(
        &mut self,
        direction: Direction,
        name: &str,
        label: &str,
        inverse: Option<&str>,
    ) -> Result<(u32, u32), Refusal> {
        let table = self.types.entry(direction).or_default();
        let own = table
            .iter()
            .filter(|one| one.category == Category::UserDefined && !one.removed);
        if own.clone().count() >= MOST_LABELS {
            return Err(Refusal::validation(format!(
                "At most {MOST_LABELS} labels are allowed per object pair"
            )));
        }
        if own
            .clone()
            .any(|one| one.name == name || one.label.as_deref() == Some(label))
        {
            let message = format!("An association label '{label}' already exists.");
            return Err(Refusal::new(409, message).with("category", "OBJECT_ALREADY_EXISTS"));
        }
        let there = reversed(direction);
        let here_place = self.types.get(&direction).map_or(0, Vec::len);
        let symmetric = direction == there && inverse.is_none_or(|inverse| inverse == label);
        let there_place = match direction == there {
            true if symmetric => here_place,
            true => here_place + 1,
            false => self.types.get(&there).map_or(0, Vec::len),
        };
        let here_id = self.add_type(direction, name, label, there_place);
        let there_id = match symmetric {
            true => here_id,
            false => self.add_type(there, name, inverse.unwrap_or(label), here_place),
        };
        Ok((here_id, there_id))
    }

    /// Renames a label of the account's own.
    pub(crate) fn rename(
        &mut self,
        direction: Direction,
        type_id: u32,
        label: &str,
        inverse: Option<&str>,
    ) -> Result<(), Refusal> {
        let (place, twin) = self.own_type(direction, type_id)?;
        self.set_label(direction, place, label);
        if let Some(inverse) = inverse {
            self.set_label(reversed(direction), twin, inverse);
        }
        Ok(())
    }

    /// Removes a label of the account's own in both directions.
    pub(crate) fn undefine(&mut self, direction: Direction, type_id: u32) -> Result<(), Refusal> {
        let (place, twin) = self.own_type(direction, type_id)?;
        for (direction, place) in [(direction, place), (reversed(direction), twin)] {
            if let Some(one) = self
                .types
                .get_mut(&direction)
                .and_then(|table| table.get_mut(place))
            {
                one.removed = true;
            }
        }
        Ok(())
    }

    fn own_type(&self, direction: Direction, type_id: u32) -> Result<(usize, usize), Refusal> {
        let missing = || {
            Refusal::new(404, format!("Association type {type_id} does not exist"))
                .with("category", "OBJECT_NOT_FOUND")
        };
        let place = self
            .place(direction, Category::UserDefined, type_id)
            .ok_or_else(missing)?;
        let twin = self
            .types
            .get(&direction)
            .and_then(|table| table.get(place))
            .map_or(place, |one| one.twin);
        Ok((place, twin))
    }

    fn set_label(&mut self, direction: Direction, place: usize, label: &str) {
        if let Some(one) = self
            .types
            .get_mut(&direction)
            .and_then(|table| table.get_mut(place))
        {
            one.label = Some(label.to_owned());
        }
    }

    fn add_type(&mut self, direction: Direction, name: &str, label: &str, twin: usize) -> u32 {
        let type_id = self.next_type_id;
        self.next_type_id += 1;
        self.types
            .entry(direction)
            .or_default()
            .push(AssociationType {
                category: Category::UserDefined,
                type_id,
                name: name.to_owned(),
                label: Some(label.to_owned()),
                twin,
                removed: false,
            });
        type_id
    }

    /// Takes the primary mark from the company that had it: a contact has one at most.
    fn demote(&mut self, direction: Direction, from: u64, to: u64) {
        use ObjectType::{Companies, Contacts};
        let (contact, company) = match direction {
            (Contacts, Companies) => (from, to),
            (Companies, Contacts) => (to, from),
            _ => return,
        };
        let direction = (Contacts, Companies);
        for other in self.partners(direction, contact) {
            let present = self.labels(direction, contact, other).unwrap_or(0);
            if other != company && present & bit(PRIMARY) != 0 {
                self.store(direction, contact, other, present & !bit(PRIMARY));
            }
        }
    }

    fn labels(&self, direction: Direction, from: u64, to: u64) -> Option<LabelSet> {
        self.edges.get(&direction)?.get(&(from, to)).copied()
    }

    fn hubspot_defined(&self, direction: Direction) -> LabelSet {
        let table = self.types.get(&direction).into_iter().flatten().enumerate();
        table
            .filter(|(_, one)| one.category == Category::HubspotDefined)
            .fold(0, |set, (place, _)| set | bit(place))
    }

    fn store(&mut self, direction: Direction, from: u64, to: u64, set: LabelSet) {
        let table = self.types.get(&direction).map_or(&[][..], Vec::as_slice);
        let twins = table
            .iter()
            .enumerate()
            .filter(|(place, _)| set & bit(*place) != 0)
            .fold(0, |twins, (_, one)| twins | bit(one.twin));
        put(self.edges.entry(direction).or_default(), (from, to), set);
        put(
            self.edges.entry(reversed(direction)).or_default(),
            (to, from),
            twins,
        );
    }
}

fn put(edges: &mut BTreeMap<(u64, u64), LabelSet>, pair: (u64, u64), set: LabelSet) {
    match set {
        0 => edges.remove(&pair),
        _ => edges.insert(pair, set),
    };
}

fn bit(place: usize) -> LabelSet {
    // Tables stay far below 32 entries: HubSpot's own plus at most ten live labels; removed ones beyond that share no bit.
    u32::try_from(place)
        .ok()
        .and_then(|place| 1_u32.checked_shl(place))
        .unwrap_or(0)
}

/// The other direction of a pair.
pub(crate) fn reversed((from, to): Direction) -> Direction {
    (to, from)
}

#[cfg(test)]
mod tests {
    use super::{Category, Direction, Graph, reversed};
    use crate::objects::ObjectType::{Companies, Contacts};

    const FORTH: Direction = (Contacts, Companies);

    fn ids(graph: &Graph, direction: Direction, from: u64, to: u64) -> Vec<u32> {
        graph
            .types_of(direction, from, to)
            .iter()
            .map(|one| one.type_id)
            .collect()
    }

    #[test]
    fn both_directions_are_stored_with_their_own_types() {
        let mut graph = Graph::new();
        let primary = graph.place(FORTH, Category::HubspotDefined, 1).unwrap();
        graph.label(FORTH, 10, 20, &[primary]);
        assert_eq!(ids(&graph, FORTH, 10, 20), [279, 1]);
        assert_eq!(ids(&graph, reversed(FORTH), 20, 10), [280, 2]);
        assert_eq!(graph.len(), 1);
        graph.part(reversed(FORTH), 20, 10);
        assert_eq!(ids(&graph, FORTH, 10, 20), [0_u32; 0]);
        assert_eq!(graph.len(), 0);
    }

    #[test]
    fn a_contact_has_one_primary_company() {
        let mut graph = Graph::new();
        graph.label(FORTH, 10, 20, &[1]);
        graph.label(reversed(FORTH), 21, 10, &[1]);
        assert_eq!(ids(&graph, FORTH, 10, 20), [279]);
        assert_eq!(ids(&graph, FORTH, 10, 21), [279, 1]);
    }

    #[test]
    fn labels_replace_the_accounts_own_and_keep_hubspots() {
        let mut graph = Graph::new();
        let (boss, _) = graph
            .define(FORTH, "boss", "Boss", Some("Bossed by"))
            .unwrap();
        let (buyer, bought) = graph.define(FORTH, "buyer", "Buyer", None).unwrap();
        let place = |graph: &Graph, id| graph.place(FORTH, Category::UserDefined, id).unwrap();
        graph.label(FORTH, 10, 20, &[1, place(&graph, boss)]);
        graph.label(FORTH, 10, 20, &[place(&graph, buyer)]);
        assert_eq!(ids(&graph, FORTH, 10, 20), [279, 1, buyer]);
        assert_eq!(ids(&graph, reversed(FORTH), 20, 10), [280, 2, bought]);
        graph.join(FORTH, 10, 20);
        assert_eq!(ids(&graph, FORTH, 10, 20), [279, 1, buyer]);
        graph.unlabel(FORTH, 10, 20, &[place(&graph, buyer)]);
        assert_eq!(ids(&graph, FORTH, 10, 20), [279, 1]);
        assert_eq!(
            graph
                .define(FORTH, "boss", "Boss", None)
                .unwrap_err()
                .status,
            409
        );
        graph.undefine(FORTH, boss).unwrap();
        assert_eq!(graph.types(FORTH).count(), 3);
    }

    #[test]
    fn a_forgotten_record_leaves_nothing_behind() {
        let mut graph = Graph::new();
        graph.join(FORTH, 10, 20);
        graph.join(FORTH, 11, 20);
        graph.join((Companies, Companies), 20, 21);
        graph.forget(Companies, 20);
        assert_eq!(graph.len(), 0);
        assert_eq!(graph.partners(reversed(FORTH), 20), Vec::<u64>::new());
    }
}
