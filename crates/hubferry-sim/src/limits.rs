//! Rolling rate limits: never more than N calls in any window of a length, refused calls counted like all others.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use serde_json::json;

use crate::answer::Refusal;
use crate::records::millis;
use crate::settings::SimSettings;
use crate::switches::Foreign;

/// Which limit a call draws on besides the daily one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// The general ten-second bucket.
    Burst,
    /// Searches per second.
    Search,
    /// Association batches and labels per ten seconds.
    Associations,
    /// Event sends per second.
    Events,
    /// Neither counted nor limited (tokens).
    Free,
}

/// Headers that tell a caller where it stands.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// Where a call stands after it was counted.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Standing {
    pub(crate) headers: Headers,
    /// The 429, if the call is one too many.
    pub(crate) refused: Option<Refusal>,
}

/// Arrivals kept for inspection per limit; older ones are dropped so that a long run stays small.
const LONGEST_HISTORY: usize = 200_000;

/// Counts arrivals of the last `length`.
#[derive(Debug)]
struct Window {
    length: Duration,
    limit: usize,
    arrivals: VecDeque<Duration>,
    most: usize,
    most_at: Duration,
    counted: u64,
    refused: u64,
    /// Whole milliseconds of every arrival.
    history: VecDeque<u32>,
}

/// What one limit has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowReport {
    /// Calls allowed in any window.
    pub limit: usize,
    /// Length of the window in milliseconds.
    pub window_ms: u64,
    /// Calls that arrived.
    pub counted: u64,
    /// Calls refused by this limit.
    pub refused: u64,
    /// The most calls in any window since the start.
    pub worst: usize,
    /// When that window ended, in milliseconds since the start.
    pub worst_at_ms: u64,
    /// Arrivals in milliseconds since the start, the latest 200,000; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Vec<u32>>,
}

impl Window {
    fn new(length: Duration, limit: u32) -> Self {
        Self {
            length,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            arrivals: VecDeque::new(),
            most: 0,
            most_at: Duration::ZERO,
            counted: 0,
            refused: 0,
            history: VecDeque::new(),
        }
    }

    /// Counts one arrival. True when it is within what others leave of the limit.
    fn arrive(&mut self, now: Duration, taken: usize) -> bool {
        while self
            .arrivals
            .front()
            .is_some_and(|first| *first + self.length <= now)
        {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now);
        if self.arrivals.len() > self.most {
            self.most = self.arrivals.len();
            self.most_at = now;
        }
        self.counted += 1;
        if self.history.len() == LONGEST_HISTORY {
            self.history.pop_front();
        }
        self.history
            .push_back(u32::try_from(now.as_millis()).unwrap_or(u32::MAX));
        let within = self.arrivals.len().saturating_add(taken) <= self.limit;
        self.refused += u64::from(!within);
        within
    }

    fn remaining(&self, taken: usize) -> usize {
        self.limit
            .saturating_sub(self.arrivals.len())
            .saturating_sub(taken)
    }

    fn report(&self, with_times: bool) -> WindowReport {
        WindowReport {
            limit: self.limit,
            window_ms: millis(self.length),
            counted: self.counted,
            refused: self.refused,
            worst: self.most,
            worst_at_ms: millis(self.most_at),
            times: with_times.then(|| self.history.iter().copied().collect()),
        }
    }
}

/// All meters of the portal.
#[derive(Debug)]
pub(crate) struct Meters {
    burst: Window,
    search: Window,
    associations: Window,
    events: Window,
    day: i64,
    used_today: u32,
    daily: u32,
    enforced: bool,
    portal_id: u64,
    seed: u64,
    /// Another program on the same limits.
    pub(crate) foreign: Foreign,
}

impl Meters {
    pub(crate) fn new(settings: &SimSettings) -> Self {
        let (second, ten_seconds) = (Duration::from_secs(1), Duration::from_secs(10));
        Self {
            burst: Window::new(ten_seconds, settings.ten_seconds),
            search: Window::new(second, settings.search_per_second),
            associations: Window::new(ten_seconds, settings.associations_ten_seconds),
            events: Window::new(second, settings.events_per_second),
            day: i64::MIN,
            used_today: 0,
            daily: settings.daily,
            enforced: settings.limits_on,
            portal_id: settings.portal_id,
            seed: settings.seed,
            foreign: settings.switches.foreign,
        }
    }

    /// What each limit has seen, by name.
    pub(crate) fn reports(&self, with_times: bool) -> BTreeMap<&'static str, WindowReport> {
        BTreeMap::from([
            ("ten_seconds", self.burst.report(with_times)),
            ("search", self.search.report(with_times)),
            ("associations", self.associations.report(with_times)),
            ("events", self.events.report(with_times)),
        ])
    }

    /// What the foreign program uses of a window just now.
    fn taken(&self, bucket: Bucket, now: Duration) -> usize {
        if self.foreign.share <= 0.0 {
            return 0;
        }
        let limit = self.window(bucket).limit;
        let part = match self.foreign.random {
            false => 1.0,
            true => StdRng::seed_from_u64(self.seed ^ now.as_secs()).random_range(0.0..=1.0),
        };
        let whole = (0..=limit).rev();
        let uses = self.foreign.share.min(1.0) * part * limit as f64;
        whole
            .into_iter()
            .find(|count| *count as f64 <= uses)
            .unwrap_or(0)
    }

    /// Counts a call. `day` is the account's own; `daily_applies` is false for apps without a daily limit (OAuth).
    pub(crate) fn admit(
        &mut self,
        bucket: Bucket,
        now: Duration,
        day: i64,
        daily_applies: bool,
    ) -> Standing {
        if bucket == Bucket::Free {
            return Standing::default();
        }
        if day != self.day {
            self.day = day;
            self.used_today = 0;
        }
        let taken = self.taken(bucket, now);
        let daily_applies = daily_applies && bucket != Bucket::Events;
        let within_window = self.window_mut(bucket).arrive(now, taken);
        if daily_applies {
            self.used_today = self.used_today.saturating_add(1);
        }
        let within_day = !daily_applies || self.all_used_today() <= self.daily;
        if !self.enforced {
            return Standing::default();
        }
        let refused = match (within_window, within_day) {
            (true, true) => None,
            (false, _) => Some(self.refusal(bucket)),
            (true, false) => Some(daily_limit()),
        };
        Standing {
            headers: self.headers(bucket, daily_applies, taken),
            refused,
        }
    }

    /// The most calls of the general bucket seen in any ten seconds.
    pub(crate) fn worst_ten_seconds(&self) -> usize {
        self.burst.most
    }

    /// The most searches seen in any second.
    pub(crate) fn worst_search_second(&self) -> usize {
        self.search.most
    }

    /// The most association calls seen in any ten seconds.
    pub(crate) fn worst_association_ten_seconds(&self) -> usize {
        self.associations.most
    }

    /// Calls counted today.
    pub(crate) fn used_today(&self) -> u32 {
        self.used_today
    }

    /// The same with what the foreign program used.
    pub(crate) fn all_used_today(&self) -> u32 {
        self.used_today.saturating_add(self.foreign.used_today)
    }

    fn window(&self, bucket: Bucket) -> &Window {
        match bucket {
            Bucket::Search => &self.search,
            Bucket::Associations => &self.associations,
            Bucket::Events => &self.events,
            Bucket::Burst | Bucket::Free => &self.burst,
        }
    }

    fn window_mut(&mut self, bucket: Bucket) -> &mut Window {
        match bucket {
            Bucket::Search => &mut self.search,
            Bucket::Associations => &mut self.associations,
            Bucket::Events => &mut self.events,
            Bucket::Burst | Bucket::Free => &mut self.burst,
        }
    }

    /// Search and association answers come without the burst headers (recordings).
    fn headers(&self, bucket: Bucket, daily_applies: bool, taken: usize) -> Headers {
        let mut headers = Headers::new();
        if daily_applies {
            headers.push(("X-HubSpot-RateLimit-Daily", self.daily.to_string()));
            headers.push((
                "X-HubSpot-RateLimit-Daily-Remaining",
                self.daily.saturating_sub(self.all_used_today()).to_string(),
            ));
        }
        if bucket == Bucket::Burst {
            headers.push((
                "X-HubSpot-RateLimit-Interval-Milliseconds",
                "10000".to_owned(),
            ));
            headers.push(("X-HubSpot-RateLimit-Max", self.burst.limit.to_string()));
            headers.push((
                "X-HubSpot-RateLimit-Remaining",
                self.burst.remaining(taken).to_string(),
            ));
        }
        headers
    }

    fn refusal(&self, bucket: Bucket) -> Refusal {
        match bucket {
            Bucket::Search => search_limit(),
            Bucket::Events => search_limit().with("policyName", "SECONDLY"),
            Bucket::Burst | Bucket::Free => burst_limit(self.portal_id),
            // What an association 429 names is not published; the same policy over another group is the closest reading.
            Bucket::Associations => ten_secondly("publicapi:associations", self.portal_id),
        }
    }
}

/// The 429 of the general bucket.
pub(crate) fn burst_limit(portal_id: u64) -> Refusal {
    ten_secondly("publicapi:private_app-api-calls-ten-secondly", portal_id)
}

fn ten_secondly(group: &str, portal_id: u64) -> Refusal {
    Refusal::new(429, "You have reached your ten_secondly_rolling limit.")
        .with("errorType", "RATE_LIMIT")
        .with("policyName", "TEN_SECONDLY_ROLLING")
        .with("groupName", format!("{group}:1:{portal_id}"))
}

/// The 429 of the day.
pub(crate) fn daily_limit() -> Refusal {
    Refusal::new(429, "You have reached your daily limit.")
        .with("errorType", "RATE_LIMIT")
        .with("policyName", "DAILY")
        .with("requestId", json!("5ad3b4b2-0f3b-4f0c-9d5e-0f6c1d6b7a10"))
}

/// The 429 of the search limit.
pub(crate) fn search_limit() -> Refusal {
    Refusal::new(429, "You have reached your secondly limit.").with("category", "RATE_LIMITS")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bucket, Headers, Meters, Standing};
    use crate::settings::SimSettings;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn meters() -> Meters {
        Meters::new(&SimSettings {
            ten_seconds: 3,
            search_per_second: 1,
            daily: 9,
            ..SimSettings::default()
        })
    }

    fn allowed(meters: &mut Meters, bucket: Bucket, millis: u64) -> bool {
        meters.admit(bucket, at(millis), 0, true).refused.is_none()
    }

    fn refused(meters: &mut Meters, bucket: Bucket, millis: u64) -> (String, Headers) {
        let standing = meters.admit(bucket, at(millis), 0, true);
        (
            standing.refused.unwrap().message().to_owned(),
            standing.headers,
        )
    }

    #[test]
    fn one_call_too_many_gets_one_429_and_the_headers_say_where_it_stands() {
        let mut meters = meters();
        for remaining in ["2", "1", "0"] {
            let standing = meters.admit(Bucket::Burst, at(0), 0, true);
            assert_eq!(standing.refused, None);
            assert!(
                standing
                    .headers
                    .contains(&("X-HubSpot-RateLimit-Remaining", remaining.to_owned())),
                "{standing:?}"
            );
        }
        let (message, headers) = refused(&mut meters, Bucket::Burst, 9_999);
        assert_eq!(message, "You have reached your ten_secondly_rolling limit.");
        assert!(headers.contains(&("X-HubSpot-RateLimit-Max", "3".to_owned())));
        assert!(headers.contains(&("X-HubSpot-RateLimit-Daily-Remaining", "5".to_owned())));
        assert_eq!(meters.worst_ten_seconds(), 4);
        assert!(allowed(&mut meters, Bucket::Burst, 10_000));
    }

    #[test]
    fn a_window_has_no_fixed_start_and_refused_calls_fill_it_too() {
        let mut meters = meters();
        assert!(allowed(&mut meters, Bucket::Burst, 0));
        assert!(allowed(&mut meters, Bucket::Burst, 9_000));
        assert!(allowed(&mut meters, Bucket::Burst, 9_500));
        assert!(!allowed(&mut meters, Bucket::Burst, 9_900));
        assert!(
            !allowed(&mut meters, Bucket::Burst, 10_000),
            "9.0, 9.5 and the refused 9.9 still count"
        );
        assert!(allowed(&mut meters, Bucket::Burst, 19_900));
    }

    #[test]
    fn buckets_are_separate_and_the_day_counts_them_all() {
        let mut meters = meters();
        assert!(allowed(&mut meters, Bucket::Search, 0));
        let (message, headers) = refused(&mut meters, Bucket::Search, 10);
        assert_eq!(message, "You have reached your secondly limit.");
        assert_eq!(headers.len(), 2, "only the daily headers: {headers:?}");
        for _ in 0..3 {
            assert!(allowed(&mut meters, Bucket::Associations, 20));
            assert!(allowed(&mut meters, Bucket::Burst, 20));
        }
        assert!(allowed(&mut meters, Bucket::Associations, 30));
        let (message, _) = refused(&mut meters, Bucket::Associations, 40);
        assert_eq!(message, "You have reached your daily limit.");
        assert_eq!(
            meters.admit(Bucket::Associations, at(50), 0, false).refused,
            None,
            "no daily limit for this app"
        );
        assert_eq!(
            meters.admit(Bucket::Associations, at(60), 1, true).refused,
            None,
            "a new day"
        );
    }

    #[test]
    fn lifted_limits_still_count() {
        let mut meters = Meters::new(&SimSettings {
            ten_seconds: 1,
            limits_on: false,
            ..SimSettings::default()
        });
        for _ in 0..5 {
            assert_eq!(
                meters.admit(Bucket::Burst, at(0), 0, true),
                Standing::default()
            );
        }
        assert_eq!(meters.worst_ten_seconds(), 5);
    }
}
