//! `cargo xtask bench`: every binary `bench-…` of the end-to-end package, against the release build.

use anyhow::{Result, bail};

use crate::e2e::Services;
use crate::outside::say;
use crate::report::{Report, run as run_to_end};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, wanted: &[String], report: &mut Report) -> Result<()> {
    let known = workspace.benchmarks();
    let short = |name: &str| name.trim_start_matches("bench-").to_owned();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !known.iter().any(|one| short(one) == **name))
    {
        let names: Vec<String> = known.iter().map(|name| short(name)).collect();
        bail!(
            "no benchmark is called `{unknown}`; there are: {}",
            names.join(", ")
        );
    }
    let chosen: Vec<&String> = known
        .iter()
        .filter(|name| wanted.is_empty() || wanted.contains(&short(name)))
        .collect();
    if chosen.is_empty() {
        say(
            "usage: cargo xtask bench [NAME…]\nThere is no benchmark yet: one is a binary `bench-NAME` in tests/.",
        );
        return Ok(());
    }
    let built = report.part("release build", |_| {
        run_to_end(workspace.cargo("build").args(["--release", "--bins"]))
    });
    if built.is_none() {
        return Ok(());
    }
    let Some(services) = report.part("start of kafka and redis", |_| Services::start(workspace))
    else {
        return Ok(());
    };
    for name in chosen {
        say(&format!("\n{name}"));
        report.part("benchmark", |_| {
            let mut command =
                std::process::Command::new(workspace.target.join("release").join(name));
            command.env("HUBFERRY_BIN", workspace.binary("release"));
            run_to_end(services.give(&mut command))
        });
    }
    Ok(())
}
