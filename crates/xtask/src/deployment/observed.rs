//! What alerts, boards and the chart name: metrics that are on the list, runbooks that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::{files, stem};
use crate::outside::say;

const LIST: &str = "deploy/metrics.txt";

pub(super) fn check(root: &Path) -> Result<()> {
    let read = |file: &str| {
        fs::read_to_string(root.join(file)).with_context(|| format!("could not read {file}"))
    };
    let list = read(LIST)?;
    let known = listed(&list);
    ensure!(!known.is_empty(), "{LIST} lists no metric");
    let rules = read("deploy/prometheus/rules.yml")?;
    let mut sources = vec![
        ("deploy/prometheus/rules.yml".to_owned(), rules.clone()),
        (
            "helm/hubferry/templates/autoscaling.yaml".to_owned(),
            read("helm/hubferry/templates/autoscaling.yaml")?,
        ),
        (
            "helm/hubferry/values.yaml".to_owned(),
            read("helm/hubferry/values.yaml")?,
        ),
    ];
    for board in files(&root.join("deploy/grafana/dashboards"), ".json")? {
        let text = fs::read_to_string(&board)?;
        let parsed = serde_json::from_str::<serde_json::Value>(&text);
        parsed.with_context(|| format!("{} is not JSON", board.display()))?;
        sources.push((board.display().to_string(), text));
    }

    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for (name, text) in &sources {
        for metric in metrics(text) {
            if known.contains(base(&metric)) || known.contains(metric.as_str()) {
                used.insert(metric);
            } else {
                faults.push(format!("{name}: {metric} is not in {LIST}"));
            }
        }
    }
    faults.extend(runbook_faults(root, &rules)?);
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    say(&format!(
        "{} series of {} metrics are named in {} files",
        used.len(),
        known.len(),
        sources.len()
    ));
    Ok(())
}

/// The first word of each line that is no comment.
fn listed(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Every `hubferry_…` of a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("hubferry_"))
        .map(str::to_owned)
        .collect()
}

/// The metric behind a series of a histogram.
fn base(series: &str) -> &str {
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|ending| series.strip_suffix(ending))
        .unwrap_or(series)
}

/// Each alert names a runbook that is there, and each runbook belongs to an alert.
fn runbook_faults(root: &Path, rules: &str) -> Result<Vec<String>> {
    let alerts = rules
        .lines()
        .filter(|line| line.trim_start().starts_with("- alert: "));
    let named: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
        .collect();
    ensure!(
        alerts.count() == named.len(),
        "not every alert has a runbook_url"
    );
    let mut faults: Vec<String> = named
        .iter()
        .filter(|page| !root.join(page).is_file())
        .map(|page| format!("{page} is named by an alert and does not exist"))
        .collect();
    for page in files(&root.join("docs/runbooks"), ".md")? {
        let name = stem(&page);
        let wanted = format!("docs/runbooks/{name}.md");
        if name != "index" && !named.contains(&wanted.as_str()) {
            faults.push(format!("{wanted} belongs to no alert"));
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_in_expressions_and_histograms_by_their_base() {
        let text = r#"sum(rate(hubferry_a_seconds_bucket{x="hubferry"}[5m])) / hubferry_b_total"#;
        let found = metrics(text);
        let expected: BTreeSet<String> = ["hubferry_a_seconds_bucket", "hubferry_b_total"]
            .map(str::to_owned)
            .into();
        assert_eq!(found, expected);
        assert_eq!(base("hubferry_a_seconds_bucket"), "hubferry_a_seconds");
        assert_eq!(
            listed("# c\nhubferry_a_seconds histogram x\n\n"),
            BTreeSet::from(["hubferry_a_seconds"])
        );
    }

    #[test]
    fn an_alert_without_its_page_and_a_page_without_its_alert_are_faults() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let pages = folder.path().join("docs/runbooks");
        fs::create_dir_all(&pages)?;
        fs::write(pages.join("index.md"), "")?;
        fs::write(pages.join("one.md"), "")?;
        fs::write(pages.join("other.md"), "")?;
        let rules = "  - alert: A\n    runbook_url: docs/runbooks/one.md\n  - alert: B\n    runbook_url: docs/runbooks/two.md\n";
        assert_eq!(
            runbook_faults(folder.path(), rules)?,
            [
                "docs/runbooks/two.md is named by an alert and does not exist",
                "docs/runbooks/other.md belongs to no alert"
            ]
        );
        assert!(runbook_faults(folder.path(), "- alert: A\n").is_err());
        Ok(())
    }
}
