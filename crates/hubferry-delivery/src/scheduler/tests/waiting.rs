//! Associations that waited for their contact: whoever makes the contact known ends only when they are made, so that no
//! crash and no stop leaves them waiting for an event that may never come.

use std::collections::BTreeSet;

use hubferry_hubspot::{Outcome, Request};
use proptest::prelude::*;
use rustc_hash::FxHashSet;

use super::portal::{each, rejection};
use super::{
    Admission, AssociateStep, AssociationType, Call, CallId, DeliveryId, Driver, Duration, Ending,
    Faults, IdentityKey, Note, ObjectType, Scheduler, SchedulerSettings, WallClock, admission,
    company_plan, delivered, email_of, group, identify, policy, record_mut, user,
};

fn driver() -> Driver {
    Driver::new(Faults::default(), 1)
}

/// Lets things happen until a call that makes associations is on the wire, and takes it from there.
fn until_linking(driver: &mut Driver) -> (CallId, Call) {
    for _ in 0..1_000 {
        driver.fill();
        let linking = |(_, call): &(CallId, Call)| matches!(call.request, Request::Link { .. });
        if let Some(at) = driver.wire.iter().position(linking) {
            return driver.wire.swap_remove(at);
        }
        if !driver.happen() {
            driver.now += Duration::from_millis(25);
        }
    }
    panic!("no association is asked for: {:?}", driver.left());
}

fn waiting_link() -> Ending {
    Ending::Delivered {
        notes: vec![Note::WaitingLink],
    }
}

#[test]
fn a_contact_ends_after_the_links_that_waited_for_it() {
    let mut driver = driver();
    driver.admit(group(1, "g", "ada", 1, &[]));
    driver.run();
    assert_eq!(driver.endings[&1], waiting_link());
    driver.admit(identify(2, "ada", 2, &[]));
    let call = until_linking(&mut driver);
    assert!(!driver.endings.contains_key(&2));
    driver.wire.push(call);
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(
        (driver.portal.associations.len(), driver.portal.links.len()),
        (1, 0)
    );
}

#[test]
fn a_waiting_link_that_is_refused_is_not_held_against_the_contact() {
    let mut driver = driver();
    driver.admit(group(1, "g", "ada", 1, &[]));
    driver.run();
    driver.admit(identify(2, "ada", 2, &[]));
    let (id, call) = until_linking(&mut driver);
    let refused = |_| Outcome::Rejected(rejection(None));
    let answers = each(&call.request.steps(), refused);
    driver.scheduler.settle(id, answers, driver.now);
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
}

#[test]
fn who_waits_for_a_link_can_be_withdrawn_until_it_is_on_the_wire() {
    let only: FxHashSet<DeliveryId> = [DeliveryId(2)].into_iter().collect();
    for is_on_wire in [false, true] {
        let mut driver = driver();
        driver.admit(group(1, "g", "ada", 1, &[]));
        driver.run();
        driver.admit(identify(2, "ada", 2, &[]));
        let (id, call) = until_linking(&mut driver);
        if is_on_wire {
            driver.wire.push((id, call));
        } else {
            let again = |_| Outcome::Throttled {
                resume: hubferry_hubspot::Resume::After(Duration::from_secs(5)),
                bucket: super::Bucket::Burst,
            };
            let answers = each(&call.request.steps(), again);
            driver.scheduler.settle(id, answers, driver.now);
        }
        driver.scheduler.withdraw(&only, driver.now);
        driver.collect();
        assert_eq!(driver.endings.contains_key(&2), !is_on_wire);
        driver.run();
        let ending = if is_on_wire {
            delivered()
        } else {
            Ending::Withdrawn
        };
        assert_eq!(driver.endings[&2], ending);
    }
}

#[test]
fn a_contact_that_is_found_at_hubspot_takes_the_links_that_waited_for_it() {
    let mut driver = driver();
    driver.admit(group(1, "g", "ada", 1, &[]));
    driver.run();
    assert_eq!(driver.endings[&1], waiting_link());
    driver.portal.put("contacts", Some(&email_of("ada")), &[]);
    driver.admit(with_email(2, "h", "ada"));
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(
        (driver.portal.associations.len(), driver.portal.links.len()),
        (2, 0)
    );
}

/// A group event that tells the person's e-mail too.
fn with_email(id: u64, company: &str, name: &str) -> Admission {
    let keys = [user(name), IdentityKey::Email(email_of(name).into())];
    let mut plan = company_plan(company, None, i64::try_from(id).unwrap(), &[], policy());
    record_mut(&mut plan).associate = Some(AssociateStep {
        person: keys.clone().into_iter().collect(),
        with: ObjectType::contacts(),
        kind: AssociationType::company_to_contact(),
    });
    let group = IdentityKey::Group(company.into());
    admission(id, 1, keys.into_iter().chain([group]), plan)
}

/// What an event says: a person's name, or that she belongs to a company.
#[derive(Clone, Copy, Debug)]
enum Said {
    Person(u8),
    Belongs(u8, u8),
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        (0u8..5).prop_map(Said::Person),
        (0u8..5, 0u8..3).prop_map(|(who, company)| Said::Belongs(who, company)),
    ]
}

fn event(n: usize, said: Said) -> Admission {
    let (id, time) = (u64::try_from(n).unwrap(), i64::try_from(n).unwrap());
    match said {
        Said::Person(who) => identify(id, &format!("p{who}"), time, &[("firstname", "A")]),
        Said::Belongs(who, company) => {
            group(id, &format!("g{company}"), &format!("p{who}"), time, &[])
        }
    }
}

/// A worker dies: what is on the wire may or may not arrive, nothing is learnt of it. The next one begins with the events
/// that have not ended.
fn crash(driver: &mut Driver) {
    for (_, call) in std::mem::take(&mut driver.wire) {
        if driver.chance.random_bool(0.5) {
            let faults = driver.faults;
            driver.portal.answer(&call, faults, &mut driver.chance);
        }
    }
    for (_, inquiries) in std::mem::take(&mut driver.rounds) {
        if driver.chance.random_bool(0.5) {
            driver.portal.remember(inquiries);
        }
    }
    let mappings = vec!["acme/contacts".to_owned(), "acme/companies".to_owned()];
    let clock = WallClock {
        at: driver.now,
        ms: 1_700_000_000_000,
    };
    driver.scheduler = Scheduler::new(SchedulerSettings::default(), mappings, clock);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whenever a worker dies, in the end exactly those are associated who were said to belong and who are known.
    #[test]
    fn no_crash_loses_an_association(
        events in prop::collection::vec(said(), 1..30),
        crashes in prop::collection::vec(0usize..60, 0..4),
        seed in any::<u64>(),
    ) {
        let mut driver = Driver::new(Faults::default(), seed);
        for (n, said) in events.iter().enumerate() {
            driver.admit(event(n, *said));
        }
        for after in crashes {
            for _ in 0..after {
                driver.fill();
                if !driver.happen() {
                    driver.now += Duration::from_millis(25);
                }
            }
            crash(&mut driver);
            for (n, said) in events.iter().enumerate() {
                if !driver.endings.contains_key(&u64::try_from(n).unwrap()) {
                    driver.admit(event(n, *said));
                }
            }
        }
        driver.run();
        let known: BTreeSet<u8> = events.iter().filter_map(|said| match said {
            Said::Person(who) => Some(*who),
            Said::Belongs(..) => None,
        }).collect();
        let belonging: BTreeSet<(u8, u8)> = events.iter().filter_map(|said| match said {
            Said::Belongs(who, company) if known.contains(who) => Some((*who, *company)),
            _ => None,
        }).collect();
        prop_assert_eq!(driver.portal.associations.len(), belonging.len());
        prop_assert_eq!(driver.endings.len(), events.len());
    }
}
