//! Sixteen processes share one limit on a real Redis and call a receiver that counts: figures as one JSON object a line.
//!
//! `fleet HUBFERRY SECONDS`: `HUBFERRY` is the program whose `sim` is the receiver; the address of Redis stands in
//! HUBFERRY_TEST_REDIS. The example `member` has to lie beside this program.
#![expect(
    clippy::disallowed_methods,
    reason = "the service is named by the environment, as for tests"
)]
#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

use std::error::Error;
use std::num::NonZeroU32;
use std::process::Stdio;
use std::time::Duration;

use deadpool_redis::{Config, Pool, Runtime};
use hubferry_limiter::{
    Ask, Class, Fresh, LimitName, LimitSettings, Limiter, LimiterOptions, Scope,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

type Problem = Box<dyn Error + Send + Sync>;

const PROCESSES: u32 = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [hubferry, seconds] = arguments.as_slice() else {
        return Err("usage: fleet HUBFERRY SECONDS".into());
    };
    let redis = &std::env::var("HUBFERRY_TEST_REDIS")?;
    let pool = Config::from_url(redis).create_pool(Some(Runtime::Tokio1))?;
    let (_sim, address) = simulator(hubferry).await?;
    let prefix = format!("hubferry-bench-{}", std::process::id());
    command(&pool, &["CONFIG", "RESETSTAT"]).await?;
    let made = members(redis, &prefix, &address, seconds).await?;
    let calls: f64 = made.iter().map(|(calls, _)| calls).sum();
    let squares: f64 = made.iter().map(|(calls, _)| calls * calls).sum();
    let refused: f64 = made.iter().map(|(_, refused)| refused).sum();
    let possible = 10.0 * seconds.parse::<f64>()?;
    let stats = command(&pool, &["INFO", "commandstats"]).await?;
    let asked = within(&stats, "cmdstat_fcall:calls=").unwrap_or(0.0);
    let slow = command(&pool, &["INFO", "latencystats"]).await?;
    let limit = size(&pool, &format!("{prefix}:v1:{{fleet}}:limit:calls")).await?;
    let fleet = size(&pool, &format!("{prefix}:v1:{{fleet}}:ticket:fleet")).await?;
    let fullest = within(
        &get(&address, "/sim/summary").await?,
        "\"worst_ten_seconds\":",
    );
    figure("calls refused with 429", refused, "", "0");
    figure("fullest ten seconds", fullest, "of 100", "at most 100");
    figure("used of N", 100.0 * calls / possible, "%", "at least 96");
    let fairness = calls * calls / (f64::from(PROCESSES) * squares);
    figure("fairness (Jain)", fairness, "", "at least 0.98");
    figure(
        "questions to the store per permit",
        asked / calls,
        "",
        "at most 1.5",
    );
    figure("state of the limit", limit, "bytes", "at most 2048");
    figure("state of the fleet", fleet, "bytes", "");
    let rarely = within(&slow, "latency_percentiles_usec_fcall:p50=");
    figure("function, now and then, median", rarely, "us", "");
    command(&pool, &["CONFIG", "RESETSTAT"]).await?;
    without_pause(&pool, &prefix).await?;
    let fast = command(&pool, &["INFO", "latencystats"]).await?;
    let line = fast
        .lines()
        .find(|line| line.contains("_fcall:"))
        .unwrap_or_default();
    let (median, last) = (within(line, "p50="), within(line, "p99="));
    figure("function, in a row, median", median, "us", "");
    figure(
        "function, in a row, 99th percentile",
        last,
        "us",
        "at most 100",
    );
    Ok(())
}

/// Prints a figure; what this Redis does not measure is left out.
fn figure(what: &str, value: impl Into<Option<f64>>, unit: &str, wanted: &str) {
    if let Some(value) = value.into() {
        println!(
            r#"{{"what": "{PROCESSES} processes: {what}", "value": {value}, "unit": "{unit}", "wanted": "{wanted}"}}"#
        );
    }
}

/// The simulator, which ends with the value, and its address.
async fn simulator(program: &str) -> Result<(Child, String), Problem> {
    let mut sim = Command::new(program)
        .args(["sim", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = sim.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("listening on http://") {
            return Ok((sim, address.trim().to_owned()));
        }
    }
    Err("the simulator does not say where it listens".into())
}

/// How many calls each process made, and how many of them were refused.
async fn members(
    redis: &str,
    prefix: &str,
    address: &str,
    seconds: &str,
) -> Result<Vec<(f64, f64)>, Problem> {
    let program = std::env::current_exe()?.with_file_name("member");
    let target = format!("http://{address}/account-info/2026-03/details");
    let mut running = JoinSet::new();
    for _ in 0..PROCESSES {
        let mut member = Command::new(&program);
        member
            .args([redis, prefix, &target, seconds])
            .kill_on_drop(true);
        running.spawn(async move { member.output().await });
    }
    let mut made = Vec::new();
    while let Some(ended) = running.join_next().await {
        let output = ended??;
        if !output.status.success() {
            return Err(format!("a process ended with {}", output.status).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let calls = within(&text, "\"calls\": ").ok_or("no calls")?;
        let refused = within(&text, "\"refused\": ").ok_or("no refusals")?;
        made.push((calls, refused));
    }
    Ok(made)
}

/// Eight workers ask as fast as a large limit lets them, for ten seconds.
async fn without_pause(pool: &Pool, prefix: &str) -> Result<(), Problem> {
    let large = NonZeroU32::new(20_000).ok_or("no limit")?;
    let until = Instant::now() + Duration::from_secs(10);
    let mut waiters = JoinSet::new();
    for _ in 0..8 {
        let limiter = Limiter::redis_with(
            pool.clone(),
            prefix,
            Scope::new("large"),
            vec![LimitSettings::ten_seconds(LimitName::new("calls"), large)],
            LimiterOptions {
                fresh: Some(Fresh::Empty),
                ..LimiterOptions::default()
            },
        )?;
        for _ in 0..8 {
            let limiter = limiter.clone();
            waiters.spawn(async move {
                let ask = Ask::new([LimitName::new("calls")], Class::Live);
                let stop = CancellationToken::new();
                while Instant::now() < until {
                    drop(limiter.acquire(&ask, &stop).await?);
                }
                Ok::<(), Problem>(())
            });
        }
    }
    while let Some(ended) = waiters.join_next().await {
        ended??;
    }
    Ok(())
}

async fn command(pool: &Pool, words: &[&str]) -> Result<String, Problem> {
    let mut connection = pool.get().await?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    Ok(command.query_async(&mut connection).await?)
}

async fn size(pool: &Pool, key: &str) -> Result<f64, Problem> {
    let mut connection = pool.get().await?;
    let mut command = redis::cmd("STRLEN");
    let bytes: u32 = command.arg(key).query_async(&mut connection).await?;
    Ok(f64::from(bytes))
}

async fn get(address: &str, path: &str) -> Result<String, Problem> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The number that follows a text.
fn within(text: &str, before: &str) -> Option<f64> {
    let (_, rest) = text.split_once(before)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
