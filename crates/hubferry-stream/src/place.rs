//! Where a message stands: topic, partition, offset; and the message itself.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The name of a topic. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// The number of a partition within its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(i32);

/// The number of one message within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

/// The next offset to read: everything below it is finished. This, never an [`Offset`], is what gets committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(i64);

/// The coordinates of one message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The topic the message was read from.
    pub topic: Topic,
    /// The partition within the topic.
    pub partition: Partition,
    /// The message's offset within the partition.
    pub offset: Offset,
}

/// One message as it was read. Its `Debug` shows where it stands and how large it is, never what it says.
#[derive(Clone)]
pub struct Message {
    /// Where the message stands.
    pub at: Place,
    /// The key, when there is one.
    pub key: Option<Bytes>,
    /// The value. `None` or empty is a tombstone.
    pub body: Option<Bytes>,
    /// The headers, in their order; names may repeat.
    pub headers: Vec<(String, Bytes)>,
    /// The message's own time in milliseconds since 1970: the broker's or producer's stamp, for a file the time of reading.
    pub written_ms: i64,
}

impl Topic {
    /// A topic of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Partition {
    /// The partition of that number.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl Offset {
    /// The offset of that number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The position after this message.
    #[must_use]
    pub const fn next(self) -> Position {
        Position(self.0.saturating_add(1))
    }
}

impl Position {
    /// The position of that number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// What a message costs beside its bytes: its entries in queues and in the ledger. A round figure, on the safe side.
const OVERHEAD_BYTES: usize = 512;

impl Message {
    /// What the message counts against the bounds of the intake, in bytes: key, value and headers, and a fixed share
    /// for the bookkeeping.
    #[must_use]
    pub fn cost_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        self.key.as_ref().map_or(0, Bytes::len)
            + self.body.as_ref().map_or(0, Bytes::len)
            + headers
            + OVERHEAD_BYTES
    }

    /// Whether the value is absent or empty.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.body.as_ref().is_none_or(Bytes::is_empty)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("at", &format_args!("{}", self.at))
            .field("key_bytes", &self.key.as_ref().map(Bytes::len))
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .field("headers", &self.headers.len())
            .field("written_ms", &self.written_ms)
            .finish()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_message_shows_no_content() {
        let message = Message {
            at: Place {
                topic: Topic::new("t"),
                partition: Partition::new(2),
                offset: Offset::new(9),
            },
            key: Some(Bytes::from_static(b"jane@example.com")),
            body: Some(Bytes::from_static(b"{\"email\":\"jane@example.com\"}")),
            headers: vec![("h".to_owned(), Bytes::from_static(b"jane"))],
            written_ms: 5,
        };
        assert_eq!(
            format!("{message:?}"),
            "Message { at: t/2@9, key_bytes: Some(16), body_bytes: Some(28), headers: 1, written_ms: 5 }"
        );
        assert_eq!(message.cost_bytes(), 16 + 28 + 5 + 512);
    }
}
