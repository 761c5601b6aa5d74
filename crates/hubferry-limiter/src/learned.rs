//! What the receiver's answers teach about one limit: its size, who else uses it, and how long calls are on their way.

use crate::settings::Rule;

/// The size of the window as the receiver names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// N as named; 0 while the configured one holds.
    size: u64,
    /// A larger one that was named, how often, and when last.
    larger: u64,
    agreed: u64,
    agreed_at: u64,
    /// How many values were of another magnitude.
    pub(crate) ignored: u64,
}

/// So many answers must agree before N is raised.
const AGREEING: u64 = 3;

impl Named {
    /// Smaller counts at once; larger after three answers that agree, each a window after the last, up to the ceiling.
    pub(crate) fn hear(&mut self, rule: &Rule, now: u64, max: u64) {
        if max == 0 || max > 4 * rule.ceiling || max * 4 < rule.max {
            self.ignored += 1;
            return;
        }
        let current = self.ceiling(rule);
        if max < current {
            self.size = max;
            self.agreed = 0;
        } else if max == current {
            self.agreed = 0;
        } else if current < rule.ceiling && now >= self.agreed_at + rule.window {
            if self.larger != max {
                self.larger = max;
                self.agreed = 0;
            }
            self.agreed += 1;
            self.agreed_at = now;
            if self.agreed == AGREEING {
                self.size = max.min(rule.ceiling);
                self.agreed = 0;
            }
        }
    }

    /// N at present.
    pub(crate) fn ceiling(&self, rule: &Rule) -> u64 {
        match self.size {
            0 => rule.max,
            size => size.min(rule.ceiling),
        }
    }
}

/// What others use of the same window: the most that was seen in this window and the one before. A single reading errs by
/// what is on its way, so it is the mean of the last few that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// Eight times the mean, weighted to the latest eight.
    mean: u64,
    most: u64,
    before: u64,
    since: u64,
}

/// For so many windows a reading holds when none follows.
const HOLDS: u64 = 3;

impl Foreign {
    pub(crate) fn seen(&mut self, now: u64, window: u64, used: u64) {
        self.mean = if now < self.since + HOLDS * window {
            self.mean - self.mean / 8 + used
        } else {
            8 * used
        };
        if now >= self.since + window {
            self.before = if now < self.since + 2 * window {
                self.most
            } else {
                0
            };
            self.most = 0;
            self.since = now;
        }
        self.most = self.most.max(self.mean.div_ceil(8));
    }

    pub(crate) fn used(&self, now: u64, window: u64) -> u64 {
        if now < self.since + HOLDS * window {
            self.most.max(self.before)
        } else {
            0
        }
    }
}

/// How long calls were on their way, in microseconds: the shortest and the longest, of this period and the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delays {
    least: u64,
    most: u64,
    least_before: u64,
    most_before: u64,
    since: u64,
}

/// How long a period of measuring is.
const PERIOD: u64 = 300 * 1_000_000;
/// What the clock's mapping adds to every spread.
const CLOCK: u64 = 50_000;

impl Delays {
    pub(crate) fn seen(&mut self, now: u64, least: u64, most: u64) {
        if most == 0 || least > most {
            return;
        }
        if now >= self.since + PERIOD {
            let is_next = self.since > 0 && now < self.since + 2 * PERIOD;
            (self.least_before, self.most_before) = if is_next {
                (self.least, self.most)
            } else {
                (0, 0)
            };
            (self.least, self.most) = (least, most);
            self.since = now;
        }
        self.least = self.least.min(least);
        self.most = self.most.max(most);
    }

    /// D: a quarter more than what was measured, once a whole period was; never beyond its bounds.
    pub(crate) fn spread(&self, rule: &Rule, now: u64) -> u64 {
        if rule.least_spread >= rule.spread
            || self.most_before == 0
            || now >= self.since + 2 * PERIOD
        {
            return rule.spread;
        }
        let least = self.least.min(self.least_before);
        let most = self.most.max(self.most_before);
        ((most - least) * 5 / 4 + CLOCK).clamp(rule.least_spread, rule.spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule {
            max: 100,
            ceiling: 190,
            others: 0,
            slot: 100_000,
            reach: 103,
            window: 10_000_000,
            spread: 300_000,
            least_spread: 100_000,
            horizon: 2_000_000,
            burst: 25,
        }
    }

    #[test]
    fn a_smaller_window_counts_at_once_and_a_larger_one_after_three_answers_that_agree() {
        let second = 1_000_000;
        let mut named = Named::default();
        let cases = [
            (20, 0, 100),
            (20, 800, 100),
            (20, 20, 100),
            (20, 60, 60),
            (21, 100, 60),
            (22, 100, 60),
            (31, 100, 60),
            (35, 100, 60),
            (42, 100, 100),
            (52, 190, 100),
            (62, 150, 100),
            (72, 190, 100),
            (82, 190, 100),
            (92, 190, 190),
            (102, 250, 190),
            (103, 110, 110),
        ];
        for (at, max, expected) in cases {
            named.hear(&rule(), at * second, max);
            assert_eq!(named.ceiling(&rule()), expected, "{max} after {at} s");
        }
        assert_eq!(named.ignored, 3);
    }

    #[test]
    fn foreign_use_holds_for_the_window_it_was_seen_in_and_the_next() {
        let window = 10;
        let mut foreign = Foreign::default();
        let seen = |foreign: &mut Foreign, now: u64, used: u64| {
            for _ in 0..40 {
                foreign.seen(now, window, used);
            }
            foreign.used(now, window)
        };
        for (now, used, expected) in [
            (100, 16, 16),
            (105, 8, 16),
            (111, 4, 16),
            (122, 2, 9),
            (133, 0, 5),
        ] {
            assert_eq!(seen(&mut foreign, now, used), expected, "at {now}");
        }
        assert_eq!(foreign.used(162, window), 5);
        assert_eq!(
            foreign.used(163, window),
            0,
            "readings that stopped say nothing"
        );
    }

    #[test]
    fn one_reading_of_foreign_use_is_an_eighth_of_the_truth() {
        let mut foreign = Foreign::default();
        foreign.seen(100, 10, 0);
        foreign.seen(101, 10, 16);
        assert_eq!(foreign.used(101, 10), 2);
    }

    #[test]
    fn the_spread_follows_what_is_measured_between_its_bounds() {
        let mut delays = Delays::default();
        let cases = [
            (PERIOD, (20, 21), 300),
            (2 * PERIOD - 1, (20, 60), 300),
            (2 * PERIOD, (20, 60), 100),
            (2 * PERIOD + 1, (20, 140), 200),
            (2 * PERIOD + 2, (20, 900), 300),
            (3 * PERIOD, (20, 30), 300),
            (4 * PERIOD, (20, 30), 100),
        ];
        for (now, (least, most), expected) in cases {
            delays.seen(now, least * 1_000, most * 1_000);
            assert_eq!(delays.spread(&rule(), now), expected * 1_000, "at {now}");
        }
        assert_eq!(
            delays.spread(&rule(), 6 * PERIOD),
            300_000,
            "nothing was measured lately"
        );
    }
}
