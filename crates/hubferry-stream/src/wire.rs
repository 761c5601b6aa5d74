//! Between the client library's types and ours: messages, lists of partitions, and what errors mean.

use bytes::Bytes;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use rdkafka::topic_partition_list::{Offset as ListOffset, TopicPartitionList};

use crate::orders::Positions;
use crate::place::{Message, Offset, Partition, Place, Topic};

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
    for ((topic, partition), position) in positions {
        let offset = ListOffset::Offset(position.get());
        offsets.add_partition_offset(topic.as_str(), partition.get(), offset)?;
    }
    Ok(offsets)
}
