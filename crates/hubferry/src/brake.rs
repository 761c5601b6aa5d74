//! The brake: a mapping whose deliveries die in masses is held, rather than drain the topic into the dead letters
//! (fleet.md i.5.2).
//!
//! A pure account per mapping: the last thousand endings, and how many deaths came one after the other. What is done about a
//! braked mapping is the worker's business.

use std::collections::VecDeque;

use hubferry_delivery::MappingIndex;

/// When a mapping is braked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct BrakeSettings {
    /// The share of dead deliveries among the last thousand; judged once a thousand were seen.
    pub(crate) max_ratio: f64,
    /// Dead deliveries one after the other. Those that the schema refuses one by one do not count here: they are the
    /// events' fault.
    pub(crate) max_consecutive: u32,
}

/// How a delivery ended, as far as the brake is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Delivered, merged or skipped.
    Well,
    /// Refused before anything was asked of HubSpot.
    Invalid,
    /// Refused by HubSpot.
    Refused,
}

/// The brakes of all mappings.
#[derive(Debug)]
pub(crate) struct Brakes {
    settings: BrakeSettings,
    mappings: Vec<Account>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    /// The last endings, oldest first; true for a death.
    last: VecDeque<bool>,
    dead: usize,
    consecutive: u32,
    braked: bool,
}

/// How many endings the ratio is taken over.
const WINDOW: usize = 1_000;

impl Brakes {
    /// Nothing has ended yet.
    pub(crate) fn new(settings: BrakeSettings, mappings: usize) -> Self {
        Self {
            settings,
            mappings: vec![Account::default(); mappings],
        }
    }

    /// Counts how a delivery is about to end; says whether its mapping is braked from now on, this delivery included.
    pub(crate) fn count(&mut self, mapping: MappingIndex, fate: Fate) -> bool {
        let settings = self.settings;
        let Some(account) = self.mappings.get_mut(mapping.0 as usize) else {
            return false;
        };
        account.count(fate);
        account.braked |= account.is_too_much(&settings);
        account.braked
    }

    /// Whether a mapping is braked.
    pub(crate) fn is_braked(&self, mapping: MappingIndex) -> bool {
        self.mappings
            .get(mapping.0 as usize)
            .is_some_and(|account| account.braked)
    }

    /// A delivery of a braked mapping went well: it starts anew.
    pub(crate) fn release(&mut self, mapping: MappingIndex) {
        if let Some(account) = self.mappings.get_mut(mapping.0 as usize) {
            *account = Account::default();
        }
    }

    /// The mappings that are braked.
    pub(crate) fn braked(&self) -> impl Iterator<Item = MappingIndex> + '_ {
        let numbered = self.mappings.iter().zip(0..);
        numbered
            .filter(|(account, _)| account.braked)
            .map(|(_, index)| MappingIndex(index))
    }
}

impl Account {
    fn count(&mut self, fate: Fate) {
        let dead = fate != Fate::Well;
        self.last.push_back(dead);
        self.dead += usize::from(dead);
        if self.last.len() > WINDOW && self.last.pop_front() == Some(true) {
            self.dead -= 1;
        }
        match fate {
            Fate::Well => self.consecutive = 0,
            Fate::Invalid => (),
            Fate::Refused => self.consecutive = self.consecutive.saturating_add(1),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "at most a thousand endings are counted"
    )]
    fn is_too_much(&self, settings: &BrakeSettings) -> bool {
        let ratio = self.dead as f64 / WINDOW as f64;
        let judged = self.last.len() == WINDOW;
        (judged && ratio > settings.max_ratio) || self.consecutive > settings.max_consecutive
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: BrakeSettings = BrakeSettings {
        max_ratio: 0.05,
        max_consecutive: 100,
    };
    const ONE: MappingIndex = MappingIndex(0);
    const OTHER: MappingIndex = MappingIndex(1);

    fn brakes() -> Brakes {
        Brakes::new(SETTINGS, 2)
    }

    #[test]
    fn a_hundred_refusals_in_a_row_pass_and_one_more_brakes() {
        let mut brakes = brakes();
        for _ in 0..100 {
            assert!(!brakes.count(ONE, Fate::Refused));
        }
        assert!(brakes.count(ONE, Fate::Refused));
        assert!(brakes.is_braked(ONE) && !brakes.is_braked(OTHER));
        assert_eq!(brakes.braked().collect::<Vec<_>>(), [ONE]);
    }

    #[test]
    fn one_delivery_that_goes_well_ends_a_row() {
        let mut brakes = brakes();
        for _ in 0..9 {
            for _ in 0..100 {
                brakes.count(ONE, Fate::Refused);
            }
            brakes.count(ONE, Fate::Well);
            assert!(!brakes.is_braked(ONE));
        }
    }

    #[test]
    fn events_that_are_invalid_one_by_one_brake_by_their_share_alone() {
        let mut brakes = brakes();
        for _ in 0..950 {
            brakes.count(ONE, Fate::Well);
        }
        for _ in 0..50 {
            assert!(!brakes.count(ONE, Fate::Invalid), "five in a hundred");
        }
        assert!(
            brakes.count(ONE, Fate::Invalid),
            "more than five in a hundred"
        );
    }

    #[test]
    fn nothing_is_judged_by_its_share_before_a_thousand_were_seen() {
        let mut brakes = brakes();
        for n in 0..999 {
            assert!(!brakes.count(ONE, Fate::Invalid), "{n}");
        }
        assert!(brakes.count(ONE, Fate::Invalid));
    }

    #[test]
    fn a_released_mapping_starts_anew() {
        let mut brakes = brakes();
        for _ in 0..101 {
            brakes.count(ONE, Fate::Refused);
        }
        brakes.release(ONE);
        assert!(!brakes.is_braked(ONE));
        assert!(!brakes.count(ONE, Fate::Refused));
    }

    proptest! {
        /// Against a model that keeps every ending.
        #[test]
        fn the_account_equals_a_recount(
            fates in prop::collection::vec(prop_oneof![9 => Just(Fate::Well), 1 => Just(Fate::Invalid), 1 => Just(Fate::Refused)], 0..3_000),
            max_consecutive in 1u32..6, percent in 1u32..30,
        ) {
            let max_ratio = f64::from(percent) / 100.0;
            let mut brakes = Brakes::new(BrakeSettings { max_ratio, max_consecutive }, 1);
            let mut all: Vec<Fate> = Vec::new();
            let mut braked = false;
            for fate in fates {
                all.push(fate);
                let last = &all[all.len().saturating_sub(WINDOW)..];
                let dead = last.iter().filter(|fate| **fate != Fate::Well).count();
                let row = all.iter().rev().take_while(|fate| **fate != Fate::Well);
                let row = row.filter(|fate| **fate == Fate::Refused).count();
                braked |= (last.len() == WINDOW && dead * 100 > percent as usize * WINDOW)
                    || row > max_consecutive as usize;
                prop_assert_eq!(brakes.count(ONE, fate), braked);
            }
        }
    }
}
