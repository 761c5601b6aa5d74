//! The values of one record, packed: a million records of a long run must fit beside the program that is tested.

use crate::properties::PropertyKey;

/// Values by property, in two allocations: where each value ends, and all values behind one another.
///
/// Reading is a binary search; writing builds the two anew, which costs little because records hold a handful of values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    /// Sorted by key.
    ends: Box<[(PropertyKey, u32)]>,
    text: Box<str>,
}

impl Stored {
    /// Values in any order; of several for one property the last counts, and `None` means no value.
    pub(crate) fn new(mut values: Vec<(PropertyKey, Option<Box<str>>)>) -> Self {
        values.reverse();
        values.sort_by_key(|(key, _)| *key);
        values.dedup_by_key(|(key, _)| *key);
        Self::packed(
            values
                .iter()
                .filter_map(|(key, value)| Some((*key, value.as_deref()?))),
        )
    }

    /// The value of a property.
    pub(crate) fn get(&self, key: PropertyKey) -> Option<&str> {
        let place = self
            .ends
            .binary_search_by_key(&key, |(known, _)| *known)
            .ok()?;
        Some(self.at(place))
    }

    /// Every value, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PropertyKey, &str)> {
        self.ends
            .iter()
            .enumerate()
            .map(|(place, (key, _))| (*key, self.at(place)))
    }

    /// Replaces some values; `None` removes one.
    pub(crate) fn set(&mut self, changes: Vec<(PropertyKey, Option<Box<str>>)>) {
        let kept = self.iter().map(|(key, value)| (key, Some(value.into())));
        *self = Self::new(kept.chain(changes).collect());
    }

    fn at(&self, place: usize) -> &str {
        let start = match place.checked_sub(1) {
            Some(before) => self.ends[before].1,
            None => 0,
        };
        let (start, end) = (start as usize, self.ends[place].1 as usize);
        // Ends are taken from the text itself, so they stand between characters.
        self.text.get(start..end).unwrap_or_default()
    }

    fn packed<'a>(values: impl Iterator<Item = (PropertyKey, &'a str)>) -> Self {
        let mut ends = Vec::new();
        let mut text = String::new();
        for (key, value) in values {
            // A value holds at most 65,536 characters and a record at most 65,536 of them: what would pass 4 GiB is left out.
            let Ok(end) = u32::try_from(text.len() + value.len()) else {
                break;
            };
            text.push_str(value);
            ends.push((key, end));
        }
        Self {
            ends: ends.into(),
            text: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stored;
    use crate::catalogue;
    use crate::objects::ObjectType;

    #[test]
    fn values_are_read_as_they_were_written() {
        let keys: Vec<_> = catalogue::book(ObjectType::Contacts)
            .keys()
            .take(4)
            .collect();
        let some = |text: &str| Some(text.into());
        let mut stored = Stored::new(vec![
            (keys[2], some("é")),
            (keys[0], some("a")),
            (keys[1], None),
            (keys[2], some("ö")),
        ]);
        let read = |stored: &Stored| {
            keys.iter()
                .map(|key| stored.get(*key).map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read(&stored),
            [Some("a".to_owned()), None, Some("ö".to_owned()), None]
        );
        stored.set(vec![
            (keys[0], None),
            (keys[3], some("")),
            (keys[2], some("long")),
        ]);
        assert_eq!(
            read(&stored),
            [None, None, Some("long".to_owned()), Some(String::new())]
        );
        assert_eq!(stored.iter().count(), 2);
    }
}
