//! Write locks: an object type that is written to too fast is closed for a while.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::answer::Refusal;
use crate::objects::ObjectType;
use crate::switches::Lock;

/// What was written lately, by object type.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    doors: HashMap<ObjectType, Door>,
}

#[derive(Debug, Default)]
struct Door {
    writes: VecDeque<Duration>,
    closed_until: Duration,
}

impl Locks {
    /// Counts one write call; the one too many closes the door for itself and all that follow.
    pub(crate) fn pass(
        &mut self,
        object: ObjectType,
        lock: Lock,
        now: Duration,
    ) -> Result<(), Refusal> {
        let door = self.doors.entry(object).or_default();
        if now < door.closed_until {
            return Err(locked());
        }
        let within = Duration::from_millis(lock.within_ms);
        while door
            .writes
            .front()
            .is_some_and(|first| *first + within <= now)
        {
            door.writes.pop_front();
        }
        door.writes.push_back(now);
        if door.writes.len() > lock.writes {
            door.writes.clear();
            door.closed_until = now + Duration::from_millis(lock.lasting_ms);
            return Err(locked());
        }
        Ok(())
    }
}

/// The 423. Its real body is not on record.
pub(crate) fn locked() -> Refusal {
    Refusal::new(
        423,
        "The object type is locked by other writes. Try again later.",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Locks;
    use crate::objects::ObjectType::{Companies, Contacts};
    use crate::switches::Lock;

    #[test]
    fn writes_that_come_too_fast_close_the_type_for_a_while() {
        let lock = Lock {
            writes: 2,
            within_ms: 100,
            lasting_ms: 2_000,
        };
        let mut locks = Locks::default();
        let mut passes = |object, at| locks.pass(object, lock, Duration::from_millis(at)).is_ok();
        assert!(passes(Contacts, 0) && passes(Contacts, 99) && passes(Contacts, 100));
        assert!(!passes(Contacts, 150), "the third within 100 ms");
        assert!(passes(Companies, 150), "another type");
        assert!(!passes(Contacts, 2_149));
        assert!(passes(Contacts, 2_150));
    }
}
