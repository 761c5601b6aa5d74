//! `hubferry demo`: the first thing a new user runs.

use anyhow::{Result, ensure};
use hubferry_tests::Services;

use crate::file::{counts, number};

#[tokio::test]
async fn the_demo_needs_nothing_and_accounts_for_every_event() -> Result<()> {
    let services = Services::from_env()?;
    let finished = services
        .hubferry()
        .run(&["demo", "--output", "json"])
        .await?;
    ensure!(finished.code == Some(0), "{finished:?}");
    let report = finished.json()?;
    let [events, deliveries, skipped, dead] = counts(&report);
    assert!(events >= 2_000, "{report}");
    assert!(dead > 0 && skipped > 0, "{report}");
    assert_eq!(
        deliveries,
        number(&report, "delivered") + number(&report, "merged") + skipped + dead,
        "{report}"
    );
    assert_eq!(number(&report, "throttled"), 0, "{report}");
    Ok(())
}
