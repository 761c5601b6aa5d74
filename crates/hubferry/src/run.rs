//! `hubferry run`: puts a worker together, over a topic or over a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deadpool_redis::Pool;
use hubferry_delivery::{Backlog, Engine, EngineParts, StatsSnapshot};
use hubferry_limiter::Limiter;
use hubferry_memory::{Link, Memory};
use hubferry_stream::{
    ClientSettings, DeadLetterTopic, DeadLetters, FileDeadLetters, FileSource, IntakeBounds,
    KafkaDeadLetters, KafkaSettings, KafkaSource, Source, StreamError, reachable,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::auth::watch::Watches;
use crate::brake::BrakeSettings;
use crate::config::{self, Configuration, Intake as Bounds, Kafka, Loaded};
use crate::exit::Failure;
use crate::holds::Holds;
use crate::intake::Intake;
use crate::links::{self, Expired, Sweeper, Writer};
use crate::metrics::Distributions;
use crate::output::{self, Form};
use crate::portals::{self, Portal, Probe, START_PATIENCE};
use crate::progress::Progress;
use crate::report::{Report, Waiting};
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::words::{counted, grouped};
use crate::worker::{self, Board, OnHold, Outcome, Parts, Question};

/// What a run over a file was asked for.
#[derive(Debug)]
pub(crate) struct OverFile {
    /// The file, or `-`.
    pub(crate) input: String,
    /// Where dead letters go.
    pub(crate) dead_letters: PathBuf,
    /// How the report is printed.
    pub(crate) form: Form,
}

/// Admissions between the worker and an engine: enough for the engine to fill its calls without asking, few enough
/// that a stop has little to take back.
const ADMISSIONS: usize = 512;

/// Batches of endings on their way back.
const ENDINGS: usize = 64;

/// Questions of people that wait for the worker.
const QUESTIONS: usize = 8;

/// Calls on the wire at once: 100 calls in ten seconds that take up to three seconds each.
const CALLS_IN_FLIGHT: usize = 32;

/// Everything a worker needs besides its source and its place for dead letters.
pub(crate) struct Around {
    pub(crate) signals: Signals,
    pub(crate) distributions: Distributions,
    pub(crate) questions: (mpsc::Sender<Question>, mpsc::Receiver<Question>),
    pub(crate) intake: Intake,
    pub(crate) portals: Vec<Portal>,
    pub(crate) scribe: Scribe,
    pub(crate) delivery: config::Delivery,
    pub(crate) dedupe: Option<std::time::Duration>,
    pub(crate) brake: Option<BrakeSettings>,
    pub(crate) drain: std::time::Duration,
    pub(crate) on_hold: OnHold,
    pub(crate) finish_after: Option<u64>,
    pub(crate) open_deliveries: usize,
}

/// Carries the events of a file and reports.
///
/// # Errors
///
/// The files cannot be opened, HubSpot is out of reach or refuses the token, or the run was interrupted.
pub(crate) async fn over_file(loaded: Loaded, asked: OverFile) -> Result<(), Failure> {
    let Loaded {
        configuration,
        warnings,
    } = loaded;
    let mut signals = Signals::of_process()?;
    let started = Instant::now();
    let prepared = signals
        .unless(Box::pin(prepare_file(&configuration, &asked)))
        .await
        .ok_or_else(interrupted)?;
    let FileParts {
        source,
        letters,
        portals,
    } = prepared?;
    tell_warnings(&warnings);
    let watched = Watched::of(&portals);
    let watches = Watches::of(&portals).cuts_alone();
    let around = around(configuration, portals, None, OnHold::End, signals);
    let ids = around.intake.mapping_ids().to_vec();
    let (board, shown) = watch::channel(Board::default());
    let progress = Progress::start(None, "ended");
    let working = work(around, Source::File(source), letters, board);
    let working = with_progress(working, shown, &watched, progress);
    let outcome = Box::pin(watches.beside(working)).await?;
    if !outcome.complete {
        return Err(interrupted());
    }
    let report = Report::new(
        &outcome.tally,
        &watched.snapshots(),
        watched.waiting().await,
        started.elapsed(),
        &ids,
    );
    match asked.form {
        Form::Json => output::print_json(&report.to_json()),
        Form::Text => output::print(&report.to_text(&asked.dead_letters)),
    }
}

/// What a run over a file is made of.
struct FileParts {
    source: FileSource,
    letters: Arc<DeadLetters>,
    portals: Vec<Portal>,
}

/// Opens what is near before what is far; earlier dead letters are overwritten only when the run really begins.
async fn prepare_file(
    configuration: &Configuration,
    asked: &OverFile,
) -> Result<FileParts, Failure> {
    let usage = |error: StreamError| Failure::Usage(error.to_string());
    let source =
        FileSource::open(Path::new(&asked.input), bounds(&configuration.intake)).map_err(usage)?;
    FileDeadLetters::check(&asked.dead_letters).map_err(usage)?;
    let pool = redis(configuration).await?;
    let portals = portals::open(configuration, pool.as_ref(), Probe::Reachable).await?;
    let letters = FileDeadLetters::create(&asked.dead_letters).map_err(usage)?;
    Ok(FileParts {
        source,
        letters: Arc::new(DeadLetters::File(letters)),
        portals,
    })
}

fn interrupted() -> Failure {
    Failure::Outside(
        "interrupted before the end of the input: what had ended is written, the rest is not"
            .to_owned(),
    )
}

/// Runs a worker until it is told to stop.
///
/// # Errors
///
/// Something it needs is not there at the start, or gave up later.
pub(crate) async fn over_kafka(loaded: Loaded) -> Result<(), Failure> {
    let Loaded {
        configuration,
        warnings,
    } = loaded;
    let Some(kafka) = configuration.kafka.clone() else {
        return Err(Failure::Usage(
            "config_invalid: kafka: missing: add brokers and topics, or carry a file with --input"
                .to_owned(),
        ));
    };
    let mut signals = Signals::of_process()?;
    let settings = kafka_settings(&kafka, &configuration.intake);
    let parking = CancellationToken::new();
    let preparing = prepare_kafka(&configuration, &kafka, &settings, parking.clone());
    let Some(prepared) = signals.unless(Box::pin(preparing)).await else {
        tracing::info!("stopped before the first message");
        return Ok(());
    };
    let (letters, portals) = prepared?;
    // A start that fails says one thing only: why. So these wait until it has not.
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    if configuration.redis.is_none() {
        tracing::warn!(
            "no redis in the configuration: the call limit and the waiting links hold for this process only; run one worker"
        );
    }
    let source = KafkaSource::connect(&settings).map_err(|error| outside(&error))?;
    let watched = Watched::of(&portals);
    let watches = Watches::of(&portals);
    let sweep_every = links::sweep_every(&configuration);
    let input = configuration.input.clone();
    let (board, shown) = watch::channel(Board::default());
    let group = Some(kafka.group.clone());
    let admin_settings = configuration.admin.clone();
    let hash = configuration.hash.clone();
    let around = around(configuration, portals, group, OnHold::Wait, signals);
    let sweeper = Sweeper {
        memories: watched.memories(),
        letters: Arc::clone(&letters),
        writer: Writer {
            scribe: around.scribe.clone(),
            input,
        },
        kafka: settings,
        every: sweep_every,
        expired: watched.expired.clone(),
    };
    let seen = admin::Seen {
        board: shown,
        portals: watched,
        ids: around.intake.mapping_ids().to_vec(),
        config_hash: hash,
        distributions: around.distributions.clone(),
        questions: around.questions.0.clone(),
    };
    let closing = CancellationToken::new();
    let admin = admin::start(&admin_settings, seen, closing.clone()).await?;
    tracing::info!(topics = ?kafka.topics, group = kafka.group, admin = %admin.address, "worker started");
    let working = work(around, Source::Kafka(source), letters, board);
    let worked = Box::pin(watches.beside(beside(sweeper, working))).await;
    parking.cancel();
    closing.cancel();
    admin.ended().await;
    let outcome = worked?;
    tracing::info!(
        events = outcome.tally.events,
        deliveries = outcome.tally.deliveries,
        "worker stopped: positions are committed"
    );
    Ok(())
}

/// Everything outside that has to answer before a worker starts.
async fn prepare_kafka(
    configuration: &Configuration,
    kafka: &Kafka,
    settings: &KafkaSettings,
    parking: CancellationToken,
) -> Result<(Arc<DeadLetters>, Vec<Portal>), Failure> {
    let letters = kafka_letters(kafka, &settings.client, parking).await?;
    let pool = redis(configuration).await?;
    let portals = portals::open(configuration, pool.as_ref(), Probe::First).await?;
    Ok((Arc::new(letters), portals))
}

/// How long the dead letter of a link that is being written when the worker ends may take to be acknowledged. A link
/// whose letter is given up is still there.
const LAST_LETTER: std::time::Duration = std::time::Duration::from_secs(2);

/// Sweeps expired links as long as the worker works.
async fn beside<T>(sweeper: Sweeper, working: impl Future<Output = T>) -> T {
    let stop = CancellationToken::new();
    let mut working = std::pin::pin!(working);
    let mut sweeping = std::pin::pin!(sweeper.run(stop.clone()));
    tokio::select! {
        worked = &mut working => {
            stop.cancel();
            if tokio::time::timeout(LAST_LETTER, sweeping).await.is_err() {
                tracing::warn!("the dead letter of an expired link was not acknowledged; it is written again later");
            }
            worked
        }
        // It only ends when it is told to.
        () = &mut sweeping => working.await,
    }
}

/// Starts the engines and works.
pub(crate) async fn work(
    around: Around,
    source: Source,
    letters: Arc<DeadLetters>,
    board: watch::Sender<Board>,
) -> Result<Outcome, Failure> {
    let Around {
        signals,
        distributions,
        questions: (_, questions),
        intake,
        portals,
        scribe,
        delivery,
        dedupe,
        brake,
        drain,
        on_hold,
        finish_after,
        open_deliveries,
    } = around;
    let stop = CancellationToken::new();
    let backlog = Backlog::default();
    let (to_worker, endings) = mpsc::channel(ENDINGS);
    let mut tasks = JoinSet::new();
    let mut engines = Vec::new();
    let holds = Holds::new(
        portals
            .iter()
            .map(|portal| (portal.name.clone(), Arc::clone(&portal.stats))),
    );
    let memories: Vec<Arc<Memory>> = portals.iter().map(|p| Arc::clone(&p.memory)).collect();
    let mut limiters = Vec::new();
    for (seed, portal) in (1..).zip(portals) {
        let limiter = portal.limiter.clone();
        let engine = Engine::new(EngineParts {
            scheduler: portals::scheduler_settings(&delivery, seed),
            calls_in_flight: CALLS_IN_FLIGHT,
            client: portal.client,
            limiter: portal.limiter,
            memory: portal.memory,
            mappings: intake.mapping_ids().to_vec(),
            stats: portal.stats,
            backlog: backlog.clone(),
        });
        let (sender, admissions) = mpsc::channel(ADMISSIONS);
        limiters.push(limiter);
        engines.push(sender);
        tasks.spawn(engine.run(admissions, to_worker.clone(), stop.clone()));
    }
    drop(to_worker);
    let parts = Parts {
        source,
        letters,
        intake,
        scribe,
        engines,
        memories,
        dedupe,
        brake,
        backlog,
        endings,
        tasks,
        holds,
        on_hold,
        finish_after,
        open_deliveries,
        stop,
        signals,
        drain,
        board,
        distributions,
        questions,
    };
    Box::pin(keep_limiters(limiters, worker::work(parts))).await
}

/// How long handing back what a worker may do without Redis may take.
const LAST_WORD: std::time::Duration = std::time::Duration::from_secs(1);

/// Shows the limiters' store that this worker lives, as long as it works.
pub(crate) async fn keep_limiters<T>(
    limiters: Vec<Limiter>,
    working: impl Future<Output = T>,
) -> T {
    let stop = CancellationToken::new();
    let keeping =
        futures_util::future::join_all(limiters.iter().map(|limiter| limiter.keep(&stop)));
    let mut keeping = std::pin::pin!(keeping);
    let mut working = std::pin::pin!(working);
    tokio::select! {
        worked = &mut working => {
            stop.cancel();
            // Without the last word the store keeps this worker's share free for a while: no more than that.
            tokio::time::timeout(LAST_WORD, keeping).await.ok();
            worked
        }
        // It only ends when it is told to.
        _ = &mut keeping => working.await,
    }
}

/// Takes a configuration apart for a worker.
pub(crate) fn around(
    configuration: Configuration,
    portals: Vec<Portal>,
    group: Option<String>,
    on_hold: OnHold,
    signals: Signals,
) -> Around {
    // Who carries a file again means it.
    let dedupe = configuration.dedupe.filter(|_| group.is_some());
    let remembers = dedupe.is_some()
        && portals
            .iter()
            .any(|portal| portal.memory.remembers_deliveries());
    let intake =
        Intake::new(configuration.input, configuration.destinations).remembering(remembers);
    Around {
        signals,
        distributions: Distributions::of(intake.mapping_ids(), &portals),
        questions: mpsc::channel(QUESTIONS),
        intake,
        portals,
        scribe: Scribe {
            group,
            config_hash: configuration.hash,
            worker: worker_name(),
        },
        delivery: configuration.delivery,
        dedupe,
        // A file has to end; a topic can wait.
        brake: (on_hold == OnHold::Wait).then_some(BrakeSettings {
            max_ratio: configuration.brake.max_ratio,
            max_consecutive: configuration.brake.max_consecutive.get(),
        }),
        drain: configuration.drain,
        on_hold,
        finish_after: None,
        open_deliveries: MOST_OPEN,
    }
}

/// The most deliveries the engines hold: hundreds of full calls to choose from, and a bounded share of memory.
const MOST_OPEN: usize = 20_000;

/// What tells this process from others.
pub(crate) fn worker_name() -> String {
    let host = config::Surroundings::of_process()
        .variables
        .remove("HOSTNAME")
        .unwrap_or_else(|| "worker".to_owned());
    format!("{host}-{}", std::process::id())
}

/// What those who look at a run read besides the board.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) portals: Vec<WatchedPortal>,
    pub(crate) expired: Expired,
}

/// The readable side of a portal.
#[derive(Clone)]
pub(crate) struct WatchedPortal {
    pub(crate) name: String,
    pub(crate) stats: Arc<hubferry_delivery::Stats>,
    pub(crate) limiter: Limiter,
    pub(crate) memory: Arc<Memory>,
    pub(crate) limit: u32,
}

/// Links listed in a report; beyond it the number says the rest.
const LISTED_LINKS: usize = 10_000;

impl Watched {
    pub(crate) fn of(portals: &[Portal]) -> Self {
        let portals = portals
            .iter()
            .map(|portal| WatchedPortal {
                name: portal.name.clone(),
                stats: Arc::clone(&portal.stats),
                limiter: portal.limiter.clone(),
                memory: Arc::clone(&portal.memory),
                limit: portal.limit.get(),
            })
            .collect();
        Self {
            portals,
            expired: Expired::default(),
        }
    }

    fn memories(&self) -> Vec<Arc<Memory>> {
        self.portals
            .iter()
            .map(|portal| Arc::clone(&portal.memory))
            .collect()
    }

    pub(crate) fn snapshots(&self) -> Vec<StatsSnapshot> {
        self.portals
            .iter()
            .map(|portal| portal.stats.snapshot())
            .collect()
    }

    /// Whether a limit that is kept in this process grants nothing more at present. A fleet's is not asked: that would be
    /// a question to Redis with every look.
    async fn is_at_a_limit(&self) -> bool {
        for portal in &self.portals {
            if let Limiter::Local(_) = &portal.limiter
                && let Ok(limits) = portal.limiter.snapshot().await
                && limits
                    .iter()
                    .any(|limit| limit.used + limit.ahead >= limit.effective)
            {
                return true;
            }
        }
        false
    }

    /// The links that wait. Those of this process's own memory end with it, so they are listed.
    pub(crate) async fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for portal in &self.portals {
            // A Redis that does not answer any more cannot change what was done.
            let count = portal.memory.waiting_links().await.unwrap_or_default();
            waiting.count += count;
            if let Memory::Local(_) = &*portal.memory {
                let links = portal.memory.expired_links(FAR_FUTURE_MS, LISTED_LINKS);
                waiting.links.extend(links.await.unwrap_or_default());
            }
        }
        let line = |link: &Link| link.origin.as_ref().map(|origin| origin.offset);
        waiting.links.sort_by_key(line);
        waiting
    }
}

/// By then every link has expired: the year 10000.
const FAR_FUTURE_MS: i64 = 253_402_300_800_000;

/// Shows progress while a run goes on.
pub(crate) async fn with_progress<T>(
    working: impl Future<Output = T>,
    mut shown: watch::Receiver<Board>,
    watched: &Watched,
    progress: Progress,
) -> T {
    let mut working = std::pin::pin!(working);
    loop {
        // Losing `changed` is harmless: the next look sees the newest board.
        tokio::select! {
            biased;
            done = &mut working => return done,
            Ok(()) = shown.changed() => {
                let board = shown.borrow_and_update().clone();
                progress.show(board.tally.ended(), going_on(&board, watched).await);
            }
        }
    }
}

/// In at most 24 columns: what is happening, so that nobody takes a wait for a fault.
async fn going_on(board: &Board, watched: &Watched) -> String {
    if board.tally.events == 0 {
        return "starting".to_owned();
    }
    let snapshots = watched.snapshots();
    let calls: u64 = snapshots.iter().map(StatsSnapshot::total_calls).sum();
    let calls = counted(calls, "call");
    let waits = |snapshot: &StatsSnapshot| snapshot.calls_in_flight == 0 && snapshot.open_steps > 0;
    if snapshots.iter().any(waits) && watched.is_at_a_limit().await {
        format!("{calls}, limit reached")
    } else {
        format!("{calls}, {} dead", grouped(board.tally.dead_total()))
    }
}

async fn redis(configuration: &Configuration) -> Result<Option<Pool>, Failure> {
    match &configuration.redis {
        Some(settings) => portals::redis(settings).await.map(Some),
        None => Ok(None),
    }
}

/// The connection settings of the Kafka client.
pub(crate) fn kafka_client(kafka: &Kafka) -> ClientSettings {
    ClientSettings {
        brokers: kafka.brokers.clone(),
        properties: kafka.properties.0.clone(),
    }
}

pub(crate) fn kafka_settings(kafka: &Kafka, intake: &Bounds) -> KafkaSettings {
    KafkaSettings {
        client: kafka_client(kafka),
        group: kafka.group.clone(),
        topics: kafka.topics.clone(),
        session_timeout: kafka.session_timeout,
        group_protocol: kafka.group_protocol,
        bounds: bounds(intake),
    }
}

/// Checks broker and topics, and opens the dead-letter topics.
pub(crate) async fn kafka_letters(
    kafka: &Kafka,
    client: &ClientSettings,
    parking: CancellationToken,
) -> Result<DeadLetters, Failure> {
    client
        .check()
        .map_err(|error| Failure::Usage(format!("config_invalid: {error}")))?;
    let template = DeadLetterTopic::parse(&kafka.dead_letter_topic).map_err(|error| {
        Failure::Usage(format!("config_invalid: kafka.dead_letter_topic: {error}"))
    })?;
    reachable(client, START_PATIENCE)
        .await
        .map_err(|error| outside(&error))?;
    KafkaDeadLetters::connect(client, template, &kafka.topics, START_PATIENCE, parking)
        .await
        .map(DeadLetters::Kafka)
        .map_err(|error| outside(&error))
}

fn bounds(intake: &Bounds) -> IntakeBounds {
    IntakeBounds {
        partition_bytes: intake.partition_bytes,
        worker_bytes: intake.worker_bytes,
        partition_messages: intake.partition_messages,
    }
}

fn outside(error: &StreamError) -> Failure {
    Failure::Outside(error.to_string())
}

pub(crate) fn tell_warnings(warnings: &[impl std::fmt::Display]) {
    for warning in warnings {
        output::tell(&format!("warning: {warning}"));
    }
}
