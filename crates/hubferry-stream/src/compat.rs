//! Headers of two common families of dead-letter tools, so that existing viewers show a dead letter and redrive tools
//! find its origin (`dead_letters.compat_headers`).
//!
//! Kafka Connect: the names of KIP-298, all values as text. Spring for Apache Kafka: the names of its `KafkaHeaders`,
//! numbers as big-endian integers.

use crate::letter::DeadLetter;

/// Which family's headers stand beside ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompatHeaders {
    /// None.
    #[default]
    None,
    /// Kafka Connect's.
    Connect,
    /// Spring for Apache Kafka's.
    Spring,
}

const CONNECT: &str = "__connect.errors.";
const SPRING: &str = "kafka_dlt-";

impl CompatHeaders {
    /// The headers of a letter.
    #[must_use]
    pub fn of(self, letter: &DeadLetter) -> Vec<(String, Vec<u8>)> {
        let named = |prefix: &str, headers: Vec<(&str, Vec<u8>)>| {
            headers
                .into_iter()
                .map(|(name, value)| (format!("{prefix}{name}"), value))
                .collect()
        };
        match self {
            Self::None => Vec::new(),
            Self::Connect => named(CONNECT, connect(letter)),
            Self::Spring => named(SPRING, spring(letter)),
        }
    }
}

fn connect(letter: &DeadLetter) -> Vec<(&'static str, Vec<u8>)> {
    let origin = &letter.origin;
    vec![
        ("topic", origin.topic.as_str().into()),
        ("partition", origin.partition.get().to_string().into()),
        ("offset", origin.offset.get().to_string().into()),
        ("connector.name", group(letter)),
        ("task.id", b"0".to_vec()),
        ("stage", short(&letter.stage)),
        ("class.name", b"hubferry".to_vec()),
        ("exception.class.name", exception(letter)),
        ("exception.message", message(letter)),
    ]
}

fn spring(letter: &DeadLetter) -> Vec<(&'static str, Vec<u8>)> {
    let origin = &letter.origin;
    vec![
        ("original-topic", origin.topic.as_str().into()),
        (
            "original-partition",
            origin.partition.get().to_be_bytes().into(),
        ),
        ("original-offset", origin.offset.get().to_be_bytes().into()),
        ("original-timestamp", letter.written_ms.to_be_bytes().into()),
        ("original-timestamp-type", b"CreateTime".to_vec()),
        ("original-consumer-group", group(letter)),
        ("exception-fqcn", exception(letter)),
        ("exception-message", message(letter)),
    ]
}

fn group(letter: &DeadLetter) -> Vec<u8> {
    short(letter.group.as_deref().unwrap_or("hubferry"))
}

/// Both families name a class of exception; ours are classes and codes.
fn exception(letter: &DeadLetter) -> Vec<u8> {
    short(&format!("hubferry.{}.{}", letter.class, letter.code))
}

fn message(letter: &DeadLetter) -> Vec<u8> {
    crate::letter_headers::cut(&letter.message, 256).into()
}

fn short(text: &str) -> Vec<u8> {
    crate::letter_headers::cut(text, 100).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter::tests::sample;

    #[test]
    fn both_families_have_their_names_and_forms() {
        let shown = |compat: CompatHeaders| -> Vec<(String, String)> {
            let headers = compat.of(&sample()).into_iter();
            headers
                .map(|(name, value)| (name, value.escape_ascii().to_string()))
                .collect()
        };
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        assert_eq!(shown(CompatHeaders::None), []);
        assert_eq!(
            shown(CompatHeaders::Connect),
            owned(&[
                ("__connect.errors.topic", "customer-events"),
                ("__connect.errors.partition", "3"),
                ("__connect.errors.offset", "42"),
                ("__connect.errors.connector.name", "hubferry"),
                ("__connect.errors.task.id", "0"),
                ("__connect.errors.stage", "record"),
                ("__connect.errors.class.name", "hubferry"),
                (
                    "__connect.errors.exception.class.name",
                    "hubferry.input.property_option"
                ),
                (
                    "__connect.errors.exception.message",
                    "plan: `gold` is not an option"
                ),
            ])
        );
        assert_eq!(
            shown(CompatHeaders::Spring),
            owned(&[
                ("kafka_dlt-original-topic", "customer-events"),
                ("kafka_dlt-original-partition", r"\x00\x00\x00\x03"),
                (
                    "kafka_dlt-original-offset",
                    r"\x00\x00\x00\x00\x00\x00\x00*"
                ),
                (
                    "kafka_dlt-original-timestamp",
                    r"\x00\x00\x01\x9bv\xda\xa8{"
                ),
                ("kafka_dlt-original-timestamp-type", "CreateTime"),
                ("kafka_dlt-original-consumer-group", "hubferry"),
                ("kafka_dlt-exception-fqcn", "hubferry.input.property_option"),
                (
                    "kafka_dlt-exception-message",
                    "plan: `gold` is not an option"
                ),
            ])
        );
    }
}
