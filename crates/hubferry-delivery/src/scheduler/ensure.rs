//! What the schema lacks and steps need: made once per fleet, awaited by everybody else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubferry_actions::{
    EventName, EventPropertyDefinition, ListName, ObjectType, PropertyDefinition, ValueKind,
};
use hubferry_hubspot::{Code, Endpoint, ErrorClass, Hold, Rejection, StepId};
use hubferry_memory::{EnsureKey, EnsureState, FactKey, Finding, Inquiry};
use rustc_hash::FxHashMap;
use slab::Slab;

use super::facts::{Known, Need, Waiter};
use super::step::{State, Step, StepKind};
use super::{Asker, DeliverySlot, Scheduler, Todo};
use crate::ending::Stage;
use crate::queues::QueueKey;

/// One piece that steps or deliveries wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct EnsureId(usize);

/// A piece of a portal's schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    Property(PropertyDefinition),
    Definition(NewDefinition),
    EventProperty(EventPropertyDefinition),
    List(ListName),
}

/// An event definition to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NewDefinition {
    pub(super) event: EventName,
    pub(super) object: ObjectType,
    pub(super) properties: Vec<EventPropertyDefinition>,
}

#[derive(Default)]
pub(super) struct Ensures {
    list: Slab<Ensure>,
    by_key: FxHashMap<EnsureKey, EnsureId>,
}

struct Ensure {
    piece: Piece,
    progress: Progress,
    waiting: Vec<Waiter>,
    /// When this worker learned that it was made.
    made_at: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody has asked yet.
    Unknown,
    /// Its turn comes when another property of its event definition is made.
    Queued,
    /// The fleet's memory is asked who makes it.
    Asking,
    /// Another worker makes it; asked again then.
    Elsewhere(Instant),
    /// This worker makes it.
    Making,
    /// It is there.
    There,
}

/// How often a worker looks whether another one has made the piece.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long HubSpot may take to accept what was just made (actions.md, E20).
const SETTLING: Duration = Duration::from_mins(1);

impl Piece {
    fn key(&self) -> EnsureKey {
        match self {
            Self::Property(definition) => EnsureKey::Property {
                object: definition.object.clone(),
                name: definition.name.clone(),
            },
            Self::Definition(definition) => EnsureKey::Definition {
                event: definition.event.clone(),
            },
            Self::EventProperty(definition) => EnsureKey::EventProperty {
                event: definition.event.clone(),
                name: definition.name.clone(),
            },
            Self::List(list) => EnsureKey::List { list: list.clone() },
        }
    }

    /// The part of the schema it belongs to.
    fn fact(&self) -> FactKey {
        match self {
            Self::Property(definition) => FactKey::Properties(definition.object.clone()),
            Self::Definition(definition) => FactKey::Definition(definition.event.clone()),
            Self::EventProperty(definition) => FactKey::Definition(definition.event.clone()),
            Self::List(list) => FactKey::List(list.clone()),
        }
    }

    fn queue(&self) -> QueueKey {
        match self {
            Self::Property(definition) => QueueKey::CreateProperties {
                object: definition.object.clone(),
            },
            Self::Definition(_) => QueueKey::Single(Endpoint::CreateEventDefinition),
            Self::EventProperty(_) => QueueKey::Single(Endpoint::CreateEventProperty),
            Self::List(_) => QueueKey::Single(Endpoint::CreateList),
        }
    }

    /// Takes in what somebody else who waits for the same piece has seen.
    fn learn(&mut self, other: &Self) {
        match (self, other) {
            (Self::Property(known), Self::Property(more)) => {
                known.kind = mixed(known.kind, more.kind);
                known.sensitive |= more.sensitive;
            }
            (Self::EventProperty(known), Self::EventProperty(more)) => {
                known.kind = mixed(known.kind, more.kind);
            }
            (Self::Definition(known), Self::Definition(more)) => {
                for property in &more.properties {
                    let has_room = known.properties.len() < hubferry_actions::MAX_EVENT_PROPERTIES;
                    match known
                        .properties
                        .iter_mut()
                        .find(|p| p.name == property.name)
                    {
                        Some(p) => p.kind = mixed(p.kind, property.kind),
                        None if has_room => known.properties.push(property.clone()),
                        None => (),
                    }
                }
            }
            _ => (),
        }
    }
}

/// The kind that takes both: mixed values are text (actions.md §6.10).
fn mixed(one: ValueKind, other: ValueKind) -> ValueKind {
    if one == other { one } else { ValueKind::Text }
}

impl Ensures {
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.list
            .iter()
            .filter_map(|(_, e)| match e.progress {
                Progress::Elsewhere(at) => Some(at),
                _ => None,
            })
            .min()
    }

    fn id(&mut self, piece: &Piece) -> EnsureId {
        let key = piece.key();
        if let Some(&id) = self.by_key.get(&key) {
            return id;
        }
        let id = EnsureId(self.list.insert(Ensure {
            piece: piece.clone(),
            progress: Progress::Unknown,
            waiting: Vec::new(),
            made_at: None,
        }));
        self.by_key.insert(key, id);
        id
    }

    pub(super) fn piece(&self, id: EnsureId) -> &Piece {
        &self.list[id.0].piece
    }

    pub(super) fn queue(&self, id: EnsureId) -> QueueKey {
        self.list[id.0].piece.queue()
    }

    /// Who waits for the piece.
    pub(super) fn waiting(&self, id: EnsureId) -> &[Waiter] {
        &self.list[id.0].waiting
    }

    /// Takes out who does not wait any more.
    pub(super) fn forget_waiters(&mut self, gone: impl Fn(Waiter) -> bool) {
        for (_, ensure) in &mut self.list {
            ensure.waiting.retain(|waiter| !gone(*waiter));
        }
    }

    /// Whether a definition, or a property of it, was made so lately that HubSpot may not accept it yet.
    pub(super) fn is_settling(&self, event: &EventName, now: Instant) -> bool {
        let of_event = |piece: &Piece| match piece {
            Piece::Definition(definition) => definition.event == *event,
            Piece::EventProperty(definition) => definition.event == *event,
            Piece::Property(_) | Piece::List(_) => false,
        };
        self.list.iter().any(|(_, ensure)| {
            let young = |at: Instant| now.saturating_duration_since(at) < SETTLING;
            of_event(&ensure.piece) && ensure.made_at.is_some_and(young)
        })
    }
}

impl Scheduler {
    /// Whether a step has to wait for its id property; it is put in line when it has.
    pub(super) fn must_wait_for_property(&mut self, step: StepId) -> bool {
        let Some(definition) = self.record_work(step).and_then(|work| work.needs.clone()) else {
            return false;
        };
        let id = self.ensures.id(&Piece::Property(definition));
        let ensure = &mut self.ensures.list[id.0];
        if ensure.progress == Progress::There {
            return false;
        }
        ensure.waiting.push(Waiter::Step(step));
        if ensure.progress == Progress::Unknown {
            self.claim(id);
        }
        self.set_state(step, State::Blocked);
        true
    }

    /// The schema says that the piece is there: nobody has to make it.
    pub(super) fn believe(&mut self, piece: &Piece) {
        let id = self.ensures.id(piece);
        let ensure = &mut self.ensures.list[id.0];
        if ensure.progress == Progress::Unknown {
            ensure.progress = Progress::There;
        }
    }

    /// The schema says that the piece is missing: it is made, and the waiter hears of it.
    pub(super) fn await_missing(&mut self, piece: Piece, waiter: Waiter, _now: Instant) {
        let id = self.ensures.id(&piece);
        let ensure = &mut self.ensures.list[id.0];
        ensure.piece.learn(&piece);
        ensure.waiting.push(waiter);
        if ensure.progress == Progress::There {
            // Whatever the fleet believes: it was deleted, or HubSpot does not show it yet, and making it twice does no harm.
            let what = ensure.piece.key();
            ensure.progress = Progress::Unknown;
            self.ask(Asker::Nobody, Inquiry::ForgetEnsure { what });
        }
        if self.ensures.list[id.0].progress == Progress::Unknown {
            self.claim_in_turn(id);
        }
    }

    /// Properties of one event definition are made one after the other (actions.md §8.5).
    fn claim_in_turn(&mut self, id: EnsureId) {
        let event = self.event_of(id);
        let busy = event.is_some()
            && self.ensures.list.iter().any(|(other, ensure)| {
                let under_way = matches!(
                    ensure.progress,
                    Progress::Asking | Progress::Elsewhere(_) | Progress::Making
                );
                EnsureId(other) != id && under_way && self.event_of(EnsureId(other)) == event
            });
        if busy {
            self.ensures.list[id.0].progress = Progress::Queued;
        } else {
            self.claim(id);
        }
    }

    fn event_of(&self, id: EnsureId) -> Option<&EventName> {
        match &self.ensures.list[id.0].piece {
            Piece::EventProperty(definition) => Some(&definition.event),
            _ => None,
        }
    }

    /// A property of an event definition is made, or refused: the next one's turn has come.
    fn next_in_turn(&mut self, id: EnsureId) {
        let Some(event) = self.event_of(id).cloned() else {
            return;
        };
        let next = self.ensures.list.iter().find(|(other, ensure)| {
            ensure.progress == Progress::Queued && self.event_of(EnsureId(*other)) == Some(&event)
        });
        if let Some((next, _)) = next {
            self.claim(EnsureId(next));
        }
    }

    fn claim(&mut self, id: EnsureId) {
        let ensure = &mut self.ensures.list[id.0];
        ensure.progress = Progress::Asking;
        let what = ensure.piece.key();
        self.ask(Asker::Ensure(id), Inquiry::ClaimEnsure { what });
    }

    /// The memory says who makes the piece.
    pub(super) fn ensure_claimed(&mut self, id: EnsureId, finding: Finding, now: Instant) {
        match finding {
            Finding::Ensure(EnsureState::Done) => self.is_made(id, now),
            Finding::Ensure(EnsureState::Claimed) => self.make(id),
            _ => self.ensures.list[id.0].progress = Progress::Elsewhere(now + LOOK_AGAIN),
        }
    }

    fn make(&mut self, id: EnsureId) {
        self.ensures.list[id.0].progress = Progress::Making;
        let step = self.add_step(StepKind::Ensure(id));
        self.todo.push_back(Todo::Ready(step));
    }

    /// Asks again about pieces that other workers were making.
    pub(super) fn ensure_again(&mut self, now: Instant) {
        let elsewhere = self.ensures.list.iter();
        let due: Vec<EnsureId> = elsewhere
            .filter(|(_, e)| matches!(e.progress, Progress::Elsewhere(at) if at <= now))
            .map(|(n, _)| EnsureId(n))
            .collect();
        for id in due {
            self.claim(id);
        }
    }

    /// Whether a new list has to wait for the id of its type.
    pub(super) fn must_wait_for_type(&mut self, step: StepId, now: Instant) -> bool {
        let Some(StepKind::Ensure(id)) = self.steps.get(&step).map(|s| &s.kind) else {
            return false;
        };
        let Piece::List(list) = self.ensures.piece(*id) else {
            return false;
        };
        if list.object.type_id().is_some() {
            return false;
        }
        let object = list.object.clone();
        let key = FactKey::TypeId(object.clone());
        match self.fact(&key, Need::Plain, Waiter::Step(step), now) {
            Some(Known::TypeId(_)) => false,
            Some(_) => {
                let rejection = Rejection {
                    message: format!("there is no object type `{}`", object.as_str()),
                    ..super::verdicts::plain(Code::ListMissing, ErrorClass::Input)
                };
                self.ensure_refused(step, &rejection, now);
                true
            }
            None => {
                self.set_state(step, State::Blocked);
                true
            }
        }
    }

    /// The id of a type, where it is known.
    pub(super) fn type_id_of(&self, object: &ObjectType) -> Option<Arc<str>> {
        if let Some(id) = object.type_id() {
            return Some(Arc::from(id));
        }
        match self.facts.peek(&FactKey::TypeId(object.clone())) {
            Some(Known::TypeId(id)) => Some(Arc::clone(id)),
            _ => None,
        }
    }

    /// HubSpot has the piece.
    pub(super) fn ensured(&mut self, step: StepId, now: Instant) {
        if let Some(Step {
            kind: StepKind::Ensure(id),
            ..
        }) = self.steps.remove(&step)
        {
            let what = self.ensures.list[id.0].piece.key();
            self.ask(Asker::Nobody, Inquiry::EnsureDone { what });
            self.is_made(id, now);
        }
    }

    fn is_made(&mut self, id: EnsureId, now: Instant) {
        let ensure = &mut self.ensures.list[id.0];
        ensure.progress = Progress::There;
        ensure.made_at = Some(now);
        let fact = ensure.piece.fact();
        let waiting = std::mem::take(&mut ensure.waiting);
        self.forget_fact(&fact, now);
        let ready = |scheduler: &mut Self, waiter: &Waiter| match waiter {
            Waiter::Step(_) => true,
            Waiter::Delivery(slot) => {
                let fitting = &mut scheduler.deliveries[slot.0].fitting;
                fitting.open = fitting.open.saturating_sub(1);
                fitting.open == 0
            }
        };
        let waiting = waiting.into_iter().filter(|waiter| ready(self, waiter));
        let waiting: Vec<Waiter> = waiting.collect();
        self.wake(waiting);
        self.next_in_turn(id);
    }

    /// HubSpot refuses the piece: who needs it cannot be delivered.
    pub(super) fn ensure_refused(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let attempts = self.attempts_of(step);
        let Some(Step {
            kind: StepKind::Ensure(id),
            ..
        }) = self.steps.remove(&step)
        else {
            return;
        };
        // Nobody waits for it any more: whoever needs it next begins anew.
        self.next_in_turn(id);
        let ensure = self.ensures.list.remove(id.0);
        self.ensures.by_key.remove(&ensure.piece.key());
        let rejection = missing_piece(&ensure.piece, rejection);
        for waiter in ensure.waiting {
            match waiter {
                Waiter::Step(step) => self.piece_is_missing(step, &rejection, attempts, now),
                Waiter::Delivery(slot) => {
                    self.ensures.forget_waiters(|w| w == Waiter::Delivery(slot));
                    self.die(slot, &rejection, Stage::Ensure, attempts);
                }
            }
        }
    }

    fn piece_is_missing(
        &mut self,
        step: StepId,
        rejection: &Rejection,
        attempts: u32,
        now: Instant,
    ) {
        if self.member_work(step).is_some() {
            return self.membership_refused(step, rejection, now);
        }
        self.resubmit_riders(step);
        let Some(work) = self.record_work(step) else {
            return;
        };
        let record = work.record.clone();
        let parts = std::mem::take(&mut work.parts);
        let wanted_by = std::mem::take(&mut work.wanted_by);
        for part in parts {
            self.die(part.delivery, rejection, Stage::Ensure, attempts);
        }
        self.close_record_step(step, &record);
        for waiter in wanted_by {
            self.wanted_is_refused(waiter, rejection, now);
        }
    }

    /// When HubSpot does not know a property that we believe to be there, it is made anew, once per step.
    pub(super) fn ensure_anew(&mut self, step: StepId, rejection: &Rejection) -> bool {
        let Some(needs) = self.needs_of(step) else {
            return false;
        };
        let missing = rejection.code == Code::PropertyMissing
            && rejection.property.as_ref() == Some(&needs.name);
        missing && self.make_anew(step, &needs)
    }

    /// Asked to find records by a property that does not exist, HubSpot calls it not unique: the property is made anew, once
    /// per step, before that counts as a mistake in the configuration.
    pub(super) fn ensure_before_hold(&mut self, step: StepId, reason: &Hold) -> bool {
        let Hold::Config { message } = reason else {
            return false;
        };
        let Some(needs) = self.needs_of(step) else {
            return false;
        };
        message.contains(needs.name.as_str()) && self.make_anew(step, &needs)
    }

    fn needs_of(&mut self, step: StepId) -> Option<PropertyDefinition> {
        self.record_work(step).and_then(|work| work.needs.clone())
    }

    fn make_anew(&mut self, step: StepId, needs: &PropertyDefinition) -> bool {
        let Some(work) = self.record_work(step) else {
            return false;
        };
        if work.ensured_again {
            return false;
        }
        work.ensured_again = true;
        let id = self.ensures.id(&Piece::Property(needs.clone()));
        let ensure = &mut self.ensures.list[id.0];
        ensure.waiting.push(Waiter::Step(step));
        let believed = ensure.progress == Progress::There;
        self.set_state(step, State::Blocked);
        if believed {
            self.make(id);
        }
        true
    }

    /// A delivery is taken out: it waits for nothing any more.
    pub(super) fn waits_no_more(&mut self, gone: impl Fn(DeliverySlot) -> bool) {
        let is_gone = |waiter: Waiter| matches!(waiter, Waiter::Delivery(slot) if gone(slot));
        self.ensures.forget_waiters(is_gone);
        self.facts.forget_waiters(is_gone);
    }
}

/// What a refused piece means for those who need it.
fn missing_piece(piece: &Piece, rejection: &Rejection) -> Rejection {
    let (code, class, property) = match piece {
        Piece::Property(definition) => (
            Code::PropertyMissing,
            ErrorClass::Mapping,
            Some(definition.name.clone()),
        ),
        Piece::EventProperty(definition) => (
            Code::PropertyMissing,
            ErrorClass::Mapping,
            Some(definition.name.clone()),
        ),
        Piece::Definition(_) => (Code::DefinitionMissing, ErrorClass::Mapping, None),
        Piece::List(_) => (Code::ListMissing, ErrorClass::Input, None),
    };
    Rejection {
        code,
        class,
        property,
        ..rejection.clone()
    }
}
