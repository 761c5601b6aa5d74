//! Filters that compute. An argument that is not given is no number, and so is then the result.

use std::borrow::Cow;

use super::{argument, elements};
use crate::liquid::LiquidError;
use crate::liquid::run::Run;
use crate::liquid::value::{Val, member, number_text};
use crate::text::js_number;

type Result<'a> = std::result::Result<Val<'a>, LiquidError>;

/// The argument as a number; what is given but no number counts as zero.
fn operand(arguments: &[Val<'_>], index: usize) -> f64 {
    arguments.get(index).map_or(f64::NAN, Val::number_or_zero)
}

pub(super) fn abs<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number_or_zero().abs()))
}

pub(super) fn at_least<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let all = arguments.iter().map(Val::number_or_zero);
    Ok(Val::Number(all.fold(value.number_or_zero(), f64::max)))
}

pub(super) fn at_most<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let all = arguments.iter().map(Val::number_or_zero);
    Ok(Val::Number(all.fold(value.number_or_zero(), f64::min)))
}

pub(super) fn ceil<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number_or_zero().ceil()))
}

pub(super) fn floor<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number_or_zero().floor()))
}

/// A truthy second argument asks for whole numbers.
pub(super) fn divided_by<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let quotient = value.number_or_zero() / operand(arguments, 0);
    let is_whole = arguments
        .get(1)
        .is_some_and(|flag| flag.number_or_zero() != 0.0);
    Ok(Val::Number(if is_whole {
        quotient.floor()
    } else {
        quotient
    }))
}

pub(super) fn minus<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number_or_zero() - operand(arguments, 0)))
}

pub(super) fn plus<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number_or_zero() + operand(arguments, 0)))
}

pub(super) fn times<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number_or_zero() * operand(arguments, 0)))
}

/// The result has the sign of the divisor.
pub(super) fn modulo<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let divisor = operand(arguments, 0);
    Ok(Val::Number(
        ((value.number_or_zero() % divisor) + divisor) % divisor,
    ))
}

/// Rounds half away from zero, on the decimal digits rather than on the binary number.
pub(super) fn round<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let number = value.number_or_zero();
    let places = match argument(arguments, 0) {
        Val::Undefined => 0.0,
        places => places.number_or_zero(),
    };
    let scaled = shift(number.abs(), places);
    // Beyond the whole numbers that are held exactly there is nothing to round.
    if scaled.is_nan() || scaled > 9_007_199_254_740_991.0 {
        return Ok(Val::Number(number));
    }
    let rounded = shift((scaled + 0.5).floor(), -places);
    Ok(Val::Number(if number < 0.0 { -rounded } else { rounded }))
}

fn shift(number: f64, places: f64) -> f64 {
    let text = number_text(number);
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent = number_text(js_number(power) + places);
    js_number(&format!("{mantissa}e{exponent}"))
}

pub(super) fn to_integer<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Number(value.number()))
}

/// Sums the elements, or a property of each; what is no number counts as zero.
pub(super) fn sum<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let property = argument(arguments, 0);
    let name = property.text().into_owned();
    let mut sum = 0.0;
    for item in elements(run, &value)?.iter() {
        let item = Val::Json(Cow::Borrowed(item));
        sum += if property.is_truthy() {
            name.split('.')
                .fold(item, |current, key| member(&current, &Val::from_text(key)))
                .number_or_zero()
        } else {
            item.number_or_zero()
        };
    }
    Ok(Val::Number(sum))
}
