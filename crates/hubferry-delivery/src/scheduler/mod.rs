//! The scheduler: deliveries in, calls out, one ending each. A plain state machine.
//!
//! Its parts, each in a file of its own:
//!
//! * `events`: an event runs when its lane lets it; its records go contacts first, then companies, then the rest, then its
//!   occurrences.
//! * `fitting`: values are made to fit the portal's schema before they are sent, and once more when HubSpot contradicts it.
//! * `records`: steps on one record form a chain, one on the wire at a time; waiting ones coalesce.
//! * `found`: which record a step is about, and whether it exists.
//! * `written`: a written record is remembered, and its deliveries go on.
//! * `wanted`: a record that an association waits for.
//! * `aliases`: two names that turn out to be of one record share a chain from then on.
//! * `verdicts`: a refused record step is repaired, trimmed, taken apart or ended.
//! * `follow`: what comes after a written record: its associations, then its list.
//! * `associations`: the person's contact is found, awaited or created, for a record to be tied to it.
//! * `targets`: the named records that associations go to are found or created, each once.
//! * `links`: two records are tied and untied, by one step per pair.
//! * `lists`: records join and leave lists.
//! * `occurrences`: occurrences of events, sent once their definition is known.
//! * `deletions`: a person's contact is taken away and forgotten.
//! * `facts`: what the portal's schema says, read once and shared by the fleet.
//! * `ensure`: what the schema lacks is made, once per fleet, while steps wait for it.
//! * `holds`: what cannot succeed until someone acts waits, and is probed.
//! * `withdraw`: what belongs to a partition that is let go is taken out.
//! * `calls`: a permit becomes the best call; answers become outcomes.
//! * `gather`: which steps go into one call.
//! * `requests`: what a call says.
//! * `whose`: whom a step works for.

mod aliases;
mod associations;
mod calls;
mod deletions;
mod ensure;
mod events;
mod facts;
mod fitting;
mod follow;
mod found;
mod gather;
mod holds;
mod links;
mod lists;
mod occurrences;
mod records;
mod requests;
mod step;
mod targets;
mod verdicts;
mod wanted;
mod whose;
mod withdraw;
mod written;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hubferry_actions::{
    DeletionStep, OccurrenceStep, Policy, Properties, RecordId, RecordRef, RecordStep,
};
use hubferry_event::EventTime;
use hubferry_hubspot::{Bucket, Call, StepId};
use hubferry_limiter::Class;
use hubferry_memory::{FactKey, Finding, Inquiry, LinkOrigin, MarkWrite};
use lru::LruCache;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::admission::{DeliveryId, MappingIndex};
use crate::ending::{Ended, Ending, Note};
use crate::isolate::Isolation;
use crate::lanes::{EventSlot, Lanes};
use crate::people::People;
use crate::queues::{Patience, Queues};
use crate::recent::Recent;
use crate::retry::RetryBudget;
use aliases::Aliases;
pub(crate) use calls::pause_of;
use ensure::Ensures;
use events::EventState;
use facts::Facts;
use fitting::Fitting;
use follow::Follow;
pub(crate) use holds::HoldView;
use holds::Holds;
use links::Links;
use lists::Members;
use records::Chain;
use step::{Step, StepKind};
use targets::Targets;

/// A delivery that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct DeliverySlot(pub(crate) usize);

/// Names one call on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CallId(pub u64);

/// A call that is ready to go.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its name, for [`Scheduler::settle`].
    pub id: CallId,
    /// What to ask.
    pub call: Call,
    /// What it is about to write, per step, when the fleet keeps marks.
    pub marks: Vec<(StepId, MarkWrite)>,
}

/// Names one round of questions to the fleet's memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RoundId(pub u64);

/// How the scheduler weighs and waits.
#[derive(Clone, Debug)]
pub struct SchedulerSettings {
    /// How long a ready step waits for its call to fill up.
    pub linger: Duration,
    /// The age at which a small batch is worth as much as a full one; also how long a confirmed value is known to stand.
    pub max_age: Duration,
    /// How many records this worker remembers having written.
    pub recent_records: NonZeroUsize,
    /// How many keys of people it remembers the contact of.
    pub known_people: NonZeroUsize,
    /// Whether the fleet keeps marks of what was written: then calls say what they are about to write, and when it happened.
    pub marks: bool,
    /// Whether values are made to fit the portal's schema before they are sent.
    pub schema: bool,
    /// Seed of the jitter.
    pub seed: u64,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        const RECENT: NonZeroUsize =
            NonZeroUsize::new(20_000).expect("twenty thousand is not zero");
        const PEOPLE: NonZeroUsize =
            NonZeroUsize::new(100_000).expect("a hundred thousand is not zero");
        Self {
            linger: Duration::from_millis(25),
            max_age: Duration::from_secs(2),
            recent_records: RECENT,
            known_people: PEOPLE,
            marks: false,
            schema: false,
            seed: 0,
        }
    }
}

/// One moment by both clocks: what is kept beyond this process is dated by the wall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WallClock {
    /// By the monotonic clock.
    pub at: Instant,
    /// By the wall clock, in milliseconds since the Unix epoch.
    pub ms: i64,
}

impl WallClock {
    fn ms_at(&self, now: Instant) -> i64 {
        let since =
            i64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        self.ms.saturating_add(since)
    }
}

/// The records whose id is known without their having been written here, and the pairs and list members changed lately.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(50_000).expect("fifty thousand is not zero");

/// While more events are waiting at the source, a batch that is not full may wait this many times the linger.
const BACKLOG_STRETCH: u32 = 10;

/// Order, coalescing, batches, retries and endings of one portal.
pub struct Scheduler {
    settings: SchedulerSettings,
    mappings: Vec<String>,
    clock: WallClock,
    patience: Patience,
    budget: RetryBudget,
    chance: StdRng,

    lanes: Lanes,
    events: FxHashMap<EventSlot, EventState>,
    deliveries: Slab<DeliveryNode>,
    arrivals: u64,

    steps: FxHashMap<StepId, Step>,
    next_step: u64,
    chains: FxHashMap<RecordRef, Chain>,
    /// Contact writes of events that wait for their turn: they join the next step on their record.
    early: FxHashMap<RecordRef, Vec<DeliverySlot>>,
    targets: Targets,
    links: Links,
    members: Members,
    ensures: Ensures,
    facts: Facts,
    holds: Holds,

    queues: Queues,
    isolation: Isolation,
    timers: BinaryHeap<Reverse<(Instant, StepId)>>,
    calls: FxHashMap<CallId, calls::OnWire>,
    next_call: u64,

    recent: Recent,
    /// Ids of records that were looked up or wanted.
    known: LruCache<RecordRef, RecordId>,
    aliases: Aliases,
    people: People,
    inquiries: Vec<(Asker, Inquiry)>,
    rounds: FxHashMap<RoundId, Vec<Asker>>,
    next_round: u64,

    todo: VecDeque<Todo>,
    ended: Vec<Ended>,
    counts: Counts,
}

/// What the scheduler has done so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) coalesced: u64,
    pub(crate) bisections: u64,
    pub(crate) unaccounted: u64,
    pub(crate) retries: u64,
    pub(crate) links_kept: u64,
    pub(crate) links_made: u64,
    /// Schema reads that the portal refused: its values go out as they are.
    pub(crate) schema_refused: u64,
    /// Values sent once more because two names turned out to be of one record.
    pub(crate) order_repairs: u64,
}

/// One delivery from admission to its ending.
struct DeliveryNode {
    id: DeliveryId,
    mapping: MappingIndex,
    event: EventSlot,
    time: EventTime,
    arrival: u64,
    rank: usize,
    policy: Arc<Policy>,
    /// What it asks.
    job: Job,
    /// What comes after its record.
    follow: Follow,
    /// How its values stand to the portal's schema.
    fitting: Fitting,
    /// The record it wrote.
    written: Option<RecordId>,
    /// Whether another delivery's step carried its values.
    merged: bool,
    /// Whether its record was there already and was left as it is.
    kept: bool,
    /// Whether a part of it stands in a step already.
    submitted: bool,
    /// Whether everything it wanted to write turned out to be older than what stands there.
    stale: bool,
    notes: Vec<Note>,
    /// Where its event came from.
    origin: Option<Arc<LinkOrigin>>,
}

/// What a delivery asks.
enum Job {
    /// A record; its properties move into the step when it is submitted.
    Record(Box<RecordStep>),
    /// An occurrence.
    Occurrence(Arc<OccurrenceStep>),
    /// The removal of a contact.
    Deletion(DeletionStep),
}

impl DeliveryNode {
    /// The record of a delivery that is known to write one.
    fn record(&self) -> &RecordStep {
        match &self.job {
            Job::Record(record) => record,
            Job::Occurrence(_) | Job::Deletion(_) => unreachable!("{RECORDS_ONLY}"),
        }
    }

    fn record_mut(&mut self) -> &mut RecordStep {
        match &mut self.job {
            Job::Record(record) => record,
            Job::Occurrence(_) | Job::Deletion(_) => unreachable!("{RECORDS_ONLY}"),
        }
    }

    /// What it writes: its values as they fit the schema, or as they came.
    fn values(&self) -> &Properties {
        match &self.fitting.values {
            Some(values) => values,
            None => &self.record().properties,
        }
    }

    fn take_values(&mut self) -> Properties {
        match self.fitting.values.take() {
            Some(values) => values,
            None => std::mem::take(&mut self.record_mut().properties),
        }
    }
}

/// Only deliveries of records stand in chains, parts and what follows a record.
const RECORDS_ONLY: &str = "a delivery without a record was taken for one with";

/// Who waits for an answer of the fleet's memory.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Asker {
    /// An association looks for its contact.
    Find(StepId),
    /// An association without a contact is kept.
    Keep(StepId),
    /// A written record is remembered; a contact's waiting links come back.
    Remember(StepId),
    /// A record step looks for the id of its record.
    Record(StepId),
    /// The other end of an association is looked for.
    Target(StepId),
    /// An association's contact, which HubSpot was asked for, is remembered; its waiting links come back.
    Introduced(StepId, RecordId),
    /// A deletion looks for its contact.
    Doomed(StepId),
    /// A deleted contact is forgotten.
    Forgotten(StepId),
    /// A piece of the schema is claimed.
    Ensure(ensure::EnsureId),
    /// A part of the schema is looked for.
    Fact(FactKey),
    /// Nobody: it only has to be known.
    Nobody,
}

/// What follows from what just happened; done one after the other, so that nothing recurses.
enum Todo {
    /// An event's turn has come.
    Start(EventSlot),
    /// A delivery's record step is due.
    Submit(DeliverySlot),
    /// A delivery's record is written, skipped or refused for good.
    RecordDone(DeliverySlot),
    /// A delivery has ended.
    End(DeliverySlot, Ending),
    /// A step reached the front of its chain, or came back.
    Ready(StepId),
}

impl Scheduler {
    /// A scheduler with nothing to do; `mappings` are the names (`DESTINATION/NAME`) that deliveries refer to by index.
    #[must_use]
    pub fn new(settings: SchedulerSettings, mappings: Vec<String>, clock: WallClock) -> Self {
        Self {
            mappings,
            clock,
            patience: Patience {
                linger: settings.linger,
                max_age: settings.max_age,
            },
            budget: RetryBudget::default(),
            chance: StdRng::seed_from_u64(settings.seed),
            lanes: Lanes::default(),
            events: FxHashMap::default(),
            deliveries: Slab::new(),
            arrivals: 0,
            steps: FxHashMap::default(),
            next_step: 0,
            chains: FxHashMap::default(),
            early: FxHashMap::default(),
            targets: Targets::default(),
            links: Links::default(),
            members: Members::default(),
            facts: Facts::default(),
            ensures: Ensures::default(),
            holds: Holds::default(),
            queues: Queues::default(),
            isolation: Isolation::default(),
            timers: BinaryHeap::new(),
            calls: FxHashMap::default(),
            next_call: 0,
            recent: Recent::new(settings.recent_records),
            known: LruCache::new(REMEMBERED),
            aliases: Aliases::default(),
            people: People::new(settings.known_people),
            inquiries: Vec::new(),
            rounds: FxHashMap::default(),
            next_round: 0,
            todo: VecDeque::new(),
            ended: Vec::new(),
            counts: Counts::default(),
            settings,
        }
    }

    /// Says whether more events are waiting at the source: then a batch may wait longer for company.
    pub fn set_backlog(&mut self, backlog: bool) {
        let linger = self.settings.linger;
        self.patience.linger = if backlog {
            linger
                .saturating_mul(BACKLOG_STRETCH)
                .min(self.settings.max_age)
        } else {
            linger
        };
    }

    /// Whether every delivery has ended and nothing is on the wire.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.deliveries.is_empty()
            && self.calls.is_empty()
            && self.rounds.is_empty()
            && self.inquiries.is_empty()
            && self.steps.is_empty()
    }

    /// How many calls are on the wire.
    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.calls.len()
    }

    /// How many steps are not done.
    #[must_use]
    pub fn open_steps(&self) -> usize {
        self.steps.len()
    }

    /// How many events are unfinished.
    #[must_use]
    pub fn open_events(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The deliveries that ended since the last call.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// When something becomes due by the clock alone: a linger, a retry, a probe. What is due already waits for a permit, not
    /// for the clock.
    #[must_use]
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let retry = self.timers.peek().map(|Reverse((at, _))| *at);
        let batch = if self.holds.portal_is_held() {
            None
        } else {
            self.queues.due_after(&self.patience, now)
        };
        [retry, self.holds.probe_at(), batch, self.ensures.retry_at()]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// Lets the clock have its say: retries whose time has come stand in line again.
    pub fn tick(&mut self, now: Instant) {
        while let Some(Reverse((at, step))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if self.steps.contains_key(&step) {
                self.todo.push_back(Todo::Ready(step));
            }
        }
        self.ensure_again(now);
        self.probe_held_mappings(now);
        self.settle_todo(now);
    }

    /// The class of permit that a call of this bucket is worth now; `None` when nothing is due.
    #[must_use]
    pub fn wants(&self, bucket: Bucket, now: Instant) -> Option<Class> {
        if !self.holds.portal_may_send(now) {
            return None;
        }
        if self.queues.best(bucket, &self.patience, now).is_some() {
            return Some(Class::Live);
        }
        let searching = self
            .isolation
            .waits(|queue| self.queues.bucket(queue) == bucket);
        searching.then_some(Class::Retry)
    }

    /// The questions that have come up for the fleet's memory, to be asked in one round.
    pub fn inquire(&mut self) -> Option<(RoundId, Vec<Inquiry>)> {
        if self.inquiries.is_empty() {
            return None;
        }
        self.next_round += 1;
        let round = RoundId(self.next_round);
        let (askers, inquiries): (Vec<Asker>, Vec<Inquiry>) =
            std::mem::take(&mut self.inquiries).into_iter().unzip();
        self.rounds.insert(round, askers);
        Some((round, inquiries))
    }

    /// Whether the memory has questions to answer, or is asked.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        !self.inquiries.is_empty() || !self.rounds.is_empty()
    }

    /// Gives up a round that will not be answered any more; what waits for it stays open.
    pub fn give_up(&mut self, round: RoundId) {
        self.rounds.remove(&round);
    }

    /// Takes the memory's answers, one per question, in order.
    pub fn learn(&mut self, round: RoundId, findings: Vec<Finding>, now: Instant) {
        for (asker, finding) in self
            .rounds
            .remove(&round)
            .unwrap_or_default()
            .into_iter()
            .zip(findings)
        {
            match asker {
                Asker::Find(step) => self.contact_found(step, finding, now),
                Asker::Keep(step) => self.link_kept(step, finding, now),
                Asker::Remember(step) => self.record_remembered(step, finding, now),
                Asker::Record(step) => self.record_looked_up(step, &finding, now),
                Asker::Target(step) => self.target_looked_up(step, &finding, now),
                Asker::Introduced(step, contact) => {
                    self.contact_introduced(step, contact, finding, now);
                }
                Asker::Doomed(step) => self.doomed_found(step, finding),
                Asker::Forgotten(step) => self.contact_forgotten(step),
                Asker::Fact(key) => self.fact_found(&key, finding, now),
                Asker::Ensure(id) => self.ensure_claimed(id, finding, now),
                Asker::Nobody => (),
            }
        }
        self.settle_todo(now);
    }

    fn ask(&mut self, asker: Asker, inquiry: Inquiry) {
        self.inquiries.push((asker, inquiry));
    }

    fn add_step(&mut self, kind: StepKind) -> StepId {
        self.next_step += 1;
        let id = StepId(self.next_step);
        self.steps.insert(id, Step::new(kind));
        id
    }

    /// Does everything that follows from what just happened.
    fn settle_todo(&mut self, now: Instant) {
        while let Some(todo) = self.todo.pop_front() {
            match todo {
                Todo::Start(event) => self.advance(event),
                Todo::Submit(delivery) => match self.deliveries.get(delivery.0).map(|d| &d.job) {
                    Some(Job::Record(_)) => self.submit(delivery, now),
                    Some(Job::Occurrence(_)) => self.submit_occurrence(delivery, now),
                    Some(Job::Deletion(_)) => self.submit_deletion(delivery),
                    None => (),
                },
                Todo::RecordDone(delivery) => self.record_done(delivery, now),
                Todo::End(delivery, ending) => self.end(delivery, ending),
                Todo::Ready(step) => self.make_ready(step, now),
            }
        }
    }
}

#[cfg(test)]
mod tests;
