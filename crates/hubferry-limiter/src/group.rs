//! Several limits at once: permits that satisfy them all, or none; and the order in which waiters are served.
//!
//! Work that may book ahead stands in one line: a refusal gives a place in it, which is the time to ask again. Newcomers
//! stand behind the line as long as it is longer than what may be booked ahead, unless so little is booked that somebody
//! in it must have gone.

use smallvec::SmallVec;

use crate::ask::Class;
use crate::bucket::{Bucket, Request, SECOND};

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Booked {
    /// One permit or more.
    Granted(SmallVec<[Grant; 1]>),
    /// Not now; asking before `again` is in vain.
    Refused { again: u64 },
}

/// A permit, good from `opens` to `closes`; with the slot of every limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) opens: u64,
    pub(crate) closes: u64,
    pub(crate) slots: SmallVec<[u64; 2]>,
}

/// A refusal is never an invitation to ask in a tight loop.
const LEAST_WAIT: u64 = 1_000;
/// Nobody is sent away for longer: what was expected may change.
const LONGEST_WAIT: u64 = 30 * SECOND;
/// When no slot will ever do at the present size of the limit, it is worth asking again after this long.
pub(crate) const HOPELESS: u64 = SECOND;
/// How long backfill waits when replay does.
const AFTER_REPLAY: u64 = SECOND / 2;

/// Books the earliest times at which all limits have room, not before `now + lead`.
pub(crate) fn book(
    buckets: &mut [Bucket],
    asked: &[usize],
    now: u64,
    lead: u64,
    request: &Request,
) -> Booked {
    for limit in asked {
        buckets[*limit].settle(now);
    }
    let starves = asked
        .iter()
        .any(|limit| buckets[*limit].starves(now, request.class));
    if request.class == Class::Backfill
        && !starves
        && asked.iter().any(|limit| buckets[*limit].replay_waits(now))
    {
        refused(buckets, asked, now, request);
        return Booked::Refused {
            again: now + AFTER_REPLAY,
        };
    }
    let horizons = asked.iter().map(|limit| buckets[*limit].rule.horizon);
    let ahead = match horizons.min() {
        Some(horizon) if !request.class.is_filler() || starves => horizon,
        _ => 0,
    };
    let latest = now + lead + ahead;
    let Some(at) = meet(buckets, asked, now, now + lead, latest, request) else {
        refused(buckets, asked, now, request);
        return Booked::Refused {
            again: now + HOPELESS,
        };
    };
    let line = end_of_line(buckets, asked, request.class);
    let is_behind = !request.in_turn && line > latest && at > now + lead + ahead / 2;
    if at > latest || is_behind {
        refused(buckets, asked, now, request);
        let place = stand(buckets, asked, now, at, line, request);
        // Who wants several comes when the last of them can be booked: one question for all.
        let intervals = asked.iter().map(|limit| buckets[*limit].interval(now));
        let all = (request.count - 1) * intervals.max().unwrap_or(0);
        let again = (place + all.min(ahead / 2)).saturating_sub(lead + ahead);
        return Booked::Refused {
            again: again.clamp(now + LEAST_WAIT, now + LONGEST_WAIT),
        };
    }
    let mut granted = SmallVec::new();
    granted.push(grant(buckets, asked, now, at, request));
    for _ in 1..request.count {
        match meet(buckets, asked, now, now + lead, latest, request) {
            Some(at) if at <= latest => granted.push(grant(buckets, asked, now, at, request)),
            _ => break,
        }
    }
    if !starves {
        for limit in asked {
            buckets[*limit].fed(request.class);
        }
    }
    Booked::Granted(granted)
}

fn grant(buckets: &mut [Bucket], asked: &[usize], now: u64, at: u64, request: &Request) -> Grant {
    let closes = asked.iter().map(|limit| buckets[*limit].closes(at)).min();
    Grant {
        opens: at,
        closes: closes.unwrap_or(at),
        slots: asked
            .iter()
            .map(|limit| buckets[*limit].book(now, at, request))
            .collect(),
    }
}

fn refused(buckets: &mut [Bucket], asked: &[usize], now: u64, request: &Request) {
    for limit in asked {
        buckets[*limit].refused(now, request.class);
    }
}

fn end_of_line(buckets: &[Bucket], asked: &[usize], class: Class) -> u64 {
    let Some(line) = class.line() else { return 0 };
    let ends = asked.iter().map(|limit| {
        let bucket = &buckets[*limit];
        bucket.line[line].max(bucket.turn[line])
    });
    ends.max().unwrap_or(0)
}

/// A place in line: its end for newcomers. Those whose turn has come in vain, because others before them took more than was
/// expected, keep their order at its head.
fn stand(
    buckets: &mut [Bucket],
    asked: &[usize],
    now: u64,
    at: u64,
    end: u64,
    request: &Request,
) -> u64 {
    let Some(line) = request.class.line() else {
        return at;
    };
    // What only fills comes back as soon as there may be room: it cannot book ahead, so there is nothing to be late for.
    if request.in_turn && request.class.is_filler() {
        return at;
    }
    let place = if request.in_turn {
        let turns = asked.iter().map(|limit| buckets[*limit].turn[line]);
        at.max(turns.max().unwrap_or(0))
    } else {
        at.max(end)
    };
    for limit in asked {
        let bucket = &mut buckets[*limit];
        let next = place + request.count * bucket.interval(now);
        if request.in_turn {
            bucket.turn[line] = next;
        } else {
            bucket.line[line] = next;
        }
    }
    place
}

/// The first time from `from` on at which every limit has room, or the first found beyond `latest`.
fn meet(
    buckets: &[Bucket],
    asked: &[usize],
    now: u64,
    from: u64,
    latest: u64,
    request: &Request,
) -> Option<u64> {
    let mut at = from;
    loop {
        let before = at;
        for limit in asked {
            at = buckets[*limit].earliest(now, at, request)?;
        }
        if at == before || at > latest {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests;
