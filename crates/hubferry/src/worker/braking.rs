//! What becomes of deliveries whose mapping is braked: they are kept, their messages unsettled, until one of them goes well.
//!
//! The oldest is tried every 30 seconds. As long as it is refused, nothing of the mapping is sent and nothing of it becomes a
//! dead letter; other mappings go on. When it goes well, the others follow in their order. A kept delivery is mapped anew
//! from its message, so that it costs no more memory than its message does.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hubferry_actions::{ObjectType, Plan, RecordId};
use hubferry_delivery::{Admission, Delivery, DeliveryId, MappingIndex};
use hubferry_memory::SeenKey;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::{Due, Origin, Worker};
use crate::brake::{BrakeSettings, Brakes, Fate};
use crate::closing::{Closing, Failed};
use crate::intake::{PortalIndex, Source};

/// How often a braked mapping is tried (fleet.md iv.1).
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// The brakes of a worker, and what they keep.
pub(super) struct Braking {
    /// None where nothing brakes: a file has to end.
    brakes: Option<Brakes>,
    kept: BTreeMap<MappingIndex, Kept>,
    /// Deliveries that try whether their mapping can go on.
    probes: FxHashMap<DeliveryId, MappingIndex>,
}

struct Kept {
    deliveries: VecDeque<DeliveryId>,
    probe_at: Instant,
}

impl Braking {
    pub(super) fn new(settings: Option<BrakeSettings>, mappings: usize) -> Self {
        Self {
            brakes: settings.map(|settings| Brakes::new(settings, mappings)),
            kept: BTreeMap::new(),
            probes: FxHashMap::default(),
        }
    }

    /// Whether deliveries of this mapping are kept instead of sent.
    pub(super) fn is_braked(&self, mapping: MappingIndex) -> bool {
        let brakes = self.brakes.as_ref();
        brakes.is_some_and(|brakes| brakes.is_braked(mapping))
    }

    /// The mappings that are braked.
    pub(super) fn braked(&self) -> Vec<MappingIndex> {
        self.brakes.iter().flat_map(Brakes::braked).collect()
    }

    /// Keeps a delivery behind those that are kept already.
    pub(super) fn keep(&mut self, mapping: MappingIndex, delivery: DeliveryId) {
        self.line(mapping).deliveries.push_back(delivery);
    }

    /// Counts how a delivery is about to end; says whether it is to be kept instead.
    pub(super) fn counts(
        &mut self,
        mapping: MappingIndex,
        delivery: Option<DeliveryId>,
        closing: &Closing,
    ) -> Judgement {
        let Some(brakes) = &mut self.brakes else {
            return Judgement::Ends;
        };
        let probe = delivery.and_then(|delivery| self.probes.remove(&delivery));
        let fate = fate_of(closing);
        if fate == Fate::Well {
            brakes.count(mapping, fate);
            return match probe {
                Some(_) => Judgement::Releases,
                None => Judgement::Ends,
            };
        }
        if probe.is_some() {
            return Judgement::KeptInFront;
        }
        let was = brakes.is_braked(mapping);
        match (was, brakes.count(mapping, fate)) {
            (_, false) => Judgement::Ends,
            (true, true) => Judgement::Kept,
            (false, true) => Judgement::Brakes,
        }
    }

    fn keep_in_front(&mut self, mapping: MappingIndex, delivery: DeliveryId) {
        self.line(mapping).deliveries.push_front(delivery);
    }

    fn line(&mut self, mapping: MappingIndex) -> &mut Kept {
        self.kept.entry(mapping).or_insert_with(|| Kept {
            deliveries: VecDeque::new(),
            probe_at: Instant::now() + PROBE_EVERY,
        })
    }

    /// The mapping goes on: what was kept of it, in its order.
    fn release(&mut self, mapping: MappingIndex) -> VecDeque<DeliveryId> {
        if let Some(brakes) = &mut self.brakes {
            brakes.release(mapping);
        }
        let kept = self.kept.remove(&mapping);
        kept.map(|kept| kept.deliveries).unwrap_or_default()
    }

    /// The next delivery of each mapping whose time to try has come.
    fn probes_due(&mut self, now: Instant) -> Vec<DeliveryId> {
        let mut due = Vec::new();
        for (mapping, kept) in &mut self.kept {
            if kept.probe_at > now {
                continue;
            }
            kept.probe_at = now + PROBE_EVERY;
            let trying = self.probes.values().any(|probed| probed == mapping);
            if !trying && let Some(delivery) = kept.deliveries.pop_front() {
                self.probes.insert(delivery, *mapping);
                due.push(delivery);
            }
        }
        due
    }

    /// Lets go of kept deliveries.
    pub(super) fn forget(&mut self, gone: impl Fn(DeliveryId) -> bool) -> Vec<DeliveryId> {
        let mut forgotten = Vec::new();
        for kept in self.kept.values_mut() {
            let (out, stay): (Vec<_>, Vec<_>) = kept
                .deliveries
                .drain(..)
                .partition(|delivery| gone(*delivery));
            forgotten.extend(out);
            kept.deliveries.extend(stay);
        }
        self.probes.retain(|delivery, _| !gone(*delivery));
        forgotten
    }

    /// A delivery was taken back: it tries nothing any more.
    pub(super) fn withdrawn(&mut self, delivery: DeliveryId) {
        self.probes.remove(&delivery);
    }
}

/// What is done about a delivery that is about to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judgement {
    /// It ends.
    Ends,
    /// It ends, and its mapping goes on.
    Releases,
    /// It is the one too many: it is kept, and everything of its mapping with it.
    Brakes,
    /// It is kept behind the others.
    Kept,
    /// It was tried in vain, and is the first to be tried again.
    KeptInFront,
}

fn fate_of(closing: &Closing) -> Fate {
    match closing {
        Closing::Delivered | Closing::Merged | Closing::Skipped(_) => Fate::Well,
        Closing::Dead(failed) => match failed.stage {
            "intake" | "mapping" => Fate::Invalid,
            _ => Fate::Refused,
        },
    }
}

impl Worker {
    /// Ends a delivery, or keeps it when its mapping is braked.
    pub(super) fn end_or_keep(
        &mut self,
        delivery: DeliveryId,
        closing: Closing,
        record: Option<(ObjectType, RecordId)>,
        dues: &mut Vec<Due<Origin>>,
    ) {
        let Some(mapping) = self.tracker.mapping_of(delivery) else {
            return;
        };
        let judgement = self.braking.counts(mapping, Some(delivery), &closing);
        match judgement {
            Judgement::Ends | Judgement::Releases => {
                self.repeats.ended(delivery, &closing);
                self.tracker.ended(delivery, closing, record, dues);
                if judgement == Judgement::Releases {
                    self.release(mapping, dues);
                }
            }
            Judgement::Brakes => {
                self.tell_braked(mapping, &closing);
                self.braking.keep(mapping, delivery);
            }
            Judgement::Kept => self.braking.keep(mapping, delivery),
            Judgement::KeptInFront => self.braking.keep_in_front(mapping, delivery),
        }
    }

    pub(super) fn tell_braked(&self, mapping: MappingIndex, closing: &Closing) {
        let id = self.mapping_id(mapping);
        if let Closing::Dead(failed) = closing {
            let Failed { code, message, .. } = &**failed;
            tracing::warn!(
                code,
                "mapping {id} is on hold (braked): too much of it would become dead letters, at last because: {message}; correct the mapping \
                 or the portal. One delivery is tried every 30 s. Nothing is lost: positions stay where they are"
            );
        }
    }

    fn mapping_id(&self, mapping: MappingIndex) -> &str {
        let ids = self.intake.mapping_ids();
        ids.get(mapping.0 as usize).map_or("", String::as_str)
    }

    fn release(&mut self, mapping: MappingIndex, dues: &mut Vec<Due<Origin>>) {
        let kept = self.braking.release(mapping);
        let id = self.mapping_id(mapping);
        tracing::info!(mapping = id, kept = kept.len(), "sending again");
        for delivery in kept {
            self.admit_again(delivery, dues);
        }
        self.ask_about_repeats();
    }

    /// Tries whether braked mappings can go on.
    pub(super) fn probe_braked(&mut self) {
        let mut dues = Vec::new();
        for delivery in self.braking.probes_due(Instant::now()) {
            self.admit_again(delivery, &mut dues);
        }
        self.settle(dues);
        self.ask_about_repeats();
        self.admit();
    }

    /// Maps a kept delivery anew from its message.
    fn admit_again(&mut self, delivery: DeliveryId, dues: &mut Vec<Due<Origin>>) {
        let Some(mapping) = self.tracker.mapping_of(delivery) else {
            return;
        };
        let Some((message, position, origin)) = self.tracker.origin_of(delivery) else {
            return;
        };
        let place = super::place_of(&origin.message.at);
        let from = Source {
            place: &place,
            written_ms: origin.message.written_ms,
        };
        let reads = self.intake.read(origin.message.body.as_deref(), &from);
        let Some(mut read) = reads.into_iter().find(|read| read.position == position) else {
            return;
        };
        let at_once = read
            .closed
            .iter()
            .position(|(closed, _)| *closed == Some(mapping));
        if let Some(at) = at_once {
            let (_, closing) = read.closed.swap_remove(at);
            return self.end_or_keep(delivery, closing, None, dues);
        }
        let link_origin = self.link_origin(message, &read);
        let Some((portal, plan, seen)) = take_plan(&read.seen, read.planned, mapping) else {
            return;
        };
        if let Some(key) = seen {
            self.repeats.opened(delivery, portal, key);
        }
        let admission = Admission {
            keys: read.keys,
            deliveries: vec![Delivery {
                id: delivery,
                mapping,
                plan,
            }],
            origin: link_origin,
        };
        self.line_up(portal, message, admission);
    }

    /// Holds back what is braked of an event's deliveries; the others are what is left.
    pub(super) fn hold_back(&mut self, deliveries: &mut Vec<Delivery>) {
        let braking = &mut self.braking;
        deliveries.retain(|delivery| {
            let braked = braking.is_braked(delivery.mapping);
            if braked {
                braking.keep(delivery.mapping, delivery.id);
            }
            !braked
        });
    }
}

/// The plan of one mapping among an event's plans, with its portal and what its delivery is remembered by.
fn take_plan(
    seen: &[SeenKey],
    planned: Vec<(PortalIndex, Vec<(MappingIndex, Plan)>)>,
    mapping: MappingIndex,
) -> Option<(usize, Plan, Option<SeenKey>)> {
    let all = planned.into_iter().flat_map(|(portal, plans)| {
        plans
            .into_iter()
            .map(move |(index, plan)| (portal, index, plan))
    });
    let mut seen = seen.iter().copied();
    for (portal, index, plan) in all {
        let key = seen.next();
        if index == mapping {
            return Some((portal.0, plan, key));
        }
    }
    None
}
