//! All kinds of work against an oracle: nothing is lost, invented or out of order, whatever goes wrong in passing.

use std::collections::{BTreeMap, BTreeSet};

use hubferry_actions::{ObjectProperties, PropertyName, ValueKind, WhenFound, WhenMissing};
use proptest::prelude::*;

use super::objects::{
    deliver, member, object, occurrence, searched, tie, track, untie, with_links, with_list,
};
use super::portal::{Faults, property};
use super::{
    Code, DeliveryId, Driver, Duration, Ending, Note, RecordPlan, SkipReason, Stage, faults,
};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    /// A record is written, added or updated, and something follows.
    Write {
        pet: u8,
        mode: Mode,
        bad: bool,
        late: bool,
        owner: Option<(u8, u32, bool)>,
        list: Option<bool>,
    },
    /// A record that no property identifies.
    Deal {
        number: u8,
    },
    Track {
        person: u8,
    },
    Pass(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Upsert,
    Add,
    Update,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let mode = prop_oneof![4 => Just(Mode::Upsert), 1 => Just(Mode::Add), 1 => Just(Mode::Update)];
    let write = (
        0u8..5,
        mode,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        prop::option::of((0u8..3, 5u32..7, prop::bool::weighted(0.7))),
        prop::option::of(any::<bool>()),
    );
    let act = prop_oneof![
        5 => write.prop_map(|(pet, mode, bad, late, owner, list)| {
            Act::Write { pet, mode, bad, late, owner, list }
        }),
        1 => (0u8..3).prop_map(|number| Act::Deal { number }),
        2 => (0u8..4).prop_map(|person| Act::Track { person }),
        2 => (1u8..6).prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..70)
}

/// The newest wish for something, by time and arrival.
type Newest<K, V> = BTreeMap<K, ((i64, u64), V)>;

fn note<K: Ord, V>(newest: &mut Newest<K, V>, key: K, when: (i64, u64), value: V) {
    match newest.get(&key) {
        Some((known, _)) if *known > when => (),
        _ => {
            newest.insert(key, (when, value));
        }
    }
}

fn plan(act: &Act, time: i64) -> Option<RecordPlan> {
    let Act::Write {
        pet,
        mode,
        bad,
        owner,
        list,
        ..
    } = act
    else {
        return None;
    };
    let seq = format!("{time:06}");
    let mut values = vec![("seq", seq.as_str())];
    if *bad {
        values.push(("city", "bad"));
    }
    let mut record = object("pets", &format!("pet{pet}"), &values);
    match mode {
        Mode::Upsert => (),
        Mode::Add => record.when_found = WhenFound::Skip,
        Mode::Update => record.when_missing = WhenMissing::Skip,
    }
    let links = owner.map(|(owner, kind, ties)| {
        let owner = format!("o{owner}");
        if ties {
            tie("owners", &owner, kind)
        } else {
            untie("owners", &owner, kind)
        }
    });
    let membership = list.map(|joins| member("pets", "all", joins));
    Some(RecordPlan {
        links: links.into_iter().collect(),
        membership,
        ..RecordPlan::only(record)
    })
}

/// Runs the acts; returns the driver and how many deliveries there were.
fn play(
    mut driver: Driver,
    acts: &[Act],
    mut after: impl FnMut(&mut Driver, usize, u64),
) -> (Driver, u64) {
    let mut id = 0u64;
    for (n, act) in acts.iter().enumerate() {
        let time = time_of(act, n);
        match act {
            Act::Pass(times) => {
                for _ in 0..*times {
                    driver.fill();
                    driver.happen();
                    driver.now += Duration::from_millis(10);
                }
            }
            Act::Write { .. } => {
                driver.admit(deliver(id, time, plan(act, time).unwrap()));
                id += 1;
            }
            Act::Deal { number } => {
                let number = number.to_string();
                let values = [("number", number.as_str()), ("kind", "deal")];
                let record = searched("deals", &values[..1], &values);
                driver.admit(deliver(id, time, RecordPlan::only(record)));
                id += 1;
            }
            Act::Track { person } => {
                let person = format!("p{person}");
                let what = [("what", "x")];
                driver.admit(track(
                    id,
                    &person,
                    occurrence("seen", &person, &id.to_string(), &what),
                ));
                id += 1;
            }
        }
        after(&mut driver, n, id);
    }
    driver.run();
    (driver, id)
}

fn time_of(act: &Act, n: usize) -> i64 {
    let time = i64::try_from(n).unwrap() + 1_000;
    match act {
        Act::Write { late: true, .. } => time - 500,
        _ => time,
    }
}

fn schema() -> BTreeMap<String, ObjectProperties> {
    let of = |names: &[&str]| {
        let names = names.iter().map(|name| PropertyName::new(name));
        ObjectProperties::new(names.map(|name| (name, property(ValueKind::Text))))
    };
    BTreeMap::from([
        ("pets".to_owned(), of(&["seq", "city", "ref"])),
        ("owners".to_owned(), of(&["ref"])),
        ("deals".to_owned(), of(&["number", "kind"])),
    ])
}

proptest! {
    /// Every delivery ends once; exactly the bad ones may die; no record goes back in time; occurrences count once and in
    /// their person's order; and where nothing was refused or lost, labels and list are those of the newest wishes.
    #[test]
    fn all_six_actions_lose_and_invent_nothing(
        acts in acts(), faults in faults(), seed in any::<u64>(), fits in any::<bool>(),
    ) {
        let mut driver = if fits { Driver::fitting(faults, seed) } else { Driver::new(faults, seed) };
        driver.portal.schemas = schema();
        let (driver, deliveries) = play(driver, &acts, |_, _, _| ());
        prop_assert_eq!(driver.endings.len() as u64, deliveries);

        let lost = driver.endings.values().any(
            |ending| matches!(ending, Ending::Dead(death) if death.rejection.code == Code::Unaccounted));
        prop_assume!(!lost);
        let mut id = 0u64;
        let mut labels: Newest<(u8, u8, u32), bool> = Newest::new();
        let mut listed: Newest<u8, bool> = Newest::new();
        let mut written: BTreeSet<u8> = BTreeSet::new();
        let mut tracked: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut deals: BTreeSet<u8> = BTreeSet::new();
        for (n, act) in acts.iter().enumerate() {
            match act {
                Act::Write { pet, mode, bad, owner, list, .. } => {
                    let ending = &driver.endings[&id];
                    let when = (time_of(act, n), id);
                    match ending {
                        Ending::Dead(death) => {
                            prop_assert!(*bad, "a good delivery is dead: {:?}", ending);
                            prop_assert_eq!(death.stage, Stage::Record);
                        }
                        Ending::Skipped(SkipReason::NotFound) => prop_assert_eq!(*mode, Mode::Update),
                        Ending::Skipped(SkipReason::Exists) => prop_assert_eq!(*mode, Mode::Add),
                        Ending::Delivered { .. } | Ending::Merged | Ending::Skipped(SkipReason::Stale) => {
                            written.insert(*pet);
                            if !matches!(ending, Ending::Skipped(_)) {
                                // Where there was nothing to untie from, nothing was asked of HubSpot.
                                let missing = matches!(ending, Ending::Delivered { notes } if notes.contains(&Note::MissingTarget));
                                if let Some((owner, kind, ties)) = owner.filter(|_| !missing) {
                                    note(&mut labels, (*pet, owner, kind), when, ties);
                                }
                                if let Some(joins) = list {
                                    note(&mut listed, *pet, when, *joins);
                                }
                            }
                        }
                        Ending::Withdrawn => prop_assert!(false, "nobody withdrew"),
                    }
                    id += 1;
                }
                Act::Deal { number } => {
                    prop_assert!(!matches!(driver.endings[&id], Ending::Dead(_)));
                    deals.insert(*number);
                    id += 1;
                }
                Act::Track { person } => {
                    let delivered = matches!(&driver.endings[&id], Ending::Delivered { .. });
                    prop_assert!(delivered, "{:?}", driver.endings[&id]);
                    tracked.entry(super::email_of(&format!("p{person}"))).or_default().push(id.to_string());
                    id += 1;
                }
                Act::Pass(_) => (),
            }
        }
        let portal = &driver.portal;
        for writes in portal.history.values() {
            let seqs: Vec<_> = writes.iter().filter_map(|w| w.get("seq")).collect();
            prop_assert!(seqs.is_sorted(), "a record went back in time: {:?}", seqs);
        }
        let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (uuid, email) in &portal.occurrences {
            sent.entry(email.clone()).or_default().push(uuid.clone());
        }
        prop_assert_eq!(sent, tracked);
        for number in &deals {
            let number = number.to_string();
            let made = portal.records.values().filter(|r| r.get("kind").is_some() && r.get("number") == Some(&number));
            prop_assert_eq!(made.count(), 1);
        }
        let id_of = |kind: &str, value: String| portal.ids.get(&(kind.to_owned(), value)).cloned();
        let wanted: BTreeSet<_> = labels.iter().filter(|(_, (_, ties))| *ties).map(|((pet, owner, kind), _)| {
            (id_of("pets", format!("pet{pet}")).unwrap(), id_of("owners", format!("o{owner}")).unwrap(), *kind)
        }).collect();
        prop_assert_eq!(&portal.labels, &wanted);
        let members: BTreeSet<_> = listed.iter().filter(|(_, (_, joins))| *joins)
            .map(|(pet, _)| id_of("pets", format!("pet{pet}")).unwrap()).collect();
        prop_assert_eq!(portal.members.values().next().cloned().unwrap_or_default(), members);
    }

    /// Whatever is withdrawn at whatever moment: every delivery ends once, nothing is left behind, nothing goes back.
    #[test]
    fn withdrawing_any_work_leaves_nothing_behind(
        acts in acts(), faults in faults(), seed in any::<u64>(), fits in any::<bool>(),
        when in any::<prop::sample::Index>(), modulus in 1u64..4,
    ) {
        let mut driver = if fits { Driver::fitting(faults, seed) } else { Driver::new(faults, seed) };
        driver.portal.schemas = schema();
        let at = when.index(acts.len());
        let (driver, deliveries) = play(driver, &acts, |driver, n, deliveries| {
            if n == at {
                let ids = (0..deliveries).filter(|id| id % modulus == 0).map(DeliveryId).collect();
                driver.scheduler.withdraw(&ids, driver.now);
                driver.collect();
            }
        });
        prop_assert_eq!(driver.endings.len() as u64, deliveries);
        prop_assert_eq!(driver.scheduler.open_events(), 0);
        for writes in driver.portal.history.values() {
            let seqs: Vec<_> = writes.iter().filter_map(|w| w.get("seq")).collect();
            prop_assert!(seqs.is_sorted(), "a record went back in time: {:?}", seqs);
        }
        let uuids: BTreeSet<_> = driver.portal.occurrences.iter().map(|(uuid, _)| uuid).collect();
        prop_assert_eq!(uuids.len(), driver.portal.occurrences.len());
    }
}

#[test]
fn a_plan_with_everything_goes_through() {
    let mut driver = Driver::new(Faults::default(), 1);
    let plan = RecordPlan {
        membership: Some(member("pets", "all", true)),
        ..with_links(
            object("pets", "rex", &[("age", "1")]),
            vec![tie("owners", "ada", 5)],
        )
    };
    driver.admit(deliver(1, 1, plan));
    driver.admit(deliver(
        2,
        1,
        with_list(object("pets", "tom", &[]), member("pets", "all", true)),
    ));
    driver.run();
    assert_eq!(driver.endings.len(), 2);
    assert_eq!(
        (
            driver.portal.labels.len(),
            driver.portal.members["list-1"].len()
        ),
        (1, 2)
    );
}
