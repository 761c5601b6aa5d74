//! One benchmark, run once: `bench NAME` prints a JSON line for each figure. `cargo xtask bench` runs it and makes the table.

mod calls;
mod fill;
mod memory;
mod speed;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use hubferry_tests::Figure;

#[tokio::main]
async fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let figures = match name.as_str() {
        "fill" => fill::measure().await?,
        "calls" => calls::measure().await?,
        "memory" => memory::measure().await?,
        "speed" => speed::measure().await?,
        other => bail!("no benchmark is called `{other}`"),
    };
    for figure in figures {
        figure.print();
    }
    Ok(())
}

/// The path of a file in this folder, as an argument.
fn path_in(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    path.to_str()
        .map(str::to_owned)
        .context("a path that is text")
}

/// The figures that hold for every run of a file.
fn of_report(report: &serde_json::Value) -> Vec<Figure> {
    let number = |key: &str| report[key].as_f64().unwrap_or(f64::NAN);
    vec![
        Figure::of("events", number("events"), ""),
        Figure::of("dead letters", number("dead"), "").wanted("0"),
        Figure::of("duration", number("seconds"), "s"),
    ]
}
