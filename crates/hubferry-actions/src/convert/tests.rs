use proptest::prelude::*;

use super::*;

fn options(pairs: &[(&str, &str)]) -> Vec<OptionInfo> {
    pairs
        .iter()
        .map(|(value, label)| OptionInfo {
            value: Box::from(*value),
            label: Box::from(*label),
        })
        .collect()
}

fn stages() -> Vec<OptionInfo> {
    options(&[
        ("lead", "Lead"),
        ("customer", "Paying Customer"),
        ("31337", "Évangéliste"),
        ("Lead", "Other lead"),
    ])
}

/// Checks what each text becomes; `"="` stands for the text itself.
fn check(takes: &ValueType, cases: &[(&str, Result<&str, Unfit>)]) {
    for (text, expected) in cases {
        let found = convert(text, takes, false);
        let expected = expected.map(|value| (value != "=").then(|| value.to_owned()));
        assert_eq!(found, expected, "{text:?} for {takes:?}");
    }
}

const KIND: Result<&str, Unfit> = Err(Unfit::Kind);
const NO_OPTION: Result<&str, Unfit> = Err(Unfit::NoOption);

#[test]
fn o16_e19_texts_take_anything() {
    check(
        &ValueType::Text,
        &[
            ("true", Ok("=")),
            ("5", Ok("=")),
            ("2024-01-01", Ok("=")),
            ("{\"a\":1}", Ok("=")),
            ("", Ok("=")),
        ],
    );
    let long = "é".repeat(MAX_TEXT);
    assert_eq!(convert(&long, &ValueType::Text, false), Ok(None));
    let longer = format!("{long}é");
    assert_eq!(
        convert(&longer, &ValueType::Text, false),
        Err(Unfit::TooLong(MAX_TEXT))
    );
    check(&ValueType::Other, &[("anything", Ok("="))]);
}

#[test]
fn o16_numbers_take_numeric_texts() {
    check(
        &ValueType::Number,
        &[
            ("5", Ok("=")),
            ("-5.25", Ok("=")),
            ("00123", Ok("=")),
            ("1e+21", Ok("=")),
            ("1E5", Ok("=")),
            (" 7 ", Ok("7")),
            ("+7", Ok("7")),
            (".5", Ok("0.5")),
            ("-.5", Ok("-0.5")),
            ("5.", Ok("5")),
            ("5.e3", Ok("5e3")),
            ("", Ok("=")),
            ("true", KIND),
            ("+-5", KIND),
            ("1,000", KIND),
            ("1.2.3", KIND),
            ("0x1F", KIND),
            ("1e", KIND),
            ("e5", KIND),
            (".", KIND),
            ("-", KIND),
            ("Infinity", KIND),
            ("NaN", KIND),
            ("2024-01-01", KIND),
            ("five", KIND),
            ("٣", KIND),
        ],
    );
}

#[test]
fn o16_booleans_take_yes_and_no() {
    check(
        &ValueType::Boolean,
        &[
            ("true", Ok("=")),
            ("false", Ok("=")),
            ("TRUE", Ok("true")),
            (" False ", Ok("false")),
            ("1", Ok("true")),
            ("0", Ok("false")),
            ("Yes", Ok("true")),
            ("no", Ok("false")),
            ("", Ok("=")),
            ("2", KIND),
            ("maybe", KIND),
            ("2024-01-01", KIND),
        ],
    );
}

#[test]
fn o1_options_go_by_value_then_by_label_then_by_either_whatever_the_case() {
    check(
        &ValueType::Option(stages()),
        &[
            ("lead", Ok("=")),
            ("Lead", Ok("=")),
            ("Other lead", Ok("Lead")),
            ("LEAD", Ok("lead")),
            ("Paying Customer", Ok("customer")),
            ("paying customer", Ok("customer")),
            (" customer ", Ok("customer")),
            ("ÉVANGÉLISTE", Ok("31337")),
            ("", Ok("=")),
            ("lost", NO_OPTION),
            ("lead;customer", NO_OPTION),
        ],
    );
    let crossed = options(&[("a", "B"), ("b", "A")]);
    check(
        &ValueType::Option(crossed),
        &[("a", Ok("=")), ("A", Ok("b")), ("B", Ok("a"))],
    );
    check(&ValueType::Option(Vec::new()), &[("5512", Ok("="))]);
    let truth = options(&[("true", "Ja"), ("false", "Nein")]);
    check(
        &ValueType::Option(truth),
        &[
            ("true", Ok("=")),
            ("ja", Ok("true")),
            ("0", Ok("false")),
            ("x", NO_OPTION),
        ],
    );
}

#[test]
fn o1_several_options_are_lists() {
    let sports = options(&[
        ("run", "Running"),
        ("swim", "Swimming"),
        ("a, b", "A and B"),
    ]);
    check(
        &ValueType::Options(sports),
        &[
            ("run", Ok("=")),
            ("run;swim", Ok("=")),
            (";run", Ok("=")),
            ("Running; swimming", Ok("run;swim")),
            ("; Running ;swim;", Ok(";run;swim")),
            ("run;run", Ok("run")),
            ("run;;swim", Ok("run;swim")),
            ("a, b", Ok("=")),
            ("[\"run\",\"Swimming\",null]", Ok("run;swim")),
            ("[]", Ok("")),
            ("", Ok("=")),
            ("run,swim", NO_OPTION),
            ("run;fly", NO_OPTION),
            (";", NO_OPTION),
            ("[{}]", NO_OPTION),
        ],
    );
    check(&ValueType::Options(Vec::new()), &[("a;b", Ok("="))]);
}

#[test]
fn o16_o33_dates_and_moments_take_each_other_where_nothing_is_lost() {
    check(
        &ValueType::Date,
        &[
            ("2024-01-08", Ok("=")),
            ("2024-01-08T00:00:00.000Z", Ok("2024-01-08")),
            ("1704672000000", Ok("2024-01-08")),
            ("2024-01-08T13:52:50Z", Err(Unfit::HasTime)),
            ("2024-02-31", KIND),
            ("true", KIND),
            ("", Ok("=")),
        ],
    );
    check(
        &ValueType::DateTime,
        &[
            ("2024-01-08T13:52:50.000Z", Ok("=")),
            ("2024-01-08", Ok("2024-01-08T00:00:00Z")),
            ("1704722400", Ok("2024-01-08T14:00:00Z")),
            ("2024-01-08T99:99:99Z", KIND),
            ("soon", KIND),
            ("", Ok("=")),
        ],
    );
    let truncated = convert("2024-01-08T13:52:50Z", &ValueType::Date, true);
    assert_eq!(truncated, Ok(Some("2024-01-08".to_owned())));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "[+-]?[0-9]{0,14}[.]?[0-9]{0,3}([eE][+-]?[0-9]{0,2})?",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:?[0-9]{2}(:?[0-9]{2})?([.,][0-9]{1,9})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?",
        "(lead|Lead|LEAD|customer|;| |paying customer|31337){0,4}",
        "(true|false|Yes|no|1|0)",
    ]
}

fn any_type() -> impl Strategy<Value = ValueType> {
    prop_oneof![
        Just(ValueType::Text),
        Just(ValueType::Number),
        Just(ValueType::Boolean),
        Just(ValueType::Option(stages())),
        Just(ValueType::Options(stages())),
        Just(ValueType::Date),
        Just(ValueType::DateTime),
        Just(ValueType::Other),
    ]
}

proptest! {
    #[test]
    fn conversion_is_total_and_what_comes_out_fits(text in any_text(), takes in any_type(), truncate: bool) {
        if let Ok(Some(converted)) = convert(&text, &takes, truncate) {
            prop_assert_ne!(&converted, &text);
            prop_assert_eq!(convert(&converted, &takes, truncate), Ok(None), "{} of {}", converted, text);
        }
    }
}
