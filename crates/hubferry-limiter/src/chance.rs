//! Chance, which a simulation fixes so that a run can be repeated.

use std::ops::RangeInclusive;

/// A number of a range.
pub(crate) fn between(range: RangeInclusive<u64>) -> u64 {
    #[cfg(any(test, feature = "simulation"))]
    if let Some(number) = fixed::between(range.clone()) {
        return number;
    }
    rand::random_range(range)
}

#[cfg(any(test, feature = "simulation"))]
pub(crate) mod fixed {
    use std::cell::RefCell;
    use std::ops::RangeInclusive;

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    thread_local! {
        static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
    }

    /// From here on this thread's chance follows from a number.
    pub(crate) fn seed(seed: u64) {
        SEEDED.set(Some(StdRng::seed_from_u64(seed)));
    }

    pub(super) fn between(range: RangeInclusive<u64>) -> Option<u64> {
        SEEDED.with_borrow_mut(|rng| rng.as_mut().map(|rng| rng.random_range(range)))
    }
}
