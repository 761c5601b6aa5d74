//! A chart cannot read files outside its folder, so it holds copies of the rules and boards.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{Made, files, settle};

pub(super) fn check(root: &Path, made: Made) -> Result<()> {
    copy(
        root,
        "deploy/prometheus/rules.yml",
        "helm/hubferry/files/rules.yml",
        made,
    )?;
    let boards = files(&root.join("deploy/grafana/dashboards"), ".json")?;
    for board in &boards {
        let name = board.file_name().unwrap_or_default().to_string_lossy();
        copy(
            root,
            &format!("deploy/grafana/dashboards/{name}"),
            &format!("helm/hubferry/files/dashboards/{name}"),
            made,
        )?;
    }
    let copies = files(&root.join("helm/hubferry/files/dashboards"), ".json")?;
    ensure!(
        copies.len() == boards.len(),
        "helm/hubferry/files/dashboards holds {} boards, deploy/grafana/dashboards {}",
        copies.len(),
        boards.len()
    );
    Ok(())
}

fn copy(root: &Path, from: &str, to: &str, made: Made) -> Result<()> {
    let text =
        fs::read_to_string(root.join(from)).with_context(|| format!("could not read {from}"))?;
    settle(root, to, &text, made)
}
