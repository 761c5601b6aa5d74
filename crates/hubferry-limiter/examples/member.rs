//! One process of a saturated fleet that shares a limit of 100 calls per ten seconds and makes real calls.
//!
//! `member REDIS_URL PREFIX URL SECONDS`: sends `GET URL` with a made-up bearer token as often as it may, with four waiters,
//! and prints how many calls it made and how many of them were refused with 429, as JSON.
#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

use std::error::Error;
use std::num::NonZeroU32;
use std::time::Duration;

use deadpool_redis::{Config, Runtime};
use hubferry_limiter::{
    Ask, Class, Fresh, LimitName, LimitSettings, Limiter, LimiterOptions, Scope,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

type Problem = Box<dyn Error + Send + Sync>;

const LIMIT: u32 = 100;
const WAITERS: usize = 4;

#[derive(Default)]
struct Made {
    calls: u64,
    refused: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [redis, prefix, url, seconds] = arguments.as_slice() else {
        return Err("usage: member REDIS_URL PREFIX URL SECONDS".into());
    };
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("the address has the form http://HOST:PORT/PATH")?;
    let request = format!(
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer pat-made-up\r\nconnection: close\r\n\r\n"
    );
    let max = NonZeroU32::new(LIMIT).ok_or("no limit")?;
    let limiter = Limiter::redis_with(
        Config::from_url(redis).create_pool(Some(Runtime::Tokio1))?,
        prefix,
        Scope::new("fleet"),
        vec![LimitSettings::ten_seconds(LimitName::new("calls"), max)],
        LimiterOptions {
            fresh: Some(Fresh::Empty),
            ..LimiterOptions::default()
        },
    )?;
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    let mut waiters = JoinSet::new();
    for _ in 0..WAITERS {
        let (limiter, host, request) = (limiter.clone(), host.to_owned(), request.clone());
        waiters.spawn(async move { call_until(&limiter, &host, &request, until).await });
    }
    let mut made = Made::default();
    while let Some(ended) = waiters.join_next().await {
        let ended = ended??;
        made.calls += ended.calls;
        made.refused += ended.refused;
    }
    println!(
        r#"{{"calls": {}, "refused": {}}}"#,
        made.calls, made.refused
    );
    Ok(())
}

async fn call_until(
    limiter: &Limiter,
    host: &str,
    request: &str,
    until: Instant,
) -> Result<Made, Problem> {
    let ask = Ask::new([LimitName::new("calls")], Class::Live);
    let stop = CancellationToken::new();
    let mut made = Made::default();
    while Instant::now() < until {
        // Connected first: whatever is slow happens before the permit is asked for.
        let mut connection = TcpStream::connect(host).await?;
        let permit = limiter.acquire(&ask, &stop).await?;
        if Instant::now() >= until || !permit.is_open(Instant::now()) {
            limiter.give_back(permit).await;
            continue;
        }
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        made.calls += 1;
        made.refused += u64::from(answer.starts_with("HTTP/1.1 429"));
    }
    Ok(made)
}
