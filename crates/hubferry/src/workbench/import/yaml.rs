//! YAML as people write it: short values on a line, longer ones below.

use std::fmt::Write as _;

use serde_json::Value;

/// The longest value that stands on the line of its key.
const LINE: usize = 90;

/// A comment, folded to the width of the file.
pub(super) fn comment(page: &mut String, indent: usize, text: &str) {
    const WIDTH: usize = 110;
    let mut line = String::new();
    // Whatever is in a name, a comment ends with its line.
    let text = text.replace(char::is_control, " ");
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + 2 + line.chars().count() + word.chars().count() >= WIDTH {
            writeln!(page, "{:indent$}# {line}", "").ok();
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(page, "{:indent$}# {line}", "").ok();
}

/// A key or a text, in quotes where it needs them; single ones where they make it easier to read.
pub(super) fn key(name: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !WORDS.contains(&name.to_ascii_lowercase().as_str());
    let reads_better_in_single = name.contains('"')
        && name
            .chars()
            .all(|c| c == ' ' || c.is_ascii_graphic() && c != '\'');
    if is_plain {
        name.to_owned()
    } else if reads_better_in_single {
        format!("'{name}'")
    } else {
        Value::from(name).to_string()
    }
}

/// A value behind its key, and the line end.
pub(super) fn value(page: &mut String, indent: usize, value: &Value) {
    let short = inline(value);
    if short.chars().count() + indent <= LINE {
        writeln!(page, " {short}").ok();
        return;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            page.push('\n');
            for (name, member) in members {
                write!(page, "{:1$}{2}:", "", indent + 2, key(name)).ok();
                self::value(page, indent + 2, member);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            page.push('\n');
            for item in items {
                write!(page, "{:1$}-", "", indent + 2).ok();
                self::value(page, indent + 4, item);
            }
        }
        _ => {
            writeln!(page, " {short}").ok();
        }
    }
}

/// A value on one line. JSON's texts and numbers are YAML's too.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, member)| format!("{}: {}", key(name), inline(member)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => key(text),
        scalar => scalar.to_string(),
    }
}

/// The value with every text that would take an environment variable (`${NAME}`) kept from it (`$${NAME}`).
pub(super) fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(escaped_text(text)),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), escaped(member)))
            .collect(),
        other => other.clone(),
    }
}

fn escaped_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${")
        && let Some(length) = rest[start..].find('}')
    {
        let end = start + length + 1;
        out.push_str(&rest[..start]);
        out.push('$');
        out.push_str(&rest[start..end]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, load_text, parse_text};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn texts_that_look_like_variables_stay_texts() {
        for (text, kept) in [
            ("a ${b} c", "a $${b} c"),
            ("${a${b}", "$${a${b}"),
            ("${a}${b}", "$${a}$${b}"),
            ("$${a}", "$$${a}"),
            ("${a", "${a"),
            ("$a {b}", "$a {b}"),
        ] {
            assert_eq!(escaped_text(text), kept);
            // Read back, an unset variable would be a problem, and a set one another text.
            let mut page = "drain:".to_owned();
            value(&mut page, 0, &escaped(&json!(text)));
            let found = load_text(&page, &Surroundings::default()).unwrap_err();
            let said = found[0].to_string();
            assert!(
                said.contains(&format!("{text:?} is not a duration")),
                "{said}"
            );
        }
    }

    #[test]
    fn comments_never_leave_their_line() {
        let mut page = String::new();
        comment(&mut page, 2, "a name\nkafka: x\u{1b}[0m");
        assert_eq!(page, "  # a name kafka: x [0m\n");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~äß\n\t€😀]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[ -~]{1,12}", inner, 0..5)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(written in any_value()) {
            let mut page = "top:".to_owned();
            value(&mut page, 0, &written);
            let read = parse_text(&page).map_err(|unparsed| unparsed.message);
            prop_assert_eq!(read, Ok(json!({ "top": written })), "{}", page);
        }
    }
}
