use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const SINGLE: CleanOptions = CleanOptions {
    blank_fields: Blank::Skip,
    drop_invalid: false,
};

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn validate(
    fields: Vec<FieldSchema>,
    payload: Value,
    options: &CleanOptions,
) -> Result<Value, Vec<String>> {
    Schema::new(fields)
        .validate(map(payload), options)
        .map(|validated| Value::Object(validated.payload))
        .map_err(|violations| violations.iter().map(ToString::to_string).collect())
}

/// What becomes of one value in a field named `f`.
#[derive(Debug, PartialEq)]
enum Fate {
    Kept(Value),
    Dropped,
    Refused,
}

fn fate(field: &FieldSchema, value: &Value) -> Fate {
    match validate(vec![field.clone()], json!({"f": value}), &SINGLE) {
        Ok(payload) => payload.get("f").cloned().map_or(Fate::Dropped, Fate::Kept),
        Err(_) => Fate::Refused,
    }
}

#[test]
fn the_coercion_table() {
    let columns = [
        FieldType::Text,
        FieldType::Number,
        FieldType::Integer,
        FieldType::Boolean,
        FieldType::Object,
    ];
    let kept = |value: Value| Fate::Kept(value);
    let no = || Fate::Refused;
    let gone = || Fate::Dropped;
    let rows: Vec<(Value, [Fate; 5])> = vec![
        (json!("abc"), [kept(json!("abc")), no(), no(), no(), no()]),
        (json!(""), [gone(), gone(), gone(), gone(), gone()]),
        (
            json!(" "),
            [kept(json!(" ")), kept(json!(0)), kept(json!(0)), no(), no()],
        ),
        (
            json!("5"),
            [kept(json!("5")), kept(json!(5)), kept(json!(5)), no(), no()],
        ),
        (
            json!(" 5 "),
            [
                kept(json!(" 5 ")),
                kept(json!(5)),
                kept(json!(5)),
                no(),
                no(),
            ],
        ),
        (
            json!("5.5"),
            [kept(json!("5.5")), kept(json!(5.5)), no(), no(), no()],
        ),
        (
            json!("1e3"),
            [
                kept(json!("1e3")),
                kept(json!(1000)),
                kept(json!(1000)),
                no(),
                no(),
            ],
        ),
        (
            json!("0x10"),
            [
                kept(json!("0x10")),
                kept(json!(16)),
                kept(json!(16)),
                no(),
                no(),
            ],
        ),
        (json!("5abc"), [kept(json!("5abc")), no(), no(), no(), no()]),
        (json!("NaN"), [kept(json!("NaN")), no(), no(), no(), no()]),
        (
            json!("Infinity"),
            [kept(json!("Infinity")), no(), no(), no(), no()],
        ),
        (
            json!("true"),
            [kept(json!("true")), no(), no(), kept(json!(true)), no()],
        ),
        (
            json!("false"),
            [kept(json!("false")), no(), no(), kept(json!(false)), no()],
        ),
        (json!("TRUE"), [kept(json!("TRUE")), no(), no(), no(), no()]),
        (
            json!("1"),
            [kept(json!("1")), kept(json!(1)), kept(json!(1)), no(), no()],
        ),
        (
            json!("0"),
            [kept(json!("0")), kept(json!(0)), kept(json!(0)), no(), no()],
        ),
        (
            json!(5),
            [kept(json!("5")), kept(json!(5)), kept(json!(5)), no(), no()],
        ),
        (
            json!(5.5),
            [kept(json!("5.5")), kept(json!(5.5)), no(), no(), no()],
        ),
        (
            json!(1),
            [
                kept(json!("1")),
                kept(json!(1)),
                kept(json!(1)),
                kept(json!(true)),
                no(),
            ],
        ),
        (
            json!(0),
            [
                kept(json!("0")),
                kept(json!(0)),
                kept(json!(0)),
                kept(json!(false)),
                no(),
            ],
        ),
        (
            json!(true),
            [
                kept(json!("true")),
                kept(json!(1)),
                kept(json!(1)),
                kept(json!(true)),
                no(),
            ],
        ),
        (
            json!(false),
            [
                kept(json!("false")),
                kept(json!(0)),
                kept(json!(0)),
                kept(json!(false)),
                no(),
            ],
        ),
        (json!(null), [gone(), gone(), gone(), gone(), gone()]),
        (
            json!([5]),
            [kept(json!("5")), kept(json!(5)), kept(json!(5)), no(), no()],
        ),
        (
            json!([null]),
            [
                kept(json!("")),
                kept(json!(0)),
                kept(json!(0)),
                kept(json!(false)),
                no(),
            ],
        ),
        (json!([]), [no(), no(), no(), no(), no()]),
        (json!([1, 2]), [no(), no(), no(), no(), no()]),
        (json!([[1]]), [no(), no(), no(), no(), no()]),
        (json!([{"a": 1}]), [no(), no(), no(), no(), no()]),
        (json!({}), [no(), no(), no(), no(), kept(json!({}))]),
        (
            json!({"a": 1}),
            [no(), no(), no(), no(), kept(json!({"a": 1}))],
        ),
    ];
    for (value, fates) in rows {
        for (kind, expected) in columns.into_iter().zip(fates) {
            assert_eq!(
                fate(&FieldSchema::new("f", kind), &value),
                expected,
                "{value} as {kind:?}"
            );
        }
    }
}

/// Blanks are zero where a number is wanted, but the empty text, which cleaning does not reach inside lists, is none.
#[test]
fn an_empty_text_in_a_list_is_no_number() {
    for field in [FieldSchema::number("f"), FieldSchema::integer("f")] {
        assert_eq!(fate(&field, &json!([""])), Fate::Refused);
        assert_eq!(fate(&field, &json!([" "])), Fate::Kept(json!(0)));
        assert_eq!(fate(&field.multiple(), &json!([[""]])), Fate::Refused);
    }
    let members = FieldSchema::object("f")
        .multiple()
        .properties(vec![FieldSchema::integer("b")]);
    assert_eq!(fate(&members, &json!([{"b": ""}])), Fate::Refused);
}

#[test]
fn large_numbers_keep_their_text_and_value() {
    let large = hubferry_event::parse_json(b"1e21").unwrap();
    assert_eq!(
        fate(&FieldSchema::text("f"), &large),
        Fate::Kept(json!("1e+21"))
    );
    assert_eq!(
        fate(&FieldSchema::number("f"), &large),
        Fate::Kept(large.clone())
    );
    assert_eq!(fate(&FieldSchema::integer("f"), &large), Fate::Kept(large));
    let digits = hubferry_event::parse_json(b"12345678901234567890").unwrap();
    assert_eq!(
        fate(&FieldSchema::text("f"), &digits),
        Fate::Kept(json!("12345678901234567890"))
    );
    assert_eq!(
        fate(&FieldSchema::number("f"), &json!("12345678901234567890")),
        Fate::Kept(digits)
    );
    let infinite = hubferry_event::parse_json(b"1e400").unwrap();
    assert_eq!(fate(&FieldSchema::number("f"), &infinite), Fate::Refused);
}

#[test]
fn null_stays_where_it_is_allowed() {
    for kind in [
        FieldType::Text,
        FieldType::Number,
        FieldType::Boolean,
        FieldType::DateTime,
        FieldType::Object,
    ] {
        let field = FieldSchema::new("f", kind).allow_null();
        assert_eq!(
            fate(&field, &json!(null)),
            Fate::Kept(json!(null)),
            "{kind:?}"
        );
    }
    let text = FieldSchema::text("f").allow_null();
    assert_eq!(fate(&text, &json!(["x"])), Fate::Kept(json!("x")));
    // Inside a list of one, null is what it is in other fields; so is the empty text.
    for (field, of_null) in [
        (FieldSchema::text("f"), json!("")),
        (FieldSchema::number("f"), json!(0)),
        (FieldSchema::boolean("f"), json!(false)),
    ] {
        let field = field.allow_null();
        assert_eq!(fate(&field, &json!([null])), Fate::Kept(of_null));
    }
    let email = FieldSchema::text("f").allow_null().format(Format::Email);
    assert_eq!(fate(&email, &json!(null)), Fate::Kept(json!(null)));
    let many = FieldSchema::text("f").allow_null().multiple();
    assert_eq!(fate(&many, &json!(null)), Fate::Kept(json!(null)));
}

#[test]
fn lists() {
    let texts = FieldSchema::text("f").multiple();
    let integers = FieldSchema::integer("f").multiple();
    for (field, value, expected) in [
        (&texts, json!("x"), Fate::Kept(json!(["x"]))),
        (&texts, json!(5), Fate::Kept(json!(["5"]))),
        (
            &texts,
            json!(["a", 1, null, "", [true]]),
            Fate::Kept(json!(["a", "1", "", "true"])),
        ),
        (&texts, json!([]), Fate::Kept(json!([]))),
        (&texts, json!(null), Fate::Dropped),
        (&texts, json!(["a", {}]), Fate::Refused),
        (
            &integers,
            json!(["1", "", null, 2]),
            Fate::Kept(json!([1, 2])),
        ),
        (&integers, json!(""), Fate::Dropped),
    ] {
        assert_eq!(fate(field, &value), expected, "{value}");
    }
    let refused = validate(vec![integers], json!({"f": [1, "x", {}]}), &SINGLE).unwrap_err();
    assert_eq!(
        refused,
        [
            "/f/1: expected a whole number, got a text of 1 characters",
            "/f/2: expected a whole number, got an object",
        ]
    );
}

#[test]
fn empty_values_are_cleaned() {
    let associations = FieldSchema::object("associations")
        .multiple()
        .properties(vec![
            FieldSchema::text("id_field_value"),
            FieldSchema::number("n"),
        ]);
    let fields = || {
        vec![
            FieldSchema::text("firstname"),
            FieldSchema::text("phone"),
            FieldSchema::integer("numberofemployees"),
            FieldSchema::object("properties"),
            associations.clone(),
            FieldSchema::object("nested").properties(vec![
                FieldSchema::text("t"),
                FieldSchema::number("n"),
                FieldSchema::text("u"),
            ]),
        ]
    };
    let payload = json!({
        "firstname": "", "phone": null, "numberofemployees": "",
        "properties": {"a": null, "b": ""},
        "associations": [{"id_field_value": null, "n": null}, null],
        "nested": {"t": "", "n": "", "u": null},
    });
    let rest = json!({
        "properties": {"a": null, "b": ""},
        "associations": [{"id_field_value": "", "n": 0}],
        "nested": {"t": ""},
    });
    assert_eq!(
        validate(fields(), payload.clone(), &SINGLE),
        Ok(rest.clone())
    );
    let clearing = CleanOptions {
        blank_fields: Blank::Clear,
        drop_invalid: false,
    };
    let mut with_blank = map(rest);
    with_blank.insert("firstname".into(), json!(""));
    let cleared = validate(fields(), payload, &clearing).unwrap();
    assert_eq!(cleared, Value::Object(with_blank));
    let email = FieldSchema::text("email").format(Format::Email);
    assert_eq!(
        validate(vec![email], json!({"email": ""}), &clearing).unwrap_err(),
        ["/email: expected an e-mail address, got `***`"]
    );
}

#[test]
fn date_times_pass_unchanged() {
    let field = FieldSchema::date_time("f");
    for value in [
        json!(5),
        json!(1.5),
        json!("1704722400"),
        json!("-1.5"),
        json!("2024-01-08T13:52:50Z"),
        json!("2024-01-08"),
        json!("2024-1-8"),
        json!("Jan 8 2024"),
        json!("2024-01-08 10:00"),
    ] {
        assert_eq!(fate(&field, &value), Fate::Kept(value.clone()), "{value}");
    }
    for value in [
        json!("now"),
        json!("abc"),
        json!("1e3"),
        json!("T10:00"),
        json!("NaN"),
        json!("Infinity"),
        json!("2024-13-45"),
        json!("2024-02-31"),
        json!(true),
        json!({}),
        json!([]),
    ] {
        assert_eq!(fate(&field, &value), Fate::Refused, "{value}");
    }
    assert_eq!(fate(&field, &json!("")), Fate::Dropped);
    assert_eq!(
        fate(&field, &json!(["2024-01-08"])),
        Fate::Kept(json!("2024-01-08"))
    );
}

#[test]
fn emails_are_trimmed_and_masked() {
    let schema = Schema::new(vec![
        FieldSchema::text("email").format(Format::Email).required(),
    ]);
    let validated = schema
        .validate(map(json!({"email": " j@x.co\n"})), &SINGLE)
        .unwrap();
    assert_eq!(validated.payload["email"], "j@x.co");
    assert_eq!(
        validated.notes,
        [Note::Coerced {
            path: "/email".to_owned(),
            from: "a text",
            to: "a text",
        }]
    );
    for (email, shown) in [
        ("jane@example", "`j***@e***`"),
        ("jane", "`j***`"),
        ("@", "`***@***`"),
    ] {
        let violations = schema
            .validate(map(json!({ "email": email })), &SINGLE)
            .unwrap_err();
        assert_eq!(
            violations[0].to_string(),
            format!("/email: expected an e-mail address, got {shown}")
        );
        assert_eq!(violations[0].field(), "email");
    }
}

#[test]
fn objects_keep_what_is_declared() {
    let members = vec![FieldSchema::integer("n").required(), FieldSchema::text("t")];
    let closed = FieldSchema::object("f").properties(members.clone());
    let open = FieldSchema::object("f")
        .properties(members)
        .additional_properties();
    assert_eq!(
        fate(&closed, &json!({"n": "1", "z": 2})),
        Fate::Kept(json!({"n": 1}))
    );
    assert_eq!(
        fate(&open, &json!({"n": "1", "z": 2})),
        Fate::Kept(json!({"n": 1, "z": 2}))
    );
    assert_eq!(
        fate(&FieldSchema::object("f"), &json!({"z": null})),
        Fate::Kept(json!({"z": null}))
    );
    assert_eq!(fate(&closed, &json!(null)), Fate::Dropped);
    assert_eq!(
        validate(vec![closed.clone()], json!({"f": {"t": {}}}), &SINGLE).unwrap_err(),
        [
            "/f/t: expected a text, got an object",
            "/f/n: expected a value, got nothing"
        ]
    );
    assert_eq!(
        validate(
            vec![closed.multiple()],
            json!({"f": [{"n": 1}, {"n": "x"}, 5]}),
            &SINGLE
        )
        .unwrap_err(),
        [
            "/f/1/n: expected a whole number, got a text of 1 characters",
            "/f/2: expected an object, got a number",
        ]
    );
}

#[test]
fn required_fields_must_be_there() {
    let field = |kind| FieldSchema::new("f", kind).required();
    for (kind, value) in [
        (FieldType::Object, json!({})),
        (FieldType::Number, json!(0)),
        (FieldType::Boolean, json!(false)),
    ] {
        assert_eq!(fate(&field(kind), &value), Fate::Kept(value.clone()));
    }
    assert_eq!(
        fate(&FieldSchema::text("f").multiple().required(), &json!([])),
        Fate::Kept(json!([]))
    );
    for value in [json!(""), json!(null)] {
        assert_eq!(fate(&field(FieldType::Text), &value), Fate::Refused);
    }
    assert_eq!(
        validate(vec![field(FieldType::Text)], json!({}), &SINGLE).unwrap_err(),
        ["/f: expected a value, got nothing"]
    );
    // A field that is wrong is not missing too.
    assert_eq!(
        validate(vec![field(FieldType::Number)], json!({"f": "x"}), &SINGLE).unwrap_err(),
        ["/f: expected a number, got a text of 1 characters"]
    );
}

#[test]
fn required_under_conditions() {
    let condition = |field: &str, operator, value: Option<Value>| Condition {
        field: field.to_owned(),
        operator,
        value,
    };
    let is = |value: Value| condition("o", Operator::Is, Some(value));
    let is_not = |value: Value| condition("o", Operator::IsNot, Some(value));
    let needed = |how, conditions: Vec<Condition>, payload: Value| {
        let fields = vec![
            FieldSchema::text("f").required_when(how, conditions),
            FieldSchema::text("o").allow_null(),
            FieldSchema::object("p"),
        ];
        validate(fields, payload, &SINGLE).is_err()
    };
    let a = || json!({"o": "a"});
    for (conditions, payload, expected) in [
        (vec![is(json!("a"))], a(), true),
        (vec![is(json!("b"))], a(), false),
        (vec![is(json!("a"))], json!({}), false),
        (vec![is_not(json!("b"))], a(), true),
        (vec![is_not(json!("a"))], a(), false),
        (vec![is_not(json!("a"))], json!({}), false),
        (vec![condition("o", Operator::Is, None)], json!({}), true),
        (
            vec![condition("o", Operator::Is, None)],
            json!({"o": null}),
            true,
        ),
        (vec![condition("o", Operator::Is, None)], a(), false),
        (vec![condition("o", Operator::IsNot, None)], a(), true),
        (
            vec![condition("o", Operator::IsNot, None)],
            json!({"o": null}),
            false,
        ),
        (
            vec![condition("p.q", Operator::Is, Some(json!(1)))],
            json!({"p": {"q": 1}}),
            true,
        ),
        (vec![is(json!("a")), is(json!("b"))], a(), false),
    ] {
        assert_eq!(
            needed(Match::All, conditions.clone(), payload.clone()),
            expected,
            "{conditions:?} {payload}"
        );
    }
    assert!(needed(
        Match::Any,
        vec![is(json!("a")), is(json!("b"))],
        a()
    ));
    assert!(!needed(
        Match::Any,
        vec![is(json!("c")), is(json!("b"))],
        a()
    ));
}

#[test]
fn choices_are_shown() {
    let field = FieldSchema::text("f").choices(["lead", "5"]);
    assert_eq!(fate(&field, &json!(5)), Fate::Kept(json!("5")));
    assert_eq!(
        validate(vec![field.clone()], json!({"f": "leed"}), &SINGLE).unwrap_err(),
        ["/f: expected one of `lead`, `5`, got `leed`"]
    );
    assert_eq!(
        validate(vec![field.clone()], json!({"f": "j@x.co"}), &SINGLE).unwrap_err(),
        ["/f: expected one of `lead`, `5`, got a text of 6 characters"]
    );
    assert_eq!(
        fate(&field.clone().allow_null(), &json!(null)),
        Fate::Kept(json!(null))
    );
    assert_eq!(
        validate(vec![field.multiple()], json!({"f": ["lead", "x"]}), &SINGLE).unwrap_err(),
        ["/f/1: expected one of `lead`, `5`, got `x`"]
    );
    let numbers = FieldSchema::number("f").choices([1, 2]);
    assert_eq!(fate(&numbers, &json!("1.0")), Fate::Kept(json!(1)));
    assert_eq!(fate(&numbers, &json!(3)), Fate::Refused);
}

#[test]
fn bounds() {
    let text = FieldSchema::text("f").minimum(2.0).maximum(3.0);
    let number = FieldSchema::number("f").minimum(2.0).maximum(3.0);
    let integer = FieldSchema::integer("f").minimum(2.0);
    for (field, value, fits) in [
        (&text, json!("ab"), true),
        (&text, json!("a"), false),
        (&text, json!("a😀"), true),
        (&text, json!("ab😀"), false),
        (&number, json!(2), true),
        (&number, json!("3.5"), false),
        (&integer, json!(0), true),
    ] {
        assert_eq!(
            matches!(fate(field, &value), Fate::Kept(_)),
            fits,
            "{value}"
        );
    }
    assert_eq!(
        validate(vec![text], json!({"f": "abcd"}), &SINGLE).unwrap_err(),
        ["/f: expected at most 3 characters, got a text of 4 characters"]
    );
}

#[test]
fn the_worked_example() {
    let fields = vec![
        FieldSchema::text("email").format(Format::Email).required(),
        FieldSchema::integer("age"),
        FieldSchema::text("tags").multiple(),
        FieldSchema::object("extra"),
    ];
    let payload =
        json!({"email": "a@b.co", "age": " 41 ", "tags": 5, "extra": {"x": null}, "zzz": 1});
    assert_eq!(
        validate(fields, payload, &SINGLE),
        Ok(json!({"email": "a@b.co", "age": 41, "tags": ["5"], "extra": {"x": null}}))
    );
}

#[test]
fn debug_shows_no_value() {
    let schema = Schema::new(vec![FieldSchema::text("email")]);
    let validated = schema
        .validate(map(json!({"email": "secret"})), &SINGLE)
        .unwrap();
    assert_eq!(
        format!("{validated:?}"),
        r#"Validated { fields: ["email"], notes: [] }"#
    );
}

#[test]
fn every_violation_is_reported() {
    let fields = vec![
        FieldSchema::text("a").required(),
        FieldSchema::number("b"),
        FieldSchema::text("c").format(Format::Date),
    ];
    assert_eq!(
        validate(fields, json!({"c": "secret", "b": "secret"}), &SINGLE).unwrap_err(),
        [
            "/c: expected a date, as 2024-01-08, got a text of 6 characters",
            "/b: expected a number, got a text of 6 characters",
            "/a: expected a value, got nothing",
        ]
    );
}

#[test]
fn a_message_does_not_grow_with_the_payload() {
    let list = |count: usize, item: Value| Value::Array(vec![item; count]);
    let fields = || {
        vec![
            FieldSchema::number("a").multiple(),
            FieldSchema::number("b").multiple(),
            FieldSchema::text("c").required(),
        ]
    };
    let payload =
        |first, second| json!({"a": list(first, json!("x")), "b": list(second, json!("y"))});
    let said = |first, second| validate(fields(), payload(first, second), &SINGLE).unwrap_err();
    assert_eq!(said(30, 19).len(), 50);
    assert_eq!(said(30, 19)[49], "/c: expected a value, got nothing");
    let many = said(40, 100_000);
    assert_eq!(many.len(), MAX_REPORTED + 1);
    assert_eq!(
        many[49],
        "/b/9: expected a number, got a text of 1 characters"
    );
    // 40 and 100,000 elements and the missing field.
    assert_eq!(
        many[50],
        "/: expected at most 50 violations to report, got 99991 more"
    );
    let dropping = CleanOptions {
        drop_invalid: true,
        ..SINGLE
    };
    let schema = Schema::new(fields());
    let mut with_text = map(payload(1, 100_000));
    with_text.insert("c".to_owned(), json!("x"));
    let dropped = schema.validate(with_text, &dropping).unwrap();
    let why: Vec<usize> = dropped
        .notes
        .iter()
        .map(|note| match note {
            Note::Dropped { why, .. } => why.len(),
            Note::Coerced { .. } => 0,
        })
        .collect();
    assert_eq!(why, [1, 51]);
}

#[test]
fn notes_do_not_grow_with_the_payload() {
    let schema = Schema::new(vec![FieldSchema::number("a").multiple()]);
    let texts = |count: usize| map(json!({"a": vec!["1"; count]}));
    let notes = |count| schema.validate(texts(count), &SINGLE).unwrap().notes;
    assert_eq!(notes(50).len(), 50);
    assert_eq!(
        notes(50)[49].to_string(),
        "/a/49: a text was taken as a number"
    );
    assert_eq!(notes(100_000).len(), 50);
    assert_eq!(
        notes(100_000)[49].to_string(),
        "/a/49 and 99950 more: a text was taken as a number"
    );
}

#[test]
fn optional_fields_may_be_left_out_instead() {
    let dropping = CleanOptions {
        blank_fields: Blank::Skip,
        drop_invalid: true,
    };
    let schema = Schema::new(vec![
        FieldSchema::text("email").format(Format::Email).required(),
        FieldSchema::number("n"),
    ]);
    let validated = schema
        .validate(map(json!({"email": "a@b.co", "n": "x"})), &dropping)
        .unwrap();
    assert_eq!(Value::Object(validated.payload), json!({"email": "a@b.co"}));
    assert_eq!(
        validated
            .notes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["/n: left out; /n: expected a number, got a text of 1 characters"]
    );
    let violations = schema
        .validate(map(json!({"email": "a", "n": "x"})), &dropping)
        .unwrap_err();
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field(), "email");
}

#[test]
fn what_was_made_to_fit_is_noted() {
    let schema = Schema::new(vec![
        FieldSchema::text("t"),
        FieldSchema::integer("i").multiple(),
        FieldSchema::boolean("b"),
        FieldSchema::text("same"),
    ]);
    let validated = schema
        .validate(
            map(json!({"t": [5], "i": "7", "b": 1, "same": "x"})),
            &SINGLE,
        )
        .unwrap();
    assert_eq!(
        validated
            .notes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "/t: a list was taken as a text",
            "/i: a text was taken as a list",
            "/i/0: a text was taken as a number",
            "/b: a number was taken as a boolean",
        ]
    );
}

proptest! {
    /// A payload that was accepted is accepted again, unchanged and without a note. (Of lists with nothing in them this
    /// is not true: `[""]` becomes the empty text, which as such is left out.)
    #[test]
    fn accepting_is_final(
        kind in prop::sample::select(vec![
            FieldType::Text, FieldType::Number, FieldType::Integer, FieldType::Boolean, FieldType::DateTime, FieldType::Object,
        ]),
        multiple in any::<bool>(),
        text in r#"[0-9+.exX \-a-f]{1,5}"#,
        number in any::<f64>().prop_filter("JSON has no such number", |f| f.is_finite()),
        shape in 0..6_u8,
    ) {
        let value = match shape {
            0 => json!(text),
            1 => json!(number),
            2 => json!([text]),
            3 => json!([number, text]),
            4 => json!({"a": text}),
            _ => json!(true),
        };
        let field = FieldSchema::new("f", kind);
        let schema = Schema::new(vec![if multiple { field.multiple() } else { field }]);
        if let Ok(once) = schema.validate(map(json!({"f": value})), &SINGLE) {
            let twice = schema.validate(once.payload.clone(), &SINGLE).unwrap();
            prop_assert_eq!(twice.payload, once.payload);
            prop_assert_eq!(twice.notes, vec![]);
        }
    }
}
