//! The pieces of canonical text that both dialects print alike, so that equal readings have equal texts.

use std::fmt;

/// A text between double quotes, with the escapes of the `fql` dialect.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A path of keys, each with its symbols escaped, the first also where it would be a number or a word with a meaning.
pub(super) fn write_path<'k>(
    f: &mut fmt::Formatter<'_>,
    keys: impl IntoIterator<Item = &'k str>,
) -> fmt::Result {
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            f.write_str(".")?;
        } else if matches!(key, "and" | "or" | "in" | "true" | "false" | "null")
            || key.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        {
            f.write_str("\\")?;
        }
        for c in key.chars() {
            if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
    }
    Ok(())
}

/// Conditions under one operator; groups inside stand in parentheses.
pub(super) fn write_group<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    operator: &str,
    is_group: impl Fn(&T) -> bool,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            write!(f, " {operator} ")?;
        }
        if is_group(item) {
            write!(f, "({item})")?;
        } else {
            item.fmt(f)?;
        }
    }
    Ok(())
}

/// Escapes what a glob would not take literally.
pub(super) fn push_glob_literal(out: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}
