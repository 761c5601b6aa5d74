//! Letters that were cut for being too large, made whole again from the messages they came from.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::error::StreamError;
use crate::letter_read::{Letter, LetterError};
use crate::place::{Message, Place};
use crate::reread::read_at;
use crate::settings::KafkaSettings;

/// Reads the origins of letters that were cut again, and puts the whole events in place. `event_of` takes the event out
/// of its message: the value, or the element of an envelope after its defaults were applied. What could not be restored
/// is told, one line each, and stays cut. Other letters are left alone.
///
/// Holds all origins at once: ask for few.
///
/// # Errors
///
/// The broker cannot be reached or says no.
pub async fn restore_cut(
    settings: &KafkaSettings,
    letters: &mut [Letter],
    within: Duration,
    event_of: impl Fn(&Message, Option<u32>) -> Option<Bytes>,
) -> Result<Vec<LetterError>, StreamError> {
    let cut = letters.iter().filter(|letter| letter.cut.is_some());
    let places: Vec<Place> = cut.map(|letter| letter.letter.origin.clone()).collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let origins = read_at(settings, places, within).await?;
    Ok(restore_from(&origins, letters, event_of))
}

fn restore_from(
    origins: &BTreeMap<Place, Message>,
    letters: &mut [Letter],
    event_of: impl Fn(&Message, Option<u32>) -> Option<Bytes>,
) -> Vec<LetterError> {
    let mut failed = Vec::new();
    for letter in letters.iter_mut().filter(|letter| letter.cut.is_some()) {
        let origin = origins.get(&letter.letter.origin);
        let whole = origin.and_then(|origin| event_of(origin, letter.letter.element));
        // An origin that is gone is no longer the one that was cut.
        failed.extend(letter.restore(whole.unwrap_or_default()).err());
    }
    failed
}
