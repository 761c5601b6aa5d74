//! The object types of the portal and the names HubSpot accepts for them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Serialize, Serializer};

/// An object type the simulator keeps records of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    /// Contacts, `0-1`.
    Contacts,
    /// Companies, `0-2`.
    Companies,
    /// Deals, `0-3`.
    Deals,
    /// Tickets, `0-5`.
    Tickets,
    /// Products, `0-7`.
    Products,
    /// Line items, `0-8`.
    LineItems,
    /// Quotes, `0-14`.
    Quotes,
    /// Orders, `0-123`.
    Orders,
    /// Carts, `0-142`.
    Carts,
    /// Invoices, `0-53`.
    Invoices,
    /// Commerce payments, `0-101`.
    Payments,
    /// Commerce subscriptions, `0-69`.
    Subscriptions,
    /// Leads, `0-136`.
    Leads,
    /// Appointments, `0-421`.
    Appointments,
    /// Courses, `0-410`.
    Courses,
    /// Listings, `0-420`.
    Listings,
    /// Services, `0-162`.
    Services,
    /// Calls, `0-48`.
    Calls,
    /// E-mails, `0-49`.
    Emails,
    /// Meetings, `0-47`.
    Meetings,
    /// Notes, `0-46`.
    Notes,
    /// Tasks, `0-27`.
    Tasks,
    /// A type of the account's own, `2-N`.
    Custom(u32),
}

/// Type, type id, plural, singular.
const STANDARD: [(ObjectType, &str, &str, &str); 22] = {
    use ObjectType as O;
    [
        (O::Contacts, "0-1", "contacts", "contact"),
        (O::Companies, "0-2", "companies", "company"),
        (O::Deals, "0-3", "deals", "deal"),
        (O::Tickets, "0-5", "tickets", "ticket"),
        (O::Products, "0-7", "products", "product"),
        (O::LineItems, "0-8", "line_items", "line_item"),
        (O::Quotes, "0-14", "quotes", "quote"),
        (O::Orders, "0-123", "orders", "order"),
        (O::Carts, "0-142", "carts", "cart"),
        (O::Invoices, "0-53", "invoices", "invoice"),
        (
            O::Payments,
            "0-101",
            "commerce_payments",
            "commerce_payment",
        ),
        (O::Subscriptions, "0-69", "subscriptions", "subscription"),
        (O::Leads, "0-136", "leads", "lead"),
        (O::Appointments, "0-421", "appointments", "appointment"),
        (O::Courses, "0-410", "courses", "course"),
        (O::Listings, "0-420", "listings", "listing"),
        (O::Services, "0-162", "services", "service"),
        (O::Calls, "0-48", "calls", "call"),
        (O::Emails, "0-49", "emails", "email"),
        (O::Meetings, "0-47", "meetings", "meeting"),
        (O::Notes, "0-46", "notes", "note"),
        (O::Tasks, "0-27", "tasks", "task"),
    ]
};

impl ObjectType {
    /// The types every portal has.
    pub fn standard() -> impl Iterator<Item = Self> {
        STANDARD.iter().map(|row| row.0)
    }

    /// Reads a name or type id as HubSpot does: singular, plural, any case. Types of the account's own are only known
    /// here by their type id `2-N`, whether they exist or not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let known = STANDARD.iter().find(|(_, type_id, plural, singular)| {
            [*type_id, *plural, *singular].contains(&text.as_str())
        });
        match known {
            Some(row) => Some(row.0),
            None => text.strip_prefix("2-")?.parse().ok().map(Self::Custom),
        }
    }

    /// The plural name, `contacts`; the type id for a type of the account's own.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        self.named(|row| row.2)
    }

    /// The singular name, `contact`; the type id for a type of the account's own.
    #[must_use]
    pub fn singular(self) -> Cow<'static, str> {
        self.named(|row| row.3)
    }

    /// The singular name as error messages shout it: `CONTACT`.
    #[must_use]
    pub fn shouted(self) -> String {
        self.singular().to_ascii_uppercase()
    }

    /// The object type id: `0-1`.
    #[must_use]
    pub fn type_id(self) -> Cow<'static, str> {
        self.named(|row| row.1)
    }

    /// The name scopes use: `crm.objects.{this}.read`.
    pub(crate) fn scope(self) -> Cow<'static, str> {
        match self {
            Self::Custom(_) => Cow::Borrowed("custom"),
            other => other.name(),
        }
    }

    fn named(
        self,
        part: fn(&(ObjectType, &'static str, &'static str, &'static str)) -> &'static str,
    ) -> Cow<'static, str> {
        match self {
            Self::Custom(number) => Cow::Owned(format!("2-{number}")),
            standard => {
                let row = STANDARD.iter().find(|row| row.0 == standard);
                Cow::Borrowed(row.map_or("", part))
            }
        }
    }
}

impl Serialize for ObjectType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// What the portal's own types are called. A type only resolves while it exists.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    custom: HashMap<String, ObjectType>,
}

impl Names {
    /// Makes a type of the account's own known: by type id, by `p{portal}_{name}`, by `p_{name}` and by its bare name.
    pub(crate) fn add(&mut self, object: ObjectType, portal_id: u64, name: &str) {
        for text in spellings(object, portal_id, name) {
            self.custom.insert(text, object);
        }
    }

    pub(crate) fn remove(&mut self, object: ObjectType) {
        self.custom.retain(|_, known| *known != object);
    }

    /// The type behind a name in a path or body.
    pub(crate) fn resolve(&self, text: &str) -> Option<ObjectType> {
        match ObjectType::parse(text) {
            None | Some(ObjectType::Custom(_)) => {
                self.custom.get(&text.to_ascii_lowercase()).copied()
            }
            standard => standard,
        }
    }
}

fn spellings(object: ObjectType, portal_id: u64, name: &str) -> [String; 4] {
    let name = name.to_ascii_lowercase();
    [
        object.type_id().into_owned(),
        format!("p{portal_id}_{name}"),
        format!("p_{name}"),
        name,
    ]
}

#[cfg(test)]
mod tests {
    use super::{Names, ObjectType};

    #[test]
    fn names_are_read_in_every_form_hubspot_accepts() {
        for text in ["contact", "contacts", "CONTACT", "0-1"] {
            assert_eq!(
                ObjectType::parse(text),
                Some(ObjectType::Contacts),
                "{text}"
            );
        }
        let rows = [
            ("Companies", ObjectType::Companies),
            ("DEAL", ObjectType::Deals),
            ("0-5", ObjectType::Tickets),
            ("line_item", ObjectType::LineItems),
            ("LINE_ITEMS", ObjectType::LineItems),
            ("0-421", ObjectType::Appointments),
            ("0-123", ObjectType::Orders),
        ];
        for (text, expected) in rows {
            assert_eq!(ObjectType::parse(text), Some(expected), "{text}");
            assert_eq!(ObjectType::parse(&expected.type_id()), Some(expected));
        }
        assert_eq!(ObjectType::parse("butterflies"), None);
    }

    #[test]
    fn own_types_resolve_while_they_exist() {
        let mut names = Names::default();
        let pets = ObjectType::Custom(7);
        assert_eq!(names.resolve("2-7"), None);
        names.add(pets, 12, "Pets");
        for text in ["2-7", "p12_pets", "P12_PETS", "p_pets", "pets"] {
            assert_eq!(names.resolve(text), Some(pets), "{text}");
        }
        assert_eq!(names.resolve("p13_pets"), None);
        assert_eq!(names.resolve("deals"), Some(ObjectType::Deals));
        names.remove(pets);
        assert_eq!(names.resolve("p12_pets"), None);
    }
}
