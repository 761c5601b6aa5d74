//! The id of an event that brought none.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// An id derived from where the event stood: hex SHA-256 of topic, partition, offset and the position in the
/// envelope (none for a plain event). The same place always gives the same id.
#[must_use]
pub fn synthetic_message_id(
    topic: &str,
    partition: i32,
    offset: i64,
    position: Option<u32>,
) -> String {
    let position = position.map_or_else(String::new, |p| p.to_string());
    // A topic's name cannot contain a blank, so the parts cannot run into each other.
    let place = format!("{topic} {partition} {offset} {position}");
    let mut id = String::with_capacity(64);
    for byte in Sha256::digest(place.as_bytes()) {
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_depends_on_every_part_of_the_place() {
        let ids = [
            synthetic_message_id("t", 1, 2, None),
            synthetic_message_id("t", 1, 2, Some(0)),
            synthetic_message_id("t", 1, 20, None),
            synthetic_message_id("t", 12, 0, None),
            synthetic_message_id("u", 1, 2, None),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(id.len(), 64);
            assert!(!ids[..i].contains(id));
        }
    }

    #[test]
    fn the_id_never_changes() {
        // sha256("customer-events 3 42 7"): replays of old letters must find the same id.
        assert_eq!(
            synthetic_message_id("customer-events", 3, 42, Some(7)),
            PINNED
        );
    }

    const PINNED: &str = "228df6cca7eb0b845dd58b2cbf199229727576c1ace47fcaacc111ea809863c0";
}
