//! Several limits at once: one permit that satisfies them all, or none.

use smallvec::SmallVec;

use crate::ask::Place;
use crate::bucket::{Bucket, Request};

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Booked {
    /// Good from `opens` to `closes`.
    Granted {
        opens: u64,
        closes: u64,
        places: SmallVec<[Place; 2]>,
    },
    /// Not now; asking before `again` is in vain.
    Refused { again: u64 },
}

/// A refusal is never an invitation to ask in a tight loop.
const LEAST_WAIT: u64 = 1_000;
/// When no slot will ever do at the present size of the limit, it is worth asking again after this long.
const HOPELESS: u64 = 1_000_000;

/// Books the earliest time at which all limits have room, not before `now + lead`.
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
    let horizon = asked
        .iter()
        .map(|limit| buckets[*limit].rule.horizon)
        .min()
        .unwrap_or(0);
    let ahead = if request.class.is_filler() {
        0
    } else {
        horizon
    };
    let latest = now + lead + ahead;
    let Some(opens) = meet(buckets, asked, now, now + lead, latest, request) else {
        return Booked::Refused {
            again: now + HOPELESS,
        };
    };
    if opens > latest {
        return Booked::Refused {
            again: opens.saturating_sub(lead + ahead).max(now + LEAST_WAIT),
        };
    }
    let closes = asked
        .iter()
        .map(|limit| buckets[*limit].closes(opens))
        .min();
    let places = asked
        .iter()
        .map(|limit| {
            let bucket = &mut buckets[*limit];
            let slot = bucket.book(opens, request);
            Place {
                limit: *limit,
                slot,
                epoch: bucket.epoch,
            }
        })
        .collect();
    Booked::Granted {
        opens,
        closes: closes.unwrap_or(opens),
        places,
    }
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
