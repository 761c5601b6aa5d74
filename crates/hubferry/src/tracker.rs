//! What is still owed for each message: its events, their deliveries, and at most one dead letter per event.
//!
//! A pure account. A message is opened with its context (the ticket among it), gets its elements, each element its
//! deliveries; when the last delivery of an element has ended, the element is finished, or owes a dead letter when one
//! of them is dead; when all elements are finished the context comes back to be settled.

use bytes::Bytes;
use hubferry_actions::{ObjectType, RecordId};
use hubferry_delivery::{DeliveryId, MappingIndex};
use rustc_hash::FxHashMap;

use crate::closing::Closing;
use crate::tally::Tally;

/// Names an open message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct MessageKey(u64);

/// Names an open element of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct ElementKey(u64);

/// What has become due.
#[derive(PartialEq, Debug)]
pub(crate) enum Due<C> {
    /// A dead letter of this element has to be parked.
    Park(ElementKey),
    /// Everything of this message has ended.
    Settle(C),
}

/// One delivery of an element, ended.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Closed {
    pub(crate) mapping: Option<MappingIndex>,
    pub(crate) closing: Closing,
    pub(crate) record: Option<(ObjectType, RecordId)>,
}

/// What a dead letter is made of.
#[derive(Debug)]
pub(crate) struct Facts<'t, C> {
    pub(crate) context: &'t C,
    pub(crate) position: Option<u32>,
    /// The element's own bytes; `None` when the message's bytes stand for it.
    pub(crate) body: Option<&'t Bytes>,
    pub(crate) closed: &'t [Closed],
}

/// The account of everything that is open.
#[derive(Debug)]
pub(crate) struct Tracker<C> {
    messages: FxHashMap<MessageKey, OpenMessage<C>>,
    elements: FxHashMap<ElementKey, OpenElement>,
    deliveries: FxHashMap<DeliveryId, (ElementKey, MappingIndex)>,
    next: u64,
    tally: Tally,
}

#[derive(Debug)]
struct OpenMessage<C> {
    /// `None` once the message was abandoned: nothing is settled for it any more.
    context: Option<C>,
    /// Elements that are not finished, and one for the message itself until it is sealed.
    owed: u32,
}

#[derive(Debug)]
struct OpenElement {
    message: MessageKey,
    position: Option<u32>,
    body: Option<Bytes>,
    closed: Vec<Closed>,
    /// Deliveries that have not ended, and one for the element itself until it is sealed.
    owed: u32,
}

impl<C> Default for Tracker<C> {
    fn default() -> Self {
        Self {
            messages: FxHashMap::default(),
            elements: FxHashMap::default(),
            deliveries: FxHashMap::default(),
            next: 0,
            tally: Tally::default(),
        }
    }
}

impl<C> Tracker<C> {
    /// The sums so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Messages that are not settled.
    pub(crate) fn open_messages(&self) -> usize {
        self.messages.len()
    }

    /// Deliveries that have not ended.
    pub(crate) fn open_deliveries(&self) -> usize {
        self.deliveries.len()
    }

    /// Opens a message.
    pub(crate) fn open(&mut self, context: C) -> MessageKey {
        let key = MessageKey(self.fresh());
        let message = OpenMessage {
            context: Some(context),
            owed: 1,
        };
        self.messages.insert(key, message);
        key
    }

    /// Adds an element to a message that is not sealed.
    pub(crate) fn element(
        &mut self,
        message: MessageKey,
        position: Option<u32>,
        body: Option<Bytes>,
    ) -> ElementKey {
        let key = ElementKey(self.fresh());
        if let Some(open) = self.messages.get_mut(&message) {
            open.owed += 1;
        }
        let element = OpenElement {
            message,
            position,
            body,
            closed: Vec::new(),
            owed: 1,
        };
        self.elements.insert(key, element);
        self.tally.events += 1;
        key
    }

    /// Adds a delivery that will end later.
    pub(crate) fn delivery(&mut self, element: ElementKey, mapping: MappingIndex) -> DeliveryId {
        let id = DeliveryId(self.fresh());
        if let Some(open) = self.elements.get_mut(&element) {
            open.owed += 1;
        }
        self.deliveries.insert(id, (element, mapping));
        self.tally.deliveries += 1;
        id
    }

    /// Adds a delivery that has ended already.
    pub(crate) fn at_once(
        &mut self,
        element: ElementKey,
        mapping: Option<MappingIndex>,
        closing: Closing,
    ) {
        self.tally.deliveries += 1;
        self.tally.count(mapping, &closing);
        if let Some(open) = self.elements.get_mut(&element) {
            open.closed.push(Closed {
                mapping,
                closing,
                record: None,
            });
        }
    }

    /// All deliveries of the element are known.
    pub(crate) fn seal_element(&mut self, element: ElementKey, dues: &mut Vec<Due<C>>) {
        self.pay_element(element, dues);
    }

    /// All elements of the message are known.
    pub(crate) fn seal(&mut self, message: MessageKey, dues: &mut Vec<Due<C>>) {
        self.pay_message(message, dues);
    }

    /// A delivery ended. One that is not known (withdrawn, or ended before) changes nothing.
    pub(crate) fn ended(
        &mut self,
        delivery: DeliveryId,
        closing: Closing,
        record: Option<(ObjectType, RecordId)>,
        dues: &mut Vec<Due<C>>,
    ) {
        let Some((element, mapping)) = self.deliveries.remove(&delivery) else {
            return;
        };
        self.tally.count(Some(mapping), &closing);
        if let Some(open) = self.elements.get_mut(&element) {
            open.closed.push(Closed {
                mapping: Some(mapping),
                closing,
                record,
            });
        }
        self.pay_element(element, dues);
    }

    /// Counts fields that a mapping left out.
    pub(crate) fn dropped_invalid(&mut self, fields: u64) {
        self.tally.dropped_invalid(fields);
    }

    /// Counts the notes of a delivery.
    pub(crate) fn note(
        &mut self,
        mapping: Option<MappingIndex>,
        notes: &[hubferry_delivery::Note],
    ) {
        self.tally.note(mapping, notes);
    }

    /// What the dead letter of an element is made of; `None` when its message was abandoned meanwhile.
    pub(crate) fn facts(&self, element: ElementKey) -> Option<Facts<'_, C>> {
        let open = self.elements.get(&element)?;
        let message = self.messages.get(&open.message)?;
        Some(Facts {
            context: message.context.as_ref()?,
            position: open.position,
            body: open.body.as_ref(),
            closed: &open.closed,
        })
    }

    /// Open elements of which this holds, with the mappings of the deliveries they still wait for; for questions of people.
    pub(crate) fn open_where(
        &self,
        matches: impl Fn(&Facts<'_, C>) -> bool,
    ) -> Vec<(Facts<'_, C>, Vec<MappingIndex>)> {
        let keys = self.elements.keys().copied();
        let found: Vec<(ElementKey, Facts<'_, C>)> = keys
            .filter_map(|key| Some((key, self.facts(key)?)))
            .filter(|(_, facts)| matches(facts))
            .collect();
        let waits_for = |key: ElementKey| {
            let deliveries = self.deliveries.values();
            let mine = deliveries.filter(move |(element, _)| *element == key);
            mine.map(|(_, mapping)| *mapping).collect()
        };
        found
            .into_iter()
            .map(|(key, facts)| (facts, waits_for(key)))
            .collect()
    }

    /// The mapping of an open delivery, and the context of its message unless that was abandoned.
    pub(crate) fn source_of(&self, delivery: DeliveryId) -> Option<(MappingIndex, &C)> {
        let (element, mapping) = self.deliveries.get(&delivery)?;
        let message = self.elements.get(element)?.message;
        Some((*mapping, self.context(message)?))
    }

    /// The mapping of an open delivery.
    pub(crate) fn mapping_of(&self, delivery: DeliveryId) -> Option<MappingIndex> {
        self.deliveries.get(&delivery).map(|(_, mapping)| *mapping)
    }

    /// The message of an open delivery and the place of its event in it; `None` when it was abandoned.
    pub(crate) fn origin_of(&self, delivery: DeliveryId) -> Option<(MessageKey, Option<u32>, &C)> {
        let (element, _) = self.deliveries.get(&delivery)?;
        let element = self.elements.get(element)?;
        Some((
            element.message,
            element.position,
            self.context(element.message)?,
        ))
    }

    /// The context of an open message; `None` when it was abandoned.
    pub(crate) fn context(&self, message: MessageKey) -> Option<&C> {
        self.messages.get(&message)?.context.as_ref()
    }

    /// The dead letter of an element is safe.
    pub(crate) fn parked(&mut self, element: ElementKey, dues: &mut Vec<Due<C>>) {
        self.tally.parked += 1;
        self.finish_element(element, dues);
    }

    /// A delivery that no engine has seen yet is taken back: it does not count, and its message is abandoned.
    pub(crate) fn withdraw(&mut self, delivery: DeliveryId, dues: &mut Vec<Due<C>>) -> Option<C> {
        let (element, _) = self.deliveries.remove(&delivery)?;
        self.tally.deliveries -= 1;
        let message = self.elements.get(&element)?.message;
        let context = self.messages.get_mut(&message)?.context.take();
        self.pay_element(element, dues);
        context
    }

    /// Gives up every open message whose context matches; their contexts come back unsettled.
    pub(crate) fn abandon(&mut self, matches: impl Fn(&C) -> bool) -> Vec<C> {
        self.messages
            .values_mut()
            .filter_map(|message| {
                let found = message.context.as_ref().is_some_and(&matches);
                found.then(|| message.context.take()).flatten()
            })
            .collect()
    }

    /// The deliveries of open messages whose context matches.
    pub(crate) fn deliveries_of(&self, matches: impl Fn(&C) -> bool) -> Vec<DeliveryId> {
        let of = |element: &ElementKey| {
            let message = self.elements.get(element)?.message;
            self.context(message)
        };
        let open = self.deliveries.iter();
        open.filter(|(_, (element, _))| of(element).is_some_and(&matches))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether a delivery has not ended.
    pub(crate) fn is_open(&self, delivery: DeliveryId) -> bool {
        self.deliveries.contains_key(&delivery)
    }

    /// Whether a message is open whose context matches.
    pub(crate) fn any_open(&self, matches: impl Fn(&C) -> bool) -> bool {
        self.messages
            .values()
            .filter_map(|message| message.context.as_ref())
            .any(matches)
    }

    fn pay_element(&mut self, key: ElementKey, dues: &mut Vec<Due<C>>) {
        let Some(open) = self.elements.get_mut(&key) else {
            return;
        };
        open.owed -= 1;
        if open.owed > 0 {
            return;
        }
        let dead = open
            .closed
            .iter()
            .any(|closed| matches!(closed.closing, Closing::Dead(_)));
        let wanted = self
            .messages
            .get(&open.message)
            .is_some_and(|message| message.context.is_some());
        if dead && wanted {
            dues.push(Due::Park(key));
        } else {
            self.finish_element(key, dues);
        }
    }

    fn finish_element(&mut self, key: ElementKey, dues: &mut Vec<Due<C>>) {
        if let Some(open) = self.elements.remove(&key) {
            self.pay_message(open.message, dues);
        }
    }

    fn pay_message(&mut self, key: MessageKey, dues: &mut Vec<Due<C>>) {
        let Some(message) = self.messages.get_mut(&key) else {
            return;
        };
        message.owed -= 1;
        if message.owed > 0 {
            return;
        }
        let context = self
            .messages
            .remove(&key)
            .and_then(|message| message.context);
        dues.extend(context.map(Due::Settle));
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests;
