//! `hubferry sim`: the simulator as a server.

use std::net::SocketAddr;
use std::path::PathBuf;

use hubferry_sim::{Faults, SimSettings, Simulator};

use crate::exit::Failure;
use crate::output;
use crate::signals::Signals;

/// Serves until a signal comes; the first line on standard output says where.
///
/// # Errors
///
/// The faults cannot be read, or the address is taken.
pub(crate) async fn sim(
    listen: SocketAddr,
    faults: Option<PathBuf>,
    seed: u64,
) -> Result<(), Failure> {
    let mut signals = Signals::of_process()?;
    let faults = match faults {
        Some(path) => read_faults(&path)?,
        None => Faults::default(),
    };
    let settings = SimSettings {
        listen,
        seed,
        faults,
        ..SimSettings::default()
    };
    let simulator = Simulator::start(settings)
        .await
        .map_err(|error| Failure::Outside(error.to_string()))?;
    output::print(&format!("listening on {}\n", simulator.base_url()))?;
    signals.next().await;
    simulator.stop().await;
    Ok(())
}

fn read_faults(path: &std::path::Path) -> Result<Faults, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("could not read {}: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}
