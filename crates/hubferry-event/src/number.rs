//! Numbers as the text JavaScript gives them.

use serde_json::Number;

/// The text of a JSON number: shortest form that reads back as the same number (`1`, `0.5`, `1e+21`), `-0` as `0`.
/// An integer written without exponent keeps all its digits, however many.
#[must_use]
pub fn number_text(number: &Number) -> String {
    digits_text(number.as_str())
}

/// The same of a number that is given as its JSON text.
#[must_use]
pub fn digits_text(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return if digits == "0" { digits } else { text }.to_owned();
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => float_text(float),
        _ => text.to_owned(),
    }
}

/// The text of a floating-point number, as `String(x)` gives it in JavaScript (ECMA-262, Number::toString).
#[must_use]
pub fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if float == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{:e}", float.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let sign = if float < 0.0 { "-" } else { "" };
    format!("{sign}{}", place_point(&digits, point))
}

/// Sets the decimal point `point` places from the left, or writes an exponent where JavaScript does.
fn place_point(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if count <= point && point <= 21 {
        let zeros = usize::try_from(point - count).unwrap_or(0);
        return format!("{digits}{}", "0".repeat(zeros));
    }
    if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        return format!("{whole}.{fraction}");
    }
    if -6 < point && point <= 0 {
        let zeros = usize::try_from(-point).unwrap_or(0);
        return format!("0.{}{digits}", "0".repeat(zeros));
    }
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent = point - 1;
    let plus = if exponent > 0 { "+" } else { "" };
    format!("{first}{dot}{rest}e{plus}{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_javascripts_text() {
        let cases = [
            ("1", "1"),
            ("0.5", "0.5"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0", "0"),
            ("10.0", "10"),
            ("1e3", "1000"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("1.5e300", "1.5e+300"),
            ("1e-6", "0.000001"),
            ("1e-7", "1e-7"),
            ("1.25e-7", "1.25e-7"),
            ("-12.75", "-12.75"),
            ("123456789.125", "123456789.125"),
            ("12345678901234567890", "12345678901234567890"),
            (
                "-98765432109876543210987654321",
                "-98765432109876543210987654321",
            ),
            ("0.1234567890123456789012", "0.12345678901234568"),
        ];
        for (json, expected) in cases {
            let number: Number = json.parse().unwrap();
            assert_eq!(number_text(&number), expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_number_has_a_name() {
        assert_eq!(float_text(f64::NAN), "NaN");
        assert_eq!(float_text(f64::NEG_INFINITY), "-Infinity");
    }
}
