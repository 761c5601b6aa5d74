//! Letters on their way through the engines again: in their order, only the mappings that failed, and each of them written
//! down before it counts as done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use hubferry_delivery::{Admission, Delivery, DeliveryId, Ended, Instruction, MappingIndex};
use hubferry_memory::LinkOrigin;
use hubferry_stream::{DeadLetter, DeadLetters, Letter, StreamError};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::anew::{Verdict, anew, verdicts};
use super::pick::Chosen;
use crate::brake::{BrakeSettings, Brakes, Fate};
use crate::closing::{Closing, closing_of};
use crate::exit::Failure;
use crate::holds::Holds;
use crate::intake::{Intake, PortalIndex, Source, associates};
use crate::progress::Progress;
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::tracker::Closed;

/// What a replay works with.
pub(super) struct Parts {
    pub(super) run: String,
    pub(super) letters: Vec<Chosen>,
    pub(super) intake: Intake,
    pub(super) scribe: Scribe,
    /// Where letters that fail again go.
    pub(super) parking: Arc<DeadLetters>,
    /// One per enabled destination, in the order of the intake's portals.
    pub(super) engines: Vec<mpsc::Sender<Instruction>>,
    pub(super) endings: mpsc::Receiver<Vec<Ended>>,
    pub(super) tasks: JoinSet<()>,
    pub(super) holds: Holds,
    pub(super) brake: BrakeSettings,
    /// Who writes down what has ended.
    pub(super) book: mpsc::Sender<Written>,
    /// Fires when whoever keeps the book wants an end.
    pub(super) halt: CancellationToken,
    /// Tells the engines to start nothing new.
    pub(super) stop: CancellationToken,
    pub(super) signals: Signals,
    pub(super) drain: Duration,
    pub(super) progress: Progress,
}

/// A letter that is done with: how each of its deliveries ended.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) letter: String,
    pub(super) offset: i64,
    pub(super) verdicts: Vec<Verdict>,
}

/// Why a replay ended before its last letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Halt {
    /// A signal.
    Interrupted,
    /// Whoever keeps the book says why.
    Told,
    /// A portal or a mapping is held; the line says which and what to do.
    Held(String),
    /// A mapping's deliveries die in masses.
    Braked(String),
    /// A letter could not be parked, or an engine broke.
    Failed(String),
}

/// How far a replay came.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) resolved: u64,
    pub(super) failed: u64,
    /// Letters that have not ended.
    pub(super) left: Vec<Letter>,
    pub(super) halt: Option<Halt>,
}

/// Admissions in front of the engines; beyond it letters wait as they are.
const PENDING_ADMISSIONS: usize = 1_024;

/// Deliveries that the engines hold.
const MOST_OPEN: usize = 20_000;

/// Letters on their way to the dead-letter topic.
const PARKING: usize = 256;

/// Letters mapped in one turn, so that endings and signals are never far away.
const MAPPED_A_TURN: usize = 128;

const LOOK_EVERY: Duration = Duration::from_millis(100);

struct Open {
    chosen: Chosen,
    /// Deliveries that have not ended, and one for the letter itself until all are known.
    owed: usize,
    closed: Vec<Closed>,
}

struct Conductor {
    run: String,
    queue: VecDeque<Chosen>,
    intake: Intake,
    scribe: Scribe,
    parking: Arc<DeadLetters>,
    doors: Vec<(mpsc::Sender<Instruction>, VecDeque<Admission>)>,
    open: FxHashMap<u64, Open>,
    deliveries: FxHashMap<DeliveryId, (u64, MappingIndex)>,
    next: u64,
    brakes: Brakes,
    parks: JoinSet<(u64, Result<(), StreamError>)>,
    /// Letters that are being parked anew.
    failing: FxHashMap<u64, Written>,
    book: mpsc::Sender<Written>,
    /// Entries that the book has no room for yet.
    unwritten: VecDeque<Written>,
    came: Came,
}

enum Happened {
    Signal,
    Halted,
    Tick,
    Ended(Option<Vec<Ended>>),
    Parked(Result<(u64, Result<(), StreamError>), tokio::task::JoinError>),
    Room,
    BookRoom,
    EngineLeft,
    Mappable,
}

/// Sends the letters through.
///
/// # Errors
///
/// Never for what a letter or HubSpot says; [`Came::halt`] tells why it ended early.
pub(super) async fn go(parts: Parts) -> Result<Came, Failure> {
    let Parts {
        run,
        letters,
        intake,
        scribe,
        parking,
        engines,
        mut endings,
        mut tasks,
        mut holds,
        brake,
        book,
        halt,
        stop,
        mut signals,
        drain,
        progress,
    } = parts;
    let brakes = Brakes::new(brake, intake.mapping_ids().len());
    let mut conductor = Conductor {
        run,
        queue: letters.into(),
        intake,
        scribe,
        parking,
        doors: engines
            .into_iter()
            .map(|engine| (engine, VecDeque::new()))
            .collect(),
        open: FxHashMap::default(),
        deliveries: FxHashMap::default(),
        next: 0,
        brakes,
        parks: JoinSet::new(),
        failing: FxHashMap::default(),
        book,
        unwritten: VecDeque::new(),
        came: Came::default(),
    };
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut engines_left = false;
    let mut until = None;
    while !conductor.is_done(engines_left) {
        let late = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        // Losing the other branches is harmless: queues keep what was not taken, and waits for room only wait.
        let happened = tokio::select! {
            biased;
            () = signals.next() => Happened::Signal,
            () = halt.cancelled(), if conductor.came.halt.is_none() => Happened::Halted,
            () = late => break,
            _ = tick.tick() => Happened::Tick,
            ended = endings.recv(), if !engines_left => Happened::Ended(ended),
            Some(parked) = conductor.parks.join_next() => Happened::Parked(parked),
            Some(_) = tasks.join_next() => Happened::EngineLeft,
            () = room(&conductor.doors) => Happened::Room,
            Ok(_) = conductor.book.reserve(), if !conductor.unwritten.is_empty() => Happened::BookRoom,
            () = std::future::ready(()), if conductor.can_map() => Happened::Mappable,
        };
        match happened {
            Happened::Signal if conductor.came.halt.is_some() => break,
            Happened::Signal => conductor.halt(Halt::Interrupted),
            Happened::Halted => conductor.halt(Halt::Told),
            Happened::Tick => {
                if let Some(line) = holds.begun().into_iter().next() {
                    conductor.halt(Halt::Held(line));
                }
                progress.show(conductor.ended_total(), conductor.going_on());
            }
            Happened::Ended(Some(ended)) => conductor.ended(ended),
            Happened::Ended(None) => engines_left = true,
            Happened::Parked(Ok((key, parked))) => conductor.parked(key, parked),
            Happened::Parked(Err(error)) => conductor.halt(Halt::Failed(error.to_string())),
            Happened::EngineLeft if conductor.came.halt.is_none() => {
                conductor.halt(Halt::Failed("an engine ended early".to_owned()));
            }
            Happened::EngineLeft => (),
            Happened::Room => conductor.admit(),
            Happened::BookRoom => conductor.write(),
            Happened::Mappable => conductor.map_some(),
        }
        if conductor.came.halt.is_some() && until.is_none() {
            stop.cancel();
            until = Some(tokio::time::Instant::now() + drain);
        }
    }
    conductor.doors.clear();
    if conductor.came.halt.is_none() {
        // Engines with nothing to do end as soon as their door is closed.
        while endings.recv().await.is_some() {}
        while tasks.join_next().await.is_some() {}
    } else {
        endings.close();
        tasks.shutdown().await;
    }
    conductor.parks.shutdown().await;
    Ok(conductor.come())
}

/// Waits until an engine with something in front of its door has room; for ever when there is none.
async fn room(doors: &[(mpsc::Sender<Instruction>, VecDeque<Admission>)]) {
    let waits: Vec<_> = doors
        .iter()
        .filter(|(_, waiting)| !waiting.is_empty())
        .map(|(engine, _)| Box::pin(engine.reserve()))
        .collect();
    if waits.is_empty() {
        std::future::pending::<()>().await;
    }
    let (reserved, _, _) = select_all(waits).await;
    // The engine is gone; its task says why.
    if reserved.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Conductor {
    fn is_done(&self, engines_left: bool) -> bool {
        let written = self.parks.is_empty() && self.unwritten.is_empty();
        match self.came.halt {
            None => self.queue.is_empty() && self.open.is_empty() && written,
            Some(_) => engines_left && written,
        }
    }

    fn can_map(&self) -> bool {
        let waiting: usize = self.doors.iter().map(|(_, waiting)| waiting.len()).sum();
        self.came.halt.is_none()
            && !self.queue.is_empty()
            && waiting < PENDING_ADMISSIONS
            && self.deliveries.len() < MOST_OPEN
            && self.parks.len() < PARKING
            && self.unwritten.is_empty()
    }

    fn map_some(&mut self) {
        for _ in 0..MAPPED_A_TURN {
            if !self.can_map() {
                break;
            }
            if let Some(chosen) = self.queue.pop_front() {
                self.map(chosen);
            }
        }
        self.admit();
    }

    /// Maps a letter's event anew, and lets only the mappings pass that failed.
    fn map(&mut self, chosen: Chosen) {
        let what = &chosen.letter.letter;
        let origin = &what.origin;
        let place = format!("{}/{}/{}", origin.topic, origin.partition, origin.offset);
        let from = Source {
            place: &place,
            written_ms: what.written_ms,
        };
        let reads = self.intake.read(Some(&what.value), &from);
        let key = self.fresh();
        let mut closed = Vec::new();
        let mut admissions = Vec::new();
        for read in reads {
            let link = Arc::new(LinkOrigin {
                topic: origin.topic.as_str().to_owned(),
                partition: origin.partition.get(),
                offset: origin.offset.get(),
                element: what.element.or(read.position),
                message_id: read.message_id.clone(),
            });
            for (mapping, closing) in read.closed {
                if mapping.is_none_or(|mapping| chosen.wants(self.id_of(mapping))) {
                    closed.push(Closed {
                        mapping,
                        closing,
                        record: None,
                    });
                }
            }
            for (portal, plans) in read.planned {
                let mut deliveries = Vec::new();
                for (mapping, plan) in plans {
                    if chosen.wants(self.id_of(mapping)) {
                        self.next += 1;
                        let id = DeliveryId(self.next);
                        self.deliveries.insert(id, (key, mapping));
                        deliveries.push(Delivery { id, mapping, plan });
                    }
                }
                if !deliveries.is_empty() {
                    let associates = deliveries.iter().any(|one| associates(&one.plan));
                    let admission = Admission {
                        keys: read.keys.clone(),
                        deliveries,
                        origin: associates.then(|| Arc::clone(&link)),
                    };
                    admissions.push((portal, admission));
                }
            }
        }
        let owed = admissions
            .iter()
            .map(|(_, one)| one.deliveries.len())
            .sum::<usize>()
            + 1;
        for (PortalIndex(portal), admission) in admissions {
            if let Some((_, waiting)) = self.doors.get_mut(portal) {
                waiting.push_back(admission);
            }
        }
        let open = Open {
            chosen,
            owed,
            closed,
        };
        self.open.insert(key, open);
        self.pay(key);
    }

    fn id_of(&self, mapping: MappingIndex) -> &str {
        let ids = self.intake.mapping_ids();
        ids.get(mapping.0 as usize).map_or("", String::as_str)
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn admit(&mut self) {
        for (engine, waiting) in &mut self.doors {
            while let Some(admission) = waiting.pop_front() {
                if let Err(refused) = engine.try_send(Instruction::Admit(admission)) {
                    if let Instruction::Admit(admission) = refused.into_inner() {
                        waiting.push_front(admission);
                    }
                    break;
                }
            }
        }
    }

    fn ended(&mut self, ended: Vec<Ended>) {
        for one in ended {
            let Some((key, mapping)) = self.deliveries.remove(&one.delivery) else {
                continue;
            };
            // What was taken back has not ended: its letter stays open.
            let Some((closing, _)) = closing_of(one.ending) else {
                continue;
            };
            let fate = match &closing {
                Closing::Dead(_) => Fate::Refused,
                _ => Fate::Well,
            };
            if self.brakes.count(mapping, fate)
                && let Closing::Dead(failed) = &closing
            {
                let id = self.id_of(mapping).to_owned();
                self.halt(Halt::Braked(format!(
                    "braked: too many deliveries of mapping {id} fail again, at last with {}: {}",
                    failed.code, failed.message
                )));
            }
            if let Some(open) = self.open.get_mut(&key) {
                open.closed.push(Closed {
                    mapping: Some(mapping),
                    closing,
                    record: one.record,
                });
            }
            self.pay(key);
        }
    }

    fn pay(&mut self, key: u64) {
        let Some(open) = self.open.get_mut(&key) else {
            return;
        };
        open.owed -= 1;
        if open.owed == 0
            && let Some(open) = self.open.remove(&key)
        {
            self.close(key, open);
        }
    }

    /// Everything of a letter has ended. One that failed again is parked anew before anything is written down.
    fn close(&mut self, key: u64, open: Open) {
        let Open { chosen, closed, .. } = open;
        let verdicts = verdicts(&chosen, &closed, self.intake.mapping_ids());
        let written = Written {
            letter: chosen.letter.id(),
            offset: chosen.letter.at.offset.get(),
            verdicts,
        };
        let letter = anew(
            &chosen,
            &closed,
            self.intake.mapping_ids(),
            &self.scribe,
            &self.run,
        );
        match letter {
            None => self.note(written),
            Some(letter) => self.park(key, letter, written),
        }
    }

    fn park(&mut self, key: u64, letter: DeadLetter, written: Written) {
        self.failing.insert(key, written);
        let parking = Arc::clone(&self.parking);
        self.parks
            .spawn(async move { (key, parking.park(letter).await) });
    }

    fn parked(&mut self, key: u64, parked: Result<(), StreamError>) {
        match (self.failing.remove(&key), parked) {
            (Some(written), Ok(())) => self.note(written),
            (_, Err(error)) => self.halt(Halt::Failed(error.to_string())),
            (None, Ok(())) => (),
        }
    }

    fn note(&mut self, written: Written) {
        for verdict in &written.verdicts {
            if verdict.failed {
                self.came.failed += 1;
            } else {
                self.came.resolved += 1;
            }
        }
        self.unwritten.push_back(written);
        self.write();
    }

    fn write(&mut self) {
        while let Some(written) = self.unwritten.pop_front() {
            match self.book.try_send(written) {
                Ok(()) => (),
                Err(mpsc::error::TrySendError::Full(written)) => {
                    self.unwritten.push_front(written);
                    break;
                }
                // Nobody writes any more and says why elsewhere: nothing else can be done with it.
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    self.unwritten.clear();
                    self.halt(Halt::Told);
                }
            }
        }
    }

    fn halt(&mut self, why: Halt) {
        self.came.halt.get_or_insert(why);
    }

    fn ended_total(&self) -> u64 {
        self.came.resolved + self.came.failed
    }

    fn going_on(&self) -> String {
        format!("{} failed again", crate::words::grouped(self.came.failed))
    }

    fn come(mut self) -> Came {
        let open = self.open.into_values().map(|open| open.chosen.letter);
        let queued = self.queue.into_iter().map(|chosen| chosen.letter);
        self.came.left = open.chain(queued).collect();
        self.came
    }
}
