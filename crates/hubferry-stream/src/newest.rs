//! Of several dead letters of one event the last one counts: it tells what is still to be done.

use std::collections::HashMap;

use crate::letter_read::Letter;
use crate::place::{Offset, Partition};

/// Where the last dead letter of each event stands: about 60 bytes an event. A topic is scanned once to fill it, and once
/// more, up to the same end, to look at the letters that count.
#[derive(Clone, Debug, Default)]
pub struct Newest(HashMap<[u8; 16], (Partition, Offset)>);

impl Newest {
    /// Notes a letter, in the order of a scan. All letters of an event stand in one partition, so that a later one has
    /// a higher offset.
    pub fn note(&mut self, letter: &Letter) {
        let here = (letter.at.partition, letter.at.offset);
        let last = self.0.entry(letter.letter.id_bytes()).or_insert(here);
        if last.1 < here.1 {
            *last = here;
        }
    }

    /// Whether a letter is the last one of its event, as far as was noted.
    #[must_use]
    pub fn is_newest(&self, letter: &Letter) -> bool {
        let here = (letter.at.partition, letter.at.offset);
        self.0.get(&letter.letter.id_bytes()) == Some(&here)
    }

    /// How many events were noted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter_read::tests::found;

    #[test]
    fn the_last_letter_of_an_event_counts() {
        let mut newest = Newest::default();
        let mut other = found(6);
        other.letter.element = None;
        for letter in [&found(5), &found(9), &other, &found(7)] {
            newest.note(letter);
        }
        assert_eq!(newest.len(), 2);
        let counts = [found(5), found(7), found(9), other].map(|letter| newest.is_newest(&letter));
        assert_eq!(counts, [false, false, true, true]);
    }
}
