//! The limit of a calendar day in the time zone of the account, which others use too.
//!
//! A day's use is the larger of what was granted here and what the receiver says is gone. Live work may spend all but the last
//! half percent; lookups stop at five percent; replay and backfill leave what live work is expected to need until midnight.

use jiff::tz::{self, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use crate::ask::Class;
use crate::bucket::SECOND;
use crate::error::SettingsError;

/// A time zone whose midnight begins a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// Universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A fixed distance from universal time, for hosts without a database of time zones; at most a day.
    #[must_use]
    pub fn fixed(seconds_east: i32) -> Self {
        let offset = tz::Offset::from_seconds(seconds_east).unwrap_or(tz::Offset::UTC);
        Self(TimeZone::fixed(offset))
    }

    /// A zone of the IANA database, as in `Europe/Berlin`.
    ///
    /// # Errors
    ///
    /// When this host knows no zone of that name.
    pub fn named(name: &str) -> Result<Self, SettingsError> {
        TimeZone::get(name)
            .map(Self)
            .map_err(|_| SettingsError::Zone(name.to_owned()))
    }

    /// The zone of a POSIX rule, as in `CET-1CEST,M3.5.0,M10.5.0/3`, for hosts without a database of time zones.
    ///
    /// # Errors
    ///
    /// When that is no such rule.
    pub fn posix(rule: &str) -> Result<Self, SettingsError> {
        TimeZone::posix(rule)
            .map(Self)
            .map_err(|_| SettingsError::Zone(rule.to_owned()))
    }

    /// Three midnights in microseconds: that of the day before a time, of its day, and the two after, as far as they differ.
    /// A change to or from summer time makes a day of 23 or 25 hours.
    pub(crate) fn midnights(&self, at: u64) -> [u64; 4] {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let Ok(time) = Timestamp::from_microsecond(at) else {
            return [0; 4];
        };
        let date = time.to_zoned_datetime(self.0.clone()).date();
        [-1, 0, 1, 2].map(|days| {
            let begins = date
                .checked_add(i64::from(days).days())
                .and_then(|date| date.to_zoned_datetime(self.0.clone()));
            begins.map_or(0, |begins| {
                u64::try_from(begins.timestamp().as_microsecond()).unwrap_or(0)
            })
        })
    }
}

/// What the store keeps of a day. Times are the server's clock, since the receiver's midnight is no matter of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) used: u64,
    pub(crate) live: u64,
    live_before: u64,
    /// As the receiver named it; 0 for never.
    named: u64,
    /// Whether the receiver refused a call for the day.
    spent: u64,
}

const HOUR: u64 = 3_600;

impl Day {
    /// Begins another day when it is time. A clock that went back changes nothing.
    pub(crate) fn turn(&mut self, raw: u64, midnights: [u64; 4]) {
        let Some(day) = midnights
            .windows(2)
            .find(|day| day[0] <= raw && raw < day[1])
        else {
            return;
        };
        if day[0] > self.start {
            let is_next = self.end == day[0];
            self.live_before = if is_next { self.live } else { 0 };
            (self.start, self.end) = (day[0], day[1]);
            (self.used, self.live, self.spent) = (0, 0, 0);
        }
    }

    pub(crate) fn max(&self, configured: u64) -> u64 {
        if self.named > 0 {
            self.named
        } else {
            configured
        }
    }

    /// What live work is expected to need until midnight: at today's pace or yesterday's, whichever is faster.
    pub(crate) fn forecast(&self, raw: u64) -> u64 {
        if self.end == 0 || raw < self.start {
            return 0;
        }
        let left = self.end.saturating_sub(raw) / SECOND;
        let gone = ((raw - self.start) / SECOND).max(HOUR);
        let length = ((self.end - self.start) / SECOND).max(1);
        (self.live * left / gone).max(self.live_before * left / length)
    }

    /// Whether a class may have that many more calls today.
    pub(crate) fn admits(&self, raw: u64, configured: u64, class: Class, cost: u64) -> bool {
        if self.spent > 0 {
            return false;
        }
        let max = self.max(configured);
        if max == 0 {
            return true;
        }
        let left = max.saturating_sub(self.used);
        let kept = match class {
            Class::Live | Class::Retry | Class::Admin => max / 200,
            Class::Lookup => max / 20,
            Class::Replay | Class::Backfill => max / 200 + self.forecast(raw) * 11 / 10,
        };
        left >= kept + cost
    }

    pub(crate) fn spend(&mut self, class: Class, cost: u64) {
        self.used += cost;
        if class == Class::Live {
            self.live += cost;
        }
    }

    pub(crate) fn unspend(&mut self, class: Class) {
        self.used = self.used.saturating_sub(1);
        if class == Class::Live {
            self.live = self.live.saturating_sub(1);
        }
    }

    /// The receiver said how large the day is and what is left of it; others use it too.
    pub(crate) fn named(&mut self, max: u64, remaining: u64) {
        if max == 0 || remaining > max {
            return;
        }
        self.named = max;
        self.used = self.used.max(max - remaining);
    }

    pub(crate) fn exhaust(&mut self) {
        self.spent = 1;
    }

    /// As the store keeps it; the layout of `limiter.lua`.
    pub(crate) const NUMBERS: usize = 7;

    pub(crate) fn numbers(&self) -> [u64; Self::NUMBERS] {
        [
            self.start,
            self.end,
            self.used,
            self.live,
            self.live_before,
            self.named,
            self.spent,
        ]
    }

    pub(crate) fn of_numbers(numbers: &[u64]) -> Self {
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
        Self {
            start: number(0),
            end: number(1),
            used: number(2),
            live: number(3),
            live_before: number(4),
            named: number(5),
            spent: number(6),
        }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.spent > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> u64 {
        let time: Timestamp = text.parse().unwrap();
        u64::try_from(time.as_microsecond()).unwrap()
    }

    #[test]
    fn days_begin_at_the_accounts_midnight_in_summer_and_winter() {
        let berlin = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let new_york = Zone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        let sydney = Zone::posix("AEST-10AEDT,M10.1.0,M4.1.0/3").unwrap();
        // A time, and its day's first and last hour in universal time; the days of change have 23 and 25 hours.
        let cases = [
            (
                &berlin,
                "2026-03-29T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                &berlin,
                "2026-10-25T00:30:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                &new_york,
                "2026-03-08T06:00:00Z",
                "2026-03-08T05:00:00Z",
                "2026-03-09T04:00:00Z",
            ),
            (
                &new_york,
                "2026-11-02T04:59:59Z",
                "2026-11-01T04:00:00Z",
                "2026-11-02T05:00:00Z",
            ),
            (
                &sydney,
                "2026-10-03T14:00:00Z",
                "2026-10-03T14:00:00Z",
                "2026-10-04T13:00:00Z",
            ),
            (
                &sydney,
                "2026-04-05T13:59:59Z",
                "2026-04-04T13:00:00Z",
                "2026-04-05T14:00:00Z",
            ),
        ];
        for (zone, at, begins, ends) in cases {
            let midnights = zone.midnights(micros(at));
            assert_eq!(midnights[1..3], [micros(begins), micros(ends)], "{at}");
            let mut day = Day::default();
            day.turn(micros(at), midnights);
            assert_eq!((day.start, day.end), (micros(begins), micros(ends)));
        }
    }

    #[test]
    fn a_new_day_starts_at_nothing_and_a_clock_gone_back_starts_none() {
        let zone = Zone::utc();
        let mut day = Day::default();
        let noon = micros("2026-05-05T12:00:00Z");
        day.turn(noon, zone.midnights(noon));
        day.spend(Class::Live, 7);
        day.exhaust();
        let yesterday = micros("2026-05-04T23:59:59Z");
        day.turn(yesterday, zone.midnights(yesterday));
        assert_eq!((day.used, day.is_spent()), (7, true));
        let tomorrow = micros("2026-05-06T00:00:00Z");
        day.turn(tomorrow, zone.midnights(noon));
        assert_eq!((day.used, day.live, day.is_spent()), (0, 0, false));
        assert_eq!(day.forecast(tomorrow), 7, "as yesterday");
    }

    #[test]
    fn replay_stops_first_then_lookups_then_live_work() {
        let zone = Zone::utc();
        let noon = micros("2026-05-05T12:00:00Z");
        let classes = [Class::Replay, Class::Lookup, Class::Live];
        // Of 1,000 a day; 100 of them live until noon, so another 100 are expected and a tenth more.
        let cases = [
            (1_000, [true, true, true]),
            (115, [false, true, true]),
            (50, [false, false, true]),
            (5, [false, false, false]),
        ];
        for (remaining, expected) in cases {
            let mut day = Day::default();
            day.turn(noon, zone.midnights(noon));
            day.spend(Class::Live, 100);
            day.named(1_000, remaining);
            let admitted = classes.map(|class| day.admits(noon, 0, class, 1));
            let expected = if remaining == 1_000 {
                [true; 3]
            } else {
                expected
            };
            assert_eq!(admitted, expected, "{remaining} left");
        }
        let mut unknown = Day::default();
        unknown.turn(noon, zone.midnights(noon));
        unknown.spend(Class::Replay, 1_000_000);
        assert!(
            unknown.admits(noon, 0, Class::Replay, 1),
            "no limit is known"
        );
    }
}
