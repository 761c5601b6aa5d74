//! Which records belong together, and under which labels.
//!
//! Both directions of a pair are stored. A direction has a table of association types; the labels of one pair are a set of
//! places in that table, and each type knows its twin in the table of the other direction.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::answer::Refusal;
use crate::association_types::{AssociationType, PRIMARY, Types, UNLABELLED, standard_types};
pub(crate) use crate::association_types::{Category, Direction};
use crate::objects::ObjectType;
use crate::records::{Stamp, millis};

/// Labels an account may define per object pair.
const MOST_LABELS: usize = 10;

/// A set of places in a type table.
type LabelSet = u64;

/// One change of a pair, as the history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssociationChange {
    /// Milliseconds since the simulator started.
    #[serde(rename = "at_ms")]
    pub at_ms: u64,
    /// The number of the call; 0 when it was no call.
    pub call: u64,
    /// The object type it is seen from.
    pub from_object: ObjectType,
    /// The record it is seen from.
    pub from: String,
    /// The other object type.
    pub to_object: ObjectType,
    /// The other record.
    pub to: String,
    /// The ids of its types from now on; empty when the pair was separated.
    pub type_ids: Vec<u32>,
}

/// All associations of the portal.
#[derive(Debug)]
pub(crate) struct Graph {
    types: Types,
    edges: BTreeMap<Direction, BTreeMap<(u64, u64), LabelSet>>,
    next_type_id: u32,
    /// How many records of the other type a record may have under a type.
    pub(crate) limits: BTreeMap<(Direction, usize), usize>,
    /// The call that changes something next.
    pub(crate) clock: Stamp,
    history: Option<Vec<AssociationChange>>,
}

impl Graph {
    pub(crate) fn new(keep_history: bool) -> Self {
        Self {
            types: standard_types(),
            edges: BTreeMap::new(),
            next_type_id: 1,
            limits: BTreeMap::new(),
            clock: Stamp::default(),
            history: keep_history.then(Vec::new),
        }
    }

    /// Lets records of two types be joined, if they could not be before.
    pub(crate) fn open(&mut self, (from, to): Direction) {
        if self.types.contains_key(&(from, to)) {
            return;
        }
        let name =
            |from: ObjectType, to: ObjectType| format!("{}_to_{}", from.singular(), to.singular());
        for direction in [(from, to), (to, from)] {
            if self.types.contains_key(&direction) {
                continue;
            }
            self.add_type(direction, &name(direction.0, direction.1), None, UNLABELLED);
        }
    }

    /// The types that records of a type can be joined to.
    pub(crate) fn directions_from(&self, object: ObjectType) -> impl Iterator<Item = ObjectType> {
        let last = ObjectType::Custom(u32::MAX);
        let all = self
            .types
            .range((object, ObjectType::Contacts)..=(object, last));
        all.map(|((_, to), _)| *to)
    }

    /// Every direction that has types.
    pub(crate) fn directions(&self) -> impl Iterator<Item = Direction> {
        self.types.keys().copied()
    }

    /// What changed, oldest first. Empty when history is off.
    pub(crate) fn changes(&self) -> &[AssociationChange] {
        self.history.as_deref().unwrap_or_default()
    }

    /// Whether both records may have one more partner under these types and the plain one.
    pub(crate) fn room(
        &self,
        direction: Direction,
        from: u64,
        to: u64,
        places: &[usize],
    ) -> Result<(), Refusal> {
        if self.limits.is_empty() {
            return Ok(());
        }
        let present = self.labels(direction, from, to).unwrap_or(0);
        for place in places.iter().copied().chain([UNLABELLED]) {
            if present & bit(place) != 0 {
                continue;
            }
            let twin = self
                .types
                .get(&direction)
                .and_then(|table| table.get(place));
            let twin = twin.map_or(UNLABELLED, |one| one.twin);
            for (direction, id, place) in
                [(direction, from, place), (reversed(direction), to, twin)]
            {
                let limit = self.limits.get(&(direction, place));
                if limit.is_some_and(|limit| self.degree(direction, id, place) >= *limit) {
                    return Err(limit_reached(direction, id));
                }
            }
        }
        Ok(())
    }

    fn degree(&self, direction: Direction, from: u64, place: usize) -> usize {
        let edges = self.edges.get(&direction);
        let own = edges
            .into_iter()
            .flat_map(|edges| edges.range((from, 0)..=(from, u64::MAX)));
        own.filter(|(_, set)| **set & bit(place) != 0).count()
    }

    /// How many partners each record of a direction has under the plain type.
    pub(crate) fn degrees(&self, direction: Direction) -> BTreeMap<u64, usize> {
        let mut degrees = BTreeMap::new();
        for (from, _) in self.pairs(direction) {
            *degrees.entry(from).or_insert(0) += 1;
        }
        degrees
    }

    /// The largest number of partners under a type of a direction.
    pub(crate) fn limit(&self, direction: Direction, place: usize) -> Option<usize> {
        self.limits.get(&(direction, place)).copied()
    }

    /// The types of one direction with their places.
    pub(crate) fn placed(
        &self,
        direction: Direction,
    ) -> impl Iterator<Item = (usize, &AssociationType)> {
        let table = self.types.get(&direction).into_iter().flatten();
        table.enumerate().filter(|(_, one)| !one.removed)
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
        for other in self.directions_from(object).collect::<Vec<_>>() {
            for to in self.partners((object, other), id) {
                self.part((object, other), id, to);
            }
        }
    }

    /// Gives everything a record takes part in to another one of its type.
    pub(crate) fn hand_over(&mut self, object: ObjectType, old: u64, new: u64) {
        for other in self.directions_from(object).collect::<Vec<_>>() {
            let direction = (object, other);
            for to in self.partners(direction, old) {
                let set = self.labels(direction, old, to).unwrap_or(0);
                self.store(direction, old, to, 0);
                if other != object || to != new {
                    let present = self.labels(direction, new, to).unwrap_or(0);
                    self.store(direction, new, to, present | set);
                }
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
        let counted = self
            .edges
            .iter()
            .map(|((from, to), edges)| match from.cmp(to) {
                Ordering::Less => edges.len(),
                Ordering::Equal => edges.len() / 2,
                Ordering::Greater => 0,
            });
        counted.sum()
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
            .filter(|one| one.category == Category::UserDefined && !one.removed)
            .filter(|one| one.label.is_some());
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
        let here_id = self.add_type(direction, name, Some(label), there_place);
        let there_id = match symmetric {
            true => here_id,
            false => self.add_type(there, name, Some(inverse.unwrap_or(label)), here_place),
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

    fn add_type(
        &mut self,
        direction: Direction,
        name: &str,
        label: Option<&str>,
        twin: usize,
    ) -> u32 {
        let type_id = self.next_type_id;
        self.next_type_id += 1;
        self.types
            .entry(direction)
            .or_default()
            .push(AssociationType {
                category: Category::UserDefined,
                type_id,
                name: name.to_owned(),
                label: label.map(str::to_owned),
                twin,
                removed: false,
            });
        type_id
    }

    /// Takes the primary mark from the company that had it: a record has one primary company at most.
    fn demote(&mut self, direction: Direction, from: u64, to: u64) {
        use ObjectType::Companies;
        let (other, record, company) = match direction {
            (other, Companies) if other != Companies => (other, from, to),
            (Companies, other) if other != Companies => (other, to, from),
            _ => return,
        };
        let direction = (other, Companies);
        let table = self
            .types
            .get(&direction)
            .and_then(|table| table.get(PRIMARY));
        if table.is_none_or(|one| one.category != Category::HubspotDefined) {
            return;
        }
        for other in self.partners(direction, record) {
            let present = self.labels(direction, record, other).unwrap_or(0);
            if other != company && present & bit(PRIMARY) != 0 {
                self.store(direction, record, other, present & !bit(PRIMARY));
            }
        }
    }

    fn note(&mut self, direction: Direction, from: u64, to: u64, set: LabelSet) {
        let Some(history) = &mut self.history else {
            return;
        };
        let table = self.types.get(&direction).map_or(&[][..], Vec::as_slice);
        let types = table.iter().enumerate();
        history.push(AssociationChange {
            at_ms: millis(self.clock.since),
            call: self.clock.call,
            from_object: direction.0,
            from: from.to_string(),
            to_object: direction.1,
            to: to.to_string(),
            type_ids: types
                .filter(|(place, _)| set & bit(*place) != 0)
                .map(|(_, one)| one.type_id)
                .collect(),
        });
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
        if self.labels(direction, from, to).unwrap_or(0) == set {
            return;
        }
        self.note(direction, from, to, set);
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

fn limit_reached(direction: Direction, id: u64) -> Refusal {
    let (from, to) = direction;
    Refusal::validation(format!(
        "{} {id} has reached the limit of associations to {}",
        from.singular(),
        to.name()
    ))
    .with("subCategory", "crm.associations.ASSOCIATION_LIMIT_REACHED")
    .with(
        "context",
        json!({"id": [id.to_string()], "objectType": [from.singular()]}),
    )
}

fn put(edges: &mut BTreeMap<(u64, u64), LabelSet>, pair: (u64, u64), set: LabelSet) {
    match set {
        0 => edges.remove(&pair),
        _ => edges.insert(pair, set),
    };
}

fn bit(place: usize) -> LabelSet {
    // Tables stay far below 64 entries: HubSpot's own plus at most ten live labels; removed ones beyond that share no bit.
    u32::try_from(place)
        .ok()
        .and_then(|place| 1_u64.checked_shl(place))
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
        let mut graph = Graph::new(false);
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
        let mut graph = Graph::new(false);
        graph.label(FORTH, 10, 20, &[1]);
        graph.label(reversed(FORTH), 21, 10, &[1]);
        assert_eq!(ids(&graph, FORTH, 10, 20), [279]);
        assert_eq!(ids(&graph, FORTH, 10, 21), [279, 1]);
    }

    #[test]
    fn labels_replace_the_accounts_own_and_keep_hubspots() {
        let mut graph = Graph::new(false);
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
        let mut graph = Graph::new(false);
        graph.join(FORTH, 10, 20);
        graph.join(FORTH, 11, 20);
        graph.join((Companies, Companies), 20, 21);
        graph.forget(Companies, 20);
        assert_eq!(graph.len(), 0);
        assert_eq!(graph.partners(reversed(FORTH), 20), Vec::<u64>::new());
    }
}
