//! How far a consumer is behind.

use std::time::Duration;

use hubferry_stream::{
    EmbeddedBroker, Intake, IntakeBounds, Lag, Partition, Source, Ticket, Topic,
};

use crate::{DEADLINE, join, produce, settings, settle};

fn lag(source: &Source) -> Lag {
    let key = (Topic::new("t"), Partition::new(0));
    source.lags().get(&key).copied().unwrap_or_default()
}

/// Polls until the lag is as wanted; what arrives stays open.
async fn until(source: &mut Source, open: &mut Vec<Ticket>, wanted: impl Fn(&Lag) -> bool) -> Lag {
    let waiting = async {
        while !wanted(&lag(source)) {
            // A held source stays silent: looking again is what this loop is for.
            let next = tokio::time::timeout(Duration::from_millis(50), source.next()).await;
            if let Ok(Ok(Intake::Arrived(_, ticket))) = next {
                open.push(ticket);
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting)
        .await
        .expect("the lag becomes known in time");
    lag(source)
}

#[tokio::test]
async fn the_lag_counts_what_is_not_finished_even_while_the_partition_is_held() {
    let broker = EmbeddedBroker::start(&[("t", 1)]).unwrap();
    produce(&broker, 0, 100).await;
    let mut settings = settings(&broker);
    settings.bounds = IntakeBounds {
        partition_messages: 10,
        ..IntakeBounds::default()
    };
    let mut source = join(&settings);
    let mut open = Vec::new();
    let full = until(&mut source, &mut open, |lag| {
        lag.messages == Some(100) && lag.span_messages >= 10
    });
    let full = full.await;
    assert_eq!(full.span_messages, open.len());
    let older = until(&mut source, &mut open, |lag| lag.behind > full.behind).await;
    assert_eq!(older.messages, Some(100));

    produce(&broker, 100, 150).await;
    until(&mut source, &mut open, |lag| lag.messages == Some(150)).await;
    let rest = 150 - open.len();
    open.drain(..).for_each(|ticket| source.settle(ticket));
    settle(&mut source, rest).await;
    let none = until(&mut source, &mut open, |lag| lag.messages == Some(0)).await;
    assert_eq!((none.behind, none.span_messages), (Duration::ZERO, 0));
}
