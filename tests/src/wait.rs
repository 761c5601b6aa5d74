//! Waiting for a condition, with a deadline and never for luck.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Looks again and again until `look` gives `Ok(value)`; `Err(seen)` means "not yet".
///
/// # Errors
///
/// The deadline passed; the message says what was seen last.
pub async fn eventually<T, S, F>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T>
where
    S: Debug,
    F: Future<Output = Result<T, S>>,
{
    let until = Instant::now() + deadline;
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= until => {
                bail!("{what}: not within {deadline:?}; last seen: {seen:?}")
            }
            Err(_) => sleep(PAUSE_BETWEEN_LOOKS).await,
        }
    }
}
