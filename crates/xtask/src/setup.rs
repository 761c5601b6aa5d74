//! Finds what this machine lacks and installs it where it may.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::outside::{answers, say, variable};

/// Something that is not ours and must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    C,
    Cpp,
    Make,
    Certificates,
    Rustfmt,
    Clippy,
    Redis,
    Java,
    Maven,
    Python,
}

/// What a build takes: librdkafka and the TLS library are compiled from source.
pub(crate) fn to_build() -> [Need; 4] {
    [Need::C, Need::Cpp, Need::Make, Need::Certificates]
}

/// What the checks take on top.
pub(crate) fn to_check() -> [Need; 2] {
    [Need::Rustfmt, Need::Clippy]
}

/// Kafka 4 needs this one or a newer.
const JAVA: u32 = 17;

/// Makes sure that all of `needs` are there.
///
/// # Errors
///
/// Something is missing and this process may not install it (the message is the line to run), or an installation
/// did not help.
pub(crate) fn prepare(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let (toolchain, system): (Vec<Need>, Vec<Need>) = missing
        .into_iter()
        .partition(|need| matches!(need, Need::Rustfmt | Need::Clippy));
    install_components(&toolchain)?;
    if !system.is_empty() {
        install_packages(&system)?;
    }
    let left = self::missing(needs);
    ensure!(
        left.is_empty(),
        "still missing after the installation: {}",
        names(&left)
    );
    Ok(())
}

fn missing(needs: &[Need]) -> Vec<Need> {
    needs
        .iter()
        .copied()
        .filter(|need| !need.is_there())
        .collect()
}

impl Need {
    fn is_there(self) -> bool {
        match self {
            Need::C => answers("cc", &["--version"]) && has_c_headers(),
            Need::Cpp => answers("c++", &["--version"]),
            Need::Make => answers("make", &["--version"]),
            Need::Certificates => has_certificates(),
            Need::Rustfmt => answers("cargo", &["fmt", "--version"]),
            Need::Clippy => answers("cargo", &["clippy", "--version"]),
            Need::Redis => answers("redis-server", &["--version"]),
            Need::Java => find_java().is_some(),
            Need::Maven => answers("mvn", &["--version"]),
            Need::Python => answers("python3", &["-c", "import ensurepip, venv"]),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Need::C => "gcc",
            Need::Cpp => "g++",
            Need::Make => "make",
            Need::Certificates => "CA certificates",
            Need::Rustfmt => "rustfmt",
            Need::Clippy => "clippy",
            Need::Redis => "redis-server",
            Need::Java => "Java 17 or newer",
            Need::Maven => "mvn",
            Need::Python => "python3 with venv",
        }
    }

    /// Debian's and Ubuntu's packages.
    fn debian(self) -> &'static [&'static str] {
        match self {
            Need::C => &["gcc", "libc6-dev"],
            Need::Cpp => &["g++"],
            Need::Make => &["make"],
            Need::Certificates => &["ca-certificates"],
            Need::Redis => &["redis-server"],
            Need::Java => &["openjdk-17-jre-headless"],
            Need::Maven => &["maven"],
            Need::Python => &["python3-venv"],
            Need::Rustfmt | Need::Clippy => &[],
        }
    }

    /// Homebrew's formula; the compilers come with Apple's command line tools.
    fn brew(self) -> Option<&'static str> {
        match self {
            Need::Redis => Some("redis"),
            Need::Java => Some("openjdk"),
            Need::Maven => Some("maven"),
            Need::Python => Some("python"),
            Need::C
            | Need::Cpp
            | Need::Make
            | Need::Certificates
            | Need::Rustfmt
            | Need::Clippy => None,
        }
    }
}

fn names(needs: &[Need]) -> String {
    let names: Vec<&str> = needs.iter().map(|need| need.name()).collect();
    names.join(", ")
}

fn has_c_headers() -> bool {
    cfg!(target_os = "macos") || Path::new("/usr/include/stdio.h").exists()
}

fn has_certificates() -> bool {
    const BUNDLES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    cfg!(target_os = "macos")
        || variable("SSL_CERT_FILE").is_some_and(|file| Path::new(&file).exists())
        || BUNDLES.iter().any(|bundle| Path::new(bundle).exists())
}

/// A Java that is new enough: `JAVA_HOME`, the one on the path, or brew's, which it does not put there.
pub(crate) fn find_java() -> Option<PathBuf> {
    let home = variable("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let brewed = ["/opt/homebrew", "/usr/local"]
        .map(|prefix| Path::new(prefix).join("opt/openjdk/bin/java"));
    let candidates = home
        .into_iter()
        .chain([PathBuf::from("java")])
        .chain(brewed);
    candidates
        .into_iter()
        .find(|java| java_version(java).is_some_and(|version| version >= JAVA))
}

fn java_version(java: &Path) -> Option<u32> {
    let output = Command::new(java)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    major_version(&String::from_utf8_lossy(&output.stderr))
}

/// Reads `openjdk version "17.0.15" 2025-04-15`; the old `"1.8.0"` means 8.
fn major_version(said: &str) -> Option<u32> {
    let version = said.split('"').nth(1)?;
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        major => Some(major),
    }
}

/// Asks the package sources of a Debian machine what there is.
///
/// # Errors
///
/// This process may not ask, or nothing answers.
pub(crate) fn refresh_packages() -> Result<()> {
    let sudo = if is_root() { "" } else { "sudo -n " };
    shell(&format!("{sudo}apt-get update -q"))
}

fn install_components(needs: &[Need]) -> Result<()> {
    if needs.is_empty() {
        return Ok(());
    }
    let wanted: Vec<&str> = needs.iter().map(|need| need.name()).collect();
    let line = format!("rustup component add {}", wanted.join(" "));
    say(&format!("missing: {}; running: {line}", wanted.join(", ")));
    ensure!(
        answers("rustup", &["--version"]),
        "{} missing and no rustup here; with it: {line}",
        wanted.join(", ")
    );
    shell(&line)
}

fn install_packages(needs: &[Need]) -> Result<()> {
    let plan = Plan::for_this_machine(needs);
    if let Some(obstacle) = plan.obstacle {
        bail!(
            "missing: {}; {obstacle}; please run:\n  {}",
            names(needs),
            plan.line
        );
    }
    say(&format!(
        "missing: {}; running: {}",
        names(needs),
        plan.line
    ));
    shell(&plan.line)
}

/// The line that installs what is missing, and why this process may not run it, if so.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    line: String,
    obstacle: Option<&'static str>,
}

impl Plan {
    fn for_this_machine(needs: &[Need]) -> Plan {
        if cfg!(target_os = "macos") {
            let brew = answers("brew", &["--version"]);
            return Plan::brew(needs, brew);
        }
        let may = if is_root() {
            May::AsRoot
        } else if answers("sudo", &["-n", "true"]) {
            May::WithSudo
        } else {
            May::Not
        };
        Plan::apt(needs, may, answers("apt-get", &["--version"]))
    }

    fn apt(needs: &[Need], may: May, apt: bool) -> Plan {
        let packages: Vec<&str> = needs
            .iter()
            .flat_map(|need| need.debian())
            .copied()
            .collect();
        // Releases that no longer carry Java 17 have a newer one as their default.
        let packages = packages.join(" ").replace(
            "openjdk-17-jre-headless",
            "$(apt-cache show openjdk-17-jre-headless >/dev/null 2>&1 && echo openjdk-17-jre-headless || echo default-jre-headless)",
        );
        let (sudo, obstacle) = match may {
            May::AsRoot => ("", None),
            May::WithSudo => ("sudo -n ", None),
            May::Not => (
                "sudo ",
                Some("it takes root or a sudo without password to install"),
            ),
        };
        let install =
            "env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends";
        Plan {
            line: format!("{sudo}apt-get update -q && {sudo}{install} {packages}"),
            obstacle: if apt {
                obstacle
            } else {
                Some("there is no apt-get here: install what these packages hold")
            },
        }
    }

    fn brew(needs: &[Need], brew: bool) -> Plan {
        let formulas: Vec<&str> = needs.iter().filter_map(|need| need.brew()).collect();
        if formulas.len() < needs.len() {
            let obstacle = Some("Apple's command line tools bring the compilers");
            return Plan {
                line: "xcode-select --install".to_owned(),
                obstacle,
            };
        }
        let obstacle = if brew {
            None
        } else {
            Some("there is no brew here")
        };
        Plan {
            line: format!("brew install {}", formulas.join(" ")),
            obstacle,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum May {
    AsRoot,
    WithSudo,
    Not,
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn shell(line: &str) -> Result<()> {
    crate::report::run(Command::new("sh").args(["-c", line]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_are_read_old_and_new() {
        let cases = [
            (
                "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime",
                Some(17),
            ),
            ("java version \"1.8.0_292\"", Some(8)),
            ("openjdk version \"21\" 2023-09-19", Some(21)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            (
                "The operation couldn't be completed. Unable to locate a Java Runtime.",
                None,
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(major_version(said), expected, "{said}");
        }
    }

    #[test]
    fn the_line_fits_what_this_process_may_do() {
        let needs = [Need::Redis, Need::Maven];
        let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends redis-server maven";
        let root = Plan::apt(&needs, May::AsRoot, true);
        assert_eq!(
            root,
            Plan {
                line: format!("apt-get update -q && {install}"),
                obstacle: None
            }
        );
        let user = Plan::apt(&needs, May::Not, true);
        assert_eq!(
            user.line,
            format!("sudo apt-get update -q && sudo {install}")
        );
        assert_eq!(
            user.obstacle,
            Some("it takes root or a sudo without password to install")
        );
        assert!(Plan::apt(&needs, May::AsRoot, false).obstacle.is_some());
    }

    #[test]
    fn on_a_mac_brew_installs_services_and_apple_the_compilers() {
        let services = Plan::brew(&[Need::Redis, Need::Java], true);
        assert_eq!(
            services,
            Plan {
                line: "brew install redis openjdk".to_owned(),
                obstacle: None
            }
        );
        assert_eq!(
            Plan::brew(&[Need::Cpp], true).line,
            "xcode-select --install"
        );
        assert_eq!(
            Plan::brew(&[Need::Redis], false).obstacle,
            Some("there is no brew here")
        );
    }
}
