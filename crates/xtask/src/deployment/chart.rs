//! The chart: linted, rendered with every set of values, compared with what was rendered before, validated against the
//! schemas of Kubernetes, and its configuration read by the binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::tools::Tools;
use super::{Made, files, settle, stem};
use crate::outside::say;
use crate::report::run;

/// The release of Kubernetes the chart is rendered for and validated against.
const KUBERNETES: &str = "1.33";

/// Values that have to be refused, and what the refusal has to say.
const REFUSED: [(&str, &str); 9] = [
    ("worker.max=3", "'worker' not allowed"),
    ("config.kafka.topic=x", "'topic' not allowed"),
    ("networkPolicy.kafka.port=1", "'port' not allowed"),
    ("workers.min=9", "workers.min (9) is above workers.max (2)"),
    (
        "config.limiter.max_workers=3",
        "max_workers is derived from workers.max",
    ),
    ("config.drain=10s", "config.drain is the chart's"),
    (
        "metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true",
        "serviceMonitor and podMonitor together count everything twice",
    ),
    (
        "workers.terminationGracePeriodSeconds=30",
        "hubspot.timeouts.batch does not fit into the drain time of 25 s",
    ),
    (
        "workers.kind=StatefulSet,autoscaling.kind=keda",
        "autoscaling needs workers.kind Deployment",
    ),
];

/// What every pod has to say, whatever the values.
const POLICY: [&str; 8] = [
    "runAsNonRoot: true",
    "readOnlyRootFilesystem: true",
    "allowPrivilegeEscalation: false",
    "seccompProfile:",
    "automountServiceAccountToken: false",
    "drop:",
    "requests:",
    "limits:",
];

/// Will do for a token, and for a key of 32 bytes.
const STAND_IN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Templates that only carry files that stand elsewhere; golden files hold the beginning of them.
const CARRIERS: [&str; 2] = ["templates/dashboards.yaml", "templates/prometheusrule.yaml"];

pub(super) fn check(root: &Path, tools: &Tools, binary: Option<&Path>, made: Made) -> Result<()> {
    let chart = root.join("helm/hubferry");
    let values = files(&chart.join("tests/values"), ".yaml")?;
    ensure!(!values.is_empty(), "the chart has no sets of values");
    let scratch = tools.folder.join("rendered");
    fs::create_dir_all(&scratch)?;
    let mut rendered = Vec::new();
    for set in &values {
        let name = stem(set);
        lint(tools, &chart, set)?;
        let text = render(tools, &chart, set, None)?;
        let golden = format!("helm/hubferry/tests/golden/{name}.yaml");
        settle(root, &golden, &for_comparison(&text), made)?;
        let faults = policy_faults(&text);
        ensure!(faults.is_empty(), "{name}: {}", faults.join("; "));
        let file = scratch.join(format!("{name}.yaml"));
        fs::write(&file, &text)?;
        rendered.push(file);
        if let Some(binary) = binary {
            accepted(binary, &scratch, &name, &text)?;
        }
    }
    validate(tools, &rendered)?;
    refuse(tools, &chart, &chart.join("tests/values/minimal.yaml"))
}

fn lint(tools: &Tools, chart: &Path, values: &Path) -> Result<()> {
    let mut command = Command::new(&tools.helm);
    command.args(["lint", "--strict", "--quiet"]);
    run(command.arg(chart).arg("--values").arg(values))
}

fn render(tools: &Tools, chart: &Path, values: &Path, set: Option<&str>) -> Result<String> {
    let mut command = Command::new(&tools.helm);
    command.args(["template", "carry"]).arg(chart);
    command.args(["--namespace", "hubferry", "--kube-version"]);
    command.arg(format!("{KUBERNETES}.0"));
    command.arg("--values").arg(values);
    if let Some(set) = set {
        command.args(["--set", set]);
    }
    let output = command.output().context("could not start helm")?;
    ensure!(
        output.status.success(),
        "{}: {}",
        values.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Without blank lines, which releases of helm place differently, and without what is only carried.
fn for_comparison(rendered: &str) -> String {
    let documents = rendered
        .split("\n---")
        .filter(|text| !text.trim().is_empty());
    let mut kept = String::new();
    for document in documents {
        let carried = CARRIERS
            .iter()
            .any(|template| document.contains(&format!("# Source: hubferry/{template}")));
        let document = document.trim_start_matches("---");
        kept.push_str("---\n");
        for line in document.lines().filter(|line| !line.trim().is_empty()) {
            kept.push_str(line.trim_end());
            kept.push('\n');
            if carried && matches!(line, "data:" | "spec:") {
                break;
            }
        }
    }
    kept
}

/// Workloads that say less than the policy asks for.
fn policy_faults(rendered: &str) -> Vec<String> {
    let kinds = ["Deployment", "StatefulSet", "Job"];
    let workloads = rendered.split("\n---").filter(|document| {
        let mut lines = document.lines();
        lines.any(|line| {
            line.strip_prefix("kind: ")
                .is_some_and(|kind| kinds.contains(&kind))
        })
    });
    let mut faults = Vec::new();
    for workload in workloads {
        let source = workload
            .lines()
            .find_map(|line| line.strip_prefix("# Source: "))
            .unwrap_or("a workload");
        for wanted in POLICY {
            if !workload.contains(wanted) {
                faults.push(format!("{source} does not say `{wanted}`"));
            }
        }
        if workload.contains(":latest") {
            faults.push(format!("{source} takes an image that changes"));
        }
    }
    faults
}

fn validate(tools: &Tools, rendered: &[PathBuf]) -> Result<()> {
    let mut command = Command::new(tools.python_tool("kubernetes-validate"));
    command.args(["--strict", "--quiet", "--no-warn", "-k", KUBERNETES]);
    run(command.args(rendered))
}

fn refuse(tools: &Tools, chart: &Path, values: &Path) -> Result<()> {
    for (set, expected) in REFUSED {
        match render(tools, chart, values, Some(set)) {
            Ok(_) => bail!("the chart accepts --set {set}"),
            Err(error) => {
                let message = format!("{error:#}");
                ensure!(
                    message.contains(expected),
                    "--set {set} is refused without `{expected}`: {message}"
                );
            }
        }
    }
    say(&format!("{} wrong values are refused", REFUSED.len()));
    Ok(())
}

/// `hubferry check` on the configuration of the rendered ConfigMap, with stand-ins for its secrets.
fn accepted(binary: &Path, scratch: &Path, name: &str, rendered: &str) -> Result<()> {
    let secrets = scratch.join("secrets");
    let configuration = configuration(rendered)
        .with_context(|| format!("{name}: no configuration was rendered"))?
        .replace("/run/secrets/hubferry", &secrets.display().to_string());
    for path in secret_files(&configuration) {
        let path = Path::new(path);
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, STAND_IN)?;
    }
    let file = scratch.join(format!("{name}.config.yaml"));
    fs::write(&file, &configuration)?;
    let mut command = Command::new(binary);
    command.arg("check").arg("--config").arg(&file);
    for variable in variables(&configuration) {
        command.env(variable, "stand-in");
    }
    // A variable may hold a whole address.
    command.env("REDIS_URL", "redis://stand-in:6379");
    let output = command.output().context("could not start hubferry")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // The plain development build speaks no TLS to Kafka; everything else was read by then.
    if output.status.success() || said.contains("OpenSSL not available at build time") {
        return Ok(());
    }
    bail!(
        "{name}: hubferry refuses the configuration: {}",
        said.trim()
    )
}

/// The text of `hubferry.yaml` in a rendered ConfigMap.
fn configuration(rendered: &str) -> Option<String> {
    let (_, rest) = rendered.split_once("\n  hubferry.yaml: |\n")?;
    let lines = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    Some(
        lines
            .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
            .collect(),
    )
}

fn secret_files(configuration: &str) -> impl Iterator<Item = &str> {
    let keys = configuration
        .lines()
        .filter(|line| line.contains("_file: "));
    keys.filter_map(|line| line.split("_file: ").nth(1))
        .map(str::trim)
}

/// Names inside `${…}`.
fn variables(configuration: &str) -> impl Iterator<Item = &str> {
    let openings = configuration.split("${").skip(1);
    openings.filter_map(|rest| rest.split('}').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDERED: &str = "---\n# Source: hubferry/templates/configmap.yaml\nkind: ConfigMap\ndata:\n  hubferry.yaml: |\n    redis:\n      url: ${REDIS_URL}\n    a:\n      token_file: /run/x\n---\n\n# Source: hubferry/templates/dashboards.yaml\nkind: ConfigMap\ndata:\n  board: |\n    {}\n---\n# Source: hubferry/templates/service.yaml\nspec:\n  x: 1  \n";

    #[test]
    fn golden_files_leave_out_blank_lines_and_what_is_carried() {
        let expected = "---\n# Source: hubferry/templates/configmap.yaml\nkind: ConfigMap\ndata:\n  hubferry.yaml: |\n    redis:\n      url: ${REDIS_URL}\n    a:\n      token_file: /run/x\n---\n# Source: hubferry/templates/dashboards.yaml\nkind: ConfigMap\ndata:\n---\n# Source: hubferry/templates/service.yaml\nspec:\n  x: 1\n";
        assert_eq!(for_comparison(RENDERED), expected);
    }

    #[test]
    fn a_pod_that_says_less_than_the_policy_is_a_fault() {
        let good: String = POLICY.map(|line| format!("{line}\n")).concat();
        let job = format!("# Source: job.yaml\nkind: Job\nimage: a:1\n{good}");
        assert_eq!(policy_faults(&job), Vec::<String>::new());
        assert_eq!(policy_faults("kind: Service\n"), Vec::<String>::new());
        let open = job
            .replace("runAsNonRoot: true\n", "")
            .replace("a:1", "a:latest");
        assert_eq!(
            policy_faults(&open),
            [
                "job.yaml does not say `runAsNonRoot: true`",
                "job.yaml takes an image that changes"
            ]
        );
    }

    #[test]
    fn the_configuration_is_taken_out_of_its_map() {
        let found = configuration(RENDERED).unwrap();
        assert_eq!(
            found,
            "redis:\n  url: ${REDIS_URL}\na:\n  token_file: /run/x\n"
        );
        assert_eq!(secret_files(&found).collect::<Vec<_>>(), ["/run/x"]);
        assert_eq!(variables(&found).collect::<Vec<_>>(), ["REDIS_URL"]);
    }
}
