//! What is meant: checked types, with the defaults of everything that was not written.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use hubferry_event::{Format, ReadLimits};
use hubferry_hubspot::Auth;
use hubferry_stream::GroupProtocol;
use serde_json::{Map, Value};

use super::destination::{Destination, destinations};
use super::layers::{Secrets, Surroundings};
use super::problem::Problems;
use super::section::Section;
use crate::seal::{SealError, SealKey};

/// A whole configuration, checked.
#[derive(Debug)]
pub struct Configuration {
    /// Where events come from; absent for runs over a file.
    pub kafka: Option<Kafka>,
    /// What the fleet shares; absent for a single process.
    pub redis: Option<Redis>,
    /// How a message is read.
    pub input: Input,
    /// How much may be in flight.
    pub intake: Intake,
    /// How steps are gathered.
    pub delivery: Delivery,
    /// How long a delivery that ended is remembered, so that the same event is not delivered again; `None` when it is not.
    pub dedupe: Option<Duration>,
    /// When a mapping is held because too much of it dies.
    pub brake: Brake,
    /// The shape of the limiter's windows.
    pub limiter: LimiterShape,
    /// The admin endpoint.
    pub admin: Admin,
    /// The longest an orderly stop may take.
    pub drain: Duration,
    /// The portals and their mappings; the disabled ones are here too.
    pub destinations: Vec<Destination>,
    /// What seals the tokens that are kept in Redis.
    pub(crate) seal_key: Option<SealKey>,
    /// A hash of what was written, secrets left out; it stands in dead letters.
    pub hash: String,
}

/// `brake`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Brake {
    /// The share of dead deliveries among the last thousand of a mapping.
    pub max_ratio: f64,
    /// Deliveries of a mapping that HubSpot refuses one after the other.
    pub max_consecutive: NonZeroU32,
}

/// `kafka`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kafka {
    /// Bootstrap servers, `host:port` with commas.
    pub brokers: String,
    /// The consumer group.
    pub group: String,
    /// The topics read.
    pub topics: Vec<String>,
    /// The dead-letter topic; `{topic}` stands for the source.
    pub dead_letter_topic: String,
    /// How partitions are dealt out to the workers.
    pub group_protocol: GroupProtocol,
    /// How long the broker waits for a silent member.
    pub session_timeout: Duration,
    /// Client properties passed on as they are (`security.protocol`, `sasl.username`, …).
    pub properties: ClientProperties,
}

/// Properties of the Kafka client; they may hold passwords, so `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties(pub BTreeMap<String, String>);

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// `redis`.
#[derive(Clone, PartialEq, Eq)]
pub struct Redis {
    /// The address, with its password if it has one.
    pub url: String,
    /// What every key begins with.
    pub prefix: String,
    /// Whether a Redis that drops keys when memory is short will do; then a limit may be exceeded once.
    pub allow_eviction: bool,
}

impl Redis {
    /// The address without user and password.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.url.split_once("://"), self.url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
            _ => self.url.clone(),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({}, {})", self.shown(), self.prefix)
    }
}

/// `input`.
#[derive(Clone, Debug)]
pub struct Input {
    /// What one message holds.
    pub format: Format,
    /// How large events and batches may be.
    pub limits: ReadLimits,
}

/// `intake`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intake {
    /// Bytes in flight per partition.
    pub partition_bytes: usize,
    /// Bytes in flight per worker.
    pub worker_bytes: usize,
    /// Messages between the committed and the read position of a partition.
    pub partition_messages: usize,
}

/// `delivery`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// How long a step waits for company when there is little traffic.
    pub linger: Duration,
    /// After how long a waiting step outweighs a fuller call.
    pub max_age: Duration,
}

/// `limiter`: the shape that all windows share.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LimiterShape {
    /// The width of a slot of the ten-second windows.
    pub slot: Duration,
    /// How much the way to HubSpot may vary.
    pub spread: Duration,
    /// How far ahead a permit may be booked.
    pub horizon: Duration,
    /// The burst after idle time, as a share of the limit.
    pub pacing_burst: f64,
    /// The most workers there ever are, the surge of an upgrade included: it sizes what each may do without Redis.
    pub max_workers: NonZeroU32,
    /// What a worker does that loses Redis.
    pub on_redis_loss: OnRedisLoss,
    /// How long a worker may go on without Redis.
    pub ticket: Duration,
}

/// `limiter.on_redis_loss`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRedisLoss {
    /// It goes on at the small rate that its ticket allows, as long as that lasts.
    Ticket,
    /// It stops calling.
    Closed,
    /// It goes on at that rate for a day.
    Share,
}

/// `admin`.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where the endpoint listens.
    pub listen: SocketAddr,
    /// What a request has to carry; always there when `listen` is not loopback.
    pub token: Option<String>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "***" } else { "none" };
        write!(f, "Admin({}, token {token})", self.listen)
    }
}

const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9400);

/// Turns what was written into what is meant; every problem goes to `problems`.
pub(crate) fn mean(root: &Value, around: &Surroundings, problems: &Problems) -> Configuration {
    let top = Section::at("", Some(root), problems);
    let configuration = Configuration {
        kafka: kafka(&top),
        redis: redis(&top),
        input: input(top.section("input")),
        intake: intake(top.section("intake")),
        delivery: delivery(top.section("delivery")),
        dedupe: dedupe(top.section("dedupe")),
        brake: brake(top.section("brake")),
        limiter: limiter(top.section("limiter")),
        admin: admin(top.section("admin"), around),
        drain: top.duration("drain", Duration::from_secs(55)),
        destinations: destinations(top.raw("destinations"), around, problems),
        seal_key: seal_key(top.section("secrets"), around),
        hash: super::hash::of(root),
    };
    grants_have_a_place(&configuration, around, problems);
    later_sections(&top);
    top.finish();
    configuration
}

fn kafka(top: &Section<'_>) -> Option<Kafka> {
    let value = top.raw("kafka")?;
    let section = Section::at("kafka", Some(value), top.problems());
    let brokers = section.texts("brokers").unwrap_or_default();
    if brokers.is_empty() {
        section.missing("brokers", "host:port of at least one broker");
    }
    let topics = section.texts("topics").unwrap_or_default();
    if topics.is_empty() {
        section.missing("topics", "a list of topics, such as [customer-events]");
    }
    let kafka = Kafka {
        brokers: brokers.join(","),
        group: section
            .text("group")
            .unwrap_or_else(|| "hubferry".to_owned()),
        dead_letter_topic: section
            .text("dead_letter_topic")
            .unwrap_or_else(|| "{topic}.hubferry.dlq".to_owned()),
        group_protocol: section
            .choice(
                "group_protocol",
                &[
                    ("classic", GroupProtocol::Classic),
                    ("consumer", GroupProtocol::Consumer),
                ],
            )
            .unwrap_or_default(),
        session_timeout: section.duration("session_timeout", Duration::from_secs(45)),
        properties: client_properties(&section),
        topics,
    };
    let parked_into_source = kafka.topics.contains(&kafka.dead_letter_topic);
    if parked_into_source {
        section.problems().invalid(
            "kafka.dead_letter_topic",
            format!(
                "{:?} is also read as a source; dead letters would go round for ever",
                kafka.dead_letter_topic
            ),
        );
    }
    section.finish();
    Some(kafka)
}

fn client_properties(section: &Section<'_>) -> ClientProperties {
    let mut properties = BTreeMap::new();
    match section.raw("properties") {
        None => {}
        Some(Value::Object(members)) => flatten("", members, section, &mut properties),
        Some(other) => section.refuse("properties", other, "a map of client properties"),
    }
    ClientProperties(properties)
}

/// Names with dots may be written as sections too, which is the only way an environment variable can say them.
fn flatten(
    prefix: &str,
    members: &Map<String, Value>,
    section: &Section<'_>,
    properties: &mut BTreeMap<String, String>,
) {
    for (name, value) in members {
        let name = format!("{prefix}{name}");
        match value {
            Value::String(text) => drop(properties.insert(name, text.clone())),
            Value::Number(_) | Value::Bool(_) => drop(properties.insert(name, value.to_string())),
            Value::Object(below) => flatten(&format!("{name}."), below, section, properties),
            Value::Null | Value::Array(_) => {
                let path = format!("kafka.properties.{name}");
                section
                    .problems()
                    .invalid(&path, "not a text (the value is not shown)");
            }
        }
    }
}

fn redis(top: &Section<'_>) -> Option<Redis> {
    let value = top.raw("redis")?;
    let section = Section::at("redis", Some(value), top.problems());
    let url = section.secret("url");
    if section.raw("url").is_none() {
        section.missing("url", "an address such as redis://localhost:6379");
    }
    let prefix = section
        .text("prefix")
        .unwrap_or_else(|| "hubferry".to_owned());
    let allow_eviction = section.flag("allow_eviction", false);
    section.finish();
    let url = url?;
    let known = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        top.problems().invalid(
            "redis.url",
            "not an address that begins with redis:// or rediss:// (the value is not shown)",
        );
    }
    Some(Redis {
        url,
        prefix,
        allow_eviction,
    })
}

fn input(section: Section<'_>) -> Input {
    let defaults = ReadLimits::default();
    let input = Input {
        format: section
            .choice(
                "format",
                &[
                    ("json", Format::Json),
                    ("array", Format::Array),
                    ("ndjson", Format::Ndjson),
                ],
            )
            .unwrap_or(Format::Json),
        limits: ReadLimits {
            max_event_bytes: section.size("max_event_bytes", defaults.max_event_bytes),
            max_batch_events: section.count("max_batch_events", defaults.max_batch_events),
        },
    };
    section.finish();
    input
}

fn intake(section: Section<'_>) -> Intake {
    let intake = Intake {
        partition_bytes: section.size("partition_bytes", 16 << 20),
        worker_bytes: section.size("worker_bytes", 64 << 20),
        partition_messages: section.count("partition_messages", 20_000),
    };
    section.finish();
    intake
}

fn delivery(section: Section<'_>) -> Delivery {
    let delivery = Delivery {
        linger: section.duration("linger", Duration::from_millis(25)),
        max_age: section.duration("max_age", Duration::from_secs(2)),
    };
    section.finish();
    delivery
}

/// `dedupe.window`: a duration, or `off`.
fn dedupe(section: Section<'_>) -> Option<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    let is_off = section
        .raw("window")
        .and_then(Value::as_str)
        .is_some_and(|text| text == "off");
    let window = if is_off {
        None
    } else {
        Some(section.duration("window", DAY))
    };
    section.finish();
    window.filter(|window| !window.is_zero())
}

fn brake(section: Section<'_>) -> Brake {
    let brake = Brake {
        max_ratio: section.share("max_ratio").unwrap_or(0.05),
        max_consecutive: section.limit("max_consecutive", at_least_one(100)),
    };
    section.finish();
    brake
}

fn limiter(section: Section<'_>) -> LimiterShape {
    let shape = LimiterShape {
        slot: section.duration("slot", Duration::from_millis(100)),
        spread: section.duration("spread", Duration::from_millis(300)),
        horizon: section.duration("horizon", Duration::from_secs(2)),
        pacing_burst: section.share("pacing_burst").unwrap_or(0.25),
        max_workers: section.limit("max_workers", at_least_one(1)),
        // A worker that dies keeps its share of the window until its ticket has ended: without a number of workers that share
        // is most of the window.
        on_redis_loss: section
            .choice(
                "on_redis_loss",
                &[
                    ("ticket", OnRedisLoss::Ticket),
                    ("closed", OnRedisLoss::Closed),
                    ("share", OnRedisLoss::Share),
                ],
            )
            .unwrap_or(if section.raw("max_workers").is_some() {
                OnRedisLoss::Ticket
            } else {
                OnRedisLoss::Closed
            }),
        ticket: section.duration("ticket", Duration::from_mins(10)),
    };
    if shape.slot.is_zero() {
        section
            .problems()
            .invalid("limiter.slot", "has to be longer than 0");
    }
    if shape.pacing_burst <= 0.0 {
        section
            .problems()
            .invalid("limiter.pacing_burst", "has to be above 0%");
    }
    section.finish();
    shape
}

fn admin(section: Section<'_>, around: &Surroundings) -> Admin {
    let listen = section.address("listen", DEFAULT_ADMIN);
    let token = section.text("token_file").and_then(|path| {
        if around.secrets == Secrets::Ignored {
            return None;
        }
        let read = super::destination::read_secret_file(&PathBuf::from(path));
        read.map_err(|message| section.problems().invalid("admin.token_file", message))
            .ok()
    });
    let exposed = !listen.ip().is_loopback();
    if exposed && section.raw("token_file").is_none() {
        section.missing(
            "token_file",
            &format!("{listen} can be reached from outside, so requests have to carry a token"),
        );
    }
    section.finish();
    Admin { listen, token }
}

/// `secrets`: the key that seals tokens at rest.
fn seal_key(section: Section<'_>, around: &Surroundings) -> Option<SealKey> {
    let (file, env) = (section.text("key_file"), section.text("key_env"));
    let problems = section.problems();
    section.finish();
    if around.secrets == Secrets::Ignored {
        return None;
    }
    let refuse = |key: &str, message: String| problems.invalid(&format!("secrets.{key}"), message);
    let (key, bytes) = match (file, env) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            refuse(
                "key_file",
                "give one of key_file and key_env, not both".to_owned(),
            );
            return None;
        }
        (Some(file), None) => {
            let read = std::fs::read(&file);
            let unread = |error: &std::io::Error| {
                refuse("key_file", format!("could not read {file}: {error}"));
            };
            ("key_file", read.inspect_err(unread).ok()?)
        }
        (None, Some(name)) => {
            let found = around.variables.get(&name);
            if found.is_none() {
                refuse(
                    "key_env",
                    format!("the environment variable {name} is not set"),
                );
            }
            ("key_env", found?.as_bytes().to_vec())
        }
    };
    let refused = |error: &SealError| refuse(key, error.to_string());
    SealKey::parse(&bytes).inspect_err(refused).ok()
}

/// An OAuth grant is kept sealed in Redis, or in a file; it has to be one of them.
fn grants_have_a_place(configuration: &Configuration, around: &Surroundings, problems: &Problems) {
    if around.secrets == Secrets::Ignored {
        return;
    }
    let enabled = configuration.destinations.iter().filter(|one| one.enabled);
    for destination in enabled {
        let Auth::OAuth { refresh_token, .. } = &destination.hubspot.auth else {
            continue;
        };
        let name = &destination.name;
        let has_key = configuration.seal_key.is_some();
        if configuration.redis.is_some() && !has_key && problems.count() == 0 {
            let message = format!(
                "missing: the OAuth tokens of {name} are kept in redis, sealed with a key of 32 bytes (or key_env: NAME); `openssl rand -hex 32` makes one"
            );
            problems.invalid("secrets.key_file", message);
            return;
        }
        let is_lost =
            refresh_token.expose().is_empty() && destination.hubspot.refresh_token_file.is_none();
        if configuration.redis.is_none() && is_lost {
            let path = format!("destinations[{name}].hubspot.auth.refresh_token_file");
            problems.invalid(
                &path,
                "missing: a file that `hubferry auth login` writes the refresh token to (or refresh_token_env: NAME), or redis to keep it in",
            );
        }
    }
}

/// Sections of the documented configuration that this version does not act on yet.
fn later_sections(top: &Section<'_>) {
    for (name, keys) in [(
        "dead_letters",
        &["compat_headers", "max_replays", "seal_key_file"][..],
    )] {
        let section = top.section(name);
        for key in keys {
            section.later(key);
        }
        section.finish();
    }
}

/// A limit with a default that is known to be above zero.
pub(crate) fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}
