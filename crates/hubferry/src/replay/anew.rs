//! What became of a letter: a verdict for each mapping that was done again, and the letter anew when one failed.

use hubferry_stream::{DeadLetter, DoneMapping, FailedMapping, ReplayHistory};

use super::pick::Chosen;
use crate::clock::now_ms;
use crate::closing::{Closing, Failed};
use crate::scribe::{self, NO_MAPPING, Scribe};
use crate::tracker::Closed;

/// How a delivery of a letter ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    pub(super) mapping: String,
    /// It failed again, and stands in a letter of the same id.
    pub(super) failed: bool,
    /// The code of the failure, or the reason why nothing was to be done.
    pub(super) code: Option<String>,
}

/// A verdict for each mapping that was done again. A mapping whose trigger does not match any more needs nothing.
pub(super) fn verdicts(chosen: &Chosen, closed: &[Closed], ids: &[String]) -> Vec<Verdict> {
    let verdict = |mapping: &String| {
        let own = closed.iter().filter(|one| concerns(one, mapping, ids));
        let mut found = None;
        for one in own {
            let is_dead = matches!(one.closing, Closing::Dead(_));
            if is_dead || found.is_none() {
                found = Some(one);
            }
        }
        let reason = found.map_or("not_subscribed", |one| one.closing.reason());
        Verdict {
            mapping: mapping.clone(),
            failed: found.is_some_and(|one| matches!(one.closing, Closing::Dead(_))),
            code: (!reason.is_empty()).then(|| reason.to_owned()),
        }
    };
    chosen.mappings.iter().map(verdict).collect()
}

/// What reached no mapping concerns every mapping, and of an event that had reached none every mapping counts.
fn concerns(one: &Closed, mapping: &str, ids: &[String]) -> bool {
    one.mapping.is_none() || mapping == NO_MAPPING || scribe::name(one.mapping, ids) == mapping
}

/// The letter anew: what failed again and what was not tried is failed, what was delivered now is done. `None` when
/// nothing failed again.
pub(super) fn anew(
    chosen: &Chosen,
    closed: &[Closed],
    ids: &[String],
    scribe: &Scribe,
    run: &str,
) -> Option<DeadLetter> {
    let now = now_ms();
    let (mut failed, done, _) = scribe::lists(closed, ids, now);
    let first = closed.iter().find_map(|one| match &one.closing {
        Closing::Dead(failed) => Some((**failed).clone()),
        _ => None,
    })?;
    let old = &chosen.letter.letter;
    keep_failed(&mut failed, chosen);
    let mut letter = old.clone();
    letter.done.retain(|old| !names(&done, &old.mapping));
    letter.done.extend(done);
    letter.failed = failed;
    letter.attempts = old.attempts.saturating_add(first.attempts);
    letter.last_failed_ms = now;
    letter.blocked_by = None;
    letter.config_hash.clone_from(&scribe.config_hash);
    env!("CARGO_PKG_VERSION").clone_into(&mut letter.build);
    letter.worker.clone_from(&scribe.worker);
    letter.replay = Some(ReplayHistory {
        count: old
            .replay
            .as_ref()
            .map_or(0, |replay| replay.count)
            .saturating_add(1),
        last_id: run.to_owned(),
        last_ms: now,
    });
    Some(told(letter, first))
}

/// A mapping of which only the association is still missing is both done and failed; what failed stays as it was where it
/// was not tried.
fn keep_failed(failed: &mut Vec<FailedMapping>, chosen: &Chosen) {
    failed.extend(chosen.others.iter().cloned());
}

fn names(done: &[DoneMapping], mapping: &str) -> bool {
    done.iter().any(|one| one.mapping == mapping)
}

fn told(letter: DeadLetter, first: Failed) -> DeadLetter {
    DeadLetter {
        class: first.class.to_owned(),
        stage: first.stage.to_owned(),
        status: first.status,
        code: first.code.to_owned(),
        message: first.message,
        correlation_id: first.correlation_id,
        ..letter
    }
}
