//! §7: fields, cleaning, coercion, validation.

use hubferry_mapping::{
    Blank, CleanOptions, Condition, FieldSchema, FieldType, Format, Match, Note, Operator, Schema,
};
use serde_json::{Map, Value, json};

const SINGLE: CleanOptions = CleanOptions {
    blank_fields: Blank::Skip,
    drop_invalid: false,
};
const AS_IN_A_BATCH: CleanOptions = CleanOptions {
    blank_fields: Blank::Clear,
    drop_invalid: false,
};

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The payload, or the places of its violations.
fn validate(
    fields: Vec<FieldSchema>,
    payload: Value,
    options: &CleanOptions,
) -> Result<Value, Vec<String>> {
    Schema::new(fields)
        .validate(members(payload), options)
        .map(|validated| Value::Object(validated.payload))
        .map_err(|violations| violations.into_iter().map(|v| v.path).collect())
}

/// What becomes of the value of one field.
#[derive(Debug, PartialEq, Clone)]
enum Fate {
    Is(Value),
    Dropped,
    Error,
}

use Fate::{Dropped, Error};

fn is(value: Value) -> Fate {
    Fate::Is(value)
}

fn fate(field: FieldSchema, value: &Value, options: &CleanOptions) -> Fate {
    let name = field.name().to_owned();
    match validate(vec![field], json!({ name.clone(): value }), options) {
        Err(_) => Error,
        Ok(payload) => payload.get(&name).cloned().map_or(Dropped, Fate::Is),
    }
}

#[test]
fn s7_1_attributes() {
    let field = FieldSchema::text("a")
        .label("A")
        .default_mapping(json!({"@path": "$.a"}));
    assert_eq!(field.kind(), FieldType::Text);
    // A default fills a new mapping; at run time it does nothing.
    assert_eq!(validate(vec![field], json!({}), &SINGLE), Ok(json!({})));
    let bounded = |field: FieldSchema| field.minimum(2.0).maximum(3.0);
    for (field, value, expected) in [
        (FieldSchema::text("f"), json!("a"), Error),
        (FieldSchema::text("f"), json!("ab"), is(json!("ab"))),
        (FieldSchema::text("f"), json!("a😀"), is(json!("a😀"))),
        (FieldSchema::text("f"), json!("abcd"), Error),
        (FieldSchema::number("f"), json!(1), Error),
        (FieldSchema::number("f"), json!(2), is(json!(2))),
        (FieldSchema::number("f"), json!(3.5), Error),
        (FieldSchema::integer("f"), json!(99), is(json!(99))),
        (
            FieldSchema::date_time("f"),
            json!("2024-01-08"),
            is(json!("2024-01-08")),
        ),
    ] {
        assert_eq!(fate(bounded(field), &value, &SINGLE), expected, "{value}");
    }
}

#[test]
fn s7_2_cleaning() {
    let firstname = || FieldSchema::text("firstname");
    let email = || FieldSchema::text("email").format(Format::Email);
    let associations = || {
        FieldSchema::object("associations")
            .multiple()
            .properties(vec![FieldSchema::text("id_field_value")])
    };
    let rows = [
        (firstname(), json!(""), Dropped, is(json!(""))),
        (email(), json!(""), Dropped, Error),
        (email().required(), json!(""), Error, Error),
        (FieldSchema::text("phone"), json!(null), Dropped, Dropped),
        (
            FieldSchema::integer("numberofemployees"),
            json!(""),
            Dropped,
            Dropped,
        ),
        (
            FieldSchema::object("properties"),
            json!({"a": null, "b": ""}),
            is(json!({"a": null, "b": ""})),
            is(json!({"a": null, "b": ""})),
        ),
        (
            associations(),
            json!([{"id_field_value": null}]),
            is(json!([{"id_field_value": ""}])),
            is(json!([{"id_field_value": ""}])),
        ),
    ];
    for (field, value, single, batch) in rows {
        assert_eq!(
            fate(field.clone(), &value, &SINGLE),
            single,
            "{} {value}",
            field.name()
        );
        assert_eq!(
            fate(field.clone(), &value, &AS_IN_A_BATCH),
            batch,
            "{} {value}",
            field.name()
        );
    }
}

#[test]
fn s7_2_cleaning_inside() {
    let declared = || {
        FieldSchema::object("o")
            .properties(vec![
                FieldSchema::text("t"),
                FieldSchema::number("n"),
                FieldSchema::text("z").allow_null(),
            ])
            .additional_properties()
    };
    let rows = [
        (
            declared(),
            json!({"t": "", "n": "", "z": null}),
            is(json!({"t": "", "z": null})),
        ),
        (
            declared(),
            json!({"t": null, "free": null, "e": ""}),
            is(json!({"free": null, "e": ""})),
        ),
        (
            FieldSchema::text("l").multiple(),
            json!([null, "", "a"]),
            is(json!(["", "a"])),
        ),
        (
            FieldSchema::number("l").multiple(),
            json!([null, "", 1]),
            is(json!([1])),
        ),
        (
            FieldSchema::text("f").allow_null(),
            json!(null),
            is(json!(null)),
        ),
    ];
    for (field, value, expected) in rows {
        assert_eq!(fate(field, &value, &SINGLE), expected, "{value}");
    }
}

#[test]
fn s7_3_arrays() {
    let texts = || FieldSchema::text("f").multiple();
    for (field, value, expected) in [
        (texts(), json!("a"), is(json!(["a"]))),
        (texts(), json!(5), is(json!(["5"]))),
        (texts(), json!(null), Dropped),
        (texts(), json!([1, true]), is(json!(["1", "true"]))),
        (FieldSchema::text("f"), json!([5]), is(json!("5"))),
        (FieldSchema::number("f"), json!(["5"]), is(json!(5))),
        (FieldSchema::text("f"), json!([]), Error),
        (FieldSchema::text("f"), json!(["a", "b"]), Error),
        (FieldSchema::object("f"), json!([{"a": 1}]), Error),
    ] {
        assert_eq!(fate(field, &value, &SINGLE), expected, "{value}");
    }
}

#[test]
fn s7_4_the_coercion_table() {
    let same = |value: Value| [is(value.clone()), is(value.clone()), is(value), Error];
    let rows: Vec<(Value, [Fate; 5])> = vec![
        (json!("abc"), [is(json!("abc")), Error, Error, Error, Error]),
        (json!(""), [Dropped, Dropped, Dropped, Dropped, Dropped]),
        (
            json!(" "),
            [is(json!(" ")), is(json!(0)), is(json!(0)), Error, Error],
        ),
        (
            json!("5"),
            [is(json!("5")), is(json!(5)), is(json!(5)), Error, Error],
        ),
        (
            json!(" 5 "),
            [is(json!(" 5 ")), is(json!(5)), is(json!(5)), Error, Error],
        ),
        (
            json!("5.5"),
            [is(json!("5.5")), is(json!(5.5)), Error, Error, Error],
        ),
        (
            json!("1e3"),
            [
                is(json!("1e3")),
                is(json!(1000)),
                is(json!(1000)),
                Error,
                Error,
            ],
        ),
        (
            json!("0x10"),
            [
                is(json!("0x10")),
                is(json!(16)),
                is(json!(16)),
                Error,
                Error,
            ],
        ),
        (
            json!("5abc"),
            [is(json!("5abc")), Error, Error, Error, Error],
        ),
        (json!("NaN"), [is(json!("NaN")), Error, Error, Error, Error]),
        // Ours: the reference takes it for a number that no JSON can hold.
        (
            json!("Infinity"),
            [is(json!("Infinity")), Error, Error, Error, Error],
        ),
        (
            json!("true"),
            [is(json!("true")), Error, Error, is(json!(true)), Error],
        ),
        (
            json!("false"),
            [is(json!("false")), Error, Error, is(json!(false)), Error],
        ),
        (
            json!("TRUE"),
            [is(json!("TRUE")), Error, Error, Error, Error],
        ),
        (
            json!("1"),
            [is(json!("1")), is(json!(1)), is(json!(1)), Error, Error],
        ),
        (
            json!("0"),
            [is(json!("0")), is(json!(0)), is(json!(0)), Error, Error],
        ),
        (
            json!(5),
            [is(json!("5")), is(json!(5)), is(json!(5)), Error, Error],
        ),
        (
            json!(5.5),
            [is(json!("5.5")), is(json!(5.5)), Error, Error, Error],
        ),
        (
            json!(1),
            [
                is(json!("1")),
                is(json!(1)),
                is(json!(1)),
                is(json!(true)),
                Error,
            ],
        ),
        (
            json!(0),
            [
                is(json!("0")),
                is(json!(0)),
                is(json!(0)),
                is(json!(false)),
                Error,
            ],
        ),
        (
            json!(true),
            [
                is(json!("true")),
                is(json!(1)),
                is(json!(1)),
                is(json!(true)),
                Error,
            ],
        ),
        (
            json!(false),
            [
                is(json!("false")),
                is(json!(0)),
                is(json!(0)),
                is(json!(false)),
                Error,
            ],
        ),
        (json!(null), [Dropped, Dropped, Dropped, Dropped, Dropped]),
        (
            json!(["5"]),
            [is(json!("5")), is(json!(5)), is(json!(5)), Error, Error],
        ),
        (
            json!([true]),
            [
                is(json!("true")),
                is(json!(1)),
                is(json!(1)),
                is(json!(true)),
                Error,
            ],
        ),
        (json!(["x"]), [is(json!("x")), Error, Error, Error, Error]),
        (json!([[1, 2]]), [Error, Error, Error, Error, Error]),
        (
            json!([null]),
            [
                is(json!("")),
                is(json!(0)),
                is(json!(0)),
                is(json!(false)),
                Error,
            ],
        ),
        (json!([]), [Error, Error, Error, Error, Error]),
        (json!([1, 2]), [Error, Error, Error, Error, Error]),
        (
            json!({"a": 1}),
            [Error, Error, Error, Error, is(json!({"a": 1}))],
        ),
        (json!({}), [Error, Error, Error, Error, is(json!({}))]),
    ];
    let kinds = [
        FieldType::Text,
        FieldType::Number,
        FieldType::Integer,
        FieldType::Boolean,
        FieldType::Object,
    ];
    for (value, fates) in rows {
        for (kind, expected) in kinds.into_iter().zip(fates) {
            assert_eq!(
                fate(FieldSchema::new("f", kind), &value, &SINGLE),
                expected,
                "{value} as {kind:?}"
            );
        }
    }
    let [_, number, integer, _] = same(json!(1e21));
    assert_eq!(
        fate(FieldSchema::text("f"), &json!(1e21), &SINGLE),
        is(json!("1e+21"))
    );
    assert_eq!(
        fate(FieldSchema::number("f"), &json!(1e21), &SINGLE),
        number
    );
    assert_eq!(
        fate(FieldSchema::integer("f"), &json!(1e21), &SINGLE),
        integer
    );
    for kind in [FieldType::Boolean, FieldType::Object] {
        assert_eq!(
            fate(FieldSchema::new("f", kind), &json!(1e21), &SINGLE),
            Error,
            "{kind:?}"
        );
    }
}

#[test]
fn s7_4_null_where_it_is_allowed() {
    for kind in [
        FieldType::Text,
        FieldType::Number,
        FieldType::Integer,
        FieldType::Boolean,
        FieldType::DateTime,
        FieldType::Object,
    ] {
        let field = FieldSchema::new("f", kind).allow_null();
        assert_eq!(
            fate(field, &json!(null), &SINGLE),
            is(json!(null)),
            "{kind:?}"
        );
    }
}

#[test]
fn s7_4_h_a_list_of_one_is_unwrapped_also_where_null_is_allowed() {
    let field = FieldSchema::text("f").allow_null();
    assert_eq!(fate(field, &json!(["x"]), &SINGLE), is(json!("x")));
}

#[test]
fn s7_4_faults_of_elements_name_them() {
    let field = FieldSchema::number("f").multiple();
    assert_eq!(
        validate(vec![field], json!({"f": ["x", 1, "y"]}), &SINGLE),
        Err(vec!["/f/0".to_owned(), "/f/2".to_owned()])
    );
}

#[test]
fn s7_5_formats() {
    let rows: [(Format, &[&str], &[&str]); 9] = [
        (
            Format::Email,
            &[
                "a@b.c",
                "A@B.CO",
                "a+b@c.io",
                "a@1.2.3.4",
                "!#$%&'*+/=?^_`{|}~-@b.co",
                "a.b@c-d.e",
            ],
            &[
                "a@b",
                "a b@c.io",
                "\"a\"@b.co",
                "é@b.co",
                "a@é.co",
                "a..b@c.io",
                ".a@c.io",
                "a.@c.io",
                "a@-c.io",
                "a@c-.io",
                "a@c_d.io",
                "a@b@c.io",
                "@b.co",
                "a@",
            ],
        ),
        (
            Format::DateTime,
            &[
                "2024-01-08T13:52:50.212Z",
                "2024-01-08T13:52:50",
                "2024-01-08 13:52:50",
            ],
            &["2024-01-08", "2024-01-08T25:00:00Z"],
        ),
        (
            Format::Date,
            &["2024-01-08"],
            &["2024-02-30", "2024-01-08T13:52:50Z"],
        ),
        (
            Format::Time,
            &["13:52:50", "13:52:50Z"],
            &["25:00:00", "noon"],
        ),
        (
            Format::Uri,
            &["http://a.b", "mailto:x", "urn:x:y"],
            &["a.b", "http://a b"],
        ),
        (
            Format::Uuid,
            &["0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"],
            &["0f1e2d3c", "x"],
        ),
        (Format::Ipv4, &["203.0.113.7"], &["256.1.1.1", "1.2.3"]),
        (Format::Ipv6, &["2001:db8::1"], &["2001:db8::g"]),
        (Format::Hostname, &["a.b", "256.1.1.1"], &["a_b", "-a.b"]),
    ];
    for (format, accepted, refused) in rows {
        let field = || FieldSchema::text("f").format(format);
        for text in accepted {
            assert_eq!(
                fate(field(), &json!(text), &SINGLE),
                is(json!(text)),
                "{format:?} {text}"
            );
        }
        for text in refused {
            assert_eq!(
                fate(field(), &json!(text), &SINGLE),
                Error,
                "{format:?} {text}"
            );
        }
        let nullable = field().allow_null();
        assert_eq!(
            fate(nullable, &json!(null), &SINGLE),
            is(json!(null)),
            "{format:?}"
        );
    }
    assert_eq!(
        fate(FieldSchema::text("f"), &json!("anything\u{0}"), &SINGLE),
        is(json!("anything\u{0}"))
    );
}

#[test]
fn s7_5_h_emails_are_trimmed_with_a_note() {
    let schema = Schema::new(vec![FieldSchema::text("email").format(Format::Email)]);
    let valid = schema
        .validate(members(json!({"email": " a@b.co\t"})), &SINGLE)
        .unwrap();
    assert_eq!(Value::Object(valid.payload), json!({"email": "a@b.co"}));
    assert_eq!(valid.notes.len(), 1);
}

#[test]
fn s7_6_date_times() {
    let field = || FieldSchema::date_time("f");
    for value in [
        json!(5),
        json!(-1.5),
        json!("1704722400"),
        json!("0.5"),
        json!("2024-01-08T13:52:50.212Z"),
        json!("2024-1-8"),
        json!("Jan 8 2024"),
        json!("2024-01-08 10:00"),
    ] {
        assert_eq!(fate(field(), &value, &SINGLE), is(value.clone()), "{value}");
    }
    for value in [
        json!("now"),
        json!("abc"),
        json!("1e3"),
        json!("T10:00"),
        json!(true),
        json!({}),
    ] {
        assert_eq!(fate(field(), &value, &SINGLE), Error, "{value}");
    }
}

#[test]
fn s7_6_h_dates_that_the_calendar_lacks_are_refused() {
    for text in ["2024-13-45", "2024-02-31"] {
        assert_eq!(
            fate(FieldSchema::date_time("f"), &json!(text), &SINGLE),
            Error,
            "{text}"
        );
    }
}

#[test]
fn s7_7_undeclared_members() {
    let inner = || vec![FieldSchema::text("a")];
    let fields = vec![
        FieldSchema::object("closed").properties(inner()),
        FieldSchema::object("open")
            .properties(inner())
            .additional_properties(),
        FieldSchema::object("free"),
    ];
    let both = json!({"a": "x", "z": 1});
    assert_eq!(
        validate(
            fields,
            json!({"closed": both, "open": both, "free": both, "zzz": 1}),
            &SINGLE
        ),
        Ok(json!({"closed": {"a": "x"}, "open": both, "free": both}))
    );
}

#[test]
fn s7_7_required() {
    for present in [json!({}), json!([]), json!(0), json!(false)] {
        let kind = match present {
            Value::Object(_) => FieldSchema::object("f"),
            Value::Array(_) => FieldSchema::text("f").multiple(),
            Value::Number(_) => FieldSchema::number("f"),
            _ => FieldSchema::boolean("f"),
        };
        assert_eq!(
            fate(kind.required(), &present, &SINGLE),
            is(present.clone())
        );
    }
    let missing = validate(vec![FieldSchema::text("f").required()], json!({}), &SINGLE);
    assert_eq!(missing, Err(vec!["/f".to_owned()]));
    let parent = || FieldSchema::object("p").properties(vec![FieldSchema::text("c").required()]);
    assert_eq!(validate(vec![parent()], json!({}), &SINGLE), Ok(json!({})));
    assert_eq!(
        validate(vec![parent()], json!({"p": {}}), &SINGLE),
        Err(vec!["/p/c".to_owned()])
    );
    assert_eq!(
        validate(vec![parent()], json!({"p": {"c": ""}}), &SINGLE),
        Ok(json!({"p": {"c": ""}}))
    );
}

#[test]
fn s7_7_choices() {
    let field = || FieldSchema::text("f").choices(["a", "5"]);
    for (field, value, expected) in [
        (field(), json!("a"), is(json!("a"))),
        (field(), json!(5), is(json!("5"))),
        (field(), json!("b"), Error),
        (field().allow_null(), json!(null), is(json!(null))),
        (field().multiple(), json!(["a", "a"]), is(json!(["a", "a"]))),
        (field().multiple(), json!(["a", "b"]), Error),
    ] {
        assert_eq!(fate(field, &value, &SINGLE), expected, "{value}");
    }
}

#[test]
fn s7_7_conditions() {
    let when = |how: Match, conditions: &[(&str, Operator, Option<Value>)]| {
        let conditions = conditions
            .iter()
            .map(|(field, operator, value)| Condition {
                field: (*field).to_owned(),
                operator: *operator,
                value: value.clone(),
            })
            .collect();
        vec![
            FieldSchema::text("f").required_when(how, conditions),
            FieldSchema::text("g").allow_null(),
            FieldSchema::object("p"),
        ]
    };
    let (is, is_not) = (Operator::Is, Operator::IsNot);
    let x = || Some(json!("x"));
    let rows = [
        (when(Match::All, &[("g", is, x())]), json!({"g": "x"}), true),
        (
            when(Match::All, &[("g", is, x())]),
            json!({"g": "y"}),
            false,
        ),
        (when(Match::All, &[("g", is, x())]), json!({}), false),
        (
            when(Match::All, &[("g", is_not, x())]),
            json!({"g": "y"}),
            true,
        ),
        (
            when(Match::All, &[("g", is_not, x())]),
            json!({"g": "x"}),
            false,
        ),
        (when(Match::All, &[("g", is_not, x())]), json!({}), false),
        (when(Match::All, &[("g", is, None)]), json!({}), true),
        (
            when(Match::All, &[("g", is, None)]),
            json!({"g": null}),
            true,
        ),
        (
            when(Match::All, &[("g", is, None)]),
            json!({"g": "x"}),
            false,
        ),
        (
            when(Match::All, &[("g", is_not, None)]),
            json!({"g": "x"}),
            true,
        ),
        (
            when(Match::All, &[("g", is_not, None)]),
            json!({"g": null}),
            false,
        ),
        (
            when(Match::All, &[("p.c", is, x())]),
            json!({"p": {"c": "x"}}),
            true,
        ),
        (
            when(Match::All, &[("g", is, x()), ("p.c", is, x())]),
            json!({"g": "x"}),
            false,
        ),
        (
            when(Match::Any, &[("g", is, x()), ("p.c", is, x())]),
            json!({"g": "x"}),
            true,
        ),
    ];
    for (fields, payload, needed) in rows {
        let expected = if needed {
            Err(vec!["/f".to_owned()])
        } else {
            Ok(payload.clone())
        };
        assert_eq!(
            validate(fields, payload.clone(), &SINGLE),
            expected,
            "{payload}"
        );
    }
    assert_eq!(Match::default(), Match::All);
}

#[test]
fn s7_7_every_violation_is_reported() {
    let fields = vec![
        FieldSchema::number("a"),
        FieldSchema::object("b").properties(vec![
            FieldSchema::number("x"),
            FieldSchema::text("y").required(),
        ]),
        FieldSchema::text("c").required(),
    ];
    let violations = Schema::new(fields)
        .validate(members(json!({"a": "no", "b": {"x": "no"}})), &SINGLE)
        .unwrap_err();
    let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/a: expected a number, got a text of 2 characters",
            "/b/x: expected a number, got a text of 2 characters",
            "/b/y: expected a value, got nothing",
            "/c: expected a value, got nothing",
        ]
    );
}

#[test]
fn s7_7_a_violation_inside_an_element_names_its_place() {
    let field = FieldSchema::object("f")
        .multiple()
        .properties(vec![FieldSchema::number("x").required()]);
    assert_eq!(
        validate(
            vec![field],
            json!({"f": [{"x": 1}, {"x": "no"}, {}]}),
            &SINGLE
        ),
        Err(vec!["/f/1/x".to_owned(), "/f/2/x".to_owned()])
    );
}

#[test]
fn s7_7_h_an_optional_field_may_be_dropped_instead() {
    let dropping = CleanOptions {
        drop_invalid: true,
        ..SINGLE
    };
    let schema = Schema::new(vec![
        FieldSchema::text("a").required(),
        FieldSchema::number("n"),
    ]);
    let valid = schema
        .validate(members(json!({"a": "x", "n": "no"})), &dropping)
        .unwrap();
    assert_eq!(Value::Object(valid.payload), json!({"a": "x"}));
    assert!(matches!(&valid.notes[..], [Note::Dropped { field, .. }] if field == "n"));
}

#[test]
fn s7_8_the_worked_example() {
    let fields = vec![
        FieldSchema::text("email").format(Format::Email).required(),
        FieldSchema::integer("age"),
        FieldSchema::text("tags").multiple(),
        FieldSchema::object("extra"),
    ];
    assert_eq!(
        validate(
            fields,
            json!({"email": "a@b.co", "age": " 41 ", "tags": 5, "extra": {"x": null}, "zzz": 1}),
            &SINGLE
        ),
        Ok(json!({"email": "a@b.co", "age": 41, "tags": ["5"], "extra": {"x": null}}))
    );
}
