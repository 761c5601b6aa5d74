//! Any record, what follows it, and occurrences.

use std::sync::Arc;

use hubferry_actions::{
    AssociationType, DefinitionUse, EventName, EventValue, Existing, LinkChange, LinkStep,
    ListName, MatchMode, MembershipChange, MembershipStep, ObjectType, OccurrenceStep, Overflow,
    Plan, PropertyName, RecordPlan, RecordRef, RecordStep, SearchBy, Target, WhenFound,
    WhenMissing, WhenUndefined, Work,
};
use hubferry_event::{EventTime, IdentityKey};

use super::{
    Admission, Code, Driver, Ending, Faults, Note, Policy, SkipReason, Stage, admission, delivered,
    identify, plan_of, policy, properties, user,
};

/// A record of a type by its unique property `ref`, upserted.
pub(super) fn object(object: &str, value: &str, values: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        record: by_ref(object, value),
        properties: properties(values),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person: [].into_iter().collect(),
        needs: None,
        creation: None,
    }
}

pub(super) fn by_ref(object: &str, value: &str) -> RecordRef {
    RecordRef {
        object: ObjectType::new(object),
        id_property: PropertyName::new("ref"),
        value: Arc::from(value),
    }
}

/// A record that is only updated.
fn updated(kind: &str, value: &str, values: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        when_missing: WhenMissing::Skip,
        ..object(kind, value, values)
    }
}

/// A record that is only added.
pub(super) fn added(kind: &str, value: &str, values: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        when_found: WhenFound::Skip,
        ..object(kind, value, values)
    }
}

/// A record by HubSpot's id.
fn by_id(kind: &str, id: &str, values: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        record: RecordRef {
            object: ObjectType::new(kind),
            id_property: PropertyName::new("hs_object_id"),
            value: Arc::from(id),
        },
        ..updated(kind, id, values)
    }
}

fn by_values(fields: &[(&str, &str)]) -> SearchBy {
    SearchBy {
        fields: properties(fields),
        mode: MatchMode::All,
    }
}

/// A record that is found by its values alone.
pub(super) fn searched(kind: &str, fields: &[(&str, &str)], values: &[(&str, &str)]) -> RecordStep {
    let by = by_values(fields);
    RecordStep {
        record: RecordRef::searched(ObjectType::new(kind), &by.fields),
        existing: Existing::SearchAlone(by),
        ..object(kind, "", values)
    }
}

pub(super) fn label(type_id: u32) -> AssociationType {
    AssociationType {
        category: Arc::from("USER_DEFINED"),
        type_id,
    }
}

pub(super) fn link(change: LinkChange, kind: &str, value: &str, type_id: u32) -> LinkStep {
    LinkStep {
        change,
        target: Target {
            record: by_ref(kind, value),
            existing: Existing::ById,
            when_missing: match change {
                LinkChange::Associate => WhenMissing::Create,
                LinkChange::Dissociate => WhenMissing::Skip,
            },
        },
        kind: label(type_id),
    }
}

pub(super) fn tie(kind: &str, value: &str, type_id: u32) -> LinkStep {
    link(LinkChange::Associate, kind, value, type_id)
}

/// An association with a record that has to be there.
pub(super) fn tie_existing(kind: &str, value: &str, type_id: u32) -> LinkStep {
    let mut link = tie(kind, value, type_id);
    link.target.when_missing = WhenMissing::Skip;
    link
}

pub(super) fn untie(kind: &str, value: &str, type_id: u32) -> LinkStep {
    link(LinkChange::Dissociate, kind, value, type_id)
}

pub(super) fn member(kind: &str, name: &str, joins: bool) -> MembershipStep {
    MembershipStep {
        list: ListName {
            object: ObjectType::new(kind),
            name: Arc::from(name),
        },
        change: if joins {
            MembershipChange::Add
        } else {
            MembershipChange::Remove
        },
        when_missing: WhenMissing::Create,
    }
}

/// One delivery of a record and what follows it; its event is of nobody else.
pub(super) fn deliver(id: u64, time: i64, plan: RecordPlan) -> Admission {
    deliver_with(id, time, plan, policy())
}

pub(super) fn deliver_with(id: u64, time: i64, plan: RecordPlan, policy: Policy) -> Admission {
    admission(
        id,
        0,
        [user(&format!("u{id}"))],
        plan_of(time, plan, policy),
    )
}

pub(super) fn only(record: RecordStep) -> RecordPlan {
    RecordPlan::only(record)
}

pub(super) fn with_links(record: RecordStep, links: Vec<LinkStep>) -> RecordPlan {
    RecordPlan {
        links,
        ..only(record)
    }
}

pub(super) fn with_list(record: RecordStep, membership: MembershipStep) -> RecordPlan {
    RecordPlan {
        membership: Some(membership),
        ..only(record)
    }
}

pub(super) fn occurrence(
    name: &str,
    person: &str,
    uuid: &str,
    values: &[(&str, &str)],
) -> OccurrenceStep {
    let email = super::email_of(person);
    OccurrenceStep {
        event: EventName::new(name),
        definition: DefinitionUse {
            definition: WhenUndefined::Create,
            property: WhenUndefined::Create,
            overflow: Overflow::DeadLetter,
        },
        object: ObjectType::contacts(),
        object_id: None,
        email: Some(Arc::from(email.as_str())),
        utk: None,
        occurred_at: None,
        properties: values
            .iter()
            .map(|(n, v)| (PropertyName::new(n), EventValue::of(&(*v).into())))
            .collect(),
        uuid: Arc::from(uuid),
        person: [user(person), IdentityKey::Email(email.into())]
            .into_iter()
            .collect(),
    }
}

pub(super) fn track(id: u64, person: &str, step: OccurrenceStep) -> Admission {
    let plan = Plan {
        time: EventTime::from_millis(i64::try_from(id).unwrap()),
        work: Work::Occurrence(Box::new(step)),
        policy: Arc::new(policy()),
    };
    admission(id, 0, [user(person)], plan)
}

fn driver() -> Driver {
    Driver::new(Faults::default(), 1)
}

fn record_of(driver: &Driver, kind: &str, value: &str) -> String {
    driver.portal.ids[&(kind.to_owned(), value.to_owned())].clone()
}

// ---------------------------------------------------------------------------------------------------------------------
// Records

#[test]
fn a_record_named_by_its_id_is_updated_at_once() {
    let mut driver = driver();
    let id = driver.portal.put("deals", None, &[("stage", "open")]);
    driver.admit(deliver(
        1,
        1,
        only(by_id("deals", &id, &[("stage", "won")])),
    ));
    driver.run();
    assert_eq!(driver.portal.calls, [("deals/batch/update".to_owned(), 1)]);
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.records[&id]["stage"], "won");
    driver.admit(deliver(
        2,
        2,
        only(by_id("deals", "999", &[("stage", "won")])),
    ));
    driver.run();
    assert_eq!(driver.endings[&2], Ending::Skipped(SkipReason::NotFound));
}

#[test]
fn an_update_writes_by_record_id_and_skips_what_is_missing() {
    let mut driver = driver();
    let id = driver.portal.put("pets", Some("rex"), &[]);
    driver.admit(deliver(1, 1, only(updated("pets", "rex", &[("age", "3")]))));
    driver.admit(deliver(2, 1, only(updated("pets", "tom", &[("age", "4")]))));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.endings[&2], Ending::Skipped(SkipReason::NotFound));
    assert_eq!(driver.portal.records[&id]["age"], "3");
    assert_eq!(driver.portal.called("pets/batch/read"), 1);
    assert_eq!(driver.portal.called("pets/batch/update"), 1);
}

#[test]
fn an_addition_leaves_what_exists_and_still_ties_it_where_that_is_wished() {
    let mut driver = driver();
    driver.portal.put("pets", Some("rex"), &[("age", "3")]);
    driver.admit(deliver(1, 1, only(added("pets", "rex", &[("age", "9")]))));
    let keep = RecordStep {
        when_found: WhenFound::Keep,
        ..added("pets", "rex", &[("age", "9")])
    };
    driver.admit(deliver(
        2,
        1,
        with_links(keep, vec![tie("owners", "ada", 5)]),
    ));
    driver.admit(deliver(3, 1, only(added("pets", "tom", &[("age", "1")]))));
    driver.run();
    assert_eq!(driver.endings[&1], Ending::Skipped(SkipReason::Exists));
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.endings[&3], delivered());
    let rex = record_of(&driver, "pets", "rex");
    assert_eq!(driver.portal.records[&rex]["age"], "3");
    let ada = record_of(&driver, "owners", "ada");
    assert!(driver.portal.labels.contains(&(rex, ada, 5)));
}

#[test]
fn a_search_of_one_value_that_is_unique_becomes_an_upsert() {
    let mut driver = Driver::fitting(Faults::default(), 1);
    let unique = hubferry_actions::PropertyInfo {
        unique: true,
        ..super::portal::property(hubferry_actions::ValueKind::Text)
    };
    let name = PropertyName::new("serial");
    let schema = hubferry_actions::ObjectProperties::new([(name, unique)]);
    driver.portal.schemas.insert("deals".to_owned(), schema);
    driver.admit(deliver(
        1,
        1,
        only(searched("deals", &[("serial", "7")], &[])),
    ));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    assert_eq!(driver.portal.called("deals/search"), 0);
    assert_eq!(driver.portal.called("deals/batch/upsert"), 1);
}

#[test]
fn what_nothing_identifies_is_created_each_time() {
    let mut driver = driver();
    for n in 1..=3 {
        let record = RecordStep {
            record: RecordRef::fresh(ObjectType::new("deals"), &n.to_string()),
            existing: Existing::Nowhere,
            ..object("deals", "", &[("name", "Deal")])
        };
        driver.admit(deliver(n, 1, only(record)));
    }
    driver.run();
    assert_eq!(driver.portal.calls, [("deals/batch/create".to_owned(), 3)]);
    assert_eq!(driver.portal.records.len(), 3);
}

// ---------------------------------------------------------------------------------------------------------------------
// What follows

#[test]
fn ten_thousand_records_with_two_labelled_associations_each_cost_what_they_must() {
    let mut driver = driver();
    for n in 0..10_000u64 {
        let record = object("pets", &format!("pet{n}"), &[("age", "1")]);
        let (one, two) = (format!("c{}", n % 1_000), format!("c{}", (n + 1) % 1_000));
        let links = vec![tie("owners", &one, 5), tie("owners", &two, 6)];
        driver.admit(deliver(n, 1, with_links(record, links)));
    }
    driver.run();
    assert_eq!(driver.endings.len(), 10_000);
    assert!(driver.endings.values().all(|ending| *ending == delivered()));
    assert_eq!(driver.portal.labels.len(), 20_000);
    // A hundred calls for the records, ten for the owners, ten for twenty thousand pairs.
    let least = 100 + 10 + 10;
    assert!(
        driver.calls() <= least * 11 / 10,
        "{} calls for {least}",
        driver.calls()
    );
}

#[test]
fn what_follows_a_record_goes_on_when_one_of_it_is_refused() {
    let mut driver = driver();
    let list = driver.portal.put_list("pets", "all", true);
    let record = object("pets", "rex", &[]);
    let plan = RecordPlan {
        links: vec![tie("owners", "ada", 666), tie("owners", "bob", 5)],
        membership: Some(member("pets", "all", true)),
        ..only(record)
    };
    driver.admit(deliver(1, 1, plan));
    driver.run();
    assert_eq!(driver.death(1).1, Stage::Association);
    let (rex, bob) = (
        record_of(&driver, "pets", "rex"),
        record_of(&driver, "owners", "bob"),
    );
    assert!(driver.portal.labels.contains(&(rex.clone(), bob, 5)));
    assert!(driver.portal.members[&list].contains(&rex));
    assert_eq!(driver.portal.called("pets/batch/upsert"), 1);
}

#[test]
fn a_refused_label_takes_no_other_label_of_its_pair_down() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 5)]),
    ));
    driver.admit(deliver(
        2,
        1,
        with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 666)]),
    ));
    driver.run();
    assert!(matches!(driver.endings[&1], Ending::Delivered { .. }));
    assert_eq!(driver.death(2).1, Stage::Association);
}

#[test]
fn a_target_that_has_to_be_there_and_is_not_is_noted() {
    let mut driver = driver();
    let plan = with_links(
        object("pets", "rex", &[]),
        vec![tie_existing("owners", "nobody", 5)],
    );
    driver.admit(deliver(1, 1, plan));
    driver.run();
    let notes = vec![Note::MissingTarget];
    assert_eq!(driver.endings[&1], Ending::Delivered { notes });
    assert!(driver.portal.labels.is_empty());
}

#[test]
fn a_target_on_its_way_is_waited_for() {
    let mut driver = driver();
    driver.admit(deliver(
        1,
        1,
        only(object("owners", "ada", &[("name", "Ada")])),
    ));
    let plan = with_links(
        object("pets", "rex", &[]),
        vec![tie_existing("owners", "ada", 5)],
    );
    driver.admit(deliver(2, 1, plan));
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.portal.labels.len(), 1);
    assert_eq!(driver.portal.called("owners/batch/upsert"), 1);
}

#[test]
fn a_target_that_another_worker_found_is_not_asked_for_again() {
    let mut driver = driver();
    let id = driver.portal.put("owners", Some("ada"), &[]);
    let id = hubferry_actions::RecordId::new(&id);
    driver.portal.known.insert(by_ref("owners", "ada"), id);
    let plan = with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 5)]);
    driver.admit(deliver(1, 1, plan));
    driver.run();
    assert_eq!(driver.portal.labels.len(), 1);
    assert_eq!(driver.portal.called("owners/batch/upsert"), 0);
    assert_eq!(driver.portal.called("owners/batch/read"), 0);
}

#[test]
fn a_target_that_was_deleted_is_looked_up_once_more() {
    let mut driver = driver();
    let gone = hubferry_actions::RecordId::new("404");
    driver.portal.known.insert(by_ref("owners", "ada"), gone);
    let plan = with_links(object("pets", "rex", &[]), vec![tie("owners", "ada", 5)]);
    driver.admit(deliver(1, 1, plan));
    driver.run();
    assert_eq!(driver.endings[&1], delivered());
    let (rex, ada) = (
        record_of(&driver, "pets", "rex"),
        record_of(&driver, "owners", "ada"),
    );
    assert!(driver.portal.labels.contains(&(rex, ada, 5)));
}

#[test]
fn a_late_association_does_not_undo_a_newer_dissociation() {
    let mut driver = driver();
    let record = || object("pets", "rex", &[]);
    driver.admit(deliver(
        1,
        5,
        with_links(record(), vec![tie("owners", "ada", 5)]),
    ));
    driver.run();
    driver.admit(deliver(
        2,
        9,
        with_links(record(), vec![untie("owners", "ada", 5)]),
    ));
    driver.run();
    driver.admit(deliver(
        3,
        7,
        with_links(record(), vec![tie("owners", "ada", 5)]),
    ));
    driver.run();
    assert!(driver.portal.labels.is_empty());
    assert_eq!(driver.endings[&3], delivered());
}

#[test]
fn a_list_is_made_once_for_all_who_join_it() {
    let mut driver = driver();
    for n in 0..50u64 {
        let record = object("p1_pets", &format!("pet{n}"), &[]);
        driver.admit(deliver(
            n,
            1,
            with_list(record, member("p1_pets", "all", true)),
        ));
    }
    driver.run();
    assert!(driver.endings.values().all(|ending| *ending == delivered()));
    assert_eq!(driver.portal.called("schemas"), 1);
    assert_eq!(driver.portal.called("lists/create"), 1);
    assert_eq!(driver.portal.called("lists/memberships"), 1);
    assert_eq!(driver.portal.members["list-1"].len(), 50);
}

#[test]
fn a_list_that_is_missing_and_not_to_be_made_costs_only_the_membership() {
    let mut driver = driver();
    let mut step = member("pets", "none", true);
    step.when_missing = WhenMissing::Skip;
    driver.admit(deliver(1, 1, with_list(object("pets", "rex", &[]), step)));
    driver.run();
    assert_eq!(driver.death(1), (Code::ListMissing, Stage::List));
    assert_eq!(driver.portal.records.len(), 1);
}

#[test]
fn a_list_that_was_made_anew_is_found_again() {
    let mut driver = driver();
    driver.portal.put_list("pets", "all", true);
    driver.admit(deliver(
        1,
        1,
        with_list(object("pets", "a", &[]), member("pets", "all", true)),
    ));
    driver.run();
    driver.portal.members.remove("list-1");
    driver.portal.members.insert("x".to_owned(), [].into());
    let second = driver.portal.put_list("pets", "all", true);
    driver.admit(deliver(
        2,
        2,
        with_list(object("pets", "b", &[]), member("pets", "all", true)),
    ));
    driver.run();
    assert_eq!(driver.endings[&2], delivered());
    assert_eq!(driver.portal.members[&second].len(), 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// Occurrences

#[test]
fn a_hundred_thousand_occurrences_cost_little_more_than_two_hundred_calls() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &[]);
    for n in 0..100_000u64 {
        let person = format!("p{}", n % 5_000);
        driver.admit(track(
            n,
            &person,
            occurrence("seen", &person, &n.to_string(), &[]),
        ));
    }
    driver.run();
    assert_eq!(driver.endings.len(), 100_000);
    assert_eq!(driver.portal.inputs.len(), 100_000);
    let calls = driver.portal.called("events/send/batch");
    assert!(calls <= 210, "{calls} calls");
    assert_eq!(driver.portal.called("event-definitions/read"), 1);
}

#[test]
fn a_definition_and_its_properties_are_made_before_the_first_occurrence() {
    let mut driver = driver();
    for n in 0..5u64 {
        let person = format!("p{n}");
        let property = format!("prop{n}");
        let step = occurrence(
            "bought",
            &person,
            &n.to_string(),
            &[(property.as_str(), "x")],
        );
        driver.admit(track(n, &person, step));
    }
    driver.run();
    assert!(driver.endings.values().all(|ending| *ending == delivered()));
    assert_eq!(driver.portal.called("event-definitions/create"), 1);
    assert_eq!(driver.portal.definitions["bought"].properties.len(), 5);
    assert_eq!(driver.portal.occurrences.len(), 5);
}

#[test]
fn a_definition_that_is_missing_and_not_to_be_made_ends_the_occurrence() {
    let mut driver = driver();
    let mut step = occurrence("none", "ada", "1", &[]);
    step.definition.definition = WhenUndefined::Refuse;
    driver.admit(track(1, "ada", step));
    driver.run();
    assert_eq!(driver.death(1), (Code::DefinitionMissing, Stage::Ensure));
    assert!(driver.portal.inputs.is_empty());
}

#[test]
fn an_occurrence_names_the_contact_that_was_written_before_it() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &[]);
    driver.admit(identify(1, "ada", 1, &[]));
    driver.admit(track(2, "ada", occurrence("seen", "ada", "u", &[])));
    driver.run();
    let id = driver.portal.inputs[0].object_id.clone();
    assert_eq!(
        id.unwrap().as_str(),
        record_of(&driver, "contacts", "ada@example.com")
    );
}

#[test]
fn one_bad_occurrence_in_five_hundred_costs_only_itself() {
    let mut driver = driver();
    driver.portal.put_definition("seen", &["what"]);
    for n in 0..500u64 {
        let person = format!("p{n}");
        let what = if n == 77 { "bad" } else { "good" };
        let step = occurrence("seen", &person, &n.to_string(), &[("what", what)]);
        driver.admit(track(n, &person, step));
    }
    driver.run();
    let dead: Vec<u64> = driver
        .endings
        .iter()
        .filter(|(_, ending)| matches!(ending, Ending::Dead(_)))
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(dead, [77]);
    assert_eq!(driver.portal.occurrences.len(), 499);
    let calls = driver.portal.called("events/send/batch");
    assert!(calls <= 22, "{calls} calls");
}
