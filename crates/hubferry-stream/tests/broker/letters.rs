//! Dead letters on a topic of their own.

use std::time::SystemTime;

use bytes::Bytes;
use hubferry_stream::{
    DeadLetter, DeadLetterTopic, DeadLetters, KafkaDeadLetters, KafkaSettings, Letter, LetterError,
    Offset, Place, Topic, TopicRole, ensure_topic_for, restore_cut,
};
use tokio_util::sync::CancellationToken;

use crate::{DEADLINE, client, produce, read, topic};

#[expect(
    clippy::disallowed_methods,
    reason = "the broker's stamp is compared with the clock"
)]
fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn an_old_event_is_stamped_when_parked_and_a_large_one_is_cut_and_restored() {
    let source = topic("parked", TopicRole::Events, 2).await;
    let template = DeadLetterTopic::parse(DeadLetterTopic::DEFAULT).unwrap();
    let letters = template.of(&source);
    ensure_topic_for(&client(), TopicRole::DeadLetters, &letters, 2)
        .await
        .unwrap();
    produce(&source, 0..1).await;
    let original = read(&source).await.remove(0);

    let stop = CancellationToken::new();
    let sources = [source.clone()];
    let kafka = KafkaDeadLetters::connect(&client(), template, &sources, DEADLINE, stop)
        .await
        .unwrap();
    let parked = DeadLetters::Kafka(kafka);
    let before = now_ms();
    // Far larger than the topic takes, and not to be compressed: it is cut, though its origin is the small message above.
    let noise = (0..3_000_000).scan(1_u64, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some(state.to_le_bytes()[3])
    });
    let large: Bytes = noise.collect();
    for (offset, value) in [
        (original.at.offset, large.clone()),
        (Offset::new(77), Bytes::from_static(b"{}")),
    ] {
        let origin = Place {
            topic: Topic::new(&source),
            partition: original.at.partition,
            offset,
        };
        parked.park(letter(origin, value)).await.unwrap();
    }
    parked.close().await;

    let messages = read(&letters).await;
    let mut found: Vec<Letter> = messages
        .iter()
        .map(|message| Letter::read(message).unwrap())
        .collect();
    for letter in &found {
        assert_eq!(
            (letter.letter.written_ms, letter.at.partition),
            (1_000, original.at.partition)
        );
        assert!(
            letter.parked_ms >= before - 60_000,
            "stamped by the broker, not with the event's time"
        );
    }
    assert!(found[0].cut.is_some() && found[0].letter.value.len() < large.len());
    assert_eq!(found[1].cut, None);
    let settings = KafkaSettings::new(client(), "restorer", vec![]);
    let wrong = restore_cut(&settings, &mut found, DEADLINE, |message, _| {
        message.body.clone()
    })
    .await
    .unwrap();
    assert!(
        matches!(wrong[..], [LetterError::OriginDiffers { .. }]),
        "{wrong:?}"
    );
    let right = restore_cut(&settings, &mut found, DEADLINE, |_, element| {
        element.is_none().then(|| large.clone())
    });
    assert_eq!(right.await.unwrap(), []);
    assert_eq!(
        (found[0].letter.value.clone(), found[0].cut.clone()),
        (large, None)
    );
}

fn letter(origin: Place, value: Bytes) -> DeadLetter {
    DeadLetter {
        origin,
        element: None,
        key: Some(Bytes::from_static(b"k")),
        value,
        truncated: false,
        original_headers: vec![],
        written_ms: 1_000,
        group: Some("g".to_owned()),
        message_id: None,
        identity_hash: None,
        event_type: None,
        event_name: None,
        failed: vec![],
        done: vec![],
        skipped: vec![],
        class: "input".to_owned(),
        stage: "intake".to_owned(),
        status: None,
        code: "no_identity".to_owned(),
        message: "no identity".to_owned(),
        correlation_id: None,
        attempts: 1,
        first_failed_ms: 0,
        last_failed_ms: 0,
        blocked_by: None,
        config_hash: "c".to_owned(),
        build: "b".to_owned(),
        worker: "w".to_owned(),
        replay: None,
        traceparent: None,
    }
}
