use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::journal::RunState;
use crate::letter_read::tests::found;

/// The topic: offsets, keys and values; what compaction took away is gone.
#[derive(Default)]
struct Log {
    next: i64,
    records: BTreeMap<i64, (String, Option<Vec<u8>>)>,
}

impl Log {
    fn write(&mut self, entry: &Entry) -> i64 {
        self.push(entry.key(), Some(entry.value()))
    }

    fn push(&mut self, key: String, value: Option<Vec<u8>>) -> i64 {
        self.next += 1;
        self.records.insert(self.next, (key, value));
        self.next
    }

    fn state(&self) -> JournalState {
        let mut state = JournalState::default();
        for (offset, (key, value)) in &self.records {
            state.apply(*offset, key, value.as_deref()).unwrap();
        }
        state
    }

    /// Keeps the last record of each key, and of those none that takes its key back.
    fn compact(&mut self) {
        let last: BTreeMap<String, i64> = self
            .records
            .iter()
            .map(|(offset, (key, _))| (key.clone(), *offset))
            .collect();
        self.records
            .retain(|offset, (key, value)| last[key] == *offset && value.is_some());
    }
}

fn lease(run: &str, holder: &str, tenure: Option<i64>, until_ms: i64) -> Entry {
    Entry::Lease(Lease {
        run: run.to_owned(),
        holder: holder.to_owned(),
        tenure,
        until_ms,
    })
}

fn claim(run: &str, tenure: i64, letters: &[&str]) -> Entry {
    Entry::Claim(Claim {
        run: run.to_owned(),
        tenure,
        number: 0,
        letters: letters.iter().map(|letter| (*letter).to_owned()).collect(),
    })
}

fn result(letter: &str, mapping: &str, offset: i64, result: Ending) -> Entry {
    Entry::Result(DeliveryResult {
        letter: letter.to_owned(),
        mapping: mapping.to_owned(),
        offset,
        result,
        run: Some("r".to_owned()),
        at_ms: 0,
        code: None,
    })
}

#[test]
fn of_two_processes_the_first_holds_the_replay_as_long_as_it_lives() {
    let mut log = Log::default();
    let first = log.write(&lease("r", "w1", None, 100));
    let second = log.write(&lease("r", "w2", None, 120));
    assert_eq!(log.state().holder("r", 50), Some(("w1", first)));
    // An extension stands later in the log, and stays the same tenure, compacted or not.
    log.write(&lease("r", "w1", Some(first), 110));
    log.compact();
    assert_eq!(log.state().holder("r", 105), Some(("w1", first)));
    assert_eq!(log.state().holder("r", 110), Some(("w2", second)));
    // Come back after its time, the first one stands behind.
    let third = log.write(&lease("r", "w1", None, 200));
    assert_eq!(log.state().holder("r", 115), Some(("w2", second)));
    assert_eq!(log.state().holder("r", 130), Some(("w1", third)));
}

#[test]
fn overlapping_claims_go_to_the_first_and_pass_on_when_it_ends() {
    let mut log = Log::default();
    let first = log.write(&lease("r1", "w1", None, 100));
    let second = log.write(&lease("r2", "w2", None, 200));
    log.write(&claim("r1", first, &["a", "b"]));
    log.write(&claim("r2", second, &["b", "c"]));
    let owners = |log: &Log, now_ms| {
        let state = log.state();
        ["a", "b", "c"].map(|letter| state.claimed_by(letter, now_ms).unwrap_or("-").to_owned())
    };
    assert_eq!(owners(&log, 50), ["r1", "r1", "r2"]);
    log.compact();
    assert_eq!(owners(&log, 50), ["r1", "r1", "r2"]);
    assert_eq!(
        owners(&log, 100),
        ["-", "r2", "r2"],
        "the first one's time is over"
    );
    // The first replay goes on in a new process: its old claims say nothing, it must claim again.
    let third = log.write(&lease("r1", "w3", None, 300));
    assert_eq!(owners(&log, 150), ["-", "r2", "r2"]);
    log.write(&claim("r1", third, &["a", "b"]));
    assert_eq!(owners(&log, 150), ["r1", "r2", "r2"]);
    assert_eq!(
        log.state().stale_claims("r1", 150),
        [format!("claim/r1/{first}/0")]
    );
    for key in log.state().held("r2", "w2") {
        log.push(key, None);
    }
    assert_eq!(
        owners(&log, 150),
        ["r1", "r1", "-"],
        "what was given back is free at once"
    );
}

#[test]
fn a_delivery_is_open_until_it_is_resolved_or_discarded_and_again_when_it_fails_anew() {
    let mut log = Log::default();
    let letter = found(10);
    let id = letter.id();
    let open = |log: &Log, offset| log.state().is_open(&id, "acme/contacts", offset);
    assert!(open(&log, 10));
    log.write(&result(&id, "acme/contacts", 10, Ending::Failed));
    assert!(open(&log, 10));
    log.write(&result(&id, "acme/contacts", 10, Ending::Resolved));
    assert!(
        !open(&log, 10) && open(&log, 11),
        "a later letter of the same event is another failure"
    );
    let mut standing = Standing::default();
    log.state().count(&letter, &mut standing);
    log.state().count(&found(11), &mut standing);
    log.write(&result(&id, "acme/contacts", 11, Ending::Discarded));
    log.state().count(&found(11), &mut standing);
    assert_eq!(
        standing,
        Standing {
            open: 1,
            resolved: 1,
            discarded: 1
        }
    );
    assert!(log.state().open_in(&found(11)).is_empty());
    assert_eq!(log.state().open_in(&found(12)).len(), 1);
}

#[test]
fn plans_runs_and_audit_lines_are_kept() {
    let mut log = Log::default();
    let mut run = Run {
        id: "r".to_owned(),
        plan: None,
        selection: "class=input".to_owned(),
        state: RunState::Running,
        reason: None,
        at_ms: 1,
        by: "ann".to_owned(),
        planned: 2,
        resolved: 0,
        failed: 0,
    };
    log.write(&Entry::Run(run.clone()));
    run.state = RunState::Done;
    log.write(&Entry::Run(run.clone()));
    for at_ms in 0..1_005 {
        log.write(&Entry::Audit(Audit {
            at_ms,
            by: "ann".to_owned(),
            what: "run".to_owned(),
            id: "r".to_owned(),
            note: String::new(),
        }));
    }
    let state = log.state();
    assert_eq!(state.runs().collect::<Vec<_>>(), [&run]);
    assert_eq!(
        (state.audits().count(), state.audits().next().unwrap().at_ms),
        (1_000, 5)
    );
    log.push("run/r".to_owned(), None);
    assert_eq!(log.state().run("r"), None);
}

/// A replay as it is meant to use the journal, one step at a time; it may die between any two.
struct Process {
    run: &'static str,
    holder: String,
    wants: Vec<&'static str>,
    tenure: Option<i64>,
    claimed: bool,
    /// Sent to HubSpot, and not written down yet.
    sent: Option<&'static str>,
    done: bool,
}

const LEASE: i64 = 20;

impl Process {
    fn new(run: &'static str, life: usize, wants: &[&'static str]) -> Self {
        Self {
            run,
            holder: format!("{run}-{life}"),
            wants: wants.to_vec(),
            tenure: None,
            claimed: false,
            sent: None,
            done: false,
        }
    }

    fn step(&mut self, log: &mut Log, now: i64, sent: &mut Vec<(&'static str, &'static str)>) {
        let state = log.state();
        let mine = |tenure| state.holder(self.run, now) == Some((self.holder.as_str(), tenure));
        match self.tenure {
            None => {
                self.tenure = Some(log.write(&lease(self.run, &self.holder, None, now + LEASE)))
            }
            // Not the holder, or not any more: begin anew.
            Some(tenure) if !mine(tenure) => {
                for key in state.held(self.run, &self.holder) {
                    log.push(key, None);
                }
                (self.tenure, self.claimed, self.sent) = (None, false, None);
            }
            Some(tenure) if !self.claimed => {
                log.write(&claim(self.run, tenure, &self.wants));
                self.claimed = true;
            }
            Some(tenure) => {
                log.write(&lease(self.run, &self.holder, Some(tenure), now + LEASE));
                self.work(&state, log, now, sent);
            }
        }
    }

    fn work(
        &mut self,
        state: &JournalState,
        log: &mut Log,
        now: i64,
        sent: &mut Vec<(&'static str, &'static str)>,
    ) {
        if let Some(letter) = self.sent.take() {
            log.write(&result(letter, "m", 1, Ending::Resolved));
            return;
        }
        let open = |letter: &&&'static str| state.is_open(letter, "m", 1);
        let next = self
            .wants
            .iter()
            .filter(open)
            .find(|letter| state.claimed_by(letter, now) == Some(self.run));
        if let Some(letter) = next {
            sent.push((self.run, *letter));
            self.sent = Some(*letter);
        } else if !self.wants.iter().any(|letter| open(&letter)) {
            for key in state.held(self.run, &self.holder) {
                log.push(key, None);
            }
            self.done = true;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Step(usize),
    Die(usize),
    Compact,
    Wait(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => (0usize..2).prop_map(Act::Step),
        2 => (0usize..2).prop_map(Act::Die),
        2 => Just(Act::Compact),
        2 => (1i64..30).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Two replays with overlapping selections, killed and resumed at any step, with a journal that is compacted at any
    /// time: every delivery is resolved, and each is sent once, and once more for each death at most.
    #[test]
    fn every_delivery_is_done_and_repeated_only_by_deaths(acts in prop::collection::vec(act(), 0..150)) {
        let selections: [(&str, &[&str]); 2] = [("r1", &["a", "b", "c", "d"]), ("r2", &["c", "d", "e"])];
        let mut processes = selections.map(|(run, wants)| Process::new(run, 0, wants));
        let (mut log, mut now, mut sent, mut deaths) = (Log::default(), 0i64, Vec::new(), 0usize);
        // Whatever happened, both go on undisturbed in the end.
        let rest = (0..400).map(|at| Act::Step(at % 2));
        for act in acts.into_iter().chain(rest) {
            now += 1;
            match act {
                Act::Step(which) if !processes[which].done => {
                    processes[which].step(&mut log, now, &mut sent);
                }
                Act::Die(which) if !processes[which].done => {
                    deaths += 1;
                    let (run, wants) = selections[which];
                    processes[which] = Process::new(run, deaths, wants);
                }
                Act::Compact => log.compact(),
                // A process that was held up for so long may have lost what it holds: as good as dead.
                Act::Wait(steps) => {
                    deaths += usize::from(steps > LEASE / 2) * 2;
                    now += steps;
                }
                Act::Step(_) | Act::Die(_) => (),
            }
        }
        let state = log.state();
        for letter in ["a", "b", "c", "d", "e"] {
            prop_assert!(!state.is_open(letter, "m", 1), "{} was never done", letter);
        }
        prop_assert!(processes.iter().all(|process| process.done));
        let distinct: BTreeSet<_> = sent.iter().map(|(_, letter)| *letter).collect();
        prop_assert!(sent.len() - distinct.len() <= deaths, "{} repeated, {} deaths", sent.len() - distinct.len(), deaths);
    }
}
