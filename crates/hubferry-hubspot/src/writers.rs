//! How many calls may write to one object type at once: half as many after HubSpot has locked the type (423), one more after
//! as many successes as are allowed (hubspot-api.md §8.2). A plain state machine for whoever starts calls.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use hubferry_actions::ObjectType;
use tokio::time::Instant;

use crate::call::Endpoint;
use crate::outcome::{Answers, Cause, Outcome, Reply};

/// How long HubSpot's write locks last.
const LOCK: Duration = Duration::from_secs(2);

/// The writes of one portal by object type.
#[derive(Debug)]
pub struct WriteConcurrency {
    most: u32,
    types: HashMap<ObjectType, Writers>,
}

#[derive(Debug)]
struct Writers {
    in_flight: u32,
    allowed: u32,
    /// Successes since `allowed` changed last.
    successes: u32,
    locked_until: Option<Instant>,
}

impl WriteConcurrency {
    /// At most so many calls write to one type at once, and never fewer than one.
    #[must_use]
    pub fn new(most: NonZeroU32) -> Self {
        Self {
            most: most.get(),
            types: HashMap::new(),
        }
    }

    /// Whether a call may start now. Calls that write no records always may.
    #[must_use]
    pub fn may_start(&self, endpoint: &Endpoint, now: Instant) -> bool {
        self.writers(endpoint).is_none_or(|writers| {
            writers.in_flight < writers.allowed && writers.locked_until.is_none_or(|at| now >= at)
        })
    }

    /// When the type's lock ends, if it is locked.
    #[must_use]
    pub fn resumes_at(&self, endpoint: &Endpoint, now: Instant) -> Option<Instant> {
        self.writers(endpoint)?.locked_until.filter(|at| now < *at)
    }

    /// A call has started; its end must be told.
    pub fn started(&mut self, endpoint: &Endpoint) {
        let most = self.most;
        if let Some(object) = written_type(endpoint) {
            let writers = self.types.entry(object.clone());
            writers.or_insert_with(|| Writers::new(most)).in_flight += 1;
        }
    }

    /// A call has come back.
    pub fn ended(&mut self, endpoint: &Endpoint, reply: &Reply, now: Instant) {
        let most = self.most;
        let Some(writers) = written_type(endpoint).and_then(|object| self.types.get_mut(object))
        else {
            return;
        };
        if is_locked(reply) {
            writers.shrink(now);
        } else if reply
            .status
            .is_some_and(|status| (200..300).contains(&status))
        {
            writers.grow(most);
        }
        writers.in_flight = writers.in_flight.saturating_sub(1);
    }

    fn writers(&self, endpoint: &Endpoint) -> Option<&Writers> {
        self.types.get(written_type(endpoint)?)
    }
}

impl Writers {
    const fn new(allowed: u32) -> Self {
        Self {
            in_flight: 0,
            allowed,
            successes: 0,
            locked_until: None,
        }
    }

    /// Calls that were in flight together are locked out together: that counts once.
    fn shrink(&mut self, now: Instant) {
        if self.locked_until.is_none_or(|at| now >= at) {
            self.allowed = (self.in_flight.min(self.allowed) / 2).max(1);
            self.successes = 0;
        }
        self.locked_until = Some(now + LOCK);
    }

    fn grow(&mut self, most: u32) {
        self.successes += 1;
        if self.successes >= self.allowed {
            self.allowed = (self.allowed + 1).min(most);
            self.successes = 0;
        }
    }
}

const fn written_type(endpoint: &Endpoint) -> Option<&ObjectType> {
    match endpoint {
        Endpoint::Upsert(object) | Endpoint::Update(object) | Endpoint::Create(object) => {
            Some(object)
        }
        _ => None,
    }
}

fn is_locked(reply: &Reply) -> bool {
    let locked = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Transient {
                cause: Cause::Locked,
                ..
            }
        )
    };
    match &reply.answers {
        Answers::PerStep(steps) => steps.iter().any(|(_, outcome)| locked(outcome)),
        Answers::Refused(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Answers, Cause, Duration, Endpoint, Instant, Outcome, Reply, WriteConcurrency};
    use crate::call::StepId;
    use hubferry_actions::ObjectType;
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    fn reply(status: u16) -> Reply {
        let outcome = match status {
            423 => Outcome::Transient {
                cause: Cause::Locked,
                after: None,
            },
            _ => Outcome::Unaccounted,
        };
        Reply {
            answers: Answers::PerStep(vec![(StepId(1), outcome)]),
            window: None,
            daily: None,
            status: Some(status),
        }
    }

    fn contacts() -> Endpoint {
        Endpoint::Upsert(ObjectType::contacts())
    }

    fn writes(most: u32) -> WriteConcurrency {
        WriteConcurrency::new(NonZeroU32::new(most).unwrap())
    }

    /// Starts calls until no more may start.
    fn fill(writes: &mut WriteConcurrency, now: Instant) -> u32 {
        let mut started = 0;
        while writes.may_start(&contacts(), now) {
            writes.started(&contacts());
            started += 1;
        }
        started
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_halves_once_and_waits_and_successes_bring_it_back_one_by_one() {
        let now = Instant::now();
        let mut writes = writes(8);
        writes.started(&contacts());
        assert_eq!(fill(&mut writes, now), 7);
        // All eight meet the same lock.
        for _ in 0..8 {
            writes.ended(&contacts(), &reply(423), now);
        }
        assert_eq!(fill(&mut writes, now), 0);
        let later = now + Duration::from_secs(2);
        assert_eq!(writes.resumes_at(&contacts(), now), Some(later));
        assert_eq!(writes.resumes_at(&contacts(), later), None);
        assert_eq!(fill(&mut writes, later), 4);
        for _ in 0..4 {
            writes.ended(&contacts(), &reply(200), later);
        }
        assert_eq!(fill(&mut writes, later), 5);
        writes.ended(&contacts(), &reply(500), later);
        assert_eq!(fill(&mut writes, later), 1, "other trouble changes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn types_are_apart_and_reads_are_never_held() {
        let now = Instant::now();
        let mut writes = writes(2);
        writes.started(&contacts());
        writes.ended(&contacts(), &reply(423), now);
        let free = [
            Endpoint::Update(ObjectType::companies()),
            Endpoint::Read(ObjectType::contacts()),
            Endpoint::SendEvents,
        ];
        assert!(!writes.may_start(&contacts(), now));
        assert!(!writes.may_start(&Endpoint::Create(ObjectType::contacts()), now));
        assert!(free.iter().all(|endpoint| writes.may_start(endpoint, now)));
    }

    proptest! {
        #[test]
        fn at_least_one_and_at_most_the_most_may_write(
            most in 1_u32..9,
            ends in prop::collection::vec((prop::sample::select(vec![200, 423, 500]), 0_u64..4), 0..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).enable_time().build().unwrap();
            runtime.block_on(async {
                let mut now = Instant::now();
                let mut writes = writes(most);
                let mut in_flight = 0;
                for (status, seconds) in ends {
                    now += Duration::from_secs(seconds);
                    if in_flight == 0 && !writes.may_start(&contacts(), now) {
                        // Nothing in flight and nothing allowed: it is locked, and not for long.
                        let until = writes.resumes_at(&contacts(), now).unwrap();
                        assert!(until <= now + Duration::from_secs(2));
                        now = until;
                        assert!(writes.may_start(&contacts(), now));
                    }
                    if writes.types.is_empty() {
                        writes.started(&contacts());
                        in_flight += 1;
                    }
                    in_flight += fill(&mut writes, now);
                    assert!(in_flight <= most);
                    if in_flight > 0 {
                        writes.ended(&contacts(), &reply(status), now);
                        in_flight -= 1;
                    }
                }
            });
        }
    }
}
