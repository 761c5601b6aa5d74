//! The worker: one loop that owns all state between the source and the engines.
//!
//! Messages arrive and wait raw, within the source's bounds; they are mapped when the engines have room; endings come
//! back, dead letters are parked, and only then is a message settled. Nothing in the loop waits for anything else in
//! it: sending to an engine happens only where there is room, parking happens in tasks of their own, and endings are
//! always taken, so there is no circle of waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_all;
use hubferry_delivery::{
    Admission, Backlog, Delivery, DeliveryId, Ended, Instruction, MappingIndex,
};
use hubferry_memory::{LinkOrigin, Memory};
use hubferry_stream::{
    DeadLetters, Intake as Arrival, Lag, Message, Misrouted, Partition, Place, Rebalances,
    Revocation, Source, StreamError, Ticket, Topic,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::brake::BrakeSettings;
use crate::clock::now_ms;
use crate::closing::{Closing, closing_of};
use crate::exit::Failure;
use crate::holds::Holds;
use crate::intake::{self, Intake, Read, associates};
use crate::metrics::Distributions;
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::tally::Tally;
use crate::tracker::{Due, ElementKey, MessageKey, Tracker};

mod asked;
mod braking;
mod repeats;

pub(crate) use asked::Question;

use braking::{Braking, Judgement};
use repeats::{Answer, Repeats};

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) source: Source,
    pub(crate) letters: Arc<DeadLetters>,
    pub(crate) intake: Intake,
    pub(crate) scribe: Scribe,
    /// One per enabled destination, in the order of the intake's portals.
    pub(crate) engines: Vec<mpsc::Sender<Instruction>>,
    /// What the fleet remembers of each portal, in the same order.
    pub(crate) memories: Vec<Arc<Memory>>,
    /// How long a delivery that ended is remembered.
    pub(crate) dedupe: Option<Duration>,
    /// When a mapping is held because too much of it dies; `None` for a source that has to end.
    pub(crate) brake: Option<BrakeSettings>,
    /// Tells the engines whether more is coming.
    pub(crate) backlog: Backlog,
    pub(crate) endings: mpsc::Receiver<Vec<Ended>>,
    /// The engines' tasks; they end when their channel closes or `stop` is cancelled.
    pub(crate) tasks: JoinSet<()>,
    pub(crate) holds: Holds,
    pub(crate) on_hold: OnHold,
    /// The source counts as finished after this many events; for a source that has no end.
    pub(crate) finish_after: Option<u64>,
    /// Deliveries that the engines may hold at once.
    pub(crate) open_deliveries: usize,
    /// Tells the engines to start nothing new.
    pub(crate) stop: CancellationToken,
    pub(crate) signals: Signals,
    pub(crate) drain: Duration,
    pub(crate) board: watch::Sender<Board>,
    pub(crate) distributions: Distributions,
    pub(crate) questions: mpsc::Receiver<Question>,
}

/// What a hold of a portal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnHold {
    /// A worker waits with its offsets where they are.
    Wait,
    /// A run over a file ends.
    End,
}

/// What the worker shows to those who only look: admin endpoint, metrics, progress.
#[derive(Clone, Default, Debug)]
pub(crate) struct Board {
    /// Whether messages are taken in.
    pub(crate) ready: bool,
    /// The sums.
    pub(crate) tally: Tally,
    /// Messages taken in and not settled.
    pub(crate) open_messages: usize,
    /// Bytes of them.
    pub(crate) open_bytes: usize,
    /// Events read, by partition.
    pub(crate) consumed: BTreeMap<(Topic, Partition), u64>,
    /// Mappings that are held because too much of them would become dead letters.
    pub(crate) braked: Vec<MappingIndex>,
    /// Messages between the committed and the read position, by assigned partition.
    pub(crate) spans: BTreeMap<(Topic, Partition), usize>,
    /// How far each assigned partition is behind.
    pub(crate) lags: BTreeMap<(Topic, Partition), Lag>,
    /// Assigned partitions from which nothing is taken, by reason.
    pub(crate) paused: BTreeMap<&'static str, usize>,
    /// How often partitions changed hands.
    pub(crate) rebalances: Rebalances,
    /// Messages that ended after their partition had been given away.
    pub(crate) stale: u64,
    /// Identities that came from two partitions of a topic.
    pub(crate) misrouted: u64,
    /// Dead letters that were not taken.
    pub(crate) park_failures: u64,
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Whether everything that was read has ended.
    pub(crate) complete: bool,
}

/// Plans that wait for an engine. Beyond this many admissions messages wait raw, which is a fraction of the memory.
const PENDING_ADMISSIONS: usize = 1_024;

/// Dead letters on their way to the broker; beyond this many nothing new is mapped.
const PARKING: usize = 256;

/// Messages mapped in one turn, so that endings and signals are never far away.
const MAPPED_A_TURN: usize = 128;

/// Messages taken from the source in one turn.
const TAKEN_A_TURN: usize = 512;

/// How often the board is rewritten.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// Where a message came from, and the duty to end it.
struct Origin {
    message: Message,
    ticket: Ticket,
}

/// An engine's door, and what waits in front of it.
struct Door {
    admissions: Option<mpsc::Sender<Instruction>>,
    waiting: VecDeque<(MessageKey, Admission)>,
    /// What the fleet's memory is to be asked about before it waits for the engine.
    unasked: VecDeque<(MessageKey, Admission)>,
    /// What it is being asked about.
    asking: VecDeque<(MessageKey, Admission)>,
    /// Whether an answer is owed.
    asked: bool,
    /// Deliveries the engine is to let go of, before anything else is admitted.
    withdrawals: Vec<DeliveryId>,
}

/// Partitions that are being given back.
struct LettingGo {
    revocation: Revocation,
    /// Deliveries of theirs that have not come back.
    open: Vec<DeliveryId>,
}

/// Why the loop is on its way out.
#[derive(Debug)]
enum Leaving {
    /// The file was read to its end: everything else goes on until all has ended.
    AtEnd,
    /// Someone asked, or something failed: nothing new starts.
    Stopping {
        until: Instant,
        why: Option<Failure>,
    },
}

struct Worker {
    source: Source,
    letters: Arc<DeadLetters>,
    intake: Intake,
    scribe: Scribe,
    tracker: Tracker<Origin>,
    arrived: VecDeque<Origin>,
    doors: Vec<Door>,
    backlog: Backlog,
    repeats: Repeats,
    braking: Braking,
    parks: JoinSet<(ElementKey, Result<(), StreamError>)>,
    revoking: Vec<LettingGo>,
    leaving: Option<Leaving>,
    holds: Holds,
    on_hold: OnHold,
    finish_after: Option<u64>,
    open_deliveries: usize,
    stop: CancellationToken,
    drain: Duration,
    board: watch::Sender<Board>,
    distributions: Distributions,
    misrouted: Misrouted,
    park_failures: u64,
    assigned: BTreeSet<(Topic, Partition)>,
    consumed: BTreeMap<(Topic, Partition), u64>,
}

/// Everything that can happen to a worker.
enum Happened {
    Ended(Option<Vec<Ended>>),
    Parked(ElementKey, Result<(), StreamError>),
    RepeatsKnown(Answer),
    Arrived(Result<Arrival, StreamError>),
    Room,
    Mappable,
    Signal,
    EngineLeft(Result<(), tokio::task::JoinError>),
    Asked(Question),
    Tick,
}

/// Works until the source is finished, a signal comes, or something fails.
///
/// # Errors
///
/// Whatever made it stop, when it was not a signal.
pub(crate) async fn work(parts: Parts) -> Result<Outcome, Failure> {
    let Parts {
        source,
        letters,
        intake,
        scribe,
        engines,
        memories,
        dedupe,
        brake,
        backlog,
        mut endings,
        mut tasks,
        holds,
        on_hold,
        finish_after,
        open_deliveries,
        stop,
        mut signals,
        drain,
        board,
        distributions,
        mut questions,
    } = parts;
    let braking = Braking::new(brake, intake.mapping_ids().len());
    let mut worker = Worker {
        source,
        letters,
        intake,
        scribe,
        tracker: Tracker::default(),
        arrived: VecDeque::new(),
        doors: engines.into_iter().map(Door::new).collect(),
        backlog,
        repeats: Repeats::new(dedupe, memories),
        braking,
        parks: JoinSet::new(),
        revoking: Vec::new(),
        leaving: None,
        holds,
        on_hold,
        finish_after,
        open_deliveries,
        stop,
        drain,
        board,
        distributions,
        misrouted: Misrouted::default(),
        park_failures: 0,
        assigned: BTreeSet::new(),
        consumed: BTreeMap::new(),
    };
    let mut tick = tokio::time::interval(PUBLISH_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    worker.publish();
    let mut engines_left = false;
    while !worker.is_done(engines_left) {
        // Losing the other branches is harmless: `recv`, `join_next`, `Source::next` and `Signals::next` lose nothing
        // when dropped, and a wait for room only waits.
        let happened = tokio::select! {
            biased;
            () = signals.next() => Happened::Signal,
            // Before whatever may be ready all the time, so that a busy worker still looks up.
            _ = tick.tick() => Happened::Tick,
            ended = endings.recv(), if !engines_left => Happened::Ended(ended),
            Some(parked) = worker.parks.join_next() => parked_of(parked)?,
            Some(answer) = worker.repeats.answer() => Happened::RepeatsKnown(answer),
            Some(left) = tasks.join_next() => Happened::EngineLeft(left),
            Some(question) = questions.recv() => Happened::Asked(question),
            () = room(&worker.doors) => Happened::Room,
            arrived = worker.source.next() => Happened::Arrived(arrived),
            () = std::future::ready(()), if worker.can_map() => Happened::Mappable,
        };
        match happened {
            Happened::Ended(Some(ended)) => worker.ended(ended),
            Happened::Ended(None) => engines_left = true,
            Happened::Parked(element, result) => worker.parked(element, result),
            Happened::RepeatsKnown(answer) => worker.repeats_known(answer),
            Happened::Arrived(Ok(arrival)) => worker.arrived(arrival),
            Happened::Arrived(Err(error)) => worker.fail(Failure::Outside(error.to_string())),
            Happened::Room => worker.admit(),
            Happened::Mappable => worker.map_some(),
            Happened::Signal => worker.signal(),
            Happened::EngineLeft(left) => worker.engine_left(left),
            Happened::Asked(question) => worker.answer(question),
            Happened::Tick => worker.tick(),
        }
        worker.answer_revocations();
        if worker.leaving_is_over() {
            break;
        }
    }
    worker.close(tasks, endings).await
}

fn parked_of(
    joined: Result<(ElementKey, Result<(), StreamError>), tokio::task::JoinError>,
) -> Result<Happened, Failure> {
    joined
        .map(|(element, result)| Happened::Parked(element, result))
        .map_err(|error| Failure::Bug(format!("parking a dead letter: {error}")))
}

/// Waits until an engine with something in front of its door has room; for ever when there is none.
async fn room(doors: &[Door]) {
    let waits: Vec<_> = doors
        .iter()
        .filter(|door| door.has_something())
        .filter_map(|door| door.admissions.as_ref())
        // An error means that the engine is gone; its task says why.
        .map(|admissions| Box::pin(admissions.reserve()))
        .collect();
    if waits.is_empty() {
        std::future::pending::<()>().await;
    }
    let (reserved, _, _) = select_all(waits).await;
    if reserved.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Door {
    fn new(admissions: mpsc::Sender<Instruction>) -> Self {
        Self {
            admissions: Some(admissions),
            waiting: VecDeque::new(),
            unasked: VecDeque::new(),
            asking: VecDeque::new(),
            asked: false,
            withdrawals: Vec::new(),
        }
    }

    /// Everything in front of the engine, in the order in which it came.
    fn queues(&mut self) -> [&mut VecDeque<(MessageKey, Admission)>; 3] {
        [&mut self.waiting, &mut self.asking, &mut self.unasked]
    }

    fn admissions(&self) -> usize {
        self.waiting.len() + self.asking.len() + self.unasked.len()
    }

    fn has_something(&self) -> bool {
        !self.waiting.is_empty() || !self.withdrawals.is_empty()
    }
}

impl Worker {
    // What arrives.

    fn arrived(&mut self, first: Arrival) {
        self.take(first);
        for _ in 0..TAKEN_A_TURN {
            // A source that has more at hand gives it without waiting; dropping the future loses nothing.
            match self.source.next().now_or_never() {
                Some(Ok(arrival)) => self.take(arrival),
                Some(Err(error)) => return self.fail(Failure::Outside(error.to_string())),
                None => break,
            }
        }
        self.map_some();
    }

    fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Arrived(message, ticket) => {
                // A dropped ticket leaves its offset open: a stopping worker takes on nothing new.
                if !self.is_stopping() {
                    self.arrived.push_back(Origin { message, ticket });
                }
            }
            Arrival::Assigned(partitions) => {
                tracing::info!(partitions = partitions.len(), "partitions assigned");
                self.assigned.extend(partitions);
            }
            Arrival::Revoking(revocation) => {
                tracing::info!(
                    partitions = revocation.partitions().len(),
                    "partitions revoked"
                );
                self.let_go(revocation);
            }
            Arrival::Lost(partitions) => {
                tracing::warn!(partitions = partitions.len(), "partitions lost");
                self.forget(&partitions);
                drop(self.tracker.abandon(|origin| is_of(origin, &partitions)));
                self.unassign(&partitions);
            }
            Arrival::Quiet => {}
            Arrival::Finished => {
                self.leaving.get_or_insert(Leaving::AtEnd);
            }
        }
    }

    /// What no engine has seen of these partitions is dropped: it is read again by whoever gets them.
    fn forget(&mut self, partitions: &[(Topic, Partition)]) {
        self.arrived.retain(|origin| !is_of(origin, partitions));
        let mut dues = Vec::new();
        for queue in self.doors.iter_mut().flat_map(Door::queues) {
            let mut kept = VecDeque::with_capacity(queue.len());
            for (key, admission) in queue.drain(..) {
                let revoked = self
                    .tracker
                    .context(key)
                    .is_none_or(|origin| is_of(origin, partitions));
                if !revoked {
                    kept.push_back((key, admission));
                    continue;
                }
                for delivery in admission.deliveries {
                    self.repeats.withdrawn(delivery.id);
                    drop(self.tracker.withdraw(delivery.id, &mut dues));
                }
            }
            *queue = kept;
        }
        let tracker = &self.tracker;
        let revoked = self.braking.forget(|delivery| {
            let origin = tracker.origin_of(delivery);
            origin.is_none_or(|(_, _, origin)| is_of(origin, partitions))
        });
        for delivery in revoked {
            self.repeats.withdrawn(delivery);
            drop(self.tracker.withdraw(delivery, &mut dues));
        }
        self.settle(dues);
    }

    /// Sends nothing more for partitions that are revoked; what is on the wire comes back first.
    fn let_go(&mut self, revocation: Revocation) {
        let partitions = revocation.partitions().to_vec();
        self.forget(&partitions);
        let open = self
            .tracker
            .deliveries_of(|origin| is_of(origin, &partitions));
        if !open.is_empty() {
            for door in &mut self.doors {
                door.withdrawals.extend_from_slice(&open);
            }
        }
        self.revoking.push(LettingGo { revocation, open });
        self.admit();
    }

    fn answer_revocations(&mut self) {
        let mut index = 0;
        while index < self.revoking.len() {
            let LettingGo { revocation, open } = &mut self.revoking[index];
            let partitions = revocation.partitions().to_vec();
            let late = Instant::now() >= revocation.deadline();
            open.retain(|delivery| self.tracker.is_open(*delivery));
            let owes =
                !open.is_empty() || self.tracker.any_open(|origin| is_of(origin, &partitions));
            if !late && owes {
                index += 1;
                continue;
            }
            let given_up = self.tracker.abandon(|origin| is_of(origin, &partitions));
            if !given_up.is_empty() {
                tracing::warn!(
                    messages = given_up.len(),
                    "messages of revoked partitions had not ended in time: they are read again by their new owner"
                );
            }
            self.unassign(&partitions);
            let letting_go = self.revoking.swap_remove(index);
            self.source.revoked(letting_go.revocation);
        }
    }

    fn unassign(&mut self, partitions: &[(Topic, Partition)]) {
        for partition in partitions {
            self.assigned.remove(partition);
        }
    }

    // From messages to admissions.

    fn can_map(&self) -> bool {
        let waiting: usize = self.doors.iter().map(Door::admissions).sum();
        !self.arrived.is_empty()
            && waiting < PENDING_ADMISSIONS
            && self.tracker.open_deliveries() < self.open_deliveries
            && self.parks.len() < PARKING
            && !self.is_stopping()
    }

    fn map_some(&mut self) {
        for _ in 0..MAPPED_A_TURN {
            if !self.can_map() {
                break;
            }
            let Some(origin) = self.arrived.pop_front() else {
                break;
            };
            self.map(origin);
        }
        self.ask_about_repeats();
        self.admit();
    }

    fn map(&mut self, origin: Origin) {
        let body = origin.message.body.as_deref();
        let from = intake::Source {
            place: &place_of(&origin.message.at),
            written_ms: origin.message.written_ms,
        };
        let reads = self.intake.read(body, &from);
        let mut dues = Vec::new();
        self.count_consumed(&origin.message.at, reads.len());
        let message = self.tracker.open(origin);
        for read in reads {
            self.open_element(message, read, &mut dues);
        }
        self.tracker.seal(message, &mut dues);
        self.settle(dues);
    }

    fn count_consumed(&mut self, at: &Place, events: usize) {
        let key = (at.topic.clone(), at.partition);
        *self.consumed.entry(key).or_default() += events as u64;
    }

    /// Notices an identity whose events do not all stand in one partition.
    fn see_identity(&mut self, message: MessageKey, read: &Read) {
        let (Some(identity), Some(origin)) = (read.keys.first(), self.tracker.context(message))
        else {
            return;
        };
        let at = &origin.message.at;
        let identity = identity.expose();
        if self.misrouted.see(&at.topic, at.partition, identity) && self.misrouted.identities() == 1
        {
            tracing::warn!(
                topic = at.topic.as_str(),
                "an identity comes from two partitions: its order cannot be kept; key the topic with `hubferry route`"
            );
        }
    }

    fn open_element(&mut self, message: MessageKey, read: Read, dues: &mut Vec<Due<Origin>>) {
        let origin = self.link_origin(message, &read);
        self.see_identity(message, &read);
        let element = self.tracker.element(message, read.position, read.body);
        self.tracker.dropped_invalid(read.dropped);
        for (mapping, closing) in read.closed {
            self.close_at_once(element, mapping, closing);
        }
        let mut seen = read.seen.into_iter();
        for (portal, plans) in read.planned {
            let mut deliveries: Vec<Delivery> = plans
                .into_iter()
                .map(|(mapping, plan)| Delivery {
                    id: self.tracker.delivery(element, mapping),
                    mapping,
                    plan,
                })
                .collect();
            for (delivery, key) in deliveries.iter().zip(seen.by_ref()) {
                self.repeats.opened(delivery.id, portal.0, key);
            }
            self.hold_back(&mut deliveries);
            if deliveries.is_empty() {
                continue;
            }
            let admission = Admission {
                keys: read.keys.clone(),
                deliveries,
                origin: origin.clone(),
            };
            self.line_up(portal.0, message, admission);
        }
        self.tracker.seal_element(element, dues);
    }

    /// Ends a delivery that reached no engine, or keeps it when its mapping is braked.
    fn close_at_once(
        &mut self,
        element: ElementKey,
        mapping: Option<MappingIndex>,
        closing: Closing,
    ) {
        let judged = mapping.map(|index| (index, self.braking.counts(index, None, &closing)));
        let Some((index, judgement)) = judged else {
            return self.tracker.at_once(element, mapping, closing);
        };
        match judgement {
            Judgement::Ends | Judgement::Releases => {
                self.tracker.at_once(element, mapping, closing);
            }
            Judgement::Brakes | Judgement::Kept | Judgement::KeptInFront => {
                if judgement == Judgement::Brakes {
                    self.tell_braked(index, &closing);
                }
                let delivery = self.tracker.delivery(element, index);
                self.braking.keep(index, delivery);
            }
        }
    }

    /// Where a link that has to wait came from; only events that associate need it.
    fn link_origin(&self, message: MessageKey, read: &Read) -> Option<Arc<LinkOrigin>> {
        let associates = read
            .planned
            .iter()
            .flat_map(|(_, plans)| plans)
            .any(|(_, plan)| associates(plan));
        if !associates {
            return None;
        }
        let at = &self.tracker.context(message)?.message.at;
        Some(Arc::new(LinkOrigin {
            topic: at.topic.as_str().to_owned(),
            partition: at.partition.get(),
            offset: at.offset.get(),
            element: read.position,
            message_id: read.message_id.clone(),
        }))
    }

    /// Hands to the engines what they have room for.
    fn admit(&mut self) {
        self.backlog.set(!self.arrived.is_empty());
        for door in &mut self.doors {
            let Some(admissions) = &door.admissions else {
                continue;
            };
            if !door.withdrawals.is_empty() {
                let withdrawals = std::mem::take(&mut door.withdrawals);
                if let Err(refused) = admissions.try_send(Instruction::Withdraw(withdrawals))
                    && let Instruction::Withdraw(withdrawals) = refused.into_inner()
                {
                    door.withdrawals = withdrawals;
                }
            }
            while let Some((key, admission)) = door.waiting.pop_front() {
                // Nothing overtakes a withdrawal: it is about what was admitted before.
                if !door.withdrawals.is_empty() {
                    door.waiting.push_front((key, admission));
                    break;
                }
                if let Err(refused) = admissions.try_send(Instruction::Admit(admission)) {
                    if let Instruction::Admit(admission) = refused.into_inner() {
                        door.waiting.push_front((key, admission));
                    }
                    break;
                }
            }
        }
    }

    // What ends.

    fn ended(&mut self, ended: Vec<Ended>) {
        let mut dues = Vec::new();
        let now = now_ms();
        for one in ended {
            let Some((closing, notes)) = closing_of(one.ending) else {
                self.repeats.withdrawn(one.delivery);
                self.braking.withdrawn(one.delivery);
                drop(self.tracker.withdraw(one.delivery, &mut dues));
                continue;
            };
            if let Some((mapping, origin)) = self.tracker.source_of(one.delivery) {
                let written = origin.message.written_ms;
                self.distributions
                    .ended(mapping, now.saturating_sub(written));
            }
            let mapping = self.tracker.mapping_of(one.delivery);
            self.tracker.note(mapping, &notes);
            self.end_or_keep(one.delivery, closing, one.record, &mut dues);
        }
        self.settle(dues);
    }

    fn parked(&mut self, element: ElementKey, result: Result<(), StreamError>) {
        match result {
            Ok(()) => {
                let mut dues = Vec::new();
                self.tracker.parked(element, &mut dues);
                self.settle(dues);
            }
            // Its message stays unsettled: the offset is not committed, and it is read again.
            Err(error) => {
                self.park_failures += 1;
                self.fail(Failure::Outside(error.to_string()));
            }
        }
    }

    fn settle(&mut self, dues: Vec<Due<Origin>>) {
        for due in dues {
            match due {
                Due::Settle(origin) => self.source.settle(origin.ticket),
                Due::Park(element) => self.park(element),
            }
        }
    }

    fn park(&mut self, element: ElementKey) {
        let Some(facts) = self.tracker.facts(element) else {
            return;
        };
        let letter = self.scribe.letter(
            &facts.context.message,
            facts.position,
            facts.body,
            facts.closed,
            self.intake.mapping_ids(),
        );
        let letters = Arc::clone(&self.letters);
        self.parks
            .spawn(async move { (element, letters.park(letter).await) });
    }

    // What makes it stop.

    /// Looks after what nobody announces: holds, and the board.
    fn tick(&mut self) {
        for line in self.holds.begun() {
            match self.on_hold {
                OnHold::Wait => tracing::warn!("{line}"),
                OnHold::End => self.fail(Failure::Outside(line)),
            }
        }
        let events = self.tracker.tally().events;
        if self.leaving.is_none() && self.finish_after.is_some_and(|last| events >= last) {
            self.leaving = Some(Leaving::AtEnd);
        }
        self.repeats.keep();
        self.distributions.look();
        for took in self.source.take_drains() {
            self.distributions.drained(took);
        }
        if !self.is_stopping() {
            self.probe_braked();
        }
        self.publish();
    }

    fn signal(&mut self) {
        match &mut self.leaving {
            Some(Leaving::Stopping { until, .. }) => {
                tracing::warn!("second signal: not waiting any longer");
                *until = Instant::now();
            }
            _ => {
                tracing::info!(
                    "stopping: calls on the wire come back, then positions are committed"
                );
                self.stop_all(None);
            }
        }
    }

    fn engine_left(&mut self, left: Result<(), tokio::task::JoinError>) {
        if let Err(error) = left {
            self.fail(Failure::Bug(format!("an engine ended: {error}")));
        } else if self.doors.iter().any(|door| door.admissions.is_some()) && !self.is_stopping() {
            self.fail(Failure::Bug("an engine ended early".to_owned()));
        }
    }

    fn fail(&mut self, why: Failure) {
        if !self.is_stopping() {
            self.stop_all(Some(why));
        }
    }

    fn stop_all(&mut self, why: Option<Failure>) {
        self.source.stop_intake();
        self.stop.cancel();
        self.arrived.clear();
        let mut dues = Vec::new();
        for door in &mut self.doors {
            door.admissions = None;
            for (_, admission) in door.queues().into_iter().flat_map(|queue| queue.drain(..)) {
                for delivery in admission.deliveries {
                    self.repeats.withdrawn(delivery.id);
                    drop(self.tracker.withdraw(delivery.id, &mut dues));
                }
            }
        }
        for delivery in self.braking.forget(|_| true) {
            self.repeats.withdrawn(delivery);
            drop(self.tracker.withdraw(delivery, &mut dues));
        }
        self.settle(dues);
        let until = Instant::now() + self.drain;
        self.leaving = Some(Leaving::Stopping { until, why });
        self.publish();
    }

    fn is_stopping(&self) -> bool {
        matches!(self.leaving, Some(Leaving::Stopping { .. }))
    }

    fn leaving_is_over(&self) -> bool {
        matches!(&self.leaving, Some(Leaving::Stopping { until, .. }) if Instant::now() >= *until)
    }

    fn is_done(&self, engines_left: bool) -> bool {
        match self.leaving {
            None => false,
            Some(Leaving::AtEnd) => self.arrived.is_empty() && self.tracker.open_messages() == 0,
            Some(Leaving::Stopping { .. }) => engines_left && self.parks.is_empty(),
        }
    }

    async fn close(
        mut self,
        mut tasks: JoinSet<()>,
        mut endings: mpsc::Receiver<Vec<Ended>>,
    ) -> Result<Outcome, Failure> {
        let complete = matches!(self.leaving, Some(Leaving::AtEnd));
        for door in &mut self.doors {
            door.admissions = None;
        }
        self.publish_as(false);
        if complete {
            // Engines with nothing to do end as soon as their door is closed.
            while endings.recv().await.is_some() {}
            while tasks.join_next().await.is_some() {}
        } else {
            endings.close();
            tasks.shutdown().await;
        }
        self.parks.shutdown().await;
        self.repeats.close().await;
        let tally = self.tracker.tally().clone();
        let closed = self.source.close().await;
        if let Some(Leaving::Stopping { why: Some(why), .. }) = self.leaving {
            return Err(why);
        }
        closed.map_err(|error| Failure::Outside(error.to_string()))?;
        Ok(Outcome { tally, complete })
    }

    fn publish(&self) {
        self.publish_as(!self.is_stopping());
    }

    fn publish_as(&self, ready: bool) {
        let ledger = self.source.ledger();
        let board = Board {
            ready,
            tally: self.tracker.tally().clone(),
            open_messages: ledger.open_messages(),
            open_bytes: ledger.open_bytes(),
            consumed: self.consumed.clone(),
            braked: self.braking.braked(),
            spans: self
                .assigned
                .iter()
                .map(|(topic, partition)| {
                    let span = ledger.span_messages(topic, *partition);
                    ((topic.clone(), *partition), span)
                })
                .collect(),
            lags: self.source.lags(),
            paused: self.paused(),
            rebalances: self.source.rebalances(),
            stale: ledger.stale_tickets(),
            misrouted: self.misrouted.identities(),
            park_failures: self.park_failures,
        };
        self.board.send_replace(board);
    }
}

impl Worker {
    /// Partitions from which nothing is taken: each is full, or the worker is, or it stops.
    fn paused(&self) -> BTreeMap<&'static str, usize> {
        let ledger = self.source.ledger();
        let all = self.assigned.len();
        let full =
            |(topic, partition): &&(Topic, Partition)| ledger.is_partition_full(topic, *partition);
        let (mut partition, mut worker, mut stopping) = (0, 0, 0);
        if self.is_stopping() {
            stopping = all;
        } else if ledger.is_full() {
            worker = all;
        } else {
            partition = self.assigned.iter().filter(full).count();
        }
        BTreeMap::from([
            ("partition_full", partition),
            ("worker_full", worker),
            ("stopping", stopping),
        ])
    }
}

/// A message's coordinates, as text.
fn place_of(at: &Place) -> String {
    format!(
        "{}/{}/{}",
        at.topic.as_str(),
        at.partition.get(),
        at.offset.get()
    )
}

fn is_of(origin: &Origin, partitions: &[(Topic, Partition)]) -> bool {
    let at = &origin.message.at;
    partitions
        .iter()
        .any(|(topic, partition)| *topic == at.topic && *partition == at.partition)
}
