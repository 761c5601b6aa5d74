//! Associations: the written record is tied to the person's contact.
//!
//! The contact comes from what this worker has seen, else from the fleet's memory, else from one batch read by e-mail;
//! after that the mapping decides: wait, create, go without, or refuse.

use std::time::Instant;

use hubferry_actions::{
    AssociateStep, Existing, LinkChange, OnMissingContact, Person, PropertyName, RecordId,
    RecordRef, RecordStep, WhenFound, WhenMissing,
};
use hubferry_event::IdentityKey;
use hubferry_hubspot::{Code, ErrorClass, Found, Rejection, StepId};
use hubferry_memory::{Finding, Inquiry, Link, LinkId, LinkOrigin};
use smallvec::{SmallVec, smallvec};

use super::follow::Followed;
use super::links::{LinkWaiter, LinkWish};
use super::step::{AssociateWork, State, Step, StepKind};
use super::verdicts::plain;
use super::{Asker, DeliverySlot, Scheduler, Todo};
use crate::ending::{Note, Stage};

impl Scheduler {
    /// A delivery's record is written: its association is next.
    pub(super) fn start_association(
        &mut self,
        slot: DeliverySlot,
        from: RecordId,
        wish: AssociateStep,
        now: Instant,
    ) {
        let delivery = &self.deliveries[slot.0];
        let step = self.add_step(StepKind::Associate(Box::new(AssociateWork {
            from_object: delivery.record().record.object.clone(),
            wished: (delivery.time.as_millis(), delivery.arrival),
            from,
            to_object: wish.with,
            kind: wish.kind,
            person: wish.person,
            to: None,
            deliveries: SmallVec::from_elem(slot, 1),
            links: Vec::new(),
            behind: Vec::new(),
            gone_once: false,
        })));
        self.find_contact(step, now);
    }

    /// Links that waited for this contact are made, before these deliveries end.
    pub(super) fn make_waiting_links(
        &mut self,
        finding: Finding,
        person: &Person,
        contact: &RecordId,
        behind: &[DeliverySlot],
        now: Instant,
    ) {
        let Finding::Links(links) = finding else {
            return;
        };
        for link in links {
            for slot in behind {
                self.deliveries[slot.0].follow.wait();
            }
            self.make_waiting_link(link, person, contact, behind.to_vec(), now);
        }
    }

    fn make_waiting_link(
        &mut self,
        link: Link,
        person: &Person,
        contact: &RecordId,
        behind: Vec<DeliverySlot>,
        now: Instant,
    ) {
        let step = self.add_step(StepKind::Associate(Box::new(AssociateWork {
            from_object: link.from_object.clone(),
            from: link.from.clone(),
            to_object: hubferry_actions::ObjectType::contacts(),
            kind: link.kind.clone(),
            person: person.clone(),
            to: None,
            deliveries: SmallVec::new(),
            links: vec![link.id],
            behind,
            gone_once: false,
            wished: (link.since_ms, 0),
        })));
        self.pair(step, contact.clone(), now);
    }

    fn find_contact(&mut self, step: StepId, now: Instant) {
        let Some(person) = self.associate_work(step).map(|work| work.person.clone()) else {
            return;
        };
        match self.people.find(&person) {
            Some(contact) => self.pair(step, contact, now),
            None => {
                self.set_state(step, State::Asking);
                self.ask(
                    Asker::Find(step),
                    Inquiry::FindContact {
                        person: person.to_vec(),
                    },
                );
            }
        }
    }

    /// The fleet's memory has answered.
    pub(super) fn contact_found(&mut self, step: StepId, finding: Finding, now: Instant) {
        let Some(person) = self.associate_work(step).map(|work| work.person.clone()) else {
            return;
        };
        match finding {
            Finding::Contact(Some(contact)) => {
                self.people.keep(&person, &contact);
                self.pair(step, contact, now);
            }
            _ if email_of(&person).is_some() => self.todo.push_back(Todo::Ready(step)),
            _ => self.contact_missing(step, now),
        }
    }

    /// HubSpot has been asked for the contact by e-mail.
    pub(super) fn contact_read(&mut self, step: StepId, found: Vec<Found>, now: Instant) {
        let Some(person) = self.associate_work(step).map(|work| work.person.clone()) else {
            return;
        };
        match found.into_iter().next() {
            Some(one) => {
                self.people.keep(&person, &one.id);
                self.set_state(step, State::Asking);
                let contact = one.id.clone();
                let person = person.to_vec();
                self.ask(
                    Asker::Introduced(step, one.id),
                    Inquiry::KeepContact { person, contact },
                );
            }
            None => self.contact_missing(step, now),
        }
    }

    /// The fleet remembers a contact that HubSpot was asked for; links that waited for it come back.
    pub(super) fn contact_introduced(
        &mut self,
        step: StepId,
        contact: RecordId,
        finding: Finding,
        now: Instant,
    ) {
        let Some(work) = self.associate_work(step) else {
            return;
        };
        let (person, behind) = (work.person.clone(), work.deliveries.to_vec());
        self.make_waiting_links(finding, &person, &contact, &behind, now);
        self.pair(step, contact, now);
    }

    /// There is no contact: the mapping decides.
    fn contact_missing(&mut self, step: StepId, now: Instant) {
        let Some(work) = self.associate_work(step) else {
            return;
        };
        let person = work.person.clone();
        let Some(&slot) = work.deliveries.first() else {
            let behind = std::mem::take(&mut work.behind);
            self.steps.remove(&step);
            return self.waited(behind);
        };
        let email = email_of(&person).map(str::to_owned);
        let on_missing = self.deliveries[slot.0].policy.on_missing_contact;
        match (on_missing, email) {
            (OnMissingContact::Create, Some(email)) => {
                self.set_state(step, State::Blocked);
                self.open_wanted(&bare_contact(&email, person), step);
            }
            (OnMissingContact::Wait | OnMissingContact::Create, _) if !person.is_empty() => {
                self.keep_link(step, self.clock.ms_at(now))
            }
            (OnMissingContact::Skip, _) => {
                self.end_associated(step, Some(Note::MissingTarget), now)
            }
            (
                OnMissingContact::Wait | OnMissingContact::Create | OnMissingContact::DeadLetter,
                _,
            ) => {
                self.association_dies(step, &contact_is_missing(), now);
            }
        }
    }

    fn keep_link(&mut self, step: StepId, now_ms: i64) {
        self.set_state(step, State::Asking);
        let Some(work) = self.associate_work(step) else {
            return;
        };
        let person = work.person.to_vec();
        let (from_object, from, kind) = (
            work.from_object.clone(),
            work.from.clone(),
            work.kind.clone(),
        );
        let Some(&slot) = work.deliveries.first() else {
            return;
        };
        let delivery = &self.deliveries[slot.0];
        let mapping = self
            .mappings
            .get(delivery.mapping.0 as usize)
            .cloned()
            .unwrap_or_default();
        let message = delivery
            .origin
            .as_ref()
            .map_or_else(|| delivery.id.0.to_string(), |origin| message_of(origin));
        let wait = i64::try_from(delivery.policy.link_wait.as_millis()).unwrap_or(i64::MAX);
        let link = Link {
            id: LinkId::of(&mapping, (&from_object, &from), &person, &message),
            mapping,
            from_object,
            from,
            kind,
            since_ms: now_ms,
            expires_ms: now_ms.saturating_add(wait),
            origin: delivery.origin.as_deref().cloned(),
        };
        if let Some(work) = self.associate_work(step) {
            work.links.push(link.id.clone());
        }
        self.ask(Asker::Keep(step), Inquiry::KeepLink { person, link });
    }

    /// The link is kept, or its contact has appeared meanwhile: then it is made, and dropped again.
    pub(super) fn link_kept(&mut self, step: StepId, finding: Finding, now: Instant) {
        if let Finding::LinkKept(Some(contact)) = finding {
            return self.pair(step, contact, now);
        }
        if let Some(work) = self.associate_work(step) {
            work.links.clear();
        }
        self.counts.links_kept += 1;
        self.end_associated(step, Some(Note::WaitingLink), now);
    }

    /// Both ends are known: the pair is asked for once, however many want it.
    pub(super) fn pair(&mut self, step: StepId, contact: RecordId, now: Instant) {
        let Some(work) = self.associate_work(step) else {
            return;
        };
        work.to = Some(contact.clone());
        let from = (work.from_object.clone(), work.from.clone());
        let to = (work.to_object.clone(), contact);
        let (time, arrival) = work.wished;
        let wish = LinkWish {
            kind: work.kind.clone(),
            change: LinkChange::Associate,
            wished: (time, arrival, 0),
            waiters: smallvec![LinkWaiter::Association(step)],
        };
        self.set_state(step, State::Blocked);
        self.change_link(from, to, wish, now);
    }

    /// HubSpot shows the association.
    pub(super) fn associated(&mut self, step: StepId, now: Instant) {
        self.end_associated(step, None, now);
    }

    /// Ends the deliveries of an association, with a note if there is one.
    fn end_associated(&mut self, step: StepId, note: Option<Note>, now: Instant) {
        let Some(Step {
            kind: StepKind::Associate(work),
            ..
        }) = self.steps.remove(&step)
        else {
            return;
        };
        if !work.links.is_empty() {
            self.counts.links_made += work.links.len() as u64;
            self.ask(
                Asker::Nobody,
                Inquiry::DropLinks {
                    person: work.person.to_vec(),
                    links: work.links,
                },
            );
        }
        for slot in work.deliveries {
            let how = note.clone().map_or(Followed::Done, Followed::Noted);
            self.followed(slot, how, now);
        }
        self.waited(work.behind);
    }

    /// One of the ends is gone: the contact is looked up anew, once.
    pub(super) fn end_gone(&mut self, step: StepId, now: Instant) {
        let Some(work) = self.associate_work(step) else {
            return;
        };
        let person = work.person.clone();
        if work.gone_once {
            return self.association_dies(step, &contact_is_missing(), now);
        }
        work.gone_once = true;
        work.to = None;
        self.people.forget(&person);
        self.ask(
            Asker::Nobody,
            Inquiry::ForgetContact {
                person: person.to_vec(),
            },
        );
        // The look-up after the forgetting goes past the memory, straight to HubSpot where there is an e-mail.
        self.set_state(step, State::Chained);
        if email_of(&person).is_some() {
            self.todo.push_back(Todo::Ready(step));
        } else {
            self.contact_missing(step, now);
        }
    }

    /// The record is written; only its association is refused, or the contact it wanted could not be created.
    pub(super) fn association_dies(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let attempts = self.attempts_of(step);
        let Some(Step {
            kind: StepKind::Associate(work),
            ..
        }) = self.steps.remove(&step)
        else {
            return;
        };
        for slot in work.deliveries {
            let refused = Followed::refused(rejection, Stage::Association, attempts);
            self.followed(slot, refused, now);
        }
        self.waited(work.behind);
    }

    pub(super) fn associate_work(&mut self, step: StepId) -> Option<&mut AssociateWork> {
        match self.steps.get_mut(&step) {
            Some(Step {
                kind: StepKind::Associate(work),
                ..
            }) => Some(work),
            _ => None,
        }
    }

    pub(super) fn set_state(&mut self, step: StepId, state: State) {
        if let Some(step) = self.steps.get_mut(&step) {
            step.state = state;
        }
    }
}

/// The e-mail by which HubSpot can be asked for a person.
pub(super) fn email_of(person: &[IdentityKey]) -> Option<&str> {
    person.iter().find_map(|key| match key {
        IdentityKey::Email(email) => Some(&**email),
        _ => None,
    })
}

/// The contact that an association creates when there is none; `None` when its e-mail is not known.
pub(super) fn bare_of(work: &AssociateWork) -> Option<RecordStep> {
    email_of(&work.person).map(|email| bare_contact(email, work.person.clone()))
}

fn bare_contact(email: &str, person: Person) -> RecordStep {
    RecordStep {
        record: RecordRef {
            object: hubferry_actions::ObjectType::contacts(),
            id_property: PropertyName::new("email"),
            value: email.into(),
        },
        properties: Vec::new(),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person,
        needs: None,
        creation: None,
    }
}

fn contact_is_missing() -> Rejection {
    Rejection {
        message: "there is no contact for this person; send an identify event with her e-mail, then replay".to_owned(),
        ..plain(Code::AssociationContactMissing, ErrorClass::Input)
    }
}

/// What tells two links of one record and person apart: the message they came from.
fn message_of(origin: &LinkOrigin) -> String {
    format!(
        "{}/{}/{}/{}",
        origin.topic,
        origin.partition,
        origin.offset,
        origin.element.unwrap_or(0)
    )
}
