//! Deletions (events.md §8): in the order of the person's events, whatever HubSpot answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hubferry_actions::{DeletionMode, DeletionStep, Plan, RecordId, Work};
use hubferry_event::{EventTime, IdentityKey};
use hubferry_hubspot::Outcome;
use proptest::prelude::*;
use rustc_hash::FxHashSet;

use super::portal::{each, rejection};
use super::{
    Admission, Code, DeliveryId, Driver, Duration, Ending, Faults, SkipReason, Stage, admission,
    delivered, email_of, identify, policy, user,
};

fn driver() -> Driver {
    Driver::new(Faults::default(), 1)
}

fn anonymous(n: &str) -> IdentityKey {
    IdentityKey::Anonymous(n.into())
}

fn delete(id: u64, keys: impl IntoIterator<Item = IdentityKey>, mode: DeletionMode) -> Admission {
    let keys: Vec<IdentityKey> = keys.into_iter().collect();
    let plan = Plan {
        time: EventTime::from_millis(i64::try_from(id).unwrap()),
        work: Work::Deletion(DeletionStep {
            person: keys.iter().cloned().collect(),
            mode,
        }),
        policy: Arc::new(policy()),
    };
    admission(id, 2, keys, plan)
}

fn archive(id: u64, name: &str) -> Admission {
    delete(id, [user(name)], DeletionMode::Archive)
}

/// What stands of each contact, by e-mail.
fn contacts(driver: &Driver) -> BTreeMap<String, BTreeMap<String, String>> {
    let ids = driver.portal.ids.iter();
    ids.map(|((_, email), id)| (email.clone(), driver.portal.records[id].clone()))
        .collect()
}

#[test]
fn s8_a_contact_is_archived_after_the_events_before_the_delete_event() {
    let mut driver = driver();
    driver.admit(identify(1, "ann", 1, &[("plan", "a")]));
    driver.admit(archive(2, "ann"));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(
        driver.portal.deleted,
        [("archive".to_owned(), "1".to_owned())]
    );
    let calls: Vec<&str> = driver
        .portal
        .calls
        .iter()
        .map(|(n, _)| n.as_str())
        .collect();
    assert_eq!(calls, ["contacts/batch/upsert", "contacts/batch/archive"]);
    assert!(
        driver.portal.people.is_empty(),
        "neither the user nor her e-mail leads to the contact any more"
    );
}

#[test]
fn s8_gdpr_deletes_one_contact_a_call_and_one_that_is_gone_is_deleted() {
    let mut driver = driver();
    driver.admit(identify(1, "ann", 1, &[("plan", "a")]));
    driver.admit(identify(2, "bob", 1, &[("plan", "a")]));
    driver.run();
    driver.portal.remove("1");
    driver.admit(delete(3, [user("ann")], DeletionMode::Gdpr));
    driver.admit(delete(4, [user("bob")], DeletionMode::Gdpr));
    driver.run();
    assert_eq!(driver.endings[&3], delivered());
    assert_eq!(driver.endings[&4], delivered());
    assert_eq!(driver.portal.deleted, [("gdpr".to_owned(), "2".to_owned())]);
    assert_eq!(driver.portal.called("contacts/gdpr-delete"), 2);
    assert!(driver.portal.people.is_empty());
}

#[test]
fn s8_unknown_ids_are_skipped_and_ask_hubspot_nothing() {
    let mut driver = driver();
    driver.admit(archive(1, "nobody"));
    // Neither a user id nor an anonymous id: an e-mail deletes nobody.
    driver.admit(delete(2, [], DeletionMode::Archive));
    driver.run();
    for id in [1, 2] {
        assert_eq!(driver.endings[&id], Ending::Skipped(SkipReason::NotFound));
    }
    assert!(driver.portal.calls.is_empty());
}

#[test]
fn s8_the_user_id_comes_before_the_anonymous_id() {
    let mut driver = driver();
    let of_user = driver.portal.put("contacts", Some("u@x"), &[]);
    let of_device = driver.portal.put("contacts", Some("d@x"), &[]);
    let known = [(user("u"), &of_user), (anonymous("d"), &of_device)];
    for (key, id) in known {
        driver.portal.people.insert(key, RecordId::new(id));
    }
    driver.admit(delete(
        1,
        [user("u"), anonymous("d")],
        DeletionMode::Archive,
    ));
    driver.run();
    assert_eq!(driver.portal.deleted, [("archive".to_owned(), of_user)]);
    // The user is unknown, the device is not.
    driver
        .portal
        .people
        .insert(anonymous("d"), RecordId::new(&of_device));
    driver.admit(delete(
        2,
        [user("other"), anonymous("d")],
        DeletionMode::Archive,
    ));
    driver.run();
    assert_eq!(driver.portal.deleted[1], ("archive".to_owned(), of_device));
}

#[test]
fn s8_a_later_identify_of_the_same_person_makes_a_new_contact() {
    // The same values before and after: what was written before the deletion does not stand any more.
    for after in [&[("plan", "a")], &[("plan", "b")]] {
        let mut driver = driver();
        driver.admit(identify(1, "ann", 1, &[("plan", "a"), ("city", "x")]));
        driver.admit(archive(2, "ann"));
        driver.admit(identify(3, "ann", 3, after));
        driver.run();
        assert!(driver.endings.values().all(|ending| *ending == delivered()));
        let (name, value) = after[0];
        let stands = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(
            contacts(&driver),
            BTreeMap::from([(email_of("ann"), stands)]),
            "nothing of what was deleted comes back, and nothing that came later is lost"
        );
        assert_eq!(driver.portal.people[&user("ann")], RecordId::new("2"));
    }
}

#[test]
fn deletions_of_many_people_share_their_calls() {
    let mut driver = driver();
    for n in 0..150 {
        let email = format!("{n}@x");
        let id = driver.portal.put("contacts", Some(&email), &[]);
        driver
            .portal
            .people
            .insert(user(&email), RecordId::new(&id));
        driver.admit(archive(n, &email));
    }
    driver.run();
    let calls: Vec<(&str, usize)> = driver
        .portal
        .calls
        .iter()
        .map(|(n, s)| (&**n, *s))
        .collect();
    let archive = "contacts/batch/archive";
    assert_eq!(calls, [(archive, 100), (archive, 50)]);
    assert_eq!(driver.portal.deleted.len(), 150);
}

#[test]
fn two_people_of_one_contact_delete_it_once_a_call() {
    let mut driver = driver();
    let id = driver.portal.put("contacts", Some("a@x"), &[]);
    for key in [user("u"), anonymous("d")] {
        driver.portal.people.insert(key, RecordId::new(&id));
    }
    driver.admit(delete(1, [user("u")], DeletionMode::Archive));
    driver.admit(delete(2, [anonymous("d")], DeletionMode::Archive));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.endings[&2], delivered());
}

#[test]
fn a_refused_deletion_is_dead_and_the_contact_stays_known() {
    let mut driver = driver();
    let id = driver.portal.put("contacts", Some("a@x"), &[]);
    driver.portal.people.insert(user("u"), RecordId::new(&id));
    driver.admit(archive(1, "u"));
    driver.fill();
    driver.happen();
    driver.now += Duration::from_secs(1);
    driver.fill();
    let (call, asked) = driver.wire.pop().unwrap();
    let refused = |_| Outcome::Rejected(rejection(None));
    let answers = each(&asked.request.steps(), refused);
    driver.scheduler.settle(call, answers, driver.now);
    driver.run();
    assert_eq!(driver.death(1), (Code::PropertyOption, Stage::Record));
    assert_eq!(driver.portal.people[&user("u")], RecordId::new(&id));
}

#[test]
fn a_deletion_is_withdrawn_until_it_is_on_the_wire() {
    let mut driver = driver();
    let id = driver.portal.put("contacts", Some("a@x"), &[]);
    driver.portal.people.insert(user("u"), RecordId::new(&id));
    let first: FxHashSet<DeliveryId> = [DeliveryId(1)].into_iter().collect();
    driver.admit(archive(1, "u"));
    driver.fill();
    driver.scheduler.withdraw(&first, driver.now);
    driver.run();
    assert_eq!(driver.endings[&1], Ending::Withdrawn);
    assert!(driver.portal.deleted.is_empty());

    let second: FxHashSet<DeliveryId> = [DeliveryId(2)].into_iter().collect();
    driver.admit(archive(2, "u"));
    driver.fill();
    driver.happen();
    driver.now += Duration::from_secs(1);
    driver.fill();
    assert_eq!(driver.wire.len(), 1);
    driver.scheduler.withdraw(&second, driver.now);
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.portal.deleted.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Events of four people, each a deletion or a value. Against the events alone: a contact stands exactly when the last event of its person is no deletion, and shows what
    /// was said of her since the last one.
    #[test]
    fn s8_what_stands_is_what_was_said_since_the_last_deletion(
        events in prop::collection::vec((0u8..4, prop::option::weighted(0.7, 0u8..3)), 1..40),
        seed in any::<u64>(),
        troubled in any::<bool>(),
        pauses in prop::collection::vec(any::<bool>(), 40),
        gdpr in any::<bool>(),
    ) {
        let mode = if gdpr { DeletionMode::Gdpr } else { DeletionMode::Archive };
        let faults = if troubled {
            Faults { throttled: 50, transient: 50, ambiguous: 50, ..Faults::default() }
        } else {
            Faults::default()
        };
        let mut driver = Driver::new(faults, seed);
        let mut said: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut known: BTreeSet<u8> = BTreeSet::new();
        let mut expected = BTreeMap::new();
        for (n, (who, value)) in (0u64..).zip(events) {
            let name = format!("p{who}");
            match value {
                Some(value) => {
                    let text = value.to_string();
                    // Another property each, so that what is left of an older contact shows.
                    let property = format!("said_{value}");
                    driver.admit(identify(n, &name, i64::try_from(n).unwrap(), &[(&property, &text)]));
                    said.entry(email_of(&name)).or_default().insert(property, text);
                    known.insert(who);
                }
                None => {
                    driver.admit(delete(n, [user(&name)], mode));
                    said.remove(&email_of(&name));
                    let there = known.remove(&who);
                    expected.insert(n, if there { delivered() } else { Ending::Skipped(SkipReason::NotFound) });
                }
            }
            if pauses[usize::try_from(n).unwrap()] {
                driver.run();
            }
        }
        driver.run();
        prop_assert_eq!(contacts(&driver), said);
        for (n, ending) in expected {
            prop_assert_eq!(&driver.endings[&n], &ending);
        }
    }
}
