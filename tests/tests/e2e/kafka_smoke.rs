//! The broker under the other tests works: what they build on, shown on its own.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hubferry_tests::{Services, eventually, unique};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_is_produced_is_read_back_in_order_with_its_headers() -> Result<()> {
    let kafka = Services::kafka_from_env()?;
    let topic = kafka.topic("smoke", 3).await?;
    let numbered = (0..300_u32).map(|n| {
        let key = format!("user-{}", n % 7).into_bytes();
        (Some(key), n.to_string().into_bytes())
    });
    assert_eq!(kafka.produce(&topic, numbered).await?, 300);

    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .create()?;
    let headers = OwnedHeaders::new().insert(Header {
        key: "hubferry.dlq.version",
        value: Some("1"),
    });
    let record = FutureRecord::<str, str>::to(&topic)
        .partition(0)
        .headers(headers);
    producer
        .send(record, PATIENCE)
        .await
        .map_err(|(error, _)| error)?;

    let read = kafka.read_all(&topic).await?;
    assert_eq!(read.len(), 301);
    let mut by_key: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
    for message in read.iter().filter(|message| message.key.is_some()) {
        let number = String::from_utf8(message.value.clone().context("a value")?)?.parse()?;
        by_key
            .entry(message.key.clone().unwrap_or_default())
            .or_default()
            .push(number);
    }
    assert_eq!(by_key.len(), 7);
    assert!(
        by_key.values().all(|numbers| numbers.is_sorted()),
        "{by_key:?}"
    );

    let tombstones: Vec<_> = read
        .iter()
        .filter(|message| message.value.is_none())
        .collect();
    assert_eq!(tombstones.len(), 1);
    let version = tombstones[0]
        .headers
        .get("hubferry.dlq.version")
        .map(String::as_str);
    assert_eq!(version, Some("1"));
    Ok(())
}

#[tokio::test]
async fn a_group_goes_on_where_it_committed() -> Result<()> {
    let kafka = Services::kafka_from_env()?;
    let topic = kafka.topic("smoke", 1).await?;
    let group = unique("smoke");
    let ten = (0..10_u32).map(|n| (None, n.to_string().into_bytes()));
    kafka.produce(&topic, ten).await?;

    for expected in [["0", "1"], ["2", "3"]] {
        let member: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka.brokers())
            .set("group.id", &group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create()?;
        member.subscribe(&[&topic])?;
        for body in expected {
            let message = timeout(PATIENCE, member.recv()).await??;
            assert_eq!(message.payload(), Some(body.as_bytes()));
            member.commit_message(&message, CommitMode::Sync)?;
        }
    }
    assert_eq!(
        kafka.committed(&group, &topic).await?,
        BTreeMap::from([(0, 4)])
    );
    assert_eq!(kafka.lag_messages(&group, &topic).await?, 6);
    Ok(())
}

#[tokio::test]
async fn waiting_ends_with_what_was_seen() {
    let never = eventually("a thing", Duration::from_millis(1), || async {
        Err::<(), _>("half of it")
    });
    let message = never.await.expect_err("it never holds").to_string();
    assert_eq!(
        message,
        "a thing: not within 1ms; last seen: \"half of it\""
    );
}
