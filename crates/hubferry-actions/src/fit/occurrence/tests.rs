use super::*;
use crate::nouns::ObjectType;
use crate::occurrence::DefinitionUse;
use crate::plan::{Person, UnknownProperty};
use crate::portal::OptionInfo;
use crate::test_settings::settings;

fn info(name: &str, value: ValueType) -> EventPropertyInfo {
    EventPropertyInfo {
        name: Box::from(name),
        value,
        archived: false,
    }
}

fn definition() -> EventDefinition {
    let truth = ["true", "false"].map(|value| OptionInfo {
        value: Box::from(value),
        label: Box::from(value),
    });
    let mut old = info("old", ValueType::Text);
    old.archived = true;
    EventDefinition {
        full_name: Box::from("pe1_x"),
        name: Box::from("x"),
        archived: false,
        properties: vec![
            info("text", ValueType::Text),
            info("amount", ValueType::Number),
            info("flag", ValueType::Option(truth.to_vec())),
            info("at", ValueType::DateTime),
            old,
        ],
    }
}

fn step(properties: Vec<(&str, EventValue)>, property: WhenUndefined) -> OccurrenceStep {
    OccurrenceStep {
        event: EventName::new("x"),
        definition: DefinitionUse {
            definition: WhenUndefined::Refuse,
            property,
            overflow: Overflow::DeadLetter,
        },
        object: ObjectType::contacts(),
        object_id: None,
        email: None,
        utk: None,
        occurred_at: None,
        properties: properties
            .into_iter()
            .map(|(name, value)| (PropertyName::new(name), value))
            .collect(),
        uuid: Arc::from("u"),
        person: Person::new(),
    }
}

fn text(text: &str) -> EventValue {
    EventValue::new(text, ValueKind::Text)
}

fn strict() -> Policy {
    Policy {
        unknown_property: UnknownProperty::DeadLetter,
        ..settings().policy
    }
}

fn pairs(fitted: &FittedOccurrence) -> Vec<(&str, &str)> {
    let properties = fitted.properties.iter();
    properties
        .map(|(name, text)| (name.as_str(), &**text))
        .collect()
}

#[test]
fn e5_e19_values_are_converted_to_the_defined_type() {
    let given = vec![
        ("text", EventValue::new("true", ValueKind::Boolean)),
        ("amount", text(" 5 ")),
        ("flag", EventValue::new("TRUE", ValueKind::Boolean)),
        ("at", EventValue::new("2024-01-08", ValueKind::Date)),
    ];
    let fitted = fit_occurrence(
        &step(given, WhenUndefined::Refuse),
        &definition(),
        &strict(),
    )
    .unwrap();
    assert_eq!(&*fitted.event, "pe1_x");
    assert_eq!(
        pairs(&fitted),
        [
            ("text", "true"),
            ("amount", "5"),
            ("flag", "true"),
            ("at", "2024-01-08T00:00:00Z")
        ]
    );
    // A moment after a date is no conflict: both are moments for HubSpot.
    let later = vec![(
        "at",
        EventValue::new("2024-01-08T10:00:00Z", ValueKind::DateTime),
    )];
    let fitted = fit_occurrence(
        &step(later, WhenUndefined::Refuse),
        &definition(),
        &strict(),
    )
    .unwrap();
    assert_eq!(pairs(&fitted), [("at", "2024-01-08T10:00:00Z")]);
}

#[test]
fn e16_a_value_that_cannot_fit_costs_its_property_or_its_event() {
    let given = || {
        step(
            vec![("amount", text("many")), ("text", text("x"))],
            WhenUndefined::Refuse,
        )
    };
    let misfit = fit_occurrence(&given(), &definition(), &strict()).unwrap_err();
    assert_eq!(misfit.code, MisfitCode::PropertyType);
    assert_eq!(
        misfit.message,
        "amount takes a number (event property), and the value is a text"
    );
    let lenient = Policy {
        drop_invalid_property: true,
        ..strict()
    };
    let fitted = fit_occurrence(&given(), &definition(), &lenient).unwrap();
    assert_eq!(pairs(&fitted), [("text", "x")]);
    assert_eq!(
        fitted.dropped,
        [(PropertyName::new("amount"), DropReason::Invalid)]
    );
}

#[test]
fn unknown_properties_are_refused_left_out_or_created() {
    let given = |property| {
        step(
            vec![("new", text("x")), ("text", text("y")), ("none", text(""))],
            property,
        )
    };
    let misfit =
        fit_occurrence(&given(WhenUndefined::Refuse), &definition(), &strict()).unwrap_err();
    assert_eq!(misfit.code, MisfitCode::PropertyMissing);
    assert!(
        misfit
            .message
            .starts_with("the event pe1_x has no property new"),
        "{misfit}"
    );
    let name = PropertyName::new;
    let blank = step(vec![("none", text(""))], WhenUndefined::Refuse);
    let fitted = fit_occurrence(&blank, &definition(), &strict()).unwrap();
    assert_eq!(fitted.dropped, [(name("none"), DropReason::Unknown)]);
    let fitted = fit_occurrence(&given(WhenUndefined::Drop), &definition(), &strict()).unwrap();
    assert_eq!(pairs(&fitted), [("text", "y")]);
    assert_eq!(
        fitted.dropped,
        [
            (name("new"), DropReason::Unknown),
            (name("none"), DropReason::Unknown)
        ]
    );
    let fitted = fit_occurrence(&given(WhenUndefined::Create), &definition(), &strict()).unwrap();
    assert_eq!(pairs(&fitted), [("new", "x"), ("text", "y")]);
    assert_eq!(
        fitted.create,
        [EventPropertyDefinition {
            event: EventName::new("pe1_x"),
            name: name("new"),
            kind: ValueKind::Text,
        }]
    );
}

#[test]
fn e9_an_archived_definition_is_refused_with_an_explanation() {
    let archived = EventDefinition {
        archived: true,
        ..definition()
    };
    let misfit = fit_occurrence(
        &step(Vec::new(), WhenUndefined::Create),
        &archived,
        &strict(),
    )
    .unwrap_err();
    assert_eq!(misfit.code.as_str(), "definition_archived");
    assert!(
        misfit.message.contains("never takes its name again"),
        "{misfit}"
    );
}

#[test]
fn an_archived_property_is_refused_or_left_out() {
    let given = || step(vec![("old", text("x"))], WhenUndefined::Create);
    let misfit = fit_occurrence(&given(), &definition(), &strict()).unwrap_err();
    assert_eq!(misfit.code.as_str(), "property_archived");
    let lenient = Policy {
        drop_invalid_property: true,
        ..strict()
    };
    assert!(
        fit_occurrence(&given(), &definition(), &lenient)
            .unwrap()
            .properties
            .is_empty()
    );
}

#[test]
fn hubspots_own_event_properties_need_no_definition() {
    let given = vec![
        ("hs_page_url", text(&"u".repeat(1_000))),
        ("hs_screen_width", text("1080")),
        ("hs_language", text("en")),
    ];
    let fitted = fit_occurrence(
        &step(given, WhenUndefined::Refuse),
        &definition(),
        &strict(),
    )
    .unwrap();
    assert_eq!(fitted.properties.len(), 3);
    let given = vec![("hs_screen_width", text("wide"))];
    let misfit = fit_occurrence(
        &step(given, WhenUndefined::Refuse),
        &definition(),
        &strict(),
    )
    .unwrap_err();
    assert_eq!(misfit.code, MisfitCode::PropertyType);
}

#[test]
fn texts_have_a_length() {
    for (name, length, fits) in [
        ("text", 256, true),
        ("text", 257, false),
        ("hs_referrer", 1_024, true),
        ("hs_referrer", 1_025, false),
    ] {
        let given = step(
            vec![(name, text(&"é".repeat(length)))],
            WhenUndefined::Refuse,
        );
        assert_eq!(
            fit_occurrence(&given, &definition(), &strict()).is_ok(),
            fits,
            "{name} {length}"
        );
    }
}

#[test]
fn b1_what_is_cut_comes_last_in_the_definition() {
    let names: Vec<String> = (0..52).map(|n| format!("p{n:02}")).collect();
    let wide = EventDefinition {
        properties: names
            .iter()
            .map(|name| info(name, ValueType::Text))
            .collect(),
        ..definition()
    };
    // Against the order of the definition, with one that it lacks in front.
    let mut given = vec![("brand_new", text("x"))];
    given.extend(names.iter().rev().map(|name| (name.as_str(), text("x"))));
    let mut step = step(given, WhenUndefined::Create);
    let misfit = fit_occurrence(&step, &wide, &strict()).unwrap_err();
    assert_eq!(misfit.code.as_str(), "too_many_properties");
    step.definition.overflow = Overflow::Truncate;
    let fitted = fit_occurrence(&step, &wide, &strict()).unwrap();
    let kept: Vec<_> = fitted
        .properties
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(kept, names[..50]);
    let dropped: Vec<_> = fitted
        .dropped
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(dropped, ["p50", "p51", "brand_new"]);
    assert!(fitted.create.is_empty());
}
