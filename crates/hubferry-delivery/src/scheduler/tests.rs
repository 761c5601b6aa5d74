//! The scheduler against a HubSpot that is a plain map, and against oracles computed from the events alone.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hubferry_actions::{
    AssociateStep, AssociationType, Existing, Lifecycle, LifecycleStage, MatchMode, ObjectType,
    OnMissingContact, Plan, Policy, PropertyDefinition, PropertyName, PropertyText, RecordPlan,
    RecordRef, RecordStep, SearchBy, UnknownProperty, ValueKind, WhenFound, WhenMissing, Work,
};
use hubferry_event::{EventTime, IdentityKey};
use hubferry_hubspot::{Bucket, Call, Code, Hold, HoldScope, Outcome};
use hubferry_memory::Inquiry;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use self::portal::{Faults, Portal, each};
use super::step::StepKind;
use super::{CallId, Job, Outgoing, Scheduler, SchedulerSettings, WallClock};
use crate::admission::{Admission, Delivery, DeliveryId, MappingIndex};
use crate::ending::{Ending, Note, SkipReason, Stage};

mod defects;
mod deletions;
mod model;
mod objects;
mod portal;
mod waiting;

const BUCKETS: [Bucket; 4] = [
    Bucket::Burst,
    Bucket::Associations,
    Bucket::Search,
    Bucket::EventSends,
];

// ---------------------------------------------------------------------------------------------------------------------
// Events

fn policy() -> Policy {
    Policy {
        coalesce: true,
        unknown_property: UnknownProperty::DeadLetter,
        drop_invalid_property: false,
        truncate_dates: false,
        lifecycle: Lifecycle::BothWays,
        on_missing_contact: OnMissingContact::Wait,
        link_wait: Duration::from_secs(3600),
        required: Vec::new(),
    }
}

fn properties(values: &[(&str, &str)]) -> Vec<(PropertyName, PropertyText)> {
    values
        .iter()
        .map(|(n, v)| (PropertyName::new(n), PropertyText::new(v)))
        .collect()
}

fn user(n: &str) -> IdentityKey {
    IdentityKey::User(n.into())
}

fn email_of(n: &str) -> String {
    format!("{n}@example.com")
}

fn contact_plan(name: &str, time: i64, values: &[(&str, &str)], policy: Policy) -> Plan {
    let email = email_of(name);
    let record = RecordStep {
        record: RecordRef {
            object: ObjectType::contacts(),
            id_property: PropertyName::new("email"),
            value: Arc::from(email.as_str()),
        },
        properties: properties(values),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: values
            .iter()
            .find(|(n, _)| *n == "lifecyclestage")
            .and_then(|(_, v)| LifecycleStage::parse(v)),
        person: [user(name), IdentityKey::Email(email.into())]
            .into_iter()
            .collect(),
        needs: None,
        creation: None,
    };
    plan_of(time, RecordPlan::only(record), policy)
}

fn plan_of(time: i64, record: RecordPlan, policy: Policy) -> Plan {
    Plan {
        time: EventTime::from_millis(time),
        work: Work::Record(Box::new(record)),
        policy: Arc::new(policy),
    }
}

fn record_mut(plan: &mut Plan) -> &mut RecordPlan {
    match &mut plan.work {
        Work::Record(record) => record,
        Work::Occurrence(_) | Work::Deletion(_) => unreachable!("the plan is of a record"),
    }
}

fn company_plan(
    group: &str,
    person: Option<&str>,
    time: i64,
    values: &[(&str, &str)],
    policy: Policy,
) -> Plan {
    let record = RecordStep {
        record: RecordRef {
            object: ObjectType::companies(),
            id_property: PropertyName::new("segment_group_id"),
            value: Arc::from(group),
        },
        properties: properties(values),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person: [].into_iter().collect(),
        needs: Some(PropertyDefinition {
            object: ObjectType::companies(),
            name: PropertyName::new("segment_group_id"),
            label: "Segment Group ID".into(),
            description: "",
            group: "companyinformation".into(),
            kind: ValueKind::Text,
            unique: true,
            hidden: true,
            sensitive: false,
        }),
        creation: None,
    };
    let associate = person.map(|name| AssociateStep {
        person: [user(name)].into_iter().collect(),
        with: ObjectType::contacts(),
        kind: AssociationType::company_to_contact(),
    });
    let record = RecordPlan {
        associate,
        ..RecordPlan::only(record)
    };
    plan_of(time, record, policy)
}

fn identify(id: u64, name: &str, time: i64, values: &[(&str, &str)]) -> Admission {
    admission(
        id,
        0,
        [user(name), IdentityKey::Email(email_of(name).into())],
        contact_plan(name, time, values, policy()),
    )
}

fn group(id: u64, group: &str, name: &str, time: i64, values: &[(&str, &str)]) -> Admission {
    let keys = [user(name), IdentityKey::Group(group.into())];
    admission(
        id,
        1,
        keys,
        company_plan(group, Some(name), time, values, policy()),
    )
}

fn admission(
    id: u64,
    mapping: u32,
    keys: impl IntoIterator<Item = IdentityKey>,
    plan: Plan,
) -> Admission {
    Admission {
        keys: keys.into_iter().collect(),
        deliveries: vec![Delivery {
            id: DeliveryId(id),
            mapping: MappingIndex(mapping),
            plan,
        }],
        origin: None,
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The driver: permits, time and answers, in whatever order chance gives

struct Driver {
    scheduler: Scheduler,
    portal: Portal,
    faults: Faults,
    chance: StdRng,
    now: Instant,
    wire: Vec<(CallId, Call)>,
    rounds: Vec<(super::RoundId, Vec<Inquiry>)>,
    endings: BTreeMap<u64, Ending>,
}

impl Driver {
    fn new(faults: Faults, seed: u64) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let settings = SchedulerSettings {
            seed,
            ..SchedulerSettings::default()
        };
        let mappings = vec!["acme/contacts".to_owned(), "acme/companies".to_owned()];
        Self {
            scheduler: Scheduler::new(
                settings,
                mappings,
                WallClock {
                    at: now,
                    ms: 1_700_000_000_000,
                },
            ),
            portal: Portal::default(),
            faults,
            chance: StdRng::seed_from_u64(seed),
            now,
            wire: Vec::new(),
            rounds: Vec::new(),
            endings: BTreeMap::new(),
        }
    }

    /// One that makes values fit the portal's schema.
    fn fitting(faults: Faults, seed: u64) -> Self {
        let mut driver = Self::new(faults, seed);
        driver.scheduler.settings.schema = true;
        driver
    }

    fn admit(&mut self, admission: Admission) {
        self.scheduler.admit(admission, self.now);
        self.collect();
    }

    fn collect(&mut self) {
        for ended in self.scheduler.take_ended() {
            let twice = self.endings.insert(ended.delivery.0, ended.ending);
            assert!(twice.is_none(), "delivery {} ended twice", ended.delivery.0);
        }
    }

    /// Sends whatever is due.
    fn fill(&mut self) {
        self.scheduler.tick(self.now);
        for bucket in BUCKETS {
            while self.scheduler.wants(bucket, self.now).is_some() {
                let Some(Outgoing { id, call, .. }) = self.scheduler.fill(bucket, self.now) else {
                    break;
                };
                self.wire.push((id, call));
            }
        }
        if let Some(round) = self.scheduler.inquire() {
            self.rounds.push(round);
        }
        self.collect();
    }

    /// Lets one thing happen that is under way; `false` when nothing is.
    fn happen(&mut self) -> bool {
        let open = self.wire.len() + self.rounds.len();
        if open == 0 {
            return false;
        }
        let pick = self.chance.random_range(0..open);
        if pick < self.wire.len() {
            let (id, call) = self.wire.swap_remove(pick);
            let answers = self.portal.answer(&call, self.faults, &mut self.chance);
            self.scheduler.settle(id, answers, self.now);
        } else {
            let (round, inquiries) = self.rounds.swap_remove(pick - self.wire.len());
            let findings = self.portal.remember(inquiries);
            self.scheduler.learn(round, findings, self.now);
        }
        self.collect();
        true
    }

    /// How a delivery died.
    fn death(&self, id: u64) -> (Code, Stage) {
        match &self.endings[&id] {
            Ending::Dead(death) => (death.rejection.code, death.stage),
            other => panic!("delivery {id} ended {other:?}"),
        }
    }

    fn run(&mut self) {
        for _ in 0..100_000 {
            self.fill();
            if self.happen() {
                continue;
            }
            match self.scheduler.wake_at(self.now) {
                Some(at) => self.now = at.max(self.now),
                None => break,
            }
        }
        assert!(
            self.scheduler.is_idle(),
            "work is left, and nothing would wake it: {:?}",
            self.left()
        );
        let left = (
            self.scheduler.early.len(),
            self.scheduler.chains.len(),
            self.scheduler.events.len(),
        );
        assert_eq!(
            left,
            (0, 0, 0),
            "an idle scheduler keeps nothing of what has ended"
        );
    }

    /// The steps that are not done: what they are, and where they stand.
    fn left(&self) -> Vec<String> {
        let steps = self.scheduler.steps.values().map(|step| {
            let kind = match &step.kind {
                StepKind::Record(work) => format!("record in {:?}", work.phase),
                StepKind::Associate(_) => "association".to_owned(),
                StepKind::Target(_) => "target".to_owned(),
                StepKind::Link(_) => "link".to_owned(),
                StepKind::Member(_) => "member".to_owned(),
                StepKind::Occurrence(_) => "occurrence".to_owned(),
                StepKind::Deletion(_) => "deletion".to_owned(),
                StepKind::Ensure(id) => format!("ensure {:?}", self.scheduler.ensures.piece(*id)),
                StepKind::Fact(read) => format!("fact {:?}", read.key),
            };
            format!("{kind} {:?}", step.state)
        });
        let deliveries = self.scheduler.deliveries.iter().map(|(_, delivery)| {
            let open = delivery.follow.open();
            let kind = match &delivery.job {
                Job::Record(_) => "record",
                Job::Occurrence(_) => "occurrence",
                Job::Deletion(_) => "deletion",
            };
            format!(
                "{kind} {:?}, submitted {}, written {:?}, {open} following, {} to be made, fits {}",
                delivery.id,
                delivery.submitted,
                delivery.written,
                delivery.fitting.open,
                delivery.fitting.done
            )
        });
        steps.chain(deliveries).collect()
    }

    fn calls(&self) -> usize {
        self.portal
            .calls
            .iter()
            .filter(|(name, _)| !name.starts_with("properties"))
            .count()
    }

    fn contact(&self, name: &str) -> &BTreeMap<String, String> {
        &self.portal.records[&self.portal.ids[&("contacts".to_owned(), email_of(name))]]
    }
}

fn delivered() -> Ending {
    Ending::Delivered { notes: Vec::new() }
}

// ---------------------------------------------------------------------------------------------------------------------
// Scenarios

#[test]
fn a_thousand_people_in_a_hundred_companies_cost_about_twelve_calls() {
    let mut driver = Driver::new(Faults::default(), 1);
    for n in 0..1_000u64 {
        driver.admit(identify(
            2 * n,
            &format!("p{n}"),
            1,
            &[("firstname", "Ada")],
        ));
        driver.admit(group(
            2 * n + 1,
            &format!("g{}", n % 100),
            &format!("p{n}"),
            2,
            &[("name", "Acme")],
        ));
    }
    driver.run();
    assert_eq!(driver.endings.len(), 2_000);
    assert_eq!(driver.portal.associations.len(), 1_000);
    assert!(
        driver.calls() <= 15,
        "{} calls: {:?}",
        driver.calls(),
        driver.portal.calls
    );
}

#[test]
fn waiting_writes_of_one_contact_become_one_and_each_delivery_ends() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(
        1,
        "ada",
        10,
        &[("firstname", "one"), ("plan", "free")],
    ));
    driver.admit(identify(2, "ada", 20, &[("firstname", "two")]));
    driver.admit(identify(3, "ada", 15, &[("plan", "old"), ("city", "")]));
    driver.run();
    assert_eq!(
        driver.portal.calls,
        [("contacts/batch/upsert".to_owned(), 1)]
    );
    assert_eq!(driver.endings[&1], Ending::Merged);
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.endings[&3], Ending::Merged);
    let contact = driver.contact("ada");
    assert_eq!(
        (
            contact["firstname"].as_str(),
            contact["plan"].as_str(),
            contact["city"].as_str()
        ),
        ("two", "old", "")
    );
}

#[test]
fn a_hot_person_costs_a_handful_of_calls() {
    let mut driver = Driver::new(Faults::default(), 1);
    for n in 0..50i64 {
        let visits = n.to_string();
        let company = format!("c{}", n % 3);
        driver.admit(group(
            n.unsigned_abs() * 2,
            &company,
            "ada",
            n,
            &[("name", "Acme")],
        ));
        driver.admit(identify(
            n.unsigned_abs() * 2 + 1,
            "ada",
            n,
            &[("visits", visits.as_str())],
        ));
    }
    driver.run();
    assert_eq!(driver.endings.len(), 100);
    assert_eq!(driver.contact("ada")["visits"], "49");
    assert_eq!(driver.portal.associations.len(), 3);
    assert!(
        driver.calls() <= 8,
        "{} calls: {:?}",
        driver.calls(),
        driver.portal.calls
    );
    assert!(driver.scheduler.early.is_empty());
}

#[test]
fn with_coalescing_off_every_value_is_written() {
    let mut driver = Driver::new(Faults::default(), 1);
    for n in 0..3 {
        let policy = Policy {
            coalesce: false,
            ..policy()
        };
        let value = n.to_string();
        let plan = contact_plan("ada", n, &[("step", value.as_str())], policy);
        driver.admit(admission(n.unsigned_abs(), 0, [user("ada")], plan));
    }
    driver.run();
    let written: Vec<_> = driver.portal.history["1"]
        .iter()
        .map(|w| w["step"].clone())
        .collect();
    assert_eq!(written, ["0", "1", "2"]);
    assert!(driver.endings.values().all(|e| *e == delivered()));
}

#[test]
fn a_late_event_does_not_put_old_values_back() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(1, "ada", 20, &[("firstname", "new")]));
    driver.run();
    driver.admit(identify(2, "ada", 10, &[("firstname", "old")]));
    driver.admit(identify(
        3,
        "ada",
        10,
        &[("firstname", "old"), ("city", "Paris")],
    ));
    driver.run();
    assert_eq!(driver.endings[&2], Ending::Skipped(SkipReason::Stale));
    let Ending::Delivered { notes } = &driver.endings[&3] else {
        panic!("{:?}", driver.endings[&3])
    };
    assert_eq!(
        notes,
        &[Note::DroppedProperty {
            property: PropertyName::new("firstname"),
            reason: "stale"
        }]
    );
    assert_eq!(driver.contact("ada")["firstname"], "new");
    assert_eq!(driver.contact("ada")["city"], "Paris");
}

#[test]
fn an_event_that_is_only_overtaken_merges_with_the_newer_one() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(1, "ada", 1, &[]));
    driver.admit(admission(
        2,
        1,
        [user("ada")],
        company_plan("g", None, 2, &[("name", "old")], policy()),
    ));
    driver.admit(admission(
        3,
        1,
        [user("bob")],
        company_plan("g", None, 3, &[("name", "new")], policy()),
    ));
    driver.run();
    assert_eq!(driver.endings[&2], Ending::Merged);
    assert_eq!(driver.endings[&3], delivered());
    let company = &driver.portal.ids[&("companies".to_owned(), "g".to_owned())];
    assert_eq!(driver.portal.records[company]["name"], "new");
}

#[test]
fn what_the_fleet_has_overwritten_is_left_out_and_noted() {
    let mut driver = Driver::new(Faults::default(), 1);
    let settings = SchedulerSettings {
        marks: true,
        ..SchedulerSettings::default()
    };
    driver.scheduler = Scheduler::new(
        settings,
        vec![String::new()],
        WallClock {
            at: driver.now,
            ms: 0,
        },
    );
    driver.admit(identify(
        1,
        "ada",
        7,
        &[("firstname", "old"), ("city", "Paris")],
    ));
    driver.admit(identify(2, "bob", 7, &[("firstname", "old")]));
    driver.now += Duration::from_millis(25);
    let sending = driver.scheduler.fill(Bucket::Burst, driver.now).unwrap();
    let marked: Vec<_> = sending
        .marks
        .iter()
        .map(|(_, m)| (&*m.record.value, m.values.len(), m.values[0].1))
        .collect();
    assert_eq!(
        marked,
        [("ada@example.com", 2, 7), ("bob@example.com", 1, 7)]
    );
    let firstname = PropertyName::new("firstname");
    let stale: Vec<_> = sending
        .marks
        .iter()
        .map(|(step, _)| (*step, vec![firstname.clone()]))
        .collect();
    driver.scheduler.found_stale(&stale);
    driver.wire.push((sending.id, sending.call));
    driver.run();
    let note = Note::DroppedProperty {
        property: firstname,
        reason: "stale",
    };
    assert_eq!(driver.endings[&1], Ending::Delivered { notes: vec![note] });
    assert_eq!(driver.endings[&2], Ending::Skipped(SkipReason::Stale));
}

#[test]
fn every_waiting_link_of_a_pair_is_dropped_when_it_is_made() {
    let mut driver = Driver::new(Faults::default(), 1);
    for n in 0..3u64 {
        driver.admit(group(n, "g", "ada", i64::try_from(n).unwrap(), &[]));
    }
    driver.run();
    assert_eq!(driver.portal.links.len(), 3);
    driver.admit(identify(9, "ada", 9, &[]));
    driver.run();
    assert_eq!(
        (driver.portal.associations.len(), driver.portal.links.len()),
        (1, 0)
    );
}

#[test]
fn a_property_that_was_lost_is_made_anew_before_it_counts_as_a_mistake() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(admission(
        1,
        1,
        [user("ada")],
        company_plan("g", None, 1, &[], policy()),
    ));
    driver.run();
    driver.portal.properties.clear();
    driver.admit(admission(
        2,
        1,
        [user("bob")],
        company_plan("h", None, 1, &[], policy()),
    ));
    driver.now += Duration::from_millis(25);
    driver.fill();
    let (id, call) = driver.wire.pop().unwrap();
    let message = "Unable to perform upsert by non-unique 0-2 property segment_group_id".to_owned();
    let held = |_| Outcome::Held {
        scope: HoldScope::Mapping,
        reason: Hold::Config {
            message: message.clone(),
        },
    };
    driver
        .scheduler
        .settle(id, each(&call.request.steps(), held), driver.now);
    assert!(driver.scheduler.holds().is_empty());
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert!(driver.portal.properties.contains("segment_group_id"));
}

#[test]
fn a_group_event_waits_for_the_contact_of_its_person() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(1, "ada", 1, &[]));
    driver.admit(group(2, "g", "ada", 2, &[("name", "Acme")]));
    driver.run();
    let order: Vec<_> = driver
        .portal
        .calls
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|n| !n.starts_with("prop"))
        .collect();
    assert_eq!(
        order,
        [
            "contacts/batch/upsert",
            "companies/batch/upsert",
            "associations/companies/contacts/batch/create"
        ]
    );
}

#[test]
fn a_company_before_its_contact_is_written_and_linked_when_the_contact_appears() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(group(1, "g", "ada", 1, &[("name", "Acme")]));
    driver.run();
    assert_eq!(
        driver.endings[&1],
        Ending::Delivered {
            notes: vec![Note::WaitingLink]
        }
    );
    assert!(driver.portal.associations.is_empty());
    driver.admit(identify(2, "ada", 2, &[]));
    driver.run();
    assert_eq!(driver.portal.associations.len(), 1);
    assert!(
        driver.portal.links.is_empty(),
        "a link that is made does not wait any more"
    );
}

#[test]
fn a_missing_contact_is_created_skipped_or_refused_as_the_mapping_says() {
    for (on_missing, expected) in [
        (OnMissingContact::Create, delivered()),
        (
            OnMissingContact::Skip,
            Ending::Delivered {
                notes: vec![Note::MissingTarget],
            },
        ),
    ] {
        let mut driver = Driver::new(Faults::default(), 1);
        let mut plan = company_plan(
            "g",
            Some("ada"),
            1,
            &[],
            Policy {
                on_missing_contact: on_missing,
                ..policy()
            },
        );
        record_mut(&mut plan)
            .associate
            .as_mut()
            .unwrap()
            .person
            .push(IdentityKey::Email(email_of("ada").into()));
        driver.admit(admission(1, 1, [user("ada")], plan));
        driver.run();
        assert_eq!(driver.endings[&1], expected);
        assert_eq!(
            driver.portal.associations.len(),
            usize::from(on_missing == OnMissingContact::Create)
        );
    }
    let mut driver = Driver::new(Faults::default(), 1);
    let refuse = Policy {
        on_missing_contact: OnMissingContact::DeadLetter,
        ..policy()
    };
    driver.admit(admission(
        1,
        1,
        [user("ada")],
        company_plan("g", Some("ada"), 1, &[], refuse),
    ));
    driver.run();
    let Ending::Dead(death) = &driver.endings[&1] else {
        panic!("{:?}", driver.endings[&1])
    };
    assert_eq!(
        (death.rejection.code, death.stage),
        (Code::AssociationContactMissing, Stage::Association)
    );
}

#[test]
fn a_stage_moves_backwards_by_clearing_it_first() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(1, "ada", 1, &[("lifecyclestage", "customer")]));
    driver.run();
    driver.admit(identify(
        2,
        "ada",
        2,
        &[("lifecyclestage", "lead"), ("city", "Paris")],
    ));
    driver.run();
    assert_eq!(driver.contact("ada")["lifecyclestage"], "lead");
    let history: Vec<_> = driver.portal.history["1"]
        .iter()
        .map(|w| (w.get("lifecyclestage").cloned(), w.len()))
        .collect();
    let stage = |s: &str| Some(s.to_owned());
    assert_eq!(
        history,
        [
            (stage("customer"), 1),
            (stage("lead"), 2),
            (stage(""), 1),
            (stage("lead"), 1)
        ]
    );
}

#[test]
fn one_bad_record_costs_only_itself_when_the_whole_batch_is_refused() {
    let mut driver = Driver::new(
        Faults {
            whole: 1_000,
            ..Faults::default()
        },
        1,
    );
    for n in 0..100u64 {
        let city = if n == 37 { "bad" } else { "Paris" };
        driver.admit(identify(n, &format!("p{n}"), 1, &[("city", city)]));
    }
    driver.run();
    let dead: Vec<_> = driver
        .endings
        .iter()
        .filter(|(_, e)| matches!(e, Ending::Dead(_)))
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(dead, [37]);
    assert_eq!(driver.portal.records.len(), 99);
    assert!(driver.calls() <= 16, "{} calls", driver.calls());
}

#[test]
fn a_refused_property_takes_down_only_the_deliveries_that_carry_it() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(
        1,
        "ada",
        1,
        &[("city", "bad"), ("firstname", "one")],
    ));
    driver.admit(identify(2, "ada", 2, &[("firstname", "two")]));
    driver.run();
    assert!(matches!(driver.endings[&1], Ending::Dead(_)));
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.contact("ada")["firstname"], "two");
}

#[test]
fn a_mapping_may_drop_what_hubspot_refuses() {
    let mut driver = Driver::new(Faults::default(), 1);
    let plan = contact_plan(
        "ada",
        1,
        &[("city", "bad"), ("firstname", "Ada")],
        Policy {
            drop_invalid_property: true,
            ..policy()
        },
    );
    driver.admit(admission(1, 0, [user("ada")], plan));
    driver.run();
    let note = Note::DroppedProperty {
        property: PropertyName::new("city"),
        reason: "invalid",
    };
    assert_eq!(driver.endings[&1], Ending::Delivered { notes: vec![note] });
    assert_eq!(driver.contact("ada")["firstname"], "Ada");
}

#[test]
fn a_record_that_is_missing_and_not_to_be_created_is_skipped() {
    let mut driver = Driver::new(Faults::default(), 1);
    let mut plan = company_plan("g", None, 1, &[("name", "Acme")], policy());
    record_mut(&mut plan).record.when_missing = WhenMissing::Skip;
    driver.admit(admission(1, 1, [user("ada")], plan));
    driver.run();
    assert_eq!(driver.endings[&1], Ending::Skipped(SkipReason::NotFound));
    assert!(driver.portal.records.is_empty());
}

#[test]
fn a_record_found_by_its_values_is_adopted_and_two_are_refused() {
    let search = |id: u64, group: &str| {
        let mut plan = company_plan(group, None, 1, &[("name", "Acme")], policy());
        record_mut(&mut plan).record.existing = Existing::Search(SearchBy {
            fields: properties(&[("domain", "acme.io")]),
            mode: MatchMode::All,
        });
        admission(id, 1, [user(group)], plan)
    };
    let mut driver = Driver::new(Faults::default(), 1);
    driver
        .portal
        .write("7", &properties(&[("domain", "acme.io")]));
    driver.admit(search(1, "g"));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.records["7"]["segment_group_id"], "g");
    driver
        .portal
        .write("8", &properties(&[("domain", "acme.io")]));
    driver.admit(search(2, "h"));
    driver.run();
    let Ending::Dead(death) = &driver.endings[&2] else {
        panic!("{:?}", driver.endings[&2])
    };
    assert_eq!(death.rejection.code, Code::NotUnique);
}

#[test]
fn what_is_withdrawn_before_it_is_sent_is_not_sent() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(1, "ada", 1, &[]));
    driver.admit(identify(2, "bob", 1, &[]));
    driver.admit(group(3, "g", "bob", 2, &[]));
    driver.scheduler.withdraw(
        &[DeliveryId(2), DeliveryId(3)].into_iter().collect(),
        driver.now,
    );
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(
        (&driver.endings[&2], &driver.endings[&3]),
        (&Ending::Withdrawn, &Ending::Withdrawn)
    );
    assert_eq!(
        driver.portal.calls,
        [("contacts/batch/upsert".to_owned(), 1)]
    );
}

#[test]
fn a_held_portal_sends_nothing_but_a_probe_and_ends_nothing() {
    let mut driver = Driver::new(Faults::default(), 1);
    for n in 0..10 {
        driver.admit(identify(n, &format!("p{n}"), 1, &[]));
    }
    driver.now += Duration::from_millis(25);
    driver.fill();
    let (id, call) = driver.wire.pop().unwrap();
    let held = |_| Outcome::Held {
        scope: HoldScope::Portal,
        reason: Hold::Auth {
            message: "revoked".to_owned(),
        },
    };
    driver
        .scheduler
        .settle(id, each(&call.request.steps(), held), driver.now);
    driver.collect();
    driver.now += Duration::from_secs(29);
    driver.fill();
    assert!(driver.wire.is_empty() && driver.endings.is_empty());
    assert_eq!(driver.scheduler.holds().len(), 1);
    driver.now += Duration::from_secs(1);
    driver.run();
    assert_eq!(driver.endings.len(), 10);
    assert!(driver.scheduler.holds().is_empty());
}

#[test]
fn a_held_mapping_leaves_the_others_running() {
    let mut driver = Driver::new(Faults::default(), 1);
    driver.admit(identify(1, "ada", 1, &[]));
    driver.now += Duration::from_millis(25);
    driver.fill();
    let (id, call) = driver.wire.pop().unwrap();
    let held = |_| Outcome::Held {
        scope: HoldScope::Mapping,
        reason: Hold::Scope {
            message: "contacts".to_owned(),
        },
    };
    driver
        .scheduler
        .settle(id, each(&call.request.steps(), held), driver.now);
    driver.admit(admission(
        2,
        1,
        [user("bob")],
        company_plan("g", None, 1, &[], policy()),
    ));
    for _ in 0..20 {
        driver.now += Duration::from_millis(25);
        driver.fill();
        while driver.happen() {}
    }
    assert_eq!(driver.endings.keys().copied().collect::<Vec<_>>(), [2]);
    driver.run();
    assert_eq!(driver.endings.len(), 2);
}

// ---------------------------------------------------------------------------------------------------------------------
// Properties

#[derive(Clone, Debug)]
enum Act {
    Identify {
        person: u8,
        late: bool,
        city: Option<u8>,
        bad: bool,
    },
    Group {
        person: u8,
        company: u8,
        bad: bool,
    },
    Pass(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0u8..8, prop::bool::weighted(0.1), prop::option::of(0u8..3), prop::bool::weighted(0.1))
            .prop_map(|(person, late, city, bad)| Act::Identify { person, late, city, bad }),
        3 => (0u8..8, 0u8..3, prop::bool::weighted(0.05))
            .prop_map(|(person, company, bad)| Act::Group { person, company, bad }),
        2 => (1u8..6).prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..80)
}

fn faults() -> impl Strategy<Value = Faults> {
    prop_oneof![
        Just(Faults::default()),
        (0u32..200, 0u32..200, 0u32..200, 0u32..30, 0u32..1000).prop_map(
            |(throttled, transient, ambiguous, unaccounted, whole)| Faults {
                throttled,
                transient,
                ambiguous,
                unaccounted,
                whole
            }
        ),
    ]
}

/// An event with a value that HubSpot refuses: object, record, property, time, and the association it wants. It dies unless a
/// newer value took the place of the refused one before it was sent.
type Bad = (
    &'static str,
    String,
    &'static str,
    i64,
    Option<(String, String)>,
);

/// What the events alone say: per record and property the value of the newest event that is not bad.
#[derive(Default)]
struct Oracle {
    values: BTreeMap<(String, String, String), (i64, String)>,
    associations: BTreeSet<(String, String)>,
    contacts: BTreeSet<String>,
    bad: BTreeMap<u64, Bad>,
    events: u64,
}

impl Oracle {
    fn set(&mut self, object: &str, record: &str, property: &str, time: i64, value: &str) {
        let key = (object.to_owned(), record.to_owned(), property.to_owned());
        match self.values.get(&key) {
            Some((known, _)) if time < *known => (),
            _ => {
                self.values.insert(key, (time, value.to_owned()));
            }
        }
    }
}

proptest! {

    /// Whatever goes wrong in passing: every delivery ends exactly once; exactly the bad ones die; HubSpot shows, per
    /// property, the value of the newest good event; every association is made whose contact exists; and no record's
    /// `seq` ever goes back.
    #[test]
    fn nothing_is_lost_invented_or_put_back(acts in acts(), faults in faults(), seed in any::<u64>()) {
        let mut driver = Driver::new(faults, seed);
        let mut oracle = Oracle::default();
        for (n, act) in acts.iter().enumerate() {
            let time = i64::try_from(n).unwrap() + 1_000;
            let id = oracle.events;
            match act {
                Act::Pass(times) => for _ in 0..*times {
                    driver.fill();
                    driver.happen();
                    driver.now += Duration::from_millis(10);
                },
                Act::Identify { person, late, city, bad } => {
                    let name = format!("p{person}");
                    let time = if *late { time - 500 } else { time };
                    let seq = format!("{time:06}");
                    let value = if *bad { "bad".to_owned() } else { format!("c{}", city.unwrap_or(9)) };
                    let mut values = vec![("seq", seq.as_str())];
                    if city.is_some() || *bad { values.push(("city", value.as_str())); }
                    driver.admit(identify(id, &name, time, &values));
                    if *bad { oracle.bad.insert(id, ("contacts", email_of(&name), "city", time, None)); } else {
                        for (property, value) in &values { oracle.set("contacts", &email_of(&name), property, time, value); }
                        oracle.contacts.insert(name);
                    }
                    oracle.events += 1;
                }
                Act::Group { person, company, bad } => {
                    let (name, gid) = (format!("p{person}"), format!("g{company}"));
                    let seq = format!("{time:06}");
                    let value = if *bad { "bad" } else { "Acme" };
                    let values = [("seq", seq.as_str()), ("name", value)];
                    driver.admit(group(id, &gid, &name, time, &values));
                    if *bad { oracle.bad.insert(id, ("companies", gid.clone(), "name", time, Some((gid, name)))); } else {
                        for (property, value) in &values { oracle.set("companies", &gid, property, time, value); }
                        oracle.associations.insert((gid, name));
                    }
                    oracle.events += 1;
                }
            }
        }
        driver.run();
        prop_assert_eq!(driver.endings.len() as u64, oracle.events);
        let lost: BTreeSet<u64> = driver.endings.iter()
            .filter(|(_, e)| matches!(e, Ending::Dead(d) if d.rejection.code == Code::Unaccounted)).map(|(n, _)| *n).collect();
        let dead: BTreeSet<u64> = driver.endings.iter()
            .filter(|(n, e)| matches!(e, Ending::Dead(_)) && !lost.contains(n)).map(|(n, _)| *n).collect();
        prop_assert!(dead.iter().all(|n| oracle.bad.contains_key(n)), "a good event is dead: {:?}", dead);
        prop_assume!(lost.is_empty());
        for alive in oracle.bad.keys().filter(|n| !dead.contains(n)) {
            let (object, record, property, time, pair) = &oracle.bad[alive];
            let newest = oracle.values.get(&((*object).to_owned(), record.clone(), (*property).to_owned()));
            prop_assert!(newest.is_some_and(|(t, _)| t >= time), "event {} was bad and alive without a newer value", alive);
            oracle.associations.extend(pair.clone());
        }
        for ((object, record, property), (_, value)) in &oracle.values {
            let id = &driver.portal.ids[&(object.clone(), record.clone())];
            prop_assert_eq!(driver.portal.records[id].get(property), Some(value), "{} {} {}", object, record, property);
        }
        let made: BTreeSet<(String, String)> = driver.portal.associations.clone();
        let wanted: BTreeSet<(String, String)> = oracle.associations.iter()
            .filter(|(_, name)| oracle.contacts.contains(name))
            .map(|(gid, name)| (
                driver.portal.ids[&("companies".to_owned(), gid.clone())].clone(),
                driver.portal.ids[&("contacts".to_owned(), email_of(name))].clone(),
            )).collect();
        prop_assert_eq!(made, wanted);
        for writes in driver.portal.history.values() {
            let seqs: Vec<_> = writes.iter().filter_map(|w| w.get("seq")).collect();
            prop_assert!(seqs.is_sorted(), "a record went back in time: {:?}", seqs);
        }
    }

    /// Whatever is withdrawn at whatever moment: every delivery ends exactly once, nothing that ended withdrawn is sent
    /// afterwards, nothing is left behind, and no record goes back in time.
    #[test]
    fn withdrawing_leaves_nothing_behind(
        acts in acts(), faults in faults(), seed in any::<u64>(), when in any::<prop::sample::Index>(), modulus in 1u64..4,
    ) {
        let mut driver = Driver::new(faults, seed);
        let at = when.index(acts.len());
        let mut events = 0u64;
        for (n, act) in acts.iter().enumerate() {
            let time = i64::try_from(n).unwrap();
            let seq = format!("{n:06}");
            match act {
                Act::Pass(times) => for _ in 0..*times { driver.fill(); driver.happen(); driver.now += Duration::from_millis(10); },
                Act::Identify { person, bad, .. } => {
                    let values = [("seq", seq.as_str()), ("city", if *bad { "bad" } else { "c" })];
                    driver.admit(identify(events, &format!("p{person}"), time, &values));
                    events += 1;
                }
                Act::Group { person, company, .. } => {
                    driver.admit(group(events, &format!("g{company}"), &format!("p{person}"), time, &[("seq", seq.as_str())]));
                    events += 1;
                }
            }
            if n == at {
                let ids = (0..events).filter(|id| id % modulus == 0).map(DeliveryId).collect();
                driver.scheduler.withdraw(&ids, driver.now);
                driver.collect();
            }
        }
        driver.run();
        prop_assert_eq!(driver.endings.len() as u64, events);
        prop_assert_eq!(driver.scheduler.open_events(), 0);
        for writes in driver.portal.history.values() {
            let seqs: Vec<_> = writes.iter().filter_map(|w| w.get("seq")).collect();
            prop_assert!(seqs.is_sorted(), "a record went back in time: {:?}", seqs);
        }
    }

    /// A busy worker forgets old records, never the order of what is under way.
    #[test]
    fn small_memories_lose_no_delivery(acts in acts(), seed in any::<u64>()) {
        let mut driver = Driver::new(Faults::default(), seed);
        let one = NonZeroUsize::MIN;
        let settings = SchedulerSettings { recent_records: one, known_people: one, seed, ..SchedulerSettings::default() };
        driver.scheduler = Scheduler::new(settings, vec![String::new(); 2], WallClock { at: driver.now, ms: 0 });
        let mut events = 0u64;
        for act in &acts {
            match act {
                Act::Identify { person, .. } => driver.admit(identify(events, &format!("p{person}"), 1, &[("a", "b")])),
                Act::Group { person, company, .. } => {
                    driver.admit(group(events, &format!("g{company}"), &format!("p{person}"), 1, &[]));
                }
                Act::Pass(_) => continue,
            }
            events += 1;
        }
        driver.run();
        prop_assert_eq!(driver.endings.len() as u64, events);
    }
}
