//! When a failed step may go again: exponential, full jitter, bounded.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::rngs::StdRng;

/// How often and how long a step is tried (fleet.md iv.2).
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct RetryBudget {
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    /// A step is given up when it was tried this often …
    pub(crate) attempts: u32,
    /// … and its first failure is this old.
    pub(crate) age: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_mins(1),
            attempts: 8,
            age: Duration::from_mins(15),
        }
    }
}

/// What a step has been through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempts {
    /// Calls made for it, throttled ones not counted.
    pub(crate) made: u32,
    first_failure: Option<Instant>,
}

impl Attempts {
    /// Notes a failure; returns when to try again, or `None` when the budget is spent.
    pub(crate) fn fail(
        &mut self,
        budget: &RetryBudget,
        least: Option<Duration>,
        now: Instant,
        chance: &mut StdRng,
    ) -> Option<Instant> {
        let first = *self.first_failure.get_or_insert(now);
        let old = now.saturating_duration_since(first) >= budget.age;
        if self.made >= budget.attempts && old {
            return None;
        }
        let doublings = self.made.saturating_sub(1).min(16);
        let ceiling = budget.base.saturating_mul(1 << doublings).min(budget.cap);
        let jitter = ceiling.mul_f64(chance.random_range(0.0..1.0));
        // What HubSpot asks for is a minimum; the jitter on top spreads a fleet that was told the same.
        Some(now + least.map_or(jitter, |least| least + least.mul_f64(0.1).min(jitter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn origin() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn a_step_is_given_up_only_when_both_budgets_are_spent() {
        let budget = RetryBudget::default();
        let mut chance = StdRng::seed_from_u64(1);
        let start = origin();
        let mut attempts = Attempts::default();
        for n in 1..=20 {
            attempts.made = n;
            assert!(
                attempts.fail(&budget, None, start, &mut chance).is_some(),
                "attempt {n} is young"
            );
        }
        let later = start + budget.age;
        assert!(attempts.fail(&budget, None, later, &mut chance).is_none());
        attempts.made = 3;
        assert!(
            attempts.fail(&budget, None, later, &mut chance).is_some(),
            "old, but tried only three times"
        );
    }

    #[test]
    fn the_wait_stays_under_the_cap_and_over_what_hubspot_asked() {
        let budget = RetryBudget::default();
        let mut chance = StdRng::seed_from_u64(2);
        let start = origin();
        for made in 1..40 {
            let mut attempts = Attempts {
                made,
                first_failure: None,
            };
            let at = attempts.fail(&budget, None, start, &mut chance).unwrap();
            assert!(at - start <= budget.cap);
            let mut attempts = Attempts {
                made,
                first_failure: None,
            };
            let asked = Duration::from_secs(30);
            let at = attempts
                .fail(&budget, Some(asked), start, &mut chance)
                .unwrap();
            assert!(at - start >= asked && at - start <= asked.mul_f64(1.1));
        }
    }
}
