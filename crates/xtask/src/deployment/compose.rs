//! The compose file: its schema, and what no schema says: pinned images, ports on loopback alone, mounts that exist,
//! health that is waited for where it is told, and workers whose configuration and stop the binary agrees with.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

use super::tools::Tools;
use crate::outside::say;
use crate::report::run;
use crate::workspace::array;

const FILE: &str = "docker-compose.yml";
const TO_JSON: &str = "
import json, sys
from ruamel.yaml import YAML
json.dump(YAML(typ='safe').load(open(sys.argv[1])), sys.stdout)
";
/// What the image is called that is built from this source.
const OURS: &str = "hubferry";

pub(super) fn check(root: &Path, tools: &Tools, binary: Option<&Path>) -> Result<()> {
    let mut schema = Command::new(tools.python_tool("check-jsonschema"));
    schema.current_dir(root);
    run(schema.args(["--builtin-schema", "vendor.compose-spec", FILE]))?;

    let mut convert = Command::new(tools.python_tool("python"));
    let output = convert
        .current_dir(root)
        .args(["-c", TO_JSON, FILE])
        .output()?;
    ensure!(output.status.success(), "could not read {FILE}");
    let file: Value = serde_json::from_slice(&output.stdout)?;
    let services = file["services"].as_object().context("no services")?;
    let faults = faults(root, services);
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    if let Some(binary) = binary {
        for name in ["worker-1", "worker-2", "producer"] {
            accepted(root, binary, name, &file)?;
        }
    }
    say(&format!("{} services", services.len()));
    Ok(())
}

fn faults(root: &Path, services: &Map<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, service) in services {
        let image = service["image"].as_str().unwrap_or_default();
        if image != OURS && !image.contains(':') {
            faults.push(format!("{name}: the image {image} has no tag"));
        }
        for port in array(&service["ports"]).filter_map(Value::as_str) {
            if !port.starts_with("127.0.0.1:") {
                faults.push(format!("{name}: port {port} is open to the network"));
            }
        }
        for mount in array(&service["volumes"]).filter_map(Value::as_str) {
            let from = mount.split(':').next().unwrap_or_default();
            if !root.join(from).exists() {
                faults.push(format!("{name}: {from} does not exist"));
            }
        }
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            let Some(found) = services.get(other) else {
                faults.push(format!("{name}: waits for {other}, which is not there"));
                continue;
            };
            let for_health = how["condition"].as_str() == Some("service_healthy");
            if for_health && found["healthcheck"].is_null() {
                faults.push(format!(
                    "{name}: waits for the health of {other}, which has no check"
                ));
            }
        }
    }
    faults
}

/// `hubferry check` with the service's configuration and environment; and it stops before it is killed.
fn accepted(root: &Path, binary: &Path, name: &str, file: &Value) -> Result<()> {
    let service = &file["services"][name];
    let configuration = array(&service["volumes"])
        .filter_map(Value::as_str)
        .find(|mount| mount.contains("/etc/hubferry/hubferry.yaml"))
        .and_then(|mount| mount.split(':').next())
        .with_context(|| format!("{name} has no configuration"))?;
    let mut command = Command::new(binary);
    command.current_dir(root);
    command.args(["check", "--config", configuration]);
    for (key, value) in service["environment"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let secret = value
            .strip_prefix("/run/secrets/")
            .and_then(|secret| file["secrets"][secret]["file"].as_str());
        command.env(key, secret.unwrap_or(value));
    }
    let output = command.output().context("could not start hubferry")?;
    ensure!(
        output.status.success(),
        "{name}: hubferry refuses the configuration: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    if name.starts_with("worker") {
        let grace = service["stop_grace_period"].as_str().unwrap_or_default();
        let seconds: Option<u32> = grace.strip_suffix('s').and_then(|text| text.parse().ok());
        ensure!(
            seconds.is_some_and(|seconds| seconds > 55),
            "{name}: a grace period of {grace} is not above the drain time of 55s"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_no_schema_says_is_said() {
        let services = json!({
            "good": {"image": OURS, "ports": ["127.0.0.1:1:1"], "volumes": ["./Cargo.toml:/x:ro"],
                     "depends_on": {"healthy": {"condition": "service_healthy"}}},
            "healthy": {"image": "redis:7", "healthcheck": {"test": ["CMD", "x"]}},
            "bad": {"image": "redis", "ports": ["9090:9090"], "volumes": ["./nothing:/x"],
                    "depends_on": {"good": {"condition": "service_healthy"}, "nobody": {}}},
        });
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = faults(root, services.as_object().unwrap());
        assert_eq!(
            found,
            [
                "bad: the image redis has no tag",
                "bad: port 9090:9090 is open to the network",
                "bad: ./nothing does not exist",
                "bad: waits for the health of good, which has no check",
                "bad: waits for nobody, which is not there",
            ]
        );
    }
}
