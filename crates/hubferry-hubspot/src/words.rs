//! HubSpot's words, made fit to leave the process: without property values, short, e-mails masked.

use crate::failure::{Detail, Failure};
use crate::outcome::Code;

/// The most bytes of a message.
const MAX_BYTES: usize = 512;
/// Beyond this a message is dropped, not searched for values.
const MAX_RAW_BYTES: usize = 64 * 1024;
/// How much of a list of options is shown.
const MAX_OPTIONS_BYTES: usize = 120;
/// The longest wrong option that is shown.
const MAX_OPTION_CHARS: usize = 64;
/// How many faults of one error are shown.
const MAX_DETAILS: usize = 3;
/// Values this long are masked inside words too.
const CERTAIN_CHARS: usize = 6;

/// A failure's words: its faults, the deciding one first, else its message. `values` are the values that were sent.
pub(crate) fn of_failure(
    failure: &Failure,
    deciding: Option<&Detail>,
    code: Option<Code>,
    values: &[&str],
) -> String {
    if failure.status == 401 && is_malformed_token(&failure.message) {
        return "the token is malformed: check that it was copied whole".to_owned();
    }
    if failure.details.is_empty() {
        let head = clean(failure.head(), values);
        return if head.is_empty() {
            format!("status {} without a message", failure.status)
        } else {
            head
        };
    }
    let first = deciding.into_iter();
    let others = failure
        .details
        .iter()
        .filter(|d| deciding.is_none_or(|first| !std::ptr::eq(*d, first)));
    let parts: Vec<String> = first
        .map(|d| of_detail(d, code == Some(Code::PropertyOption), values))
        .chain(others.map(|d| of_detail(d, false, values)))
        .take(MAX_DETAILS)
        .collect();
    shortened(&parts.join("; "), MAX_BYTES)
}

/// The scopes that somebody has to grant.
pub(crate) fn of_scopes(scopes: &[String]) -> String {
    clean(&format!("missing scopes: {}", scopes.join(", ")), &[])
}

/// HubSpot calls a token it cannot read one that expired in 1970, thousands of days ago (hubspot-api.md §9.2).
fn is_malformed_token(message: &str) -> bool {
    let days = message
        .split_once(" expired ")
        .and_then(|(_, rest)| rest.split_once(" day(s) ago"))
        .and_then(|(days, _)| days.parse::<u32>().ok());
    days.is_some_and(|days| days > 10_000)
}

fn of_detail(detail: &Detail, show_option: bool, values: &[&str]) -> String {
    let words = match option_of(&detail.message) {
        Some((option, options)) => {
            // The options are the portal's own words; the one that was sent is not personal where the property is an
            // enumeration, and without it nobody could tell what is wrong.
            let shown = if show_option && option.chars().count() <= MAX_OPTION_CHARS {
                masked_emails(option)
            } else {
                "***".to_owned()
            };
            let options = shortened(&masked_emails(options), MAX_OPTIONS_BYTES);
            format!("{shown} was not one of the allowed options{options}")
        }
        None => clean(&detail.message, values),
    };
    match &detail.property {
        Some(property) => format!("{property}: {words}"),
        None => words,
    }
}

/// Splits `X was not one of the allowed options: [A, B]` into X and the list.
pub(crate) fn option_of(message: &str) -> Option<(&str, &str)> {
    message.split_once(" was not one of the allowed options")
}

/// Masks values and e-mails and shortens.
pub(crate) fn clean(text: &str, values: &[&str]) -> String {
    if text.len() > MAX_RAW_BYTES {
        return format!("a message of {} bytes, left out", text.len());
    }
    // A long list would crowd out everything; control characters would forge lines of a log.
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    shortened(
        masked_emails(&masked_values(&plain, values)).trim(),
        MAX_BYTES,
    )
}

/// Replaces what was sent by `***`, longest first.
fn masked_values(text: &str, values: &[&str]) -> String {
    let mut spans: Vec<(usize, usize)> = values
        .iter()
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
        .flat_map(|value| occurrences(text, value))
        .collect();
    spans.sort_unstable_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in spans {
        if start >= at {
            out.push_str(&text[at..start]);
            out.push_str("***");
        }
        at = at.max(end);
    }
    out.push_str(&text[at..]);
    out
}

/// Where a value stands, whatever the case of ASCII letters; a short value only as a word of its own.
fn occurrences(text: &str, value: &str) -> Vec<(usize, usize)> {
    let certain = value.chars().count() >= CERTAIN_CHARS;
    let length = value.len();
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut found = Vec::new();
    let mut at = 0;
    while at + length <= text.len() {
        let hit = text.as_bytes()[at..at + length].eq_ignore_ascii_case(value.as_bytes());
        let alone = hit
            && (certain
                || (!joins(text[..at].chars().next_back())
                    && !joins(text[at + length..].chars().next())));
        if alone {
            found.push((at, at + length));
            at += length;
        } else {
            at += 1;
        }
    }
    found
}

/// `jane@example.com` becomes `j***@e***`.
pub(crate) fn masked_emails(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "\"'<>()[]{},;:=".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let start = rest[..at].rfind(ends).map_or(0, |i| {
            i + rest[i..].chars().next().map_or(1, char::len_utf8)
        });
        let stop = rest[at + 1..].find(ends).map_or(rest.len(), |i| at + 1 + i);
        out.push_str(&rest[..start]);
        out.extend(rest[start..at].chars().next());
        out.push_str("***@");
        out.extend(rest[at + 1..stop].chars().next().filter(|c| *c != '@'));
        out.push_str("***");
        rest = &rest[stop..];
    }
    out.push_str(rest);
    out
}

/// At most so many bytes, cut between characters.
fn shortened(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mark = '…';
    let end = text.floor_char_boundary(max - mark.len_utf8());
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, clean, masked_emails};

    #[test]
    fn emails_are_masked_wherever_they_stand() {
        let table = [
            ("no address", "no address"),
            ("jane@example.com", "j***@e***"),
            (
                "Email address jane.d+x@example.com is invalid",
                "Email address j***@e*** is invalid",
            ),
            ("[a@b.c, \"é@ö.de\"].", "[a***@b***, \"é***@ö***\"]."),
            ("@", "***@***"),
            ("a@@b", "a***@***"),
        ];
        for (text, expected) in table {
            assert_eq!(masked_emails(text), expected, "{text}");
        }
    }

    #[test]
    fn what_was_sent_is_masked() {
        let table: [(&str, &[&str], &str); 6] = [
            (
                "Jane was not a valid long.",
                &["jane"],
                "*** was not a valid long.",
            ),
            (
                "phone 0049 170 is bad",
                &["0049 170", "0049"],
                "phone *** is bad",
            ),
            ("Planes are bad", &["plan"], "Planes are bad"),
            ("xsecretx", &["secret"], "x***x"),
            ("an é in é", &["é"], "an *** in ***"),
            ("line\nbreak", &[""], "line break"),
        ];
        for (text, values, expected) in table {
            assert_eq!(clean(text, values), expected, "{text}");
        }
    }

    #[test]
    fn messages_stay_short() {
        let cut = clean(&"é".repeat(1_000), &[]);
        assert!(cut.len() <= MAX_BYTES && cut.ends_with('…'));
        assert_eq!(
            clean(&"x".repeat(70_000), &[]),
            "a message of 70000 bytes, left out"
        );
    }
}
