//! How far a partition is behind, in messages and in time.

use std::collections::VecDeque;
use std::time::Duration;

/// How far a partition is behind at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Offsets between what is finished and the end of the partition; `None` until both are known. A partition of
    /// which everything was handed out and ended counts as caught up although markers of transactions follow: ten
    /// seconds after nothing more came.
    pub messages: Option<u64>,
    /// The age of the oldest message that is not finished, by its own time; zero when there is none.
    pub behind: Duration,
    /// Messages between the position to commit and the position to read, whether ended or not.
    pub span_messages: usize,
}

/// The times of a partition's messages, one for about each second of them: exact to that second, and small.
#[derive(Debug, Default)]
pub(crate) struct Times(VecDeque<(i64, i64)>);

/// Messages this close to the last one noted are not noted.
const STEP_MS: u64 = 1_000;

impl Times {
    /// A message, offsets ascending.
    pub(crate) fn note(&mut self, offset: i64, written_ms: i64) {
        let close = self
            .0
            .back()
            .is_some_and(|(_, last)| last.abs_diff(written_ms) < STEP_MS);
        if !close {
            self.0.push_back((offset, written_ms));
        }
    }

    /// Everything below this offset is finished: what is not needed to tell the time there is forgotten.
    pub(crate) fn pass(&mut self, watermark: i64) {
        while self
            .0
            .get(1)
            .is_some_and(|(offset, _)| *offset <= watermark)
        {
            self.0.pop_front();
        }
    }

    /// The time of the first message that is not finished, or of the last one when all are.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        self.0.front().map(|(_, written_ms)| *written_ms)
    }
}

/// The time between then and now; none when then is yet to come.
pub(crate) fn age(then_ms: i64, now_ms: i64) -> Duration {
    let ms = now_ms.saturating_sub(then_ms);
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_at_the_watermark_is_known_to_the_second() {
        let mut times = Times::default();
        assert_eq!(times.oldest_ms(), None);
        // Ten messages a second, and one that is an hour older.
        for offset in 0..100 {
            times.note(offset, offset * 100);
        }
        times.note(100, -3_600_000);
        assert_eq!(times.0.len(), 11);
        for (watermark, oldest_ms) in [
            (0, 0),
            (9, 0),
            (10, 1_000),
            (55, 5_000),
            (99, 9_000),
            (100, -3_600_000),
            (500, -3_600_000),
        ] {
            times.pass(watermark);
            assert_eq!(times.oldest_ms(), Some(oldest_ms), "at {watermark}");
        }
        assert_eq!(times.0.len(), 1);
    }

    #[test]
    fn a_message_of_the_future_has_no_age() {
        assert_eq!(age(5, 3_005), Duration::from_secs(3));
        assert_eq!(age(5, 4), Duration::ZERO);
        assert_eq!(
            age(i64::MIN, i64::MAX),
            Duration::from_millis(i64::MAX.unsigned_abs())
        );
    }
}
