//! §4.13: Liquid.

use hubferry_mapping::Mapping;
use serde_json::{Value, json};

use super::{Is, check_directive, outcome, value};

fn check_templates(rows: Vec<(&str, Value, Is)>) {
    check_directive(
        "@liquid",
        rows.into_iter()
            .map(|(template, event, expected)| (json!(template), event, expected))
            .collect(),
    );
}

#[test]
fn s4_13_the_table() {
    check_templates(vec![
        ("{{ nope }}", json!({}), value(json!(""))),
        ("{{ n }}", json!({"n": null}), value(json!(""))),
        ("{{ z }}", json!({"z": 0}), value(json!("0"))),
        ("{{ f }}", json!({"f": false}), value(json!("false"))),
        (
            "{{ o }}",
            json!({"o": {"a": 1}}),
            value(json!("[object Object]")),
        ),
        (
            "{{ l }}",
            json!({"l": [{}, {}]}),
            value(json!("[object Object][object Object]")),
        ),
        (
            "{{ s | unknown_filter }}",
            json!({"s": "x"}),
            value(json!("x")),
        ),
        ("{% unknown %}", json!({}), Is::Invalid),
        ("{{ s", json!({}), Is::Invalid),
        ("{{ nope | default: \"d\" }}", json!({}), value(json!("d"))),
        (
            "{{ \"2024-01-08T13:52:50.212Z\" | date: \"%Y-%m-%d\" }}",
            json!({}),
            value(json!("2024-01-08")),
        ),
        ("{{ t }}", json!({"t": "<b>&"}), value(json!("<b>&"))),
        (
            "{% increment c %}{% increment c %}",
            json!({}),
            value(json!("01")),
        ),
        ("", json!({}), value(json!(""))),
        (
            "{{ properties.x }}",
            json!({"properties": {"x": 5}}),
            value(json!("5")),
        ),
    ]);
}

#[test]
fn s4_13_options_and_length() {
    for option in [json!(5), json!({"@path": "t"}), json!(null), json!(["a"])] {
        assert_eq!(
            outcome(&json!({"@liquid": option}), &json!({"t": "x"})),
            Is::Invalid
        );
    }
    let longest = "x".repeat(1000);
    check_templates(vec![
        (&longest, json!({}), value(json!(longest))),
        (&"x".repeat(1001), json!({}), Is::Invalid),
        (&"😀".repeat(501), json!({}), Is::Invalid),
    ]);
}

#[test]
fn s4_13_disabled_tags_are_refused_wherever_they_stand() {
    for tag in ["case", "for", "include", "layout", "render", "tablerow"] {
        for template in [
            format!("{{% {tag} x %}}"),
            format!("{{% if false %}}{{% {tag} x %}}{{% endif %}}"),
        ] {
            check_templates(vec![(&template, json!({}), Is::Invalid)]);
        }
    }
}

#[test]
fn s4_13_disabled_filters_are_errors_when_evaluated() {
    for filter in [
        "array_to_sentence_string",
        "concat",
        "find",
        "find_exp",
        "find_index",
        "find_index_exp",
        "group_by",
        "group_by_exp",
        "has",
        "has_exp",
        "map",
        "newline_to_br",
        "reject",
        "reject_exp",
        "reverse",
        "sort",
        "sort_natural",
        "uniq",
        "where_exp",
        "type",
    ] {
        check_templates(vec![
            (
                &format!("{{{{ l | {filter}: \"a\" }}}}"),
                json!({"l": ["a"]}),
                Is::Error,
            ),
            (
                &format!("{{% if false %}}{{{{ l | {filter} }}}}{{% endif %}}ok"),
                json!({}),
                value(json!("ok")),
            ),
        ]);
    }
}

#[test]
fn s4_13_every_tag_works() {
    check_templates(vec![
        ("{% assign a = 1 %}{{ a }}", json!({}), value(json!("1"))),
        (
            "{% capture a %}x{{ s }}{% endcapture %}{{ a }}",
            json!({"s": "y"}),
            value(json!("xy")),
        ),
        (
            "a{% comment %}b{% endcomment %}c",
            json!({}),
            value(json!("ac")),
        ),
        (
            "{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}",
            json!({}),
            value(json!("aba")),
        ),
        (
            "{% decrement c %}{% decrement c %}",
            json!({}),
            value(json!("-1-2")),
        ),
        (
            "{% echo s | upcase %}",
            json!({"s": "x"}),
            value(json!("X")),
        ),
        (
            "{% if s == 'a' %}1{% elsif s == 'b' %}2{% else %}3{% endif %}",
            json!({"s": "b"}),
            value(json!("2")),
        ),
        (
            "{% unless s %}1{% else %}2{% endunless %}",
            json!({"s": true}),
            value(json!("2")),
        ),
        (
            "{% liquid\n assign a = 5\n echo a %}",
            json!({}),
            value(json!("5")),
        ),
        (
            "{% raw %}{{ s }}{% endraw %}",
            json!({"s": 1}),
            value(json!("{{ s }}")),
        ),
        ("a{% # inline %}b", json!({}), value(json!("ab"))),
        (
            "a {{- s -}} b {%- if true -%} c {%- endif %}",
            json!({"s": 1}),
            value(json!("a1bc")),
        ),
    ]);
}

#[test]
fn s4_13_every_filter_works() {
    let event = json!({
        "n": -7.5, "s": " Hello World ", "l": ["b", "a"], "o": [{"k": 1}, {"k": 2}], "d": "2024-01-08T13:52:50Z",
    });
    for (call, expected) in [
        ("n | abs", "7.5"),
        ("\"a\" | append: \"b\"", "ab"),
        ("n | at_least: 3", "3"),
        ("9 | at_most: 3", "3"),
        ("\"aGk=\" | base64_decode", "hi"),
        ("\"hi\" | base64_encode", "aGk="),
        ("\"hELLO\" | capitalize", "Hello"),
        ("1.2 | ceil", "2"),
        ("\"a b&c\" | cgi_escape", "a+b%26c"),
        ("l | compact | join: \"-\"", "b-a"),
        ("d | date: \"%d.%m.%Y\"", "08.01.2024"),
        ("d | date_to_long_string", "08 January 2024"),
        ("d | date_to_rfc822", "Mon, 08 Jan 2024 13:52:50 +0000"),
        ("d | date_to_string", "08 Jan 2024"),
        ("d | date_to_xmlschema", "2024-01-08T13:52:50+00:00"),
        ("nope | default: \"x\"", "x"),
        ("7 | divided_by: 2", "3.5"),
        ("\"AB\" | downcase", "ab"),
        ("\"<a>\" | escape", "&lt;a&gt;"),
        ("\"&lt;<\" | escape_once", "&lt;&lt;"),
        ("l | first", "b"),
        ("1.8 | floor", "1"),
        ("l | inspect", "[\"b\",\"a\"]"),
        ("l | join: \"+\"", "b+a"),
        ("l | json", "[\"b\",\"a\"]"),
        ("l | jsonify", "[\"b\",\"a\"]"),
        ("l | last", "a"),
        ("\"  a\" | lstrip", "a"),
        ("5 | minus: 2", "3"),
        ("5 | modulo: 3", "2"),
        ("\" a   b \" | normalize_whitespace", " a b "),
        ("\"one two three\" | number_of_words", "3"),
        ("5 | plus: 2", "7"),
        ("l | pop | join", "b"),
        ("l | push: \"c\" | join: \"\"", "bac"),
        ("\"b\" | prepend: \"a\"", "ab"),
        ("\"<a>\" | raw", "<a>"),
        ("\"banana\" | remove: \"an\"", "ba"),
        ("\"banana\" | remove_first: \"an\"", "bana"),
        ("\"banana\" | remove_last: \"an\"", "bana"),
        ("\"banana\" | replace: \"an\", \"x\"", "bxxa"),
        ("\"banana\" | replace_first: \"an\", \"x\"", "bxana"),
        ("\"banana\" | replace_last: \"an\", \"x\"", "banxa"),
        ("1.2345 | round: 2", "1.23"),
        ("\"a  \" | rstrip", "a"),
        ("l | shift | join", "a"),
        ("l | size", "2"),
        ("\"banana\" | slice: 1, 3", "ana"),
        ("\"Hello, World!\" | slugify", "hello-world"),
        ("\"a,b\" | split: \",\" | join: \"-\"", "a-b"),
        ("s | strip", "Hello World"),
        ("\"<b>x</b>\" | strip_html", "x"),
        ("\"a\" | strip_newlines", "a"),
        ("o | sum: \"k\"", "3"),
        ("3 | times: 2", "6"),
        ("\"3.7\" | to_integer", "3.7"),
        ("\"abcdefgh\" | truncate: 5", "ab..."),
        ("\"a b c\" | truncatewords: 2", "a b..."),
        ("l | unshift: \"c\" | join: \"\"", "cba"),
        ("\"ab\" | upcase", "AB"),
        ("\"a b\" | uri_escape", "a%20b"),
        ("\"a+b%26\" | url_decode", "a b&"),
        ("\"a b&\" | url_encode", "a+b%26"),
        ("o | where: \"k\", 2 | size", "1"),
        ("\"<a>\" | xml_escape", "&lt;a&gt;"),
    ] {
        let template = format!("{{{{ {call} }}}}");
        let json = json!({"x": {"@liquid": template}});
        let mapping = Mapping::compile(&json).unwrap();
        assert!(
            mapping.warnings().is_empty(),
            "{call}: {:?}",
            mapping.warnings()
        );
        assert_eq!(
            mapping.resolve(&event),
            Ok(Some(json!({"x": expected}))),
            "{call}"
        );
    }
}

#[test]
fn s4_13_h_the_work_is_counted_not_timed() {
    let heavy = "{% assign l = (1..90000) | size %}{% assign m = (1..90000) | size %}";
    check_templates(vec![(heavy, json!({}), Is::Error)]);
}
