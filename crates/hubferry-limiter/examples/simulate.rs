//! Figures of a simulated world: `simulate [SEED] [SCENARIO…]`, one JSON object a line; without a scenario, all.
#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

use std::error::Error;

use hubferry_limiter::simulation::{SCENARIOS, run};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let mut names: Vec<String> = arguments.collect();
    if names.is_empty() {
        names = SCENARIOS.map(|(name, _)| name.to_owned()).to_vec();
    }
    for name in names {
        let figures = run(&name, seed).ok_or_else(|| format!("no scenario is called {name}"))?;
        for figure in figures {
            let what = format!("{name}: {}", figure.what);
            println!(
                r#"{{"what": {what:?}, "value": {}, "unit": {:?}, "wanted": {:?}}}"#,
                figure.value, figure.unit, figure.wanted
            );
        }
    }
    Ok(())
}
