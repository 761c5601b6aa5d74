//! Topics made for their role, and what is found about others.

use std::time::Duration;

use hubferry_stream::{
    DeadLetterTopic, TopicFinding, TopicRole, check_dead_letter_topic, check_journal_topic,
    ensure_topic_for, reachable,
};

use crate::{DEADLINE, client, name, topic};

#[tokio::test]
async fn topics_are_made_as_their_role_needs_and_others_are_found_wanting() {
    let source = topic("source", TopicRole::Events, 3).await;
    let letters = DeadLetterTopic::parse(DeadLetterTopic::DEFAULT)
        .unwrap()
        .of(&source);
    let missing = check_dead_letter_topic(&client(), &source, &letters, DEADLINE)
        .await
        .unwrap();
    assert_eq!(
        missing,
        [TopicFinding::Missing {
            topic: letters.clone()
        }]
    );
    ensure_topic_for(&client(), TopicRole::DeadLetters, &letters, 3)
        .await
        .unwrap();
    ensure_topic_for(&client(), TopicRole::DeadLetters, &letters, 3)
        .await
        .unwrap();
    assert_eq!(
        check_dead_letter_topic(&client(), &source, &letters, DEADLINE)
            .await
            .unwrap(),
        []
    );

    let plain = topic("plain", TopicRole::Events, 1).await;
    let findings = check_dead_letter_topic(&client(), &source, &plain, DEADLINE)
        .await
        .unwrap();
    let expected = [
        TopicFinding::OtherPartitions {
            topic: plain.clone(),
            partitions: 1,
            source: 3,
        },
        TopicFinding::KeepsMessageTimes {
            topic: plain.clone(),
        },
        TopicFinding::ShortRetention {
            topic: plain.clone(),
            retention: Duration::from_secs(604_800),
        },
    ];
    assert_eq!(findings, expected);

    let journal = name("journal");
    ensure_topic_for(&client(), TopicRole::Journal, &journal, 12)
        .await
        .unwrap();
    assert_eq!(
        reachable(&client(), DEADLINE).await.unwrap().topics[&journal],
        1
    );
    assert_eq!(
        check_journal_topic(&client(), &journal, DEADLINE)
            .await
            .unwrap(),
        []
    );
    let forgets = check_journal_topic(&client(), &plain, DEADLINE)
        .await
        .unwrap();
    assert_eq!(forgets, [TopicFinding::Forgets { topic: plain }]);
}
