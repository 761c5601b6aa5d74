//! A replay from its first letter to its report: portals, engines, the book beside them.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use hubferry_delivery::{Backlog, Engine, EngineParts, PACE};
use hubferry_event::Format;
use hubferry_limiter::{Class, LimitName, LimitSettings, Limiter, LimiterOptions, Scope};
use hubferry_stream::{
    DeadLetters, FileDeadLetters, Journal, KafkaSettings, Letter, LetterError, Run, StreamError,
    restore_cut,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::again::{self, Came, Halt, Parts, Written};
use super::book::{Book, outside};
use super::estimate::deliveries;
use super::pick::Chosen;
use crate::auth::watch::Watches;
use crate::brake::BrakeSettings;
use crate::config::{Configuration, Input};
use crate::exit::Failure;
use crate::holds::Holds;
use crate::intake::Intake;
use crate::output::{self, Form};
use crate::portals::{self, Portal, Probe, START_PATIENCE};
use crate::progress::Progress;
use crate::run::{self, Watched};
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::words::{counted, grouped, size};

/// The mappings, reading single events: a letter holds one, whatever the topic's messages look like.
pub(super) fn intake(configuration: Configuration) -> Intake {
    let input = Input {
        format: Format::Json,
        ..configuration.input
    };
    Intake::new(input, configuration.destinations)
}

/// Calls in ten seconds: what was asked for, within the portals' limits.
pub(super) fn rate(configuration: &Configuration, max_rate: Option<NonZeroU32>) -> NonZeroU32 {
    let enabled = configuration.destinations.iter().filter(|one| one.enabled);
    let limit = enabled.map(|one| one.hubspot.limits.ten_seconds).min();
    let limits = [limit, max_rate].into_iter().flatten();
    limits.min().unwrap_or(NonZeroU32::MIN)
}

/// Where letters come from and where their fate is written.
pub(super) enum Task {
    /// The dead-letter topic and the journal.
    Journal {
        journal: Box<Journal>,
        run: Box<Run>,
        settings: Box<KafkaSettings>,
    },
    /// A file, and another one for what is still dead.
    File {
        dead_letters: PathBuf,
        /// Letters of the file that are not selected: they are still dead.
        others: Vec<Letter>,
    },
}

/// What letters go through, and who hears of their ends.
struct Way {
    portals: Vec<Portal>,
    parking: Arc<DeadLetters>,
    run: String,
    group: Option<String>,
    book: mpsc::Sender<Written>,
    halt: CancellationToken,
    signals: Signals,
}

/// A replay that has not begun.
pub(super) struct Session {
    configuration: Configuration,
    letters: Vec<Chosen>,
    max_rate: Option<NonZeroU32>,
    form: Form,
}

/// Admissions between the conductor and an engine.
const ADMISSIONS: usize = 512;

/// Batches of endings on their way back.
const ENDINGS: usize = 64;

/// Letters on their way to the journal.
const WRITTEN: usize = 4_096;

/// Calls on the wire at once.
const CALLS_IN_FLIGHT: usize = 32;

/// Letters whose origins are read again in one go.
const RESTORED_AT_ONCE: usize = 100;

impl Session {
    pub(super) fn over(
        configuration: Configuration,
        letters: Vec<Chosen>,
        max_rate: Option<NonZeroU32>,
        form: Form,
    ) -> Self {
        Self {
            configuration,
            letters,
            max_rate,
            form,
        }
    }

    /// Replays and reports.
    ///
    /// # Errors
    ///
    /// Something outside is not there, or the replay stopped before its end; what had ended is written down.
    pub(super) async fn go(mut self, task: Task) -> Result<(), Failure> {
        match task {
            Task::Journal {
                journal,
                run,
                settings,
            } => {
                restore(&settings, &mut self.letters).await?;
                Box::pin(self.over_topic(*journal, *run, *settings)).await
            }
            Task::File {
                dead_letters,
                others,
            } => {
                check_whole(&self.letters)?;
                Box::pin(self.over_file(dead_letters, others)).await
            }
        }
    }

    async fn over_topic(
        mut self,
        journal: Journal,
        run: Run,
        settings: KafkaSettings,
    ) -> Result<(), Failure> {
        let Some(kafka) = self.configuration.kafka.clone() else {
            return Err(Failure::Bug("a journal without kafka".to_owned()));
        };
        let started = Instant::now();
        let signals = Signals::of_process()?;
        let parking = CancellationToken::new();
        let parked = run::kafka_letters(&kafka, &settings.client, parking.clone()).await?;
        let portals = self.portals().await?;
        let id = run.id.clone();
        let worker = run::worker_name();
        let mut book = Book::begin(journal, run, worker).await?;
        let held = self.claim(&mut book).await?;
        if held > 0 {
            let letters = counted(held, "letter");
            output::tell(&format!(
                "{letters} left out: another replay holds or ended them"
            ));
        }
        book.plan(self.deliveries());
        let watched = Watched::of(&portals);
        let halt = CancellationToken::new();
        let (sender, written) = mpsc::channel(WRITTEN);
        let group = Some(kafka.group.clone());
        let watches = Watches::of(&portals);
        let form = self.form;
        let going = self.send(Way {
            portals,
            parking: Arc::new(parked),
            run: id,
            group,
            book: sender,
            halt: halt.clone(),
            signals,
        });
        let keeping = Box::pin(book.keep(written, halt));
        let both = async { tokio::join!(going, keeping) };
        let (came, (book, kept)) = Box::pin(watches.beside(both)).await;
        parking.cancel();
        let came = came?;
        let told = book.told();
        let reason = came.halt.as_ref().map(|halt| reason_of(halt, &told));
        kept?;
        let run = book.end(reason).await?;
        report(
            form,
            &Told {
                run: Some(&run),
                came: &came,
                watched: &watched,
                held,
                started,
            },
        )
        .await?;
        judge(&came, &run.id, &told)
    }

    async fn over_file(self, dead_letters: PathBuf, others: Vec<Letter>) -> Result<(), Failure> {
        let started = Instant::now();
        let usage = |error: StreamError| Failure::Usage(error.to_string());
        let signals = Signals::of_process()?;
        FileDeadLetters::check(&dead_letters).map_err(usage)?;
        let portals = self.portals().await?;
        let letters = DeadLetters::File(FileDeadLetters::create(&dead_letters).map_err(usage)?);
        let letters = Arc::new(letters);
        for other in others {
            letters.park(other.letter).await.map_err(outside)?;
        }
        let watched = Watched::of(&portals);
        let (sender, mut written) = mpsc::channel(WRITTEN);
        let form = self.form;
        let parking = Arc::clone(&letters);
        let halt = CancellationToken::new();
        let going = self.send(Way {
            portals,
            parking,
            run: "file".to_owned(),
            group: None,
            book: sender,
            halt,
            signals,
        });
        // Nothing is kept: the file of what is still dead says all.
        let keeping = async { while written.recv().await.is_some() {} };
        let (came, ()) = tokio::join!(going, keeping);
        let mut came = came?;
        for left in std::mem::take(&mut came.left) {
            letters.park(left.letter).await.map_err(outside)?;
        }
        report(
            form,
            &Told {
                run: None,
                came: &came,
                watched: &watched,
                held: 0,
                started,
            },
        )
        .await?;
        if form == Form::Text {
            output::tell(&format!("what is still dead: {}", dead_letters.display()));
        }
        judge(&came, "", "")
    }

    async fn portals(&self) -> Result<Vec<Portal>, Failure> {
        let pool = match &self.configuration.redis {
            Some(settings) => Some(portals::redis(settings).await?),
            None => None,
        };
        portals::open(&self.configuration, pool.as_ref(), Probe::Reachable).await
    }

    fn deliveries(&self) -> u64 {
        size(self.letters.iter().map(|one| one.mappings.len()).sum())
    }

    /// Claims the letters, and lets go of what another replay holds or has ended since.
    async fn claim(&mut self, book: &mut Book) -> Result<u64, Failure> {
        let ids: Vec<String> = self.letters.iter().map(|one| one.letter.id()).collect();
        book.claim(&ids).await?;
        let before = self.letters.len();
        self.letters.retain_mut(|chosen| {
            let (id, offset) = (chosen.letter.id(), chosen.letter.at.offset.get());
            chosen
                .mappings
                .retain(|mapping| !book.has_ended(&id, mapping, offset));
            book.is_ours(&id) && !chosen.mappings.is_empty()
        });
        Ok(size(before - self.letters.len()))
    }

    async fn send(self, way: Way) -> Result<Came, Failure> {
        let Way {
            portals,
            parking,
            run,
            group,
            book,
            halt,
            signals,
        } = way;
        let max_rate = self.max_rate;
        let total = self.deliveries();
        let configuration = self.configuration;
        let delivery = configuration.delivery;
        let scribe = Scribe {
            group,
            config_hash: configuration.hash.clone(),
            worker: run::worker_name(),
        };
        let brake = BrakeSettings {
            max_ratio: configuration.brake.max_ratio,
            max_consecutive: configuration.brake.max_consecutive.get(),
        };
        let drain = configuration.drain;
        let intake = intake(configuration);
        let holds = Holds::new(
            portals
                .iter()
                .map(|portal| (portal.name.clone(), Arc::clone(&portal.stats))),
        );
        let stop = CancellationToken::new();
        let backlog = Backlog::default();
        backlog.set(self.letters.len() > ADMISSIONS);
        let (to_conductor, endings) = mpsc::channel(ENDINGS);
        let pace = max_rate.map(pace).transpose()?;
        let mut tasks = JoinSet::new();
        let mut engines = Vec::new();
        let limiters = portals
            .iter()
            .map(|portal| portal.limiter.clone())
            .collect();
        for (seed, portal) in (1..).zip(portals) {
            let mut engine = Engine::new(EngineParts {
                scheduler: portals::scheduler_settings(&delivery, seed),
                calls_in_flight: CALLS_IN_FLIGHT,
                client: portal.client,
                limiter: portal.limiter,
                memory: portal.memory,
                mappings: intake.mapping_ids().to_vec(),
                stats: portal.stats,
                backlog: backlog.clone(),
            })
            .of_class(Class::Replay);
            if let Some(pace) = &pace {
                engine = engine.paced(pace.clone());
            }
            let (sender, admissions) = mpsc::channel(ADMISSIONS);
            engines.push(sender);
            tasks.spawn(engine.run(admissions, to_conductor.clone(), stop.clone()));
        }
        drop(to_conductor);
        let parts = Parts {
            run,
            letters: self.letters,
            intake,
            scribe,
            parking,
            engines,
            endings,
            tasks,
            holds,
            brake,
            book,
            halt,
            stop,
            signals,
            drain,
            progress: Progress::start(Some(total), "ended"),
        };
        Box::pin(run::keep_limiters(limiters, again::go(parts))).await
    }
}

/// All engines together go no faster.
fn pace(max_rate: NonZeroU32) -> Result<Limiter, Failure> {
    let limit = LimitSettings::ten_seconds(LimitName::new(PACE), max_rate);
    Limiter::local_with(Scope::new("replay"), vec![limit], LimiterOptions::default())
        .map_err(|error| Failure::Usage(format!("--max-rate: {error}")))
}

/// Reads the origins of letters that were cut again. A letter that stays cut is one line and the end: what is not whole
/// cannot be mapped.
async fn restore(settings: &KafkaSettings, letters: &mut [Chosen]) -> Result<(), Failure> {
    let mut cut: Vec<&mut Chosen> = letters
        .iter_mut()
        .filter(|one| one.letter.cut.is_some())
        .collect();
    for some in cut.chunks_mut(RESTORED_AT_ONCE) {
        let mut whole: Vec<Letter> = some.iter().map(|one| one.letter.clone()).collect();
        let event_of = |message: &hubferry_stream::Message, element: Option<u32>| match element {
            None => message.body.clone(),
            // The envelope's defaults belong to it, and only the worker that read it knew its form.
            Some(_) => None,
        };
        let failed = restore_cut(settings, &mut whole, START_PATIENCE, event_of)
            .await
            .map_err(outside)?;
        if let Some(error) = failed.first() {
            return Err(Failure::Data(error.to_string()));
        }
        for (chosen, letter) in some.iter_mut().zip(whole) {
            chosen.letter = letter;
        }
    }
    Ok(())
}

/// A line of a file says its event whole or not at all.
fn check_whole(letters: &[Chosen]) -> Result<(), Failure> {
    let cut = letters
        .iter()
        .find(|one| one.letter.cut.is_some() || one.letter.letter.truncated);
    match cut {
        None => Ok(()),
        Some(cut) => {
            let at = cut.letter.at.clone();
            Err(Failure::Data(LetterError::OriginDiffers { at }.to_string()))
        }
    }
}

/// What a report is made of.
struct Told<'t> {
    run: Option<&'t Run>,
    came: &'t Came,
    watched: &'t Watched,
    /// Letters that another replay holds.
    held: u64,
    started: Instant,
}

async fn report(form: Form, told: &Told<'_>) -> Result<(), Failure> {
    let Told {
        run,
        came,
        watched,
        held,
        started,
    } = told;
    let snapshots = watched.snapshots();
    let calls: u64 = snapshots
        .iter()
        .map(hubferry_delivery::StatsSnapshot::total_calls)
        .sum();
    let mut by_endpoint = std::collections::BTreeMap::<String, u64>::new();
    for (endpoint, stats) in snapshots.iter().flat_map(|snapshot| &snapshot.calls) {
        *by_endpoint.entry(endpoint.clone()).or_default() += stats.calls;
    }
    let links = watched.waiting().await.count;
    let seconds = started.elapsed().as_secs_f64();
    match form {
        Form::Json => output::print_json(&json!({
            "replay": run.map(|run| &run.id),
            "plan": run.and_then(|run| run.plan.as_ref()),
            "state": if came.halt.is_some() { "stopped" } else { "done" },
            "reason": run.and_then(|run| run.reason.as_ref()),
            "resolved": came.resolved,
            "failed": came.failed,
            "held_by_others": held,
            "letters_left": came.left.len(),
            "calls": by_endpoint,
            "links_waiting": links,
            "seconds": (seconds * 10.0).round() / 10.0,
        })),
        Form::Text => output::print(&format!(
            "{} resolved, {} failed again, {} left; {} in {seconds:.1} s\n",
            deliveries(came.resolved),
            grouped(came.failed),
            counted(size(came.left.len()), "letter"),
            counted(calls, "call"),
        )),
    }
}

fn reason_of(halt: &Halt, told: &str) -> String {
    match halt {
        Halt::Interrupted => "interrupted by a signal".to_owned(),
        Halt::Told => told.to_owned(),
        Halt::Held(line) | Halt::Braked(line) | Halt::Failed(line) => line.clone(),
    }
}

/// A replay that somebody stopped did what it was told; one that stopped by itself says why.
fn judge(came: &Came, run: &str, told: &str) -> Result<(), Failure> {
    let resume = if run.is_empty() {
        String::new()
    } else {
        format!("; `hubferry replay resume {run}` goes on")
    };
    let line = |why: &str| format!("the replay stopped: {why}{resume}");
    match &came.halt {
        None => Ok(()),
        Some(Halt::Told) => {
            output::tell(&line(told));
            Ok(())
        }
        Some(Halt::Braked(why)) => Err(Failure::Data(line(why))),
        Some(Halt::Interrupted) => Err(Failure::Outside(line("interrupted by a signal"))),
        Some(Halt::Held(why) | Halt::Failed(why)) => Err(Failure::Outside(line(why))),
    }
}
