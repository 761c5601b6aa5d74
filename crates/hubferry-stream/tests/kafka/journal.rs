//! The replay journal on a topic.

use hubferry_stream::{DeliveryResult, EmbeddedBroker, Ending, Entry, Journal, JournalTopicError};

use crate::{DEADLINE, produce, settings};

#[tokio::test]
async fn two_replays_share_a_journal_and_the_first_keeps_what_both_want() {
    let broker = EmbeddedBroker::start(&[("t", 1), ("t.hubferry.replay", 1)]).unwrap();
    let (settings, topic) = (settings(&broker), Journal::topic_of("t"));
    let mut first = Journal::open(&settings, &topic, DEADLINE).await.unwrap();
    let mut second = Journal::open(&settings, &topic, DEADLINE).await.unwrap();
    let tenure = first.begin("r1", "w1", 0, 100).await.unwrap();
    let held = second.begin("r1", "w2", 0, 100).await.unwrap_err();
    assert_eq!(held.to_string(), "replay r1 is being worked on by w1");
    let other = second.begin("r2", "w2", 0, 100).await.unwrap();
    let ids =
        |range: std::ops::Range<u32>| range.map(|id| format!("{id:032x}")).collect::<Vec<_>>();
    first.claim("r1", tenure, &ids(0..1_200)).await.unwrap();
    first.claim("r1", tenure, &ids(1_200..1_201)).await.unwrap();
    second.claim("r2", other, &ids(1_190..1_300)).await.unwrap();
    let owned = |journal: &Journal, run: &str| {
        let of = |id: &&String| journal.state().claimed_by(id, 50) == Some(run);
        ids(0..1_300).iter().filter(of).count()
    };
    assert_eq!((owned(&second, "r1"), owned(&second, "r2")), (1_201, 99));
    first.extend("r1", "w1", tenure, 200).await.unwrap();
    let result = DeliveryResult {
        letter: ids(0..1)[0].clone(),
        mapping: "a/b".to_owned(),
        offset: 3,
        result: Ending::Resolved,
        run: Some("r1".to_owned()),
        at_ms: 5,
        code: None,
    };
    first.write(&[Entry::Result(result)]).await.unwrap();
    first.refresh().await.unwrap();
    first.end("r1", "w1").await.unwrap();

    let late = Journal::open(&settings, &topic, DEADLINE).await.unwrap();
    assert_eq!((owned(&late, "r1"), owned(&late, "r2")), (0, 110));
    assert!(!late.state().is_open(&ids(0..1)[0], "a/b", 3));
    assert_eq!(late.state().holder("r2", 50), Some(("w2", other)));
}

#[tokio::test]
async fn a_topic_of_something_else_is_refused() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 1).await;
    let error = Journal::open(&settings(&broker), "t", DEADLINE)
        .await
        .unwrap_err();
    assert!(matches!(error, JournalTopicError::Record(_)), "{error}");
    let error = Journal::open(&settings(&broker), "other", DEADLINE)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("topic `other` does not exist"),
        "{error}"
    );
}
