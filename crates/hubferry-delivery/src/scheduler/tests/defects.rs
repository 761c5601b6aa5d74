//! One test for each known defect of the reference destination that is the scheduler's business (actions.md).

use hubferry_actions::{
    LinkChange, ObjectProperties, OnMissingContact, PropertyInfo, PropertyName, UnknownProperty,
    ValueKind, WhenMissing,
};
use hubferry_hubspot::{Cause, ErrorClass, Hold, HoldScope, Outcome, Request, StepId};

use super::objects::{
    added, deliver, deliver_with, label, link, member, object, occurrence, only, searched, tie,
    tie_existing, track, untie, with_links, with_list,
};
use super::portal::{UNLABELLED, each, property};
use super::{
    Code, Driver, Duration, Ending, Faults, IdentityKey, Note, Policy, SkipReason, Stage,
    admission, company_plan, contact_plan, delivered, email_of, group, identify, policy,
    record_mut, user,
};

fn driver() -> Driver {
    Driver::new(Faults::default(), 1)
}

fn id_of(driver: &Driver, kind: &str, value: &str) -> String {
    driver.portal.ids[&(kind.to_owned(), value.to_owned())].clone()
}

/// Takes the next call off the wire and answers it.
fn answer_next(driver: &mut Driver, outcome: impl Fn(StepId) -> Outcome) {
    driver.now += Duration::from_millis(25);
    driver.fill();
    let (id, call) = driver.wire.pop().expect("a call is due");
    driver
        .scheduler
        .settle(id, each(&call.request.steps(), outcome), driver.now);
    driver.collect();
}

const LOST: Faults = Faults {
    throttled: 0,
    transient: 0,
    ambiguous: 700,
    unaccounted: 0,
    whole: 0,
};

// ---------------------------------------------------------------------------------------------------------------------
// Contacts

#[test]
fn c2_a_contact_created_meanwhile_is_no_error() {
    let mut driver = driver();
    driver.portal.put("pets", Some("rex"), &[("age", "1")]);
    let record = searched("pets", &[("tag", "rex")], &[("age", "2")]);
    driver.admit(deliver(1, 1, only(record)));
    // The search comes back empty, and the creation meets a record that has appeared.
    answer_or_wait(&mut driver, |call| match call {
        hubferry_hubspot::Request::Create { .. } => {
            Some(Outcome::Exists(hubferry_actions::RecordId::new("1")))
        }
        _ => None,
    });
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.records["1"]["age"], "2");
}

/// Lets everything happen until a call is met that `outcome` has an answer for.
fn answer_or_wait(
    driver: &mut Driver,
    outcome: impl Fn(&hubferry_hubspot::Request) -> Option<Outcome>,
) {
    for _ in 0..200 {
        driver.now += Duration::from_millis(25);
        driver.fill();
        if let Some(at) = driver
            .wire
            .iter()
            .position(|(_, call)| outcome(&call.request).is_some())
        {
            let (id, call) = driver.wire.remove(at);
            let answer = outcome(&call.request).expect("it was just there");
            let steps = call.request.steps();
            driver
                .scheduler
                .settle(id, each(&steps, |_| answer.clone()), driver.now);
            driver.collect();
            return;
        }
        driver.happen();
    }
    panic!("the call was never made");
}

#[test]
fn c4_events_of_one_contact_merge_by_field_and_time() {
    let mut driver = driver();
    driver.admit(identify(1, "ada", 20, &[("firstname", "new")]));
    driver.admit(identify(
        2,
        "ada",
        10,
        &[("firstname", "old"), ("city", "Paris")],
    ));
    driver.run();
    let contact = driver.contact("ada");
    assert_eq!(
        (&*contact["firstname"], &*contact["city"]),
        ("new", "Paris")
    );
}

#[test]
fn c7_a_record_in_no_part_of_the_answer_is_read_back() {
    let mut driver = driver();
    driver.admit(identify(1, "ada", 1, &[("city", "Paris")]));
    answer_next(&mut driver, |_| Outcome::Unaccounted);
    assert!(driver.endings.is_empty());
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.contact("ada")["city"], "Paris");
}

#[test]
fn c9_two_emails_of_one_contact_in_one_batch_are_both_applied_in_order() {
    let mut driver = driver();
    let id = driver.portal.put("contacts", Some(&email_of("ada")), &[]);
    let second = ("contacts".to_owned(), email_of("ada2"));
    driver.portal.ids.insert(second, id.clone());
    // The newer event stands first in the batch: HubSpot applies the older one after it.
    driver.admit(identify(1, "ada2", 20, &[("city", "new"), ("plan", "pro")]));
    driver.admit(identify(2, "ada", 10, &[("city", "old"), ("team", "red")]));
    driver.run();
    let contact = &driver.portal.records[&id];
    assert_eq!(
        (&*contact["city"], &*contact["plan"], &*contact["team"]),
        ("new", "pro", "red")
    );
    assert_eq!(driver.scheduler.counts().order_repairs, 1);
    // From now on the two names share a chain.
    let calls = driver.portal.called("contacts/batch/upsert");
    driver.admit(identify(3, "ada2", 40, &[("city", "newest")]));
    driver.admit(identify(4, "ada", 30, &[("city", "newer")]));
    driver.run();
    assert_eq!(driver.portal.records[&id]["city"], "newest");
    assert_eq!(driver.portal.called("contacts/batch/upsert"), calls + 1);
    assert_eq!(driver.scheduler.counts().order_repairs, 1);
}

#[test]
fn c10_c11_c12_f4_one_refused_record_fails_no_other() {
    let mut driver = driver();
    for n in 0..10u64 {
        let city = if n == 3 { "bad" } else { "Paris" };
        driver.admit(identify(n, &format!("p{n}"), 1, &[("city", city)]));
    }
    driver.run();
    for n in 0..10u64 {
        assert_eq!(matches!(driver.endings[&n], Ending::Dead(_)), n == 3);
    }
}

#[test]
fn c13_more_records_than_a_call_takes_go_in_several() {
    let mut driver = driver();
    for n in 0..101u64 {
        driver.admit(identify(n, &format!("p{n}"), 1, &[]));
    }
    driver.run();
    let sizes: Vec<usize> = driver.portal.calls.iter().map(|(_, n)| *n).collect();
    assert_eq!(sizes, [100, 1]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Companies

#[test]
fn k1_k2_a_company_is_written_and_tied_to_a_contact_of_any_batch() {
    let mut driver = driver();
    driver.admit(group(1, "g", "ada", 1, &[("name", "Acme")]));
    driver.run();
    assert!(matches!(driver.endings[&1], Ending::Delivered { .. }));
    driver.admit(identify(2, "ada", 2, &[]));
    driver.admit(identify(3, "bob", 2, &[]));
    driver.run();
    assert_eq!(driver.portal.associations.len(), 1);
}

#[test]
fn k5_k6_two_events_of_a_new_company_make_one_and_the_property_once() {
    let mut driver = driver();
    for n in 0..2u64 {
        let plan = company_plan("g", None, 1, &[("name", "Acme")], policy());
        driver.admit(admission(n, 1, [user(&n.to_string())], plan));
    }
    driver.run();
    assert_eq!(driver.portal.records.len(), 1);
    assert_eq!(driver.portal.called("properties/companies/batch/create"), 1);
}

#[test]
fn k7_l2_what_was_created_a_moment_ago_is_found_although_no_search_finds_it() {
    let mut driver = driver();
    driver.portal.search_lags = true;
    for n in 0..3u64 {
        let time = i64::try_from(n).unwrap();
        let record = searched(
            "deals",
            &[("number", "7")],
            &[("number", "7"), ("step", "x")],
        );
        driver.admit(deliver(n, time, only(record)));
        driver.run();
    }
    assert_eq!(driver.portal.records.len(), 1);
    assert_eq!(driver.portal.called("deals/search"), 1);
    // Another worker asks the fleet's memory.
    let memory = std::mem::take(&mut driver.portal);
    let mut other = self::driver();
    other.portal = memory;
    other.admit(deliver(
        9,
        9,
        only(searched("deals", &[("number", "7")], &[("step", "y")])),
    ));
    other.run();
    assert_eq!(other.portal.records.len(), 1);
    assert_eq!(other.portal.called("deals/search"), 1);
}

#[test]
fn k7_a_creation_in_doubt_is_searched_before_it_is_repeated() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        only(searched("deals", &[("number", "7")], &[("number", "7")])),
    ));
    // It was created, but no answer came.
    answer_or_wait(&mut driver, |call| {
        matches!(call, hubferry_hubspot::Request::Create { .. }).then_some(Outcome::Transient {
            cause: Cause::Timeout,
            after: None,
        })
    });
    driver.portal.put("deals", None, &[("number", "7")]);
    driver.run();
    assert_eq!(driver.portal.records.len(), 1);
    assert_eq!(driver.endings[&1], delivered());
}

#[test]
fn k12_l4_a_refused_association_repeats_no_write() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        with_links(object("deals", "d", &[]), vec![tie("owners", "a", 666)]),
    ));
    driver.run();
    assert_eq!(driver.death(1), (Code::PropertyOption, Stage::Association));
    assert_eq!(driver.portal.called("deals/batch/upsert"), 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// Custom objects

#[test]
fn l5_nothing_is_looked_for_when_nothing_is_written() {
    let mut driver = driver();
    let mut record = searched("deals", &[("number", "7")], &[]);
    record.when_missing = WhenMissing::Skip;
    driver.admit(deliver(
        1,
        1,
        with_links(record, vec![tie_existing("owners", "ada", 5)]),
    ));
    driver.run();
    assert_eq!(driver.endings[&1], Ending::Skipped(SkipReason::NotFound));
    assert_eq!(driver.portal.called("owners/batch/read"), 0);
}

#[test]
fn l5_a_target_that_matches_twice_costs_only_the_association() {
    let mut driver = driver();
    for _ in 0..2 {
        driver.portal.put("owners", None, &[("city", "Paris")]);
    }
    let mut wish = tie_existing("owners", "", 5);
    let target = searched("owners", &[("city", "Paris")], &[]);
    wish.target.record = target.record;
    wish.target.existing = target.existing;
    driver.admit(deliver(
        1,
        1,
        with_links(object("deals", "d", &[]), vec![wish]),
    ));
    driver.run();
    assert_eq!(
        driver.death(1),
        (Code::AssociationNotUnique, Stage::Association)
    );
    assert!(
        driver
            .portal
            .ids
            .contains_key(&("deals".to_owned(), "d".to_owned()))
    );
}

#[test]
fn o2_two_records_with_one_target_are_both_tied() {
    let mut driver = driver();
    for n in 0..2u64 {
        let record = object("pets", &format!("pet{n}"), &[]);
        driver.admit(deliver(
            n,
            1,
            with_links(record, vec![tie("owners", "ada", 5)]),
        ));
    }
    driver.run();
    assert_eq!(driver.portal.labels.len(), 2);
}

#[test]
fn o3_two_labels_of_one_pair_go_in_one_input() {
    let mut driver = driver();
    let links = vec![tie("owners", "ada", 5), tie("owners", "ada", 6)];
    driver.admit(deliver(1, 1, with_links(object("pets", "rex", &[]), links)));
    driver.run();
    assert_eq!(driver.portal.labels.len(), 2);
    let links: Vec<_> = driver
        .portal
        .calls
        .iter()
        .filter(|(name, _)| name.starts_with("associations"))
        .collect();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].1, 1);
    assert_eq!(
        driver
            .portal
            .calls
            .iter()
            .filter(|(name, _)| name == "owners/batch/upsert")
            .count(),
        1
    );
}

#[test]
fn o4_targets_and_links_are_never_asked_for_twice() {
    let mut driver = driver();
    for n in 0..300u64 {
        let record = object("pets", &format!("pet{}", (n / 2) % 10), &[]);
        let wish = if n % 2 == 0 {
            tie("owners", "ada", 5)
        } else {
            untie("owners", "ada", 7)
        };
        driver.admit(deliver(n, 1, with_links(record, vec![wish])));
    }
    driver.run();
    assert_eq!(driver.portal.labels.len(), 10);
    let inputs = |name: &str| -> usize {
        let calls = driver.portal.calls.iter().filter(|(n, _)| n == name);
        calls.map(|(_, n)| *n).sum()
    };
    assert_eq!(inputs("owners/batch/upsert"), 1);
    assert_eq!(inputs("associations/pets/owners/batch/create"), 10);
    assert_eq!(inputs("associations/pets/owners/batch/labels/archive"), 10);
}

#[test]
fn o5_the_last_list_change_by_time_wins() {
    let mut driver = driver();
    let record = || object("pets", "rex", &[]);
    driver.admit(deliver(
        1,
        10,
        with_list(record(), member("pets", "all", true)),
    ));
    driver.admit(deliver(
        2,
        20,
        with_list(record(), member("pets", "all", false)),
    ));
    driver.admit(deliver(
        3,
        15,
        with_list(record(), member("pets", "all", true)),
    ));
    driver.run();
    assert!(driver.portal.members["list-1"].is_empty());
    assert!(driver.endings.values().all(|ending| *ending == delivered()));
    assert_eq!(driver.portal.called("lists/memberships"), 1);
}

#[test]
fn o6_o7_every_record_gets_its_own_ending() {
    let mut driver = driver();
    driver.portal.put("pets", Some("old"), &[]);
    driver.admit(deliver(1, 1, only(object("pets", "good", &[("age", "1")]))));
    driver.admit(deliver(
        2,
        1,
        only(object("pets", "evil", &[("age", "bad")])),
    ));
    driver.admit(deliver(3, 1, only(added("pets", "old", &[]))));
    driver.admit(deliver(
        4,
        1,
        with_list(object("pets", "more", &[]), member("pets", "all", true)),
    ));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert!(matches!(driver.endings[&2], Ending::Dead(_)));
    assert_eq!(driver.endings[&3], Ending::Skipped(SkipReason::Exists));
    assert_eq!(driver.endings[&4], delivered());
}

#[test]
fn o8_o9_what_follows_an_update_needs_no_id_property_in_the_answer() {
    let mut driver = driver();
    driver.portal.put("pets", Some("rex"), &[]);
    let mut record = object("pets", "rex", &[("age", "1")]);
    record.when_missing = WhenMissing::Skip;
    driver.admit(deliver(
        1,
        1,
        with_links(record, vec![tie("owners", "ada", 5)]),
    ));
    driver.run();
    assert_eq!(driver.portal.labels.len(), 1);
}

#[test]
fn o14_equal_additions_create_once_and_none_makes_an_empty_request() {
    let mut driver = driver();
    driver.admit(deliver(1, 1, only(added("pets", "rex", &[("age", "1")]))));
    driver.admit(deliver(2, 2, only(added("pets", "rex", &[("age", "2")]))));
    driver.run();
    assert_eq!(driver.portal.records.len(), 1);
    assert_eq!(
        (&driver.endings[&1], &driver.endings[&2]),
        (&Ending::Merged, &delivered())
    );
    driver.admit(deliver(3, 3, only(added("pets", "rex", &[("age", "3")]))));
    driver.run();
    assert_eq!(driver.endings[&3], Ending::Skipped(SkipReason::Exists));
    assert_eq!(driver.portal.called("pets/batch/create"), 1);
}

fn creating(id: u64, value: (&str, &str), kind: Option<ValueKind>) -> super::Admission {
    let mut record = object("pets", &format!("pet{id}"), &[value]);
    let kinds = kind.map(|kind| (PropertyName::new(value.0), kind));
    record.creation = Some(hubferry_actions::Creation {
        group: "petinformation".into(),
        sensitive: Vec::new(),
        kinds: kinds.into_iter().collect(),
    });
    let create = Policy {
        unknown_property: UnknownProperty::Create,
        ..policy()
    };
    deliver_with(id, 1, only(record), create)
}

#[test]
fn o17_o18_missing_properties_are_created_once_of_all_values_seen() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    driver.admit(creating(1, ("age", "3"), Some(ValueKind::Number)));
    driver.admit(creating(2, ("age", "three"), None));
    driver.admit(creating(3, ("name", "Rex"), None));
    driver.run();
    for n in 1..=3 {
        assert_eq!(driver.endings[&n], delivered());
    }
    assert_eq!(driver.portal.called("properties/pets/batch/create"), 1);
    let schema = &driver.portal.schemas["pets"];
    let value = schema.get("age").map(|info| info.value.clone());
    assert_eq!(value, Some(hubferry_actions::ValueType::Text));
}

#[test]
fn o19_a_schema_that_hubspot_contradicts_is_read_anew_once() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    let schema = |kind| ObjectProperties::new([(PropertyName::new("age"), property(kind))]);
    driver
        .portal
        .schemas
        .insert("pets".to_owned(), schema(ValueKind::Text));
    driver.admit(deliver(1, 1, only(object("pets", "rex", &[("age", "3")]))));
    driver.run();
    // The property becomes a number; what this worker believes lets a text pass.
    driver
        .portal
        .schemas
        .insert("pets".to_owned(), schema(ValueKind::Number));
    driver.admit(deliver(
        2,
        2,
        only(object("pets", "rex", &[("age", "many")])),
    ));
    let age = PropertyName::new("age");
    let refused = super::portal::rejection(Some(&age));
    let refused = hubferry_hubspot::Rejection {
        code: Code::PropertyType,
        ..refused
    };
    answer_or_wait(&mut driver, |call| {
        matches!(call, hubferry_hubspot::Request::Upsert { .. })
            .then(|| Outcome::Rejected(refused.clone()))
    });
    driver.run();
    assert_eq!(driver.death(2), (Code::PropertyType, Stage::Record));
    assert_eq!(driver.portal.called("properties/pets"), 2);
    assert_eq!(
        driver.portal.called("pets/batch/upsert"),
        1,
        "the rest was our answer"
    );
}

#[test]
fn o19_a_refusal_that_the_schema_does_not_explain_stands_at_once() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    let schema = ObjectProperties::new([(PropertyName::new("age"), property(ValueKind::Text))]);
    driver.portal.schemas.insert("pets".to_owned(), schema);
    driver.admit(deliver(
        1,
        1,
        only(object("pets", "rex", &[("age", "bad")])),
    ));
    driver.run();
    assert_eq!(driver.death(1), (Code::PropertyOption, Stage::Record));
    assert_eq!(driver.portal.called("properties/pets"), 2);
    assert_eq!(driver.portal.called("pets/batch/upsert"), 1);
}

#[test]
fn o20_trouble_with_a_list_is_not_its_absence() {
    let mut driver = driver();
    driver.portal.put_list("pets", "all", true);
    driver.admit(deliver(
        1,
        1,
        with_list(object("pets", "rex", &[]), member("pets", "all", true)),
    ));
    answer_or_wait(&mut driver, |call| {
        matches!(call, hubferry_hubspot::Request::ReadList { .. }).then_some(Outcome::Transient {
            cause: Cause::Server(500),
            after: None,
        })
    });
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.called("lists/create"), 0);
}

#[test]
fn o21_a_list_of_filters_is_refused_and_says_so() {
    let mut driver = driver();
    driver.portal.put_list("pets", "all", false);
    driver.admit(deliver(
        1,
        1,
        with_list(object("pets", "rex", &[]), member("pets", "all", true)),
    ));
    driver.run();
    assert_eq!(driver.death(1), (Code::ListNotWritable, Stage::List));
    assert_eq!(driver.portal.called("lists/memberships"), 0);
}

#[test]
fn o22_no_request_is_ever_empty() {
    // The portal of these tests refuses every empty request; here is one delivery for each way to have nothing to say.
    let mut driver = driver();
    let id = driver.portal.put("pets", Some("rex"), &[]);
    let mut record = object("pets", "rex", &[]);
    record.when_missing = WhenMissing::Skip;
    driver.admit(deliver(1, 1, only(record.clone())));
    record.record.id_property = PropertyName::new("hs_object_id");
    record.record.value = id.as_str().into();
    driver.admit(deliver(2, 1, only(record)));
    driver.admit(deliver(
        3,
        1,
        with_links(object("pets", "tom", &[]), Vec::new()),
    ));
    driver.run();
    assert!(driver.endings.values().all(|ending| *ending == delivered()));
}

#[test]
fn o30_what_follows_is_repeated_alone() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 5)]),
    ));
    answer_or_wait(&mut driver, |call| {
        matches!(call, hubferry_hubspot::Request::Link { .. }).then_some(Outcome::Transient {
            cause: Cause::Server(502),
            after: None,
        })
    });
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.called("pets/batch/upsert"), 1);
    assert_eq!(driver.portal.called("owners/batch/upsert"), 1);
}

#[test]
fn o32_of_opposite_wishes_for_one_label_the_newer_wins() {
    for (first, second, tied) in [
        (LinkChange::Associate, LinkChange::Dissociate, false),
        (LinkChange::Dissociate, LinkChange::Associate, true),
    ] {
        let mut driver = driver();
        let record = || object("pets", "rex", &[]);
        let wish = |change| {
            let mut wish = link(change, "owners", "ada", 5);
            wish.target.when_missing = WhenMissing::Create;
            wish
        };
        driver.admit(deliver(1, 10, with_links(record(), vec![wish(first)])));
        driver.admit(deliver(2, 20, with_links(record(), vec![wish(second)])));
        driver.admit(deliver(3, 5, with_links(record(), vec![wish(first)])));
        driver.run();
        assert_eq!(driver.portal.labels.len(), usize::from(tied), "{second:?}");
        // In one event, the later in the mapping.
        driver.admit(deliver(
            4,
            30,
            with_links(record(), vec![wish(second), wish(first)]),
        ));
        driver.run();
        assert_eq!(driver.portal.labels.len(), usize::from(!tied), "{first:?}");
    }
}

#[test]
fn o32_a_label_that_is_newer_than_the_untying_of_its_pair_stays() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 6)]),
    ));
    driver.run();
    let links = vec![untie("owners", "ada", UNLABELLED), tie("owners", "ada", 5)];
    driver.admit(deliver(2, 2, with_links(object("pets", "rex", &[]), links)));
    driver.run();
    let kinds: Vec<u32> = driver
        .portal
        .labels
        .iter()
        .map(|(_, _, kind)| *kind)
        .collect();
    assert_eq!(kinds, [label(5).type_id]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Occurrences

#[test]
fn b3_an_occurrence_that_is_sent_twice_counts_once() {
    let mut driver = Driver::new(LOST, 7);
    driver.portal.put_definition("seen", &[]);
    for n in 0..40u64 {
        let person = format!("p{n}");
        driver.admit(track(
            n,
            &person,
            occurrence("seen", &person, &n.to_string(), &[]),
        ));
    }
    driver.run();
    assert_eq!(driver.portal.occurrences.len(), 40);
    assert!(
        driver.portal.called("events/send/batch") > 1,
        "nothing was lost on the way"
    );
}

#[test]
fn b4_occurrences_of_all_definitions_share_a_call() {
    let mut driver = driver();
    for name in ["seen", "bought"] {
        driver.portal.put_definition(name, &[]);
    }
    for n in 0..100u64 {
        let (person, name) = (format!("p{n}"), if n % 2 == 0 { "seen" } else { "bought" });
        driver.admit(track(
            n,
            &person,
            occurrence(name, &person, &n.to_string(), &[]),
        ));
    }
    driver.run();
    assert_eq!(driver.portal.called("events/send/batch"), 1);
}

#[test]
fn b8_a_contact_and_an_occurrence_of_one_event_both_arrive_once() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &[]);
    for n in 0..60u64 {
        let person = format!("p{}", n % 3);
        let time = i64::try_from(n).unwrap();
        let seen = occurrence("seen", &person, &n.to_string(), &[]);
        let mut both = identify(n, &person, time, &[("city", "Paris")]);
        both.deliveries
            .extend(track(100 + n, &person, seen).deliveries);
        driver.admit(both);
    }
    driver.run();
    assert_eq!(driver.endings.len(), 120);
    assert_eq!(driver.portal.occurrences.len(), 60);
}

#[test]
fn b10_a_missing_scope_holds_the_mapping_and_ends_nothing() {
    let mut driver = driver();
    driver.admit(track(1, "ada", occurrence("seen", "ada", "1", &[])));
    answer_or_wait(&mut driver, |call| {
        matches!(call, hubferry_hubspot::Request::ReadEventDefinition { .. }).then(|| {
            Outcome::Held {
                scope: HoldScope::Mapping,
                reason: Hold::Scope {
                    message: "behavioral_events".to_owned(),
                },
            }
        })
    });
    assert!(driver.endings.is_empty());
    assert_eq!(driver.scheduler.holds().len(), 1);
    driver.portal.put_definition("seen", &[]);
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
}

#[test]
fn e1_every_answer_to_a_new_property_counts() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &[]);
    let values = [("one", "x"), ("two", "y")];
    driver.admit(track(1, "ada", occurrence("seen", "ada", "1", &values)));
    let refused = super::portal::rejection(None);
    answer_or_wait(&mut driver, |call| match call {
        hubferry_hubspot::Request::CreateEventProperty { definition, .. }
            if definition.name.as_str() == "two" =>
        {
            Some(Outcome::Rejected(refused.clone()))
        }
        _ => None,
    });
    driver.run();
    assert_eq!(driver.death(1), (Code::PropertyMissing, Stage::Ensure));
    assert!(driver.portal.inputs.is_empty());
}

#[test]
fn e12_properties_of_a_definition_are_made_one_after_the_other() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &[]);
    let values = [("one", "x"), ("two", "y"), ("three", "z")];
    driver.admit(track(1, "ada", occurrence("seen", "ada", "1", &values)));
    for _ in 0..200 {
        driver.now += Duration::from_millis(25);
        driver.fill();
        let creating = driver.wire.iter().filter(|(_, call)| {
            matches!(
                call.request,
                hubferry_hubspot::Request::CreateEventProperty { .. }
            )
        });
        assert!(creating.count() <= 1);
        driver.happen();
    }
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.definitions["seen"].properties.len(), 3);
    assert_eq!(driver.portal.inputs[0].properties.len(), 3);
}

#[test]
fn e20_a_definition_that_is_not_ready_yet_is_waited_for() {
    let mut driver = driver();
    driver.portal.unsettled = 2;
    driver.admit(track(1, "ada", occurrence("new", "ada", "1", &[])));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
}

#[test]
fn e21_a_definition_that_was_deleted_is_noticed_at_the_first_refusal() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &[]);
    driver.admit(track(1, "ada", occurrence("seen", "ada", "1", &[])));
    driver.run();
    driver.portal.definitions.clear();
    driver.admit(track(2, "ada", occurrence("seen", "ada", "2", &[])));
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.portal.called("event-definitions/create"), 1);
    assert_eq!(driver.portal.called("event-definitions/read"), 3);
}

// ---------------------------------------------------------------------------------------------------------------------
// The schema in general

#[test]
fn o36_a_target_that_cannot_be_made_costs_the_association_alone() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 5)]),
    ));
    let needs_more = super::super::verdicts::plain(Code::HubspotRejected, ErrorClass::Input);
    answer_or_wait(&mut driver, |call| match call {
        Request::Upsert { object, .. } if object.as_str() == "owners" => {
            Some(Outcome::Rejected(needs_more.clone()))
        }
        _ => None,
    });
    driver.run();
    assert_eq!(driver.death(1), (Code::HubspotRejected, Stage::Association));
    assert_eq!(driver.portal.called("pets/batch/upsert"), 1);
    assert_eq!(driver.portal.called("owners/batch/upsert"), 0);
}

#[test]
fn a_schema_that_may_not_be_read_is_done_without() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    driver.portal.schema_is_secret = true;
    driver.admit(deliver(1, 1, only(object("pets", "rex", &[("age", "3")]))));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert!(driver.scheduler.holds().is_empty());
    assert_eq!(driver.scheduler.counts().schema_refused, 1);
}

#[test]
fn a_schema_is_read_once_and_refreshed_behind() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    let schema = ObjectProperties::new([(PropertyName::new("age"), property(ValueKind::Number))]);
    driver.portal.schemas.insert("pets".to_owned(), schema);
    for n in 0..50u64 {
        driver.admit(deliver(
            n,
            1,
            only(object("pets", &format!("pet{n}"), &[("age", "3")])),
        ));
    }
    driver.run();
    assert_eq!(driver.portal.called("properties/pets"), 1);
    driver.portal.facts.clear();
    driver.now += Duration::from_secs(301);
    driver.admit(deliver(99, 2, only(object("pets", "tom", &[("age", "x")]))));
    driver.run();
    assert_eq!(driver.death(99), (Code::PropertyType, Stage::Record));
    assert_eq!(driver.portal.called("properties/pets"), 2);
}

#[test]
fn an_unknown_property_is_dropped_with_a_note_or_refused_before_anything_is_sent() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    let known: PropertyInfo = property(ValueKind::Text);
    let schema = ObjectProperties::new([(PropertyName::new("age"), known)]);
    driver.portal.schemas.insert("pets".to_owned(), schema);
    let values = [("age", "3"), ("no_such", "x")];
    let drop = Policy {
        unknown_property: UnknownProperty::Drop,
        ..policy()
    };
    driver.admit(deliver_with(
        1,
        1,
        only(object("pets", "rex", &values)),
        drop,
    ));
    driver.admit(deliver(2, 1, only(object("pets", "tom", &values))));
    driver.run();
    let notes = vec![Note::DroppedProperty {
        property: PropertyName::new("no_such"),
        reason: "unknown",
    }];
    assert_eq!(driver.endings[&1], Ending::Delivered { notes });
    assert_eq!(driver.death(2), (Code::PropertyMissing, Stage::Ensure));
    assert_eq!(driver.portal.records.len(), 1);
}

#[test]
fn events_of_one_contact_still_merge_when_values_are_fitted() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    let names = ["firstname", "visits"].map(|n| (PropertyName::new(n), property(ValueKind::Text)));
    let schema = ObjectProperties::new(names);
    driver.portal.schemas.insert("contacts".to_owned(), schema);
    for n in 0..20i64 {
        let visits = n.to_string();
        driver.admit(identify(
            n.unsigned_abs(),
            "ada",
            n,
            &[("visits", visits.as_str())],
        ));
    }
    driver.run();
    assert_eq!(driver.contact("ada")["visits"], "19");
    assert!(driver.portal.called("contacts/batch/upsert") <= 2);
}

#[test]
fn a_contact_for_an_association_is_created_once_for_several_records() {
    let mut driver = driver();
    for n in 0..3u64 {
        let create = Policy {
            on_missing_contact: OnMissingContact::Create,
            ..policy()
        };
        let mut plan = company_plan(&format!("g{n}"), Some("ada"), 1, &[], create);
        let wish = record_mut(&mut plan).associate.as_mut().unwrap();
        wish.person.push(IdentityKey::Email(email_of("ada").into()));
        driver.admit(admission(n, 1, [user(&n.to_string())], plan));
    }
    driver.run();
    assert_eq!(driver.portal.associations.len(), 3);
    let contacts = driver
        .portal
        .objects
        .values()
        .filter(|kind| *kind == "contacts");
    assert_eq!(contacts.count(), 1);
}

#[test]
fn a_contact_that_was_deleted_is_looked_up_anew_for_its_association() {
    let mut driver = driver();
    let plan = contact_plan("ada", 1, &[], policy());
    driver.admit(admission(1, 0, [user("ada")], plan));
    driver.run();
    let old = id_of(&driver, "contacts", &email_of("ada"));
    driver.portal.remove(&old);
    let new = driver.portal.put("contacts", Some(&email_of("ada")), &[]);
    let mut plan = company_plan("g", Some("ada"), 2, &[], policy());
    let wish = record_mut(&mut plan).associate.as_mut().unwrap();
    wish.person.push(IdentityKey::Email(email_of("ada").into()));
    driver.admit(admission(2, 1, [user("ada")], plan));
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    let company = id_of(&driver, "companies", "g");
    assert!(driver.portal.associations.contains(&(company, new)));
}
