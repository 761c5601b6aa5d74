//! A real Apache Kafka for the tests: given, from docker, or from Maven Central.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::outside::{answers, complain, say, variable};
use crate::report::run;
use crate::service::{Service, free_port, run_folder};
use crate::setup::{self, Need};

const GIVEN: &str = "HUBFERRY_TEST_KAFKA";
const PATIENCE: Duration = Duration::from_secs(90);

/// The version that tests run against; it needs Java 17.
const VERSION: &str = "4.1.0";
/// The binding of Kafka's logging (slf4j 1.7) to log4j, at the log4j version that Kafka brings.
const LOG4J_VERSION: &str = "2.24.3";
const CLUSTER_ID: &str = "aHViZmVycnktZTJlLXRlcw";

/// A Kafka: the given one, or one of ours that ends when this is dropped.
pub(crate) struct Kafka {
    pub(crate) address: String,
    _service: Option<Service>,
}

impl Kafka {
    pub(crate) fn start(target: &Path) -> Result<Kafka> {
        if let Some(address) = variable(GIVEN) {
            say(&format!("kafka: the one of {GIVEN}"));
            return Ok(Kafka {
                address,
                _service: None,
            });
        }
        if answers("docker", &["info"]) {
            match from_docker(target) {
                Ok(kafka) => return Ok(kafka),
                Err(error) => complain(&format!("docker gave no kafka, trying Maven: {error:#}")),
            }
        }
        setup::prepare(&[Need::Java, Need::Maven])?;
        from_maven(target)
    }
}

fn from_docker(target: &Path) -> Result<Kafka> {
    let (broker, controller) = (free_port()?, free_port()?);
    let folder = run_folder(target, "kafka")?;
    let name = format!("hubferry-e2e-{}", std::process::id());
    let image = format!("apache/kafka:{VERSION}");
    say(&format!("kafka: docker image {image}"));
    run(Command::new("docker").args(["pull", "--quiet", &image]))?;

    let mut program = Command::new("docker");
    program.args(["run", "--rm", "--name", &name, "--publish"]);
    program.arg(format!("127.0.0.1:{broker}:{broker}"));
    let listeners = Listeners {
        host: "0.0.0.0",
        broker,
        controller,
    };
    for (key, value) in settings(&listeners, "/tmp/kafka-data") {
        // The image formats its storage for a fixed set of voters.
        let (key, value) = match key {
            "controller.quorum.bootstrap.servers" => {
                ("controller.quorum.voters", format!("1@{value}"))
            }
            other => (other, value),
        };
        let key = key.replace('.', "_").to_uppercase();
        program.arg("--env").arg(format!("KAFKA_{key}={value}"));
    }
    program.arg(&image);
    let cleanup = format!("docker rm --force {name}");
    let service = Service::start("kafka", &program, &folder.join("log"), &cleanup)?;
    ready(service, broker)
}

fn from_maven(target: &Path) -> Result<Kafka> {
    let libraries = fetch(&target.join("kafka").join(VERSION))?;
    let (broker, controller) = (free_port()?, free_port()?);
    let folder = run_folder(target, "kafka")?;
    let data = folder.join("data");
    fs::create_dir(&data)?;

    let properties = folder.join("server.properties");
    let listeners = Listeners {
        host: "127.0.0.1",
        broker,
        controller,
    };
    let settings = settings(&listeners, &data.to_string_lossy());
    let lines: Vec<String> = settings
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    fs::write(&properties, lines.concat())?;
    let logging = folder.join("log4j2.properties");
    fs::write(&logging, LOGGING)?;

    let java = setup::find_java().context("java is gone")?;
    let class = |class: &str| {
        let mut command = Command::new(&java);
        command.args(["-Xmx512m", "-XX:+UseSerialGC"]);
        command.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
        command.arg("-cp").arg(libraries.join("*")).arg(class);
        command
    };
    let formatted = class("kafka.tools.StorageTool")
        .args(["format", "--standalone", "-t", CLUSTER_ID, "-c"])
        .arg(&properties)
        .output()?;
    let said = String::from_utf8_lossy(&formatted.stderr);
    ensure!(
        formatted.status.success(),
        "kafka could not format its storage: {}",
        said.trim()
    );

    let mut program = class("kafka.Kafka");
    program.arg(&properties);
    let cleanup = format!("rm -rf '{}'", data.display());
    let service = Service::start("kafka", &program, &folder.join("log"), &cleanup)?;
    ready(service, broker)
}

fn ready(service: Service, port: u16) -> Result<Kafka> {
    service.wait_until(PATIENCE, || speaks_kafka(port))?;
    say(&format!("kafka: Apache Kafka {VERSION} on port {port}"));
    Ok(Kafka {
        address: format!("127.0.0.1:{port}"),
        _service: Some(service),
    })
}

/// Gets Kafka and what it needs into `folder/libs`, once.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let (libraries, complete) = (folder.join("libs"), folder.join("complete"));
    if complete.exists() {
        return Ok(libraries);
    }
    say(&format!(
        "kafka: fetching Apache Kafka {VERSION} from Maven Central (45 MB, once)"
    ));
    fs::create_dir_all(folder)?;
    let pom = folder.join("pom.xml");
    fs::write(&pom, project())?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "-Dstyle.color=never", "--file"])
        .arg(&pom);
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", libraries.display()));
    run(&mut maven).context("maven could not fetch Apache Kafka")?;
    fs::write(complete, VERSION)?;
    Ok(libraries)
}

fn project() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{artifact}</artifactId>\n      \
             <version>{version}</version>\n    </dependency>\n"
        )
    };
    let kafka = dependency("org.apache.kafka", "kafka_2.13", VERSION);
    let logging = dependency(
        "org.apache.logging.log4j",
        "log4j-slf4j-impl",
        LOG4J_VERSION,
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  <groupId>hubferry</groupId>\n  <artifactId>test-broker</artifactId>\n  \
         <version>1</version>\n  <packaging>pom</packaging>\n  <dependencies>\n{kafka}{logging}  </dependencies>\n\
         </project>\n"
    )
}

struct Listeners {
    /// Where it listens; clients always reach it on the loopback address.
    host: &'static str,
    broker: u16,
    controller: u16,
}

/// One node, broker and controller in one, that never creates a topic by itself.
fn settings(listeners: &Listeners, data: &str) -> Vec<(&'static str, String)> {
    let Listeners {
        host,
        broker,
        controller,
    } = listeners;
    let fixed = |key, value: &str| (key, value.to_owned());
    vec![
        fixed("process.roles", "broker,controller"),
        fixed("node.id", "1"),
        (
            "controller.quorum.bootstrap.servers",
            format!("127.0.0.1:{controller}"),
        ),
        (
            "listeners",
            format!("BROKER://{host}:{broker},CONTROLLER://127.0.0.1:{controller}"),
        ),
        (
            "advertised.listeners",
            format!("BROKER://127.0.0.1:{broker}"),
        ),
        fixed(
            "listener.security.protocol.map",
            "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ),
        fixed("inter.broker.listener.name", "BROKER"),
        fixed("controller.listener.names", "CONTROLLER"),
        fixed("log.dirs", data),
        fixed("auto.create.topics.enable", "false"),
        fixed("offsets.topic.replication.factor", "1"),
        fixed("offsets.topic.num.partitions", "4"),
        fixed("transaction.state.log.replication.factor", "1"),
        fixed("transaction.state.log.min.isr", "1"),
        fixed("transaction.state.log.num.partitions", "4"),
        fixed("share.coordinator.state.topic.replication.factor", "1"),
        fixed("share.coordinator.state.topic.min.isr", "1"),
        fixed("group.initial.rebalance.delay.ms", "0"),
    ]
}

const LOGGING: &str = "\
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c{1} - %m%n
";

/// Asks `ApiVersions` (key 18, version 0) and looks for "no error" with our correlation id.
fn speaks_kafka(port: u16) -> bool {
    const REQUEST: [u8; 15] = [0, 0, 0, 11, 0, 18, 0, 0, 0, 0, 0, 7, 0, 1, b'x'];
    let exchange = || -> std::io::Result<[u8; 10]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(&REQUEST)?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    exchange().is_ok_and(|answer| answer[4..] == [0, 0, 0, 7, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_sent_to_the_loopback_address_wherever_it_listens() {
        let listeners = Listeners {
            host: "0.0.0.0",
            broker: 9,
            controller: 10,
        };
        let settings = settings(&listeners, "/data");
        let value = |key: &str| {
            settings
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(
            value("listeners"),
            Some("BROKER://0.0.0.0:9,CONTROLLER://127.0.0.1:10")
        );
        assert_eq!(value("advertised.listeners"), Some("BROKER://127.0.0.1:9"));
        assert_eq!(value("log.dirs"), Some("/data"));
    }

    #[test]
    fn the_maven_project_names_kafka_and_its_logging() {
        let project = project();
        assert!(
            project.contains("<artifactId>kafka_2.13</artifactId>\n      <version>4.1.0</version>"),
            "{project}"
        );
        assert!(
            project.contains("<artifactId>log4j-slf4j-impl</artifactId>"),
            "{project}"
        );
    }
}
