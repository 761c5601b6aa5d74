//! Which scopes each kind of call needs (hubspot-api.md §3, §4, §5, §6, §7, §11.3), as data.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hubferry_actions::ObjectType;

use crate::call::Endpoint;

/// Scopes of which one is enough; the first is the one to ask for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AnyScope(Vec<Cow<'static, str>>);

impl AnyScope {
    fn one(scope: &'static str) -> Self {
        Self(vec![Cow::Borrowed(scope)])
    }

    fn any(scopes: impl IntoIterator<Item = String>) -> Self {
        Self(scopes.into_iter().map(Cow::Owned).collect())
    }

    /// The one to ask for.
    #[must_use]
    pub fn preferred(&self) -> &str {
        self.0.first().map_or("", |scope| scope)
    }

    /// All of them.
    pub fn alternatives(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }

    /// Whether one of them was granted.
    #[must_use]
    pub fn is_granted(&self, granted: &BTreeSet<String>) -> bool {
        self.alternatives().any(|scope| granted.contains(scope))
    }
}

/// What is done with the records or the schema of a type.
#[derive(Clone, Copy)]
enum Right {
    Read,
    Write,
}

impl Right {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Endpoint {
    /// The scopes its calls need: of each entry one.
    #[must_use]
    pub fn scopes(&self) -> Vec<AnyScope> {
        match self {
            Self::Upsert(object)
            | Self::Update(object)
            | Self::Create(object)
            | Self::Archive(object) => vec![records(object, Right::Write)],
            Self::GdprDelete => vec![records(&ObjectType::contacts(), Right::Write)],
            Self::Read(object) | Self::Search(object) => vec![records(object, Right::Read)],
            Self::Associate(from, to) | Self::Dissociate(from, to) => {
                let mut both = vec![records(from, Right::Write), records(to, Right::Write)];
                both.dedup();
                both
            }
            Self::CreateProperties(object) => vec![schema(object)],
            Self::ReadProperties(object) => vec![definitions(object)],
            Self::ReadObjectType => vec![AnyScope::any([
                "crm.schemas.custom.read".to_owned(),
                "crm.objects.custom.read".to_owned(),
            ])],
            Self::SendEvents => vec![AnyScope::one("analytics.behavioral_events.send")],
            Self::ReadEventDefinition | Self::CreateEventDefinition | Self::CreateEventProperty => {
                vec![AnyScope::one(
                    "behavioral_events.event_definitions.read_write",
                )]
            }
            Self::ReadList => vec![AnyScope::one("crm.lists.read")],
            Self::CreateList => vec![AnyScope::one("crm.lists.write")],
            Self::ChangeMembers => vec![
                AnyScope::one("crm.lists.read"),
                AnyScope::one("crm.lists.write"),
            ],
        }
    }

    /// The scopes its calls need besides when they carry sensitive values, or make sensitive properties.
    #[must_use]
    pub fn sensitive_scopes(&self) -> Vec<AnyScope> {
        let of = |object: &ObjectType, right: Right| {
            // HubSpot's specification spells them with a suffix, its documentation without.
            let scope = format!(
                "crm.objects.{}.sensitive.{}",
                family(object),
                right.as_str()
            );
            vec![AnyScope::any([scope.clone(), format!("{scope}.v2")])]
        };
        match self {
            Self::Upsert(object)
            | Self::Update(object)
            | Self::Create(object)
            | Self::CreateProperties(object) => of(object, Right::Write),
            Self::Read(object) | Self::Search(object) => of(object, Right::Read),
            _ => Vec::new(),
        }
    }
}

/// How scopes call a type.
fn family(object: &ObjectType) -> &'static str {
    match object.type_id() {
        Some("0-1") => "contacts",
        Some("0-2") => "companies",
        Some("0-3") => "deals",
        Some("0-5") => "tickets",
        Some("0-7") => "products",
        Some("0-8") => "line_items",
        Some("0-14") => "quotes",
        Some("0-69") => "subscriptions",
        Some("0-123") => "orders",
        Some("0-421") => "appointments",
        _ => "custom",
    }
}

/// Older apps have one scope for tickets, and one for products and line items.
fn older(family: &str) -> Option<String> {
    match family {
        "tickets" => Some("tickets".to_owned()),
        "products" | "line_items" => Some("e-commerce".to_owned()),
        _ => None,
    }
}

fn records(object: &ObjectType, right: Right) -> AnyScope {
    let family = family(object);
    let scope = format!("crm.objects.{family}.{}", right.as_str());
    AnyScope::any(std::iter::once(scope).chain(older(family)))
}

fn schema(object: &ObjectType) -> AnyScope {
    let family = family(object);
    let scope = format!("crm.schemas.{family}.write");
    AnyScope::any(std::iter::once(scope).chain(older(family)))
}

/// Reading definitions takes any right on the type.
fn definitions(object: &ObjectType) -> AnyScope {
    let family = family(object);
    let scopes = [
        format!("crm.schemas.{family}.read"),
        format!("crm.objects.{family}.read"),
        format!("crm.objects.{family}.write"),
    ];
    AnyScope::any(scopes.into_iter().chain(older(family)))
}

#[cfg(test)]
mod tests {
    use super::{AnyScope, BTreeSet, Endpoint, ObjectType};

    #[test]
    fn every_kind_of_call_has_its_scopes() {
        let contacts = ObjectType::contacts;
        let custom = || ObjectType::new("p1_cats");
        let tickets = || ObjectType::new("0-5");
        let definitions = "behavioral_events.event_definitions.read_write";
        let table = [
            (Endpoint::Upsert(contacts()), "crm.objects.contacts.write"),
            (Endpoint::Update(custom()), "crm.objects.custom.write"),
            (
                Endpoint::Create(tickets()),
                "crm.objects.tickets.write|tickets",
            ),
            (Endpoint::Read(contacts()), "crm.objects.contacts.read"),
            (
                Endpoint::Search(ObjectType::new("deals")),
                "crm.objects.deals.read",
            ),
            (
                Endpoint::Associate(contacts(), custom()),
                "crm.objects.contacts.write crm.objects.custom.write",
            ),
            (
                Endpoint::Dissociate(contacts(), contacts()),
                "crm.objects.contacts.write",
            ),
            (Endpoint::Archive(contacts()), "crm.objects.contacts.write"),
            (Endpoint::GdprDelete, "crm.objects.contacts.write"),
            (
                Endpoint::CreateProperties(contacts()),
                "crm.schemas.contacts.write",
            ),
            (
                Endpoint::ReadProperties(ObjectType::companies()),
                "crm.schemas.companies.read|crm.objects.companies.read|crm.objects.companies.write",
            ),
            (
                Endpoint::ReadObjectType,
                "crm.schemas.custom.read|crm.objects.custom.read",
            ),
            (Endpoint::SendEvents, "analytics.behavioral_events.send"),
            (Endpoint::ReadEventDefinition, definitions),
            (Endpoint::CreateEventDefinition, definitions),
            (Endpoint::CreateEventProperty, definitions),
            (Endpoint::ReadList, "crm.lists.read"),
            (Endpoint::CreateList, "crm.lists.write"),
            (Endpoint::ChangeMembers, "crm.lists.read crm.lists.write"),
        ];
        for (endpoint, expected) in table {
            assert_eq!(shown(&endpoint.scopes()), expected, "{endpoint:?}");
        }
        let sensitive = Endpoint::Upsert(contacts()).sensitive_scopes();
        assert_eq!(
            shown(&sensitive),
            "crm.objects.contacts.sensitive.write|crm.objects.contacts.sensitive.write.v2"
        );
        assert!(Endpoint::SendEvents.sensitive_scopes().is_empty());
    }

    #[test]
    fn one_of_the_alternatives_is_enough() {
        let needed = &Endpoint::Create(ObjectType::new("tickets")).scopes()[0];
        let granted = |scopes: &[&str]| scopes.iter().map(|s| (*s).to_owned()).collect();
        assert!(needed.is_granted(&granted(&["tickets"])));
        assert!(!needed.is_granted(&BTreeSet::new()));
        assert_eq!(needed.preferred(), "crm.objects.tickets.write");
    }

    fn shown(scopes: &[AnyScope]) -> String {
        let one = |any: &AnyScope| any.alternatives().collect::<Vec<_>>().join("|");
        scopes.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}
