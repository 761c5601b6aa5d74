//! Copies in transactions: exactly once, whatever happens to the router.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use hubferry_stream::{
    KafkaSettings, KafkaSource, Message, Part, RouteSettings, Routed, Source, StreamError,
    TopicRole, route,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{DEADLINE, client, name, produce, read, topic};

/// Ten values share an identity.
fn keyed(message: &Message) -> Vec<Part> {
    let value = message.body.clone().unwrap();
    let number: usize = std::str::from_utf8(&value).unwrap().parse().unwrap();
    let key = Some(Bytes::from(format!("user-{}", number % 100)));
    vec![Part {
        key,
        value: Some(value),
    }]
}

struct Routes {
    from: String,
    to: String,
    group: String,
}

impl Routes {
    async fn new(messages: usize) -> Self {
        let (from, to) = (
            topic("from", TopicRole::Events, 6).await,
            topic("to", TopicRole::Events, 4).await,
        );
        produce(&from, 0..messages).await;
        Self {
            from,
            to,
            group: name("route"),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test stands for the processes that run routers"
    )]
    fn start(
        &self,
        instance: &str,
        stop: &CancellationToken,
        split: impl Fn(&Message) -> Vec<Part> + Send + 'static,
    ) -> JoinHandle<Result<Routed, StreamError>> {
        let mut from = KafkaSettings::new(client(), &self.group, vec![self.from.clone()]);
        from.session_timeout = std::time::Duration::from_secs(6);
        // A router that is stuck is put out of the group after this.
        let patience = ("max.poll.interval.ms".to_owned(), "8000".to_owned());
        from.client.properties.extend([patience]);
        let settings = RouteSettings {
            from,
            to: self.to.clone(),
            instance: instance.to_owned(),
        };
        tokio::spawn(route(settings, split, |_| (), stop.clone()))
    }

    /// Waits until so many messages are in the copy, and checks that each is there once, by identity on one partition.
    async fn is_complete(&self, messages: usize) {
        let complete = async {
            while read(&self.to).await.len() < messages {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(DEADLINE, complete)
            .await
            .expect("the copy becomes complete in time");
        let copy = read(&self.to).await;
        let mut numbers: Vec<usize> = copy
            .iter()
            .map(|message| {
                std::str::from_utf8(message.body.as_ref().unwrap())
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..messages).collect::<Vec<_>>());
        let mut partitions = BTreeMap::new();
        for message in &copy {
            let key = message.key.clone().unwrap();
            let first = *partitions
                .entry(key.clone())
                .or_insert(message.at.partition);
            assert_eq!(first, message.at.partition, "{key:?} is on two partitions");
        }
    }
}

async fn end(router: JoinHandle<Result<Routed, StreamError>>) -> Result<Routed, StreamError> {
    tokio::time::timeout(DEADLINE, router)
        .await
        .expect("a router ends in time")
        .unwrap()
}

#[tokio::test]
async fn everything_is_copied_once_and_keys_lie_where_java_puts_them() {
    let routes = Routes::new(12_000).await;
    let stop = CancellationToken::new();
    let router = routes.start("a", &stop, keyed);
    routes.is_complete(12_000).await;
    stop.cancel();
    let routed = end(router).await.unwrap();
    assert_eq!(
        (
            routed.read,
            routed.written,
            routed.without_key,
            routed.aborted
        ),
        (12_000, 12_000, 0, 0)
    );
    assert!(routed.transactions >= 3, "{routed:?}");
    // murmur2 of "user-0" and so on as org.apache.kafka.common.utils.Utils computes it.
    for message in read(&routes.to).await.iter().take(200) {
        let key = message.key.as_ref().unwrap();
        assert_eq!(
            message.at.partition.get(),
            java_partition(key, 4),
            "{key:?}"
        );
    }
    // Started again, it goes on where it was.
    produce(&routes.from, 12_000..12_100).await;
    let stop = CancellationToken::new();
    let router = routes.start("a", &stop, keyed);
    routes.is_complete(12_100).await;
    stop.cancel();
    assert_eq!(end(router).await.unwrap().read, 100);

    // A worker reads the copy without stumbling over the marks of transactions, and counts as caught up.
    let mut worker = Source::Kafka(
        KafkaSource::connect(&KafkaSettings::new(
            client(),
            name("worker"),
            vec![routes.to.clone()],
        ))
        .unwrap(),
    );
    let mut seen = 0;
    let reading = async {
        while seen < 12_100 || worker.lags().values().any(|lag| lag.messages != Some(0)) {
            let next =
                tokio::time::timeout(std::time::Duration::from_millis(100), worker.next()).await;
            if let Ok(Ok(hubferry_stream::Intake::Arrived(_, ticket))) = next {
                seen += 1;
                worker.settle(ticket);
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("the worker catches up in time");
    assert_eq!(seen, 12_100);
    worker.close().await.unwrap();
}

#[tokio::test]
async fn a_router_that_dies_half_way_is_continued_without_loss_or_duplicates() {
    let routes = Routes::new(8_000).await;
    let (stop, seen) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let dying = routes.start("a", &stop, move |message| {
        // Within the second transaction, with messages of it written already.
        assert!(
            seen.fetch_add(1, Ordering::Relaxed) < 6_500,
            "the process dies here"
        );
        keyed(message)
    });
    assert!(matches!(
        end(dying).await,
        Err(StreamError::Ended { name: "router" })
    ));
    let router = routes.start("a", &stop, keyed);
    routes.is_complete(8_000).await;
    stop.cancel();
    assert!(
        end(router).await.unwrap().read < 8_000,
        "what was committed is not read again"
    );
}

#[tokio::test]
async fn a_router_that_another_replaced_is_shut_out() {
    let routes = Routes::new(2_000).await;
    let stop = CancellationToken::new();
    let (entered, has_entered) = mpsc::sync_channel(1);
    let (release, released) = mpsc::sync_channel::<()>(1);
    let held = Mutex::new((entered, released));
    let seen = AtomicUsize::new(0);
    let zombie = routes.start("a", &stop, move |message| {
        if seen.fetch_add(1, Ordering::Relaxed) == 500 {
            let held = held.lock().unwrap();
            held.0.send(()).unwrap();
            held.1.recv().unwrap();
        }
        keyed(message)
    });
    tokio::task::spawn_blocking(move || has_entered.recv_timeout(DEADLINE).unwrap())
        .await
        .unwrap();
    let second = routes.start("a", &stop, keyed);
    // The zombie does not poll: it is put out of the group in the end, and the second one goes on.
    routes.is_complete(2_000).await;
    release.send(()).unwrap();
    let error = end(zombie).await.unwrap_err().to_string();
    let expected = format!(
        "could not route to topic `{}`: another router of the same instance took over",
        routes.to
    );
    assert!(error.starts_with(&expected), "{error}");
    routes.is_complete(2_000).await;
    stop.cancel();
    assert_eq!(end(second).await.unwrap().read, 2_000);
}

#[tokio::test]
async fn routers_share_the_work_while_others_come_and_go() {
    let routes = Routes::new(6_000).await;
    let (all, stop) = (CancellationToken::new(), CancellationToken::new());
    let first = routes.start("a", &all, keyed);
    let second = routes.start("b", &stop, keyed);
    produce(&routes.from, 6_000..9_000).await;
    let third = routes.start("c", &all, keyed);
    produce(&routes.from, 9_000..12_000).await;
    stop.cancel();
    let gone = end(second).await.unwrap();
    produce(&routes.from, 12_000..15_000).await;
    routes.is_complete(15_000).await;
    all.cancel();
    let (first, third) = (end(first).await.unwrap(), end(third).await.unwrap());
    assert_eq!(first.read + gone.read + third.read, 15_000);
}

#[tokio::test]
async fn what_cannot_be_routed_is_said_at_the_start() {
    let mut routes = Routes::new(1).await;
    let to = std::mem::replace(&mut routes.to, name("missing"));
    let missing = end(routes.start("a", &CancellationToken::new(), keyed))
        .await
        .unwrap_err();
    assert!(
        missing.to_string().starts_with("topic `missing-"),
        "{missing}"
    );
    routes.from.clone_from(&to);
    routes.to = to;
    let onto_itself = end(routes.start("a", &CancellationToken::new(), keyed))
        .await
        .unwrap_err();
    let expected = format!(
        "could not route to topic `{}`: it is one of the topics to read",
        routes.to
    );
    assert_eq!(onto_itself.to_string(), expected);
}

/// Kafka's own partitioner, written down once more from its Java source.
fn java_partition(key: &[u8], partitions: i32) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap();
    let mut hash: u32 = 0x9747_b28c ^ length;
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (at, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    i32::try_from(hash & 0x7fff_ffff).unwrap() % partitions
}

#[test]
fn the_partitioner_of_this_test_is_javas() {
    // From org.apache.kafka.common.utils.UtilsTest.
    for (key, hash) in [
        ("21", -973_932_308_i64),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
    ] {
        let positive = i32::try_from(hash & 0x7fff_ffff).unwrap();
        assert_eq!(
            java_partition(key.as_bytes(), i32::MAX),
            positive % i32::MAX,
            "{key}"
        );
    }
}
