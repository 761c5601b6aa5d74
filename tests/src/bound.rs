//! The fewest calls that a set of changes needs, worked out without knowing how the product works.

/// Records one call can carry: HubSpot's limit for contacts, companies and objects.
const RECORDS: u64 = 100;
/// Pairs one default association call is taken to carry: HubSpot publishes no figure.
const ASSOCIATIONS: u64 = 1_000;
/// Events one send can carry: HubSpot's limit.
const OCCURRENCES: u64 = 500;

/// What has to reach the portal, each thing counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Distinct contacts.
    pub contacts: u64,
    /// Distinct companies.
    pub companies: u64,
    /// Distinct pairs of a contact and a company.
    pub associations: u64,
    /// Custom events; none of them can stand for another.
    pub occurrences: u64,
}

impl Demand {
    /// Calls that carry it when every batch is full and nothing is looked up, created first or sent twice.
    #[must_use]
    pub fn least_calls(&self) -> u64 {
        self.contacts.div_ceil(RECORDS)
            + self.companies.div_ceil(RECORDS)
            + self.associations.div_ceil(ASSOCIATIONS)
            + self.occurrences.div_ceil(OCCURRENCES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_batch_is_filled_by_itself() {
        let people = Demand {
            contacts: 1_000,
            companies: 100,
            associations: 1_000,
            occurrences: 0,
        };
        assert_eq!(people.least_calls(), 10 + 1 + 1);
        assert_eq!(Demand::default().least_calls(), 0);
        let one_more = Demand {
            contacts: 101,
            companies: 101,
            associations: 1_001,
            occurrences: 501,
        };
        assert_eq!(one_more.least_calls(), 8);
    }
}
