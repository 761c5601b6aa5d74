//! How much of a limit a saturated fleet uses, and the fullest window it makes.
//!
//! `cargo run --example saturate -- [WORKERS] [SECONDS] [REDIS_URL]`; without an address the limit is kept by this process.
#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

use std::error::Error;
use std::num::NonZeroU32;
use std::time::Duration;

use deadpool_redis::{Config, Runtime};
use hubferry_limiter::{
    Ask, Class, Fresh, LimitName, LimitSettings, Limiter, LimiterError, LimiterOptions, Scope,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

type Problem = Box<dyn Error + Send + Sync>;

const LIMIT: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);
/// Waiters per worker: a worker that has several batches ready.
const WAITERS: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let mut args = std::env::args().skip(1);
    let workers: usize = args.next().map_or(Ok(4), |text| text.parse())?;
    let seconds: u64 = args.next().map_or(Ok(30), |text| text.parse())?;
    let limiters = limiters(workers, args.next())?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut waiters = JoinSet::new();
    for limiter in &limiters {
        for _ in 0..WAITERS {
            waiters.spawn(send_until(limiter.clone(), until));
        }
    }
    let mut sent = Vec::new();
    while let Some(ended) = waiters.join_next().await {
        sent.extend(ended??);
    }
    sent.sort_unstable();
    report(&sent, workers);
    println!("{:?}", limiters[0].snapshot().await?);
    Ok(())
}

fn limiters(workers: usize, address: Option<String>) -> Result<Vec<Limiter>, Problem> {
    let max = NonZeroU32::new(LIMIT).ok_or("no limit")?;
    let limits = || vec![LimitSettings::ten_seconds(LimitName::new("calls"), max)];
    let Some(address) = address else {
        let shared = Limiter::local(Scope::new("saturate"), limits())?;
        return Ok(vec![shared; workers.max(1)]);
    };
    let prefix = format!("hubferry-saturate-{}", std::process::id());
    let options = LimiterOptions {
        fresh: Some(Fresh::Empty),
        ..LimiterOptions::default()
    };
    (0..workers.max(1))
        .map(|_| {
            let pool = Config::from_url(&address).create_pool(Some(Runtime::Tokio1))?;
            Ok(Limiter::redis_with(
                pool,
                &prefix,
                Scope::new("saturate"),
                limits(),
                options.clone(),
            )?)
        })
        .collect()
}

async fn send_until(limiter: Limiter, until: Instant) -> Result<Vec<Instant>, LimiterError> {
    let ask = Ask::new([LimitName::new("calls")], Class::Live);
    let stop = CancellationToken::new();
    let mut sent = Vec::new();
    while Instant::now() < until {
        let permit = limiter.acquire(&ask, &stop).await?;
        let now = Instant::now();
        if permit.is_open(now) {
            sent.push(now);
        } else {
            limiter.give_back(permit).await;
        }
    }
    Ok(sent)
}

fn report(sent: &[Instant], workers: usize) {
    let (Some(first), Some(last)) = (sent.first(), sent.last()) else {
        println!("nothing was sent");
        return;
    };
    let fullest = sent
        .iter()
        .enumerate()
        .map(|(index, start)| {
            sent[index..]
                .iter()
                .take_while(|time| **time < *start + WINDOW)
                .count()
        })
        .max()
        .unwrap_or(0);
    let time = last.duration_since(*first);
    println!(
        "{workers} workers, {LIMIT} per {WINDOW:?}: {} calls in {time:?}, fullest window {fullest}",
        sent.len()
    );
}
