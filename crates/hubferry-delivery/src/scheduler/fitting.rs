//! Fitting: a delivery's values are made to fit the portal's schema before they go into a step.
//!
//! Until the schema is known, or what it lacks is made, the delivery waits. When HubSpot contradicts the schema, that is read
//! anew and the delivery fitted once more; a second refusal stands.

use std::sync::Arc;
use std::time::Instant;

use hubferry_actions::{
    Existing, Fitted, Misfit, MisfitCode, ObjectProperties, Properties, PropertyDefinition,
    RecordRef, fit,
};
use hubferry_hubspot::{Code, ErrorClass, Rejection};
use hubferry_memory::FactKey;

use super::ensure::Piece;
use super::facts::{Known, Need, Waiter};
use super::occurrences::RefusedBy;
use super::records::LIFECYCLE_STAGE;
use super::verdicts::plain;
use super::{DeliverySlot, Job, Scheduler};
use crate::coalesce::Part;
use crate::ending::{Note, Stage};

/// How often what the schema lacks is made for one delivery: HubSpot may take a while to show it, and somebody may have
/// deleted what the fleet believes to be there.
pub(super) const ROUNDS: u32 = 4;

/// How a delivery's values stand to the portal's schema.
#[derive(Default)]
pub(super) struct Fitting {
    /// The values as they fit; until then, those of the plan.
    pub(super) values: Option<Properties>,
    /// Whether they fit.
    pub(super) done: bool,
    /// How often something had to be made first.
    pub(super) rounds: u32,
    /// How much of it is still to be made.
    pub(super) open: u32,
    /// HubSpot refused these values although they fitted.
    pub(super) refused: Option<Box<Refused>>,
    /// The same of an occurrence.
    pub(super) refused_by: Option<Box<RefusedBy>>,
    /// That happened once: the next refusal stands.
    pub(super) contradicted: bool,
}

/// What HubSpot said, and to what.
pub(super) struct Refused {
    pub(super) rejection: Rejection,
    values: Properties,
}

impl Scheduler {
    /// Whether a delivery has to wait for the schema, or has ended because of it.
    pub(super) fn must_be_fitted(&mut self, slot: DeliverySlot, now: Instant) -> bool {
        let delivery = &self.deliveries[slot.0];
        if !self.settings.schema || delivery.fitting.done {
            return false;
        }
        let record = delivery.record();
        let sensitive = record
            .creation
            .as_ref()
            .is_some_and(|creation| !creation.sensitive.is_empty());
        let need = if sensitive {
            Need::Sensitive
        } else {
            Need::Plain
        };
        let key = FactKey::Properties(record.record.object.clone());
        match self.fact(&key, need, Waiter::Delivery(slot), now) {
            None => true,
            Some(Known::Properties { schema, .. }) => self.fit_now(slot, &schema, now),
            Some(_) => {
                self.take_as_it_is(slot);
                false
            }
        }
    }

    /// Whether a delivery fits without further ado: it is about to join a step before its turn.
    pub(super) fn fits_already(&mut self, slot: DeliverySlot, now: Instant) -> bool {
        let delivery = &self.deliveries[slot.0];
        let Job::Record(record) = &delivery.job else {
            return false;
        };
        if !self.settings.schema || delivery.fitting.done {
            return true;
        }
        let key = FactKey::Properties(record.record.object.clone());
        match self.facts.peek(&key) {
            Some(Known::Properties { schema, .. }) => {
                let fits = fit(record, schema, &delivery.policy)
                    .is_ok_and(|fitted| fitted.create.is_empty());
                let schema = Arc::clone(schema);
                fits && !self.fit_now(slot, &schema, now)
            }
            Some(_) => {
                self.take_as_it_is(slot);
                true
            }
            None => false,
        }
    }

    fn take_as_it_is(&mut self, slot: DeliverySlot) {
        let delivery = &mut self.deliveries[slot.0];
        delivery.fitting.values = Some(delivery.record().properties.clone());
        delivery.fitting.done = true;
    }

    /// Fits; says whether the delivery has to wait for what has to be made, or has ended.
    fn fit_now(&mut self, slot: DeliverySlot, schema: &ObjectProperties, now: Instant) -> bool {
        self.prefer_unique(slot, schema);
        if let Some(needs) = &self.deliveries[slot.0].record().needs
            && schema.get(needs.name.as_str()).is_some()
        {
            let piece = Piece::Property(needs.clone());
            self.believe(&piece);
        }
        let delivery = &self.deliveries[slot.0];
        match fit(delivery.record(), schema, &delivery.policy) {
            Err(misfit) => {
                let (rejection, stage) = rejection_of(&misfit, Stage::Record);
                self.die(slot, &rejection, stage, 0);
                true
            }
            Ok(fitted) if fitted.create.is_empty() => self.take_fitted(slot, fitted),
            Ok(fitted) => {
                self.await_properties(slot, fitted.create, now);
                true
            }
        }
    }

    /// Puts the fitted values in place; says whether the delivery has ended, because they are those that HubSpot refused.
    fn take_fitted(&mut self, slot: DeliverySlot, fitted: Fitted) -> bool {
        let stage = fitted.stage();
        let Fitted {
            mut properties,
            dropped,
            ..
        } = fitted;
        let refused = self.deliveries[slot.0].fitting.refused.take();
        if let Some(refused) = refused.filter(|refused| refused.values == properties) {
            let rejection = &refused.rejection;
            let named = rejection.property.clone();
            let droppable = named
                .as_ref()
                .and_then(|name| self.droppable(slot, name, rejection.code));
            let (Some(name), Some(reason)) = (named, droppable) else {
                self.die(slot, rejection, Stage::Record, 1);
                return true;
            };
            properties.retain(|(n, _)| *n != name);
            let note = Note::DroppedProperty {
                property: name,
                reason,
            };
            self.deliveries[slot.0].notes.push(note);
        }
        let delivery = &mut self.deliveries[slot.0];
        for (property, reason) in dropped {
            let note = Note::DroppedProperty {
                property,
                reason: reason.as_str(),
            };
            // Fitted a second time, it is dropped a second time.
            if !delivery.notes.contains(&note) {
                delivery.notes.push(note);
            }
        }
        let record = delivery.record_mut();
        let writes_stage = properties
            .iter()
            .any(|(name, _)| name.as_str() == LIFECYCLE_STAGE);
        record.stage = record.stage.take().and(stage).filter(|_| writes_stage);
        delivery.fitting.values = Some(properties);
        delivery.fitting.done = true;
        false
    }

    fn await_properties(
        &mut self,
        slot: DeliverySlot,
        missing: Vec<PropertyDefinition>,
        now: Instant,
    ) {
        let fitting = &mut self.deliveries[slot.0].fitting;
        fitting.rounds += 1;
        if fitting.rounds > ROUNDS {
            let name = missing.first().map(|definition| definition.name.clone());
            let rejection = Rejection {
                message: "the property was created, but HubSpot does not show it; replay later"
                    .to_owned(),
                property: name,
                ..plain(Code::PropertyMissing, ErrorClass::Mapping)
            };
            return self.die(slot, &rejection, Stage::Ensure, 0);
        }
        fitting.open = u32::try_from(missing.len()).unwrap_or(u32::MAX);
        for definition in missing {
            self.await_missing(Piece::Property(definition), Waiter::Delivery(slot), now);
        }
    }

    /// A record that is searched by one property alone, and that property is unique: it is upserted by it.
    fn prefer_unique(&mut self, slot: DeliverySlot, schema: &ObjectProperties) {
        let step = self.deliveries[slot.0].record_mut();
        let Existing::SearchAlone(by) = &step.existing else {
            return;
        };
        let [(name, value)] = by.fields.as_slice() else {
            return;
        };
        if !schema.get(name.as_str()).is_some_and(|info| info.unique) {
            return;
        }
        let record = RecordRef {
            object: step.record.object.clone(),
            id_property: name.clone(),
            value: Arc::from(value.expose().trim()),
        };
        let name = name.clone();
        step.existing = Existing::ById;
        step.record = record;
        step.properties.retain(|(n, _)| *n != name);
    }

    /// Takes out of a refused step what was fitted to a schema that HubSpot contradicts: it is fitted once more.
    pub(super) fn fit_again(
        &mut self,
        parts: Vec<Part>,
        rejection: &Rejection,
        now: Instant,
    ) -> Vec<Part> {
        let about_schema = matches!(
            rejection.code,
            Code::PropertyMissing
                | Code::PropertyReadOnly
                | Code::PropertyArchived
                | Code::PropertyType
                | Code::PropertyOption
                | Code::DateHasTime
        );
        let Some(name) = rejection
            .property
            .as_ref()
            .filter(|_| self.settings.schema && about_schema)
        else {
            return parts;
        };
        let mut left = Vec::new();
        for part in parts {
            let carries = part.properties.iter().any(|(n, _)| n == name);
            let fitting = &mut self.deliveries[part.delivery.0].fitting;
            if !carries || !fitting.done || fitting.contradicted {
                left.push(part);
                continue;
            }
            fitting.contradicted = true;
            fitting.done = false;
            fitting.refused = Some(Box::new(Refused {
                rejection: rejection.clone(),
                values: part.properties,
            }));
            let object = self.deliveries[part.delivery.0]
                .record()
                .record
                .object
                .clone();
            self.forget_fact(&FactKey::Properties(object), now);
            self.todo.push_back(super::Todo::Submit(part.delivery));
        }
        left
    }
}

/// A misfit as a rejection of our own, and where it stands.
pub(super) fn rejection_of(misfit: &Misfit, stage: Stage) -> (Rejection, Stage) {
    let (code, class, stage) = match misfit.code {
        MisfitCode::PropertyMissing => (Code::PropertyMissing, ErrorClass::Mapping, Stage::Ensure),
        MisfitCode::PropertyArchived => {
            (Code::PropertyArchived, ErrorClass::Mapping, Stage::Ensure)
        }
        MisfitCode::PropertyReadOnly => {
            (Code::PropertyReadOnly, ErrorClass::Mapping, Stage::Ensure)
        }
        MisfitCode::DefinitionArchived => {
            (Code::DefinitionArchived, ErrorClass::Mapping, Stage::Ensure)
        }
        MisfitCode::PropertyType => (Code::PropertyType, ErrorClass::Input, stage),
        MisfitCode::PropertyOption => (Code::PropertyOption, ErrorClass::Input, stage),
        MisfitCode::DateHasTime => (Code::DateHasTime, ErrorClass::Input, stage),
        MisfitCode::TooManyProperties => (Code::TooManyProperties, ErrorClass::Input, stage),
    };
    let rejection = Rejection {
        property: misfit.property.clone(),
        message: misfit.message.clone(),
        ..plain(code, class)
    };
    (rejection, stage)
}
