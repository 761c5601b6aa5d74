//! Between the client library's types and ours: messages, lists of partitions, and what errors mean.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use rdkafka::topic_partition_list::{Offset as ListOffset, TopicPartitionList};

use crate::finished::{Finished, FinishedError};
use crate::orders::Positions;
use crate::place::{Message, Offset, Partition, Place, Position, Topic};

/// What an error of the consumer means.
pub(crate) enum Verdict {
    /// The client library tries again by itself.
    Passes,
    /// The broker says no; trying again changes nothing.
    Refused,
    /// The client is of no more use.
    Fatal,
}

/// Judges an error that polling brought up.
pub(crate) fn verdict(error: &KafkaError) -> Verdict {
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Verdict::Fatal;
    }
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => Verdict::Refused,
        Some(RDKafkaErrorCode::Fatal) => Verdict::Fatal,
        _ => Verdict::Passes,
    }
}

/// Whether a commit may succeed soon, though it was refused.
pub(crate) fn refused_for_now(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::StaleMemberEpoch
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::WaitingForCoordinator
        )
    )
}

/// Whether a commit was refused because the text beside a position is larger than the broker takes.
pub(crate) fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::OffsetMetadataTooLarge)
}

/// The partitions, to be read from these positions; the others from where the client library finds them.
pub(crate) fn starting_at(
    partitions: &[(Topic, Partition)],
    finished: &[(Topic, Partition, Finished)],
) -> TopicPartitionList {
    let start = list(partitions);
    for (topic, partition, finished) in finished {
        let offset = ListOffset::Offset(finished.position().get());
        // A partition that is not in the list is not ours to start.
        if let Some(mut element) = start.find_partition(topic.as_str(), partition.get())
            && let Err(error) = element.set_offset(offset)
        {
            tracing::debug!(%error, "a starting position was not accepted");
        }
    }
    start
}

/// The partitions as the client library wants them.
pub(crate) fn list(partitions: &[(Topic, Partition)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic.as_str(), partition.get());
    }
    list
}

/// Copies a message out of the client library's memory, so that its fetch buffers are free again at once.
pub(crate) fn copy(message: &BorrowedMessage<'_>, last_topic: &mut Option<Topic>) -> Message {
    let topic = match last_topic {
        Some(topic) if topic.as_str() == message.topic() => topic.clone(),
        _ => last_topic.insert(Topic::new(message.topic())).clone(),
    };
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let value = |bytes: Option<&[u8]>| bytes.map_or_else(Bytes::new, Bytes::copy_from_slice);
        headers
            .iter()
            .map(|header| (header.key.to_owned(), value(header.value)))
            .collect()
    });
    Message {
        at: Place {
            topic,
            partition: Partition::new(message.partition()),
            offset: Offset::new(message.offset()),
        },
        key: message.key().map(Bytes::copy_from_slice),
        body: message.payload().map(Bytes::copy_from_slice),
        headers,
        written_ms: message.timestamp().to_millis().unwrap_or(0),
    }
}

/// The positions as the client library wants them.
pub(crate) fn offsets(positions: &Positions) -> KafkaResult<TopicPartitionList> {
    let mut offsets = TopicPartitionList::with_capacity(positions.len());
    for ((topic, partition), mark) in positions {
        let mut entry = offsets.add_partition(topic.as_str(), partition.get());
        entry.set_offset(ListOffset::Offset(mark.position.get()))?;
        if let Some(finished) = &mark.finished {
            entry.set_metadata(finished);
        }
    }
    Ok(offsets)
}

/// What was committed, by an answer: the positions, and what had ended above them. Without a commit a partition is missing.
pub(crate) fn committed(list: &TopicPartitionList) -> Vec<(Topic, Partition, Finished)> {
    let elements = list.elements();
    let answered = elements.iter().filter(|element| element.error().is_ok());
    answered
        .filter_map(|element| {
            let ListOffset::Offset(offset) = element.offset() else {
                return None; // nothing was committed yet
            };
            let (topic, partition) = (element.topic(), element.partition());
            // The client library's face panics at text that is not UTF-8, and what others commit is beyond us.
            let text = catch_unwind(AssertUnwindSafe(|| element.metadata())).ok();
            let position = Position::new(offset);
            let read = text.map_or(Err(FinishedError::Foreign), |text| {
                Finished::decode(text, position)
            });
            let nothing = || Finished::new(position, None);
            let finished = match read {
                Ok(finished) => finished.unwrap_or_else(nothing),
                Err(reason) => {
                    tracing::warn!(
                        topic,
                        partition,
                        %reason,
                        "ignoring the metadata of the committed position; messages that ended already may come again"
                    );
                    nothing()
                }
            };
            Some((Topic::new(topic), Partition::new(partition), finished))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_texts_are_read_whoever_wrote_the_texts() {
        let position = Position::new(42);
        let ours = Finished::new(position, Some(50..60)).encode();
        let texts = [
            None,
            ours.as_deref(),
            Some("someone else's"),
            Some("SEYBgarbage"),
        ];
        let mut list = TopicPartitionList::new();
        for (number, text) in (0..).zip(texts) {
            let mut entry = list.add_partition("t", number);
            entry.set_offset(ListOffset::Offset(42)).unwrap();
            if let Some(text) = text {
                entry.set_metadata(text);
            }
        }
        list.add_partition("t", 9); // nothing was committed
        let nothing = Finished::new(position, None);
        let something = Finished::new(position, Some(50..60));
        let expected = [&nothing, &something, &nothing, &nothing];
        let expected: Vec<_> = (0..)
            .zip(expected)
            .map(|(number, finished)| (Topic::new("t"), Partition::new(number), finished.clone()))
            .collect();
        assert_eq!(committed(&list), expected);
    }
}
