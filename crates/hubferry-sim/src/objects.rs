//! The object types of the portal and the names HubSpot accepts for them.

use serde::{Serialize, Serializer};

/// An object type the simulator keeps records of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    /// Contacts, `0-1`.
    Contacts,
    /// Companies, `0-2`.
    Companies,
}

impl ObjectType {
    /// Every object type.
    pub const ALL: [Self; 2] = [Self::Contacts, Self::Companies];

    /// Reads a name or type id as HubSpot does: singular, plural, any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "contact" | "contacts" | "0-1" => Some(Self::Contacts),
            "company" | "companies" | "0-2" => Some(Self::Companies),
            _ => None,
        }
    }

    /// The plural name: `contacts`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Companies => "companies",
        }
    }

    /// The singular name: `contact`.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Contacts => "contact",
            Self::Companies => "company",
        }
    }

    /// The singular name as error messages shout it: `CONTACT`.
    #[must_use]
    pub fn shouted(self) -> &'static str {
        match self {
            Self::Contacts => "CONTACT",
            Self::Companies => "COMPANY",
        }
    }

    /// The object type id: `0-1`.
    #[must_use]
    pub fn type_id(self) -> &'static str {
        match self {
            Self::Contacts => "0-1",
            Self::Companies => "0-2",
        }
    }
}

impl Serialize for ObjectType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ObjectType;

    #[test]
    fn names_are_read_in_every_form_hubspot_accepts() {
        for text in ["contact", "contacts", "CONTACT", "0-1"] {
            assert_eq!(
                ObjectType::parse(text),
                Some(ObjectType::Contacts),
                "{text}"
            );
        }
        assert_eq!(ObjectType::parse("Companies"), Some(ObjectType::Companies));
        assert_eq!(ObjectType::parse("butterflies"), None);
    }
}
