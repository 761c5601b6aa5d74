use proptest::prelude::*;

use super::*;
use crate::nouns::RecordRef;
use crate::plan::{Creation, Existing, Person, WhenFound, WhenMissing};
use crate::portal::Sensitivity;
use crate::test_settings::settings;

fn info(value: ValueType) -> PropertyInfo {
    PropertyInfo {
        label: Box::from("L"),
        kind: Box::from("t:f"),
        value,
        read_only: false,
        unique: false,
        sensitivity: Sensitivity::Plain,
    }
}

fn schema() -> ObjectProperties {
    let option = |value: &str| OptionInfo {
        value: Box::from(value),
        label: Box::from(value.to_uppercase()),
    };
    let options: Vec<OptionInfo> = ('a'..='j').map(|c| option(&c.to_string())).collect();
    let read_only = PropertyInfo {
        read_only: true,
        ..info(ValueType::Text)
    };
    let properties = [
        ("text", info(ValueType::Text)),
        ("amount", info(ValueType::Number)),
        ("vip", info(ValueType::Boolean)),
        ("stage", info(ValueType::Option(options.clone()))),
        ("tags", info(ValueType::Options(options))),
        ("born", info(ValueType::Date)),
        ("seen", info(ValueType::DateTime)),
        ("score", read_only),
    ];
    ObjectProperties::new(properties.map(|(name, info)| (PropertyName::new(name), info)))
}

fn step(properties: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        record: RecordRef {
            object: ObjectType::new("deals"),
            id_property: PropertyName::new("k"),
            value: Arc::from("v"),
        },
        properties: properties
            .iter()
            .map(|(name, text)| (PropertyName::new(name), PropertyText::new(text)))
            .collect(),
        existing: Existing::ById,
        when_missing: WhenMissing::Create,
        when_found: WhenFound::Write,
        stage: None,
        person: Person::new(),
        needs: None,
        creation: None,
    }
}

fn policy(unknown_property: UnknownProperty) -> Policy {
    Policy {
        unknown_property,
        ..settings().policy
    }
}

fn strict() -> Policy {
    policy(UnknownProperty::DeadLetter)
}

fn pairs(properties: &Properties) -> Vec<(&str, &str)> {
    properties
        .iter()
        .map(|(name, text)| (name.as_str(), text.expose()))
        .collect()
}

fn refused(properties: &[(&str, &str)], policy: &Policy) -> Misfit {
    fit(&step(properties), &schema(), policy).unwrap_err()
}

#[test]
fn o16_values_are_converted_to_the_propertys_type() {
    let given = [
        ("text", "true"),
        ("amount", "+5"),
        ("vip", "Yes"),
        ("stage", "A"),
        ("tags", "A;b"),
        ("born", "2024-01-08T00:00:00Z"),
        ("seen", "2024-01-08"),
    ];
    let fitted = fit(&step(&given), &schema(), &strict()).unwrap();
    assert_eq!(
        pairs(&fitted.properties),
        [
            ("text", "true"),
            ("amount", "5"),
            ("vip", "true"),
            ("stage", "a"),
            ("tags", "a;b"),
            ("born", "2024-01-08"),
            ("seen", "2024-01-08T00:00:00Z"),
        ]
    );
    assert!(fitted.dropped.is_empty() && fitted.create.is_empty());
}

#[test]
fn a_stage_wished_for_by_its_label_is_the_portals_own() {
    let evangelist = OptionInfo {
        value: Box::from("31337"),
        label: Box::from("Loud Evangelist"),
    };
    let stages = info(ValueType::Option(vec![evangelist]));
    let name = PropertyName::new("lifecyclestage");
    let schema = ObjectProperties::new([(name, stages)]);
    let wish = step(&[("lifecyclestage", "loud evangelist")]);
    let fitted = fit(&wish, &schema, &strict()).unwrap();
    assert_eq!(pairs(&fitted.properties), [("lifecyclestage", "31337")]);
    assert_eq!(fitted.stage().unwrap().as_str(), "31337");
    assert!(
        fit(&step(&[]), &schema, &strict())
            .unwrap()
            .stage()
            .is_none()
    );
}

#[test]
fn what_fits_is_passed_on_without_a_copy() {
    let step = step(&[
        ("text", "x"),
        ("amount", "5"),
        ("stage", "a"),
        ("seen", "2024-01-08T00:00:00Z"),
    ]);
    let fitted = fit(&step, &schema(), &strict()).unwrap();
    for ((_, before), (_, after)) in step.properties.iter().zip(&fitted.properties) {
        assert!(std::ptr::eq(before.expose(), after.expose()));
    }
}

#[test]
fn messages_name_property_kinds_and_remedies_and_no_values() {
    for (property, text, code, message) in [
        (
            "amount",
            "secret",
            "property_type",
            "amount takes a number (t:f), and the value is a text",
        ),
        (
            "amount",
            "2024-01-01",
            "property_type",
            "amount takes a number (t:f), and the value is a date",
        ),
        (
            "vip",
            "77",
            "property_type",
            "vip takes true or false (t:f), and the value is a number",
        ),
        (
            "seen",
            "secret",
            "property_type",
            "seen takes a date-time (t:f), and the value is a text",
        ),
        (
            "stage",
            "secret",
            "property_option",
            "stage takes one of a, b, c, d, e, f, g, h and 2 more (t:f), and the value is `secret` that is none of them, neither by value nor by label",
        ),
        (
            "born",
            "2024-01-08T13:52:50Z",
            "date_has_time",
            "born takes a date (t:f), and the value has a time of day: change the property to date-time in HubSpot, map a date, or set dates.truncate: true",
        ),
        (
            "nope",
            "secret",
            "property_missing",
            "deals has no property nope: create it in HubSpot, take it out of the mapping, or set unknown_property to drop or create",
        ),
        (
            "score",
            "secret",
            "property_read_only",
            "score of deals is read-only in HubSpot: take it out of the mapping, or set invalid_property: drop",
        ),
    ] {
        let misfit = refused(&[(property, text)], &strict());
        assert_eq!(misfit.code.as_str(), code);
        assert_eq!(misfit.to_string(), message);
        assert_eq!(misfit.property, Some(PropertyName::new(property)));
    }
}

#[test]
fn o33_impossible_dates_are_refused() {
    for (property, text) in [("born", "2024-02-31"), ("seen", "2024-01-08T99:99:99Z")] {
        assert_eq!(
            refused(&[(property, text)], &strict()).code,
            MisfitCode::PropertyType
        );
    }
}

#[test]
fn k14_a_value_that_cannot_fit_is_dropped_when_the_mapping_says_so() {
    let lenient = Policy {
        drop_invalid_property: true,
        required: vec![PropertyName::new("vip")],
        ..strict()
    };
    let given = step(&[
        ("amount", "10-50"),
        ("stage", "z"),
        ("score", "1"),
        ("text", "x"),
    ]);
    let fitted = fit(&given, &schema(), &lenient).unwrap();
    assert_eq!(pairs(&fitted.properties), [("text", "x")]);
    let dropped: Vec<_> = fitted
        .dropped
        .iter()
        .map(|(name, reason)| (name.as_str(), reason.as_str()))
        .collect();
    assert_eq!(
        dropped,
        [
            ("amount", "invalid"),
            ("stage", "invalid"),
            ("score", "read_only")
        ]
    );
    // What the action requires is never dropped.
    assert_eq!(
        refused(&[("vip", "x")], &lenient).code,
        MisfitCode::PropertyType
    );
    // An unknown property is no invalid value.
    assert_eq!(
        refused(&[("nope", "x")], &lenient).code,
        MisfitCode::PropertyMissing
    );
}

#[test]
fn unknown_and_read_only_properties_of_whole_objects_are_left_out() {
    let given = step(&[("nope", "x"), ("text", "y"), ("score", "1"), ("gone", "")]);
    let fitted = fit(&given, &schema(), &policy(UnknownProperty::Drop)).unwrap();
    assert_eq!(pairs(&fitted.properties), [("text", "y")]);
    let name = PropertyName::new;
    assert_eq!(
        fitted.dropped,
        [
            (name("nope"), DropReason::Unknown),
            (name("score"), DropReason::ReadOnly),
            (name("gone"), DropReason::Unknown)
        ]
    );
    let wrong = fit(
        &step(&[("amount", "x")]),
        &schema(),
        &policy(UnknownProperty::Drop),
    );
    assert_eq!(wrong.unwrap_err().code, MisfitCode::PropertyType);
}

#[test]
fn clears_always_pass() {
    let names = ["text", "amount", "vip", "stage", "tags", "born", "seen"];
    let given: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    let fitted = fit(&step(&given), &schema(), &strict()).unwrap();
    assert_eq!(pairs(&fitted.properties), given);
}

fn creating(group: &str, properties: &[(&str, &str)]) -> RecordStep {
    RecordStep {
        creation: Some(Creation {
            group: Arc::from(group),
            sensitive: vec![PropertyName::new("ssn")],
            kinds: vec![
                (PropertyName::new("n"), ValueKind::Number),
                (PropertyName::new("b"), ValueKind::Boolean),
            ],
        }),
        ..step(properties)
    }
}

#[test]
fn o17_o18_all_missing_properties_are_created_with_the_kind_of_their_value() {
    let given = [
        ("n", "5"),
        ("b", "TRUE"),
        ("d", "2024-01-08"),
        ("t", "2024-01-08 10:00"),
        ("ssn", "123"),
        ("empty", ""),
        ("text", "x"),
    ];
    let create = policy(UnknownProperty::Create);
    let fitted = fit(&creating("g", &given), &schema(), &create).unwrap();
    let created: Vec<_> = fitted
        .create
        .iter()
        .map(|one| (one.name.as_str(), one.kind, one.sensitive, &*one.group))
        .collect();
    assert_eq!(
        created,
        [
            ("n", ValueKind::Number, false, "g"),
            ("b", ValueKind::Boolean, false, "g"),
            ("d", ValueKind::Date, false, "g"),
            ("t", ValueKind::DateTime, false, "g"),
            ("ssn", ValueKind::Text, true, "g"),
        ]
    );
    assert_eq!(
        pairs(&fitted.properties),
        [
            ("n", "5"),
            ("b", "true"),
            ("d", "2024-01-08"),
            ("t", "2024-01-08T10:00:00Z"),
            ("ssn", "123"),
            ("text", "x")
        ]
    );
    assert_eq!(
        fitted.dropped,
        [(PropertyName::new("empty"), DropReason::Unknown)]
    );
}

#[test]
fn what_cannot_be_created_says_why() {
    let create = policy(UnknownProperty::Create);
    for (step, part) in [
        (
            creating("", &[("new", "x")]),
            "object_details.property_group",
        ),
        (step(&[("new", "x")]), "object_details.property_group"),
        (creating("g", &[("New Name", "x")]), "begins with a letter"),
    ] {
        let misfit = fit(&step, &schema(), &create).unwrap_err();
        assert_eq!(misfit.code, MisfitCode::PropertyMissing);
        assert!(misfit.message.contains(part), "{misfit}");
    }
    let misfit = fit(&creating("g", &[("new", "2024-02-31")]), &schema(), &create).unwrap_err();
    assert_eq!(misfit.code, MisfitCode::PropertyType);
}

proptest! {
    #[test]
    fn what_was_fitted_fits(
        properties in prop::collection::btree_map(
            prop::sample::select(vec!["text", "amount", "vip", "stage", "tags", "born", "seen", "score", "nope", "n", "ssn"]),
            prop_oneof![".{0,8}", "[0-9]{1,13}", "[a-jA-J;]{0,5}", "2024-0[1-3]-[0-3][0-9]( 10:00)?", "(yes|NO|true)"],
            0..8,
        ),
        unknown in prop::sample::select(vec![UnknownProperty::Drop, UnknownProperty::DeadLetter, UnknownProperty::Create]),
        drop_invalid_property: bool,
        truncate_dates: bool,
    ) {
        let policy = Policy { drop_invalid_property, truncate_dates, ..policy(unknown) };
        let given: Vec<(&str, &str)> = properties.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let step = creating("g", &given);
        let Ok(once) = fit(&step, &schema(), &policy) else { return Ok(()); };
        prop_assert_eq!(once.properties.len() + once.dropped.len(), given.len());
        let again = RecordStep { properties: once.properties.clone(), ..step };
        let twice = fit(&again, &schema(), &policy).unwrap();
        prop_assert_eq!(twice.properties, once.properties);
        prop_assert_eq!(twice.create, once.create);
        prop_assert!(twice.dropped.is_empty());
    }
}
