//! Numbers as people read them.

/// The number and its noun: `1 call`, `2,000 calls`.
#[must_use]
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number of things in memory as a number for people.
#[must_use]
pub(crate) fn size(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A number with commas between thousands.
#[must_use]
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Breaks a text between words, each line indented and at most 80 columns wide unless a single word is wider.
#[must_use]
pub(crate) fn wrapped(indent: usize, first: &str, text: &str) -> String {
    const WIDTH: usize = 80;
    let margin = " ".repeat(indent);
    let hanging = " ".repeat(indent + first.chars().count());
    let mut out = String::new();
    let mut line = format!("{margin}{first}");
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = hanging.clone();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// So many milliseconds in the largest unit that leaves nothing over: `7 days`, `90 minutes`, `2 seconds`.
#[must_use]
pub(crate) fn for_people(milliseconds: i64) -> String {
    let milliseconds = u64::try_from(milliseconds).unwrap_or_default();
    for (length, unit) in [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ] {
        if milliseconds >= length && milliseconds.is_multiple_of(length) {
            return counted(milliseconds / length, unit);
        }
    }
    counted(milliseconds, "millisecond")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_and_one_is_singular() {
        for (number, text) in [
            (0, "0 calls"),
            (1, "1 call"),
            (999, "999 calls"),
            (1_000, "1,000 calls"),
            (1_234_567, "1,234,567 calls"),
        ] {
            assert_eq!(counted(number, "call"), text);
        }
    }

    #[test]
    fn lines_break_between_words_and_hang() {
        let words =
            "a fairly long hint about what has to be done, so long that it needs a second line";
        assert_eq!(
            wrapped(9, "→ ", words),
            "         → a fairly long hint about what has to be done, so long that it needs a\n           second line\n"
        );
        let long = "x".repeat(90);
        assert_eq!(wrapped(2, "", &long), format!("  {long}\n"));
    }

    #[test]
    fn a_time_is_said_in_its_largest_whole_unit() {
        for (milliseconds, text) in [
            (604_800_000, "7 days"),
            (5_400_000, "90 minutes"),
            (3_600_000, "1 hour"),
            (2_000, "2 seconds"),
            (1_500, "1,500 milliseconds"),
            (-1, "0 milliseconds"),
        ] {
            assert_eq!(for_people(milliseconds), text);
        }
    }
}
