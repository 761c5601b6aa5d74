//! The types of associations every account has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::objects::ObjectType;

/// Every association carries the unlabelled type, which is the first of its table.
pub(crate) const UNLABELLED: usize = 0;

/// The primary company of a record, in the tables between companies and types that have one.
pub(crate) const PRIMARY: usize = 1;

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
    pub(crate) twin: usize,
    pub(crate) removed: bool,
}

impl AssociationType {
    /// As label lists and association lists show it.
    pub(crate) fn to_json(&self) -> Value {
        json!({"category": self.category, "typeId": self.type_id, "label": self.label})
    }
}

/// The types of every direction, in an order that never changes.
pub(crate) type Types = BTreeMap<Direction, Vec<AssociationType>>;

/// Two object types, the ids of their plain type there and back, and those of the primary type if they have one
/// (guide "Associate records").
type BuiltIn = (ObjectType, ObjectType, (u32, u32), Option<(u32, u32)>);

const BUILT_IN: [BuiltIn; 14] = {
    use ObjectType as O;
    [
        (O::Contacts, O::Companies, (279, 280), Some((1, 2))),
        (O::Contacts, O::Contacts, (449, 449), None),
        (O::Companies, O::Companies, (450, 450), None),
        (O::Contacts, O::Deals, (4, 3), None),
        (O::Companies, O::Deals, (342, 341), Some((6, 5))),
        (O::Contacts, O::Tickets, (15, 16), None),
        (O::Companies, O::Tickets, (340, 339), Some((25, 26))),
        (O::Deals, O::Tickets, (27, 28), None),
        (O::Deals, O::Deals, (451, 451), None),
        (O::Tickets, O::Tickets, (452, 452), None),
        (O::Deals, O::LineItems, (19, 20), None),
        (O::Quotes, O::LineItems, (67, 68), None),
        (O::Orders, O::LineItems, (513, 514), None),
        (O::Contacts, O::Orders, (508, 507), None),
    ]
};

/// Where the type ids of pairs begin for which no figure is published.
const FURTHER_TYPES: u32 = 1_000;

/// All of them.
pub(crate) fn standard_types() -> Types {
    let mut types = Types::new();
    for (from, to, plain, primary) in BUILT_IN {
        build_in(&mut types, from, to, plain);
        if let Some(primary) = primary {
            build_in_primary(&mut types, from, to, primary);
        }
    }
    use ObjectType::Companies;
    let family = types.entry((Companies, Companies)).or_default();
    family.push(built_in(
        13,
        "parent_to_child_company",
        Some("Child Company"),
        2,
    ));
    family.push(built_in(
        14,
        "child_to_parent_company",
        Some("Parent Company"),
        1,
    ));
    let mut further = FURTHER_TYPES;
    for from in ObjectType::standard() {
        for to in ObjectType::standard().filter(|to| *to >= from) {
            if !types.contains_key(&(from, to)) {
                build_in(
                    &mut types,
                    from,
                    to,
                    (further, further + u32::from(from != to)),
                );
            }
            further += 2;
        }
    }
    types
}

fn build_in(types: &mut Types, from: ObjectType, to: ObjectType, (there, back): (u32, u32)) {
    let name =
        |from: ObjectType, to: ObjectType| format!("{}_to_{}", from.singular(), to.singular());
    let table = types.entry((from, to)).or_default();
    table.push(built_in(there, &name(from, to), None, UNLABELLED));
    if from != to {
        let table = types.entry((to, from)).or_default();
        table.push(built_in(back, &name(to, from), None, UNLABELLED));
    }
}

fn build_in_primary(
    types: &mut Types,
    from: ObjectType,
    to: ObjectType,
    (there, back): (u32, u32),
) {
    for (from, to, type_id) in [(from, to, there), (to, from, back)] {
        let name = format!("{}_to_{}_primary", from.singular(), to.singular());
        let table = types.entry((from, to)).or_default();
        table.push(built_in(type_id, &name, Some("Primary"), PRIMARY));
    }
}

fn built_in(type_id: u32, name: &str, label: Option<&str>, twin: usize) -> AssociationType {
    AssociationType {
        category: Category::HubspotDefined,
        type_id,
        name: name.to_owned(),
        label: label.map(str::to_owned),
        twin,
        removed: false,
    }
}
