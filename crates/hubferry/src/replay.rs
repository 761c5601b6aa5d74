//! `hubferry replay`: dead letters go through again. Only what failed, in order, at their own pace, and written down in a
//! journal, so that a replay can be stopped, resumed, and run beside another.

mod again;
mod anew;
mod book;
mod estimate;
mod pick;
mod session;

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hubferry_stream::{
    Audit, DeliveryResult, Ending, Entry, Journal, JournalState, Plan, Run, RunState, Selection,
    Standing,
};
use serde_json::{Value, json};

use crate::clock::{now_ms, rfc3339};
use crate::config::{Configuration, Destination, Loaded};
use crate::dlq::filters::{self, Filters};
use crate::dlq::shelf::{Journals, Shelf};
use crate::exit::Failure;
use crate::output::{self, Form};
use crate::portals::START_PATIENCE;
use crate::words::{counted, grouped};
use book::{failure, outside};
use estimate::{Estimate, Shown, deliveries};
use pick::{Picked, Wish, pick};
use session::{Session, Task};

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Say what a replay would do and what it costs; nothing is sent
    Plan(PlanArgs),
    /// Replay what a plan or the filters select
    Run(RunArgs),
    /// How replays stand, and how many letters are open
    Status(Topic),
    /// Stop a replay; it can be resumed
    Stop(Which),
    /// Go on with a replay that was stopped or killed
    Resume(ResumeArgs),
    /// Say that these letters are not wanted any more
    Discard(DiscardArgs),
}

#[derive(Args, Debug)]
struct Topic {
    /// The source topic, when the configuration has several
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

#[derive(Args, Debug)]
struct PlanArgs {
    #[command(flatten)]
    topic: Topic,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    how: How,
    /// A --dead-letters file instead of the dead-letter topic
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct How {
    /// At most so many calls in 10 seconds
    #[arg(long, value_name = "CALLS")]
    max_rate: Option<NonZeroU32>,
    /// Only with the configuration that judged the letters
    #[arg(long)]
    as_recorded: bool,
    /// Also letters that wait for an earlier one of the same person that is not selected
    #[arg(long)]
    ignore_blocker: bool,
}

#[derive(Args, Debug)]
struct RunArgs {
    /// A plan, as `replay plan` names it
    #[arg(value_name = "PLAN", conflicts_with = "input")]
    plan: Option<String>,
    #[command(flatten)]
    topic: Topic,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    how: How,
    /// A --dead-letters file instead of the dead-letter topic
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where those letters of --input go that are still dead
    #[arg(
        long,
        value_name = "FILE",
        default_value = "still-dead.ndjson",
        requires = "input"
    )]
    dead_letters: PathBuf,
}

#[derive(Args, Debug)]
struct Which {
    /// The replay; without it the last one that is not done
    #[arg(value_name = "REPLAY")]
    id: Option<String>,
    #[command(flatten)]
    topic: Topic,
}

#[derive(Args, Debug)]
struct ResumeArgs {
    #[command(flatten)]
    which: Which,
    /// At most so many calls in 10 seconds
    #[arg(long, value_name = "CALLS")]
    max_rate: Option<NonZeroU32>,
}

#[derive(Args, Debug)]
struct DiscardArgs {
    #[command(flatten)]
    topic: Topic,
    #[command(flatten)]
    filters: Filters,
}

/// How long a plan may be run.
const PLAN_MS: i64 = 24 * 3_600_000;

/// How often a letter may be replayed before it has to be named.
const MAX_REPLAYS: u32 = 5;

/// How long a stop waits for the replay to end: calls on the wire come back first.
const STOP_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Does what was asked.
///
/// # Errors
///
/// Nothing is selected, a plan is over, a letter cannot be read, or something outside is not there.
pub(crate) async fn replay(loaded: Loaded, args: ReplayArgs, form: Form) -> Result<(), Failure> {
    let configuration = loaded.configuration;
    match args.what {
        What::Plan(asked) => plan(configuration, &asked, form).await,
        What::Run(asked) => run(configuration, asked, form).await,
        What::Status(topic) => status(&configuration, &topic, form).await,
        What::Stop(which) => stop(&configuration, &which).await,
        What::Resume(asked) => resume(configuration, asked, form).await,
        What::Discard(asked) => discard(&configuration, &asked, form).await,
    }
}

/// A source with its dead letters and its journal.
struct Desk {
    source: String,
    shelf: Shelf,
    journal: Journal,
}

impl Desk {
    async fn open(configuration: &Configuration, topic: &Topic) -> Result<Self, Failure> {
        let source = source(configuration, topic)?;
        let shelf = Shelf::of(Some(configuration), None)?.only(configuration, &source)?;
        let Shelf::Topics(settings, _) = &shelf else {
            return Err(Failure::Bug("a source without topics".to_owned()));
        };
        let journal = Journal::open(settings, &Journal::topic_of(&source), START_PATIENCE)
            .await
            .map_err(failure)?;
        Ok(Self {
            source,
            shelf,
            journal,
        })
    }

    fn state(&self) -> &JournalState {
        self.journal.state()
    }

    /// Picks the letters of a wish, with what the journal says now.
    async fn pick(&self, wish: &Wish<'_>) -> Result<Picked, Failure> {
        let journals = Journals::one(self.state().clone());
        let wish = Wish {
            source: Some(&self.source),
            ..*wish
        };
        pick(&self.shelf, &journals, &wish).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), Failure> {
        self.journal.write(entries).await.map(drop).map_err(outside)
    }
}

fn source(configuration: &Configuration, topic: &Topic) -> Result<String, Failure> {
    let kafka = configuration.kafka.as_ref();
    let sources = kafka.map_or(&[][..], |kafka| &kafka.topics);
    match (&topic.topic, sources) {
        (_, []) => Err(Failure::Usage(
            "no kafka in the configuration: name a file of dead letters with --input".to_owned(),
        )),
        (None, [only]) => Ok(only.clone()),
        (None, several) => Err(Failure::Usage(format!(
            "several topics in the configuration: name one of {} with --topic",
            several.join(", ")
        ))),
        (Some(named), known) if known.contains(named) => Ok(named.clone()),
        (Some(named), _) => Err(Failure::Usage(format!(
            "topic `{named}` is not in kafka.topics of the configuration"
        ))),
    }
}

/// A short name that no other has.
fn fresh_id(kind: char) -> String {
    format!("{kind}{:x}{:04x}", now_ms(), rand::random::<u16>())
}

/// Who does this, for the audit.
fn who() -> String {
    let mut variables = crate::config::Surroundings::of_process().variables;
    let user = variables
        .remove("USER")
        .unwrap_or_else(|| "somebody".to_owned());
    match variables.remove("HOSTNAME") {
        Some(host) => format!("{user}@{host}"),
        None => user,
    }
}

fn audit(what: &str, id: &str, note: String) -> Entry {
    let by = who();
    tracing::info!(what, id, by, note, "replay");
    Entry::Audit(Audit {
        at_ms: now_ms(),
        by,
        what: what.to_owned(),
        id: id.to_owned(),
        note,
    })
}

fn wish<'w>(
    selection: &'w Selection,
    filters: &Filters,
    mappings: &'w [String],
    how: &How,
) -> Wish<'w> {
    Wish {
        selection,
        source: None,
        ends: None,
        mappings,
        max_replays: MAX_REPLAYS,
        worn_out_too: filters.names_letters(),
        ignore_blocker: how.ignore_blocker,
    }
}

/// The ids of the mappings that take part now, and of the deletions.
fn mappings(configuration: &Configuration) -> Vec<String> {
    let enabled = configuration.destinations.iter().filter(|one| one.enabled);
    enabled.flat_map(Destination::active_ids).collect()
}

fn nothing(picked: &Picked) -> Failure {
    picked.tell_left_out(MAX_REPLAYS);
    Failure::Data(
        "no open dead letter is selected; `hubferry dlq count` shows what there is".to_owned(),
    )
}

/// Refuses letters that another configuration judged.
fn as_recorded(how: &How, picked: &Picked, hash: &str) -> Result<(), Failure> {
    let other = picked
        .letters
        .iter()
        .find(|chosen| chosen.letter.letter.config_hash != hash);
    match other {
        Some(other) if how.as_recorded => Err(Failure::Data(format!(
            "--as-recorded: dead letter {} was judged by configuration {}, and this one is {hash}",
            other.letter.id(),
            other.letter.letter.config_hash
        ))),
        _ => Ok(()),
    }
}

async fn plan(configuration: Configuration, asked: &PlanArgs, form: Form) -> Result<(), Failure> {
    let selection = asked.filters.selection(now_ms())?;
    let mappings = mappings(&configuration);
    let wish = wish(&selection, &asked.filters, &mappings, &asked.how);
    let desk = match &asked.input {
        None => Some(Desk::open(&configuration, &asked.topic).await?),
        Some(_) => None,
    };
    let picked = match (&desk, &asked.input) {
        (Some(desk), _) => desk.pick(&wish).await?,
        (None, input) => {
            let shelf = Shelf::of(None, input.clone())?;
            pick(&shelf, &Journals::none(), &wish).await?
        }
    };
    if picked.letters.is_empty() {
        return Err(nothing(&picked));
    }
    as_recorded(&asked.how, &picked, &configuration.hash)?;
    let plan = desk
        .as_ref()
        .map(|_| planned(&configuration, &selection, &picked));
    if let (Some(desk), Some(plan)) = (&desk, &plan) {
        let note = format!("{} letters, {} deliveries", plan.letters, plan.deliveries);
        let entries = [Entry::Plan(plan.clone()), audit("plan", &plan.id, note)];
        desk.write(&entries).await?;
    }
    let rate = session::rate(&configuration, asked.how.max_rate);
    let estimate = Estimate::of(&picked.letters, &session::intake(configuration));
    let shown = Shown {
        plan: plan.as_ref(),
        picked: &picked,
        estimate: &estimate,
        rate,
    };
    match form {
        Form::Json => output::print_json(&shown.to_json()),
        Form::Text => output::print(&shown.to_text()),
    }
}

fn planned(configuration: &Configuration, selection: &Selection, picked: &Picked) -> Plan {
    let now = now_ms();
    Plan {
        id: fresh_id('p'),
        at_ms: now,
        expires_ms: now + PLAN_MS,
        by: who(),
        selection: selection.to_string(),
        ends: picked.ends.clone(),
        letters: crate::words::size(picked.letters.len()),
        deliveries: picked.deliveries(),
        config_hash: configuration.hash.clone(),
    }
}

async fn run(configuration: Configuration, asked: RunArgs, form: Form) -> Result<(), Failure> {
    let selection = asked.filters.selection(now_ms())?;
    if let Some(input) = asked.input.clone() {
        return over_file(configuration, &selection, &asked, input, form).await;
    }
    let desk = Desk::open(&configuration, &asked.topic).await?;
    let pinned = match &asked.plan {
        Some(_) if !selection.is_everything() => {
            return Err(Failure::Usage(
                "a plan has its own filters: name the plan alone".to_owned(),
            ));
        }
        Some(id) => Some(pinned(desk.state(), id)?),
        None if selection.is_everything() => {
            return Err(Failure::Data(
                "nothing is selected: name a plan, or what to replay, such as --since -2h or --cause CAUSE"
                    .to_owned(),
            ));
        }
        None => None,
    };
    let selection = match &pinned {
        Some(plan) => filters::written(&plan.selection, now_ms())?,
        None => selection,
    };
    let mappings = mappings(&configuration);
    let mut wish = wish(&selection, &asked.filters, &mappings, &asked.how);
    wish.ends = pinned.as_ref().map(|plan| plan.ends.as_slice());
    wish.worn_out_too |= names_letters(&selection);
    let picked = desk.pick(&wish).await?;
    if picked.letters.is_empty() {
        return Err(nothing(&picked));
    }
    as_recorded(&asked.how, &picked, &configuration.hash)?;
    let mut entries = Vec::new();
    let plan = match pinned {
        Some(plan) => {
            if plan.config_hash != configuration.hash {
                output::tell(
                    "the configuration has changed since the plan was made; the current one is used",
                );
            }
            plan
        }
        None => {
            let plan = planned(&configuration, &selection, &picked);
            entries.push(Entry::Plan(plan.clone()));
            plan
        }
    };
    let run = Run {
        id: fresh_id('r'),
        plan: Some(plan.id.clone()),
        selection: plan.selection.clone(),
        state: RunState::Running,
        reason: None,
        at_ms: now_ms(),
        by: who(),
        planned: picked.deliveries(),
        resolved: 0,
        failed: 0,
    };
    entries.push(audit(
        "run",
        &run.id,
        format!("plan {}, {} deliveries", plan.id, run.planned),
    ));
    desk.write(&entries).await?;
    carry(configuration, desk, picked, run, asked.how.max_rate, form).await
}

/// Whether a written selection asks for letters by their ids or by how often they were replayed.
fn names_letters(selection: &Selection) -> bool {
    let text = selection.to_string();
    ["replays=", "message-id="]
        .iter()
        .any(|name| text.contains(name))
}

fn pinned(state: &JournalState, id: &str) -> Result<Plan, Failure> {
    let plan = state.plan(id).ok_or_else(|| {
        Failure::Data(format!(
            "there is no plan {id}; `hubferry replay plan` makes one"
        ))
    })?;
    if plan.expires_ms <= now_ms() {
        return Err(Failure::Data(format!(
            "plan {id} expired at {}; make a new one with `hubferry replay plan`",
            rfc3339(plan.expires_ms)
        )));
    }
    Ok(plan.clone())
}

async fn carry(
    configuration: Configuration,
    desk: Desk,
    picked: Picked,
    run: Run,
    max_rate: Option<NonZeroU32>,
    form: Form,
) -> Result<(), Failure> {
    picked.tell_left_out(MAX_REPLAYS);
    if configuration.redis.is_none() {
        output::tell(
            "warning: no redis in the configuration: newer values that other processes wrote are not known, and may be overwritten",
        );
    }
    let Desk { shelf, journal, .. } = desk;
    let Shelf::Topics(settings, _) = shelf else {
        return Err(Failure::Bug("a replay of a file has no journal".to_owned()));
    };
    let task = Task::Journal {
        journal: Box::new(journal),
        run: Box::new(run),
        settings: Box::new(settings),
    };
    Box::pin(Session::over(configuration, picked.letters, max_rate, form).go(task)).await
}

async fn over_file(
    configuration: Configuration,
    selection: &Selection,
    asked: &RunArgs,
    input: PathBuf,
    form: Form,
) -> Result<(), Failure> {
    let same = |path: &PathBuf| path.canonicalize().ok();
    if same(&input).is_some_and(|input| same(&asked.dead_letters) == Some(input)) {
        return Err(Failure::Usage(
            "--dead-letters is the file of --input: name another one".to_owned(),
        ));
    }
    let mappings = mappings(&configuration);
    let shelf = Shelf::of(None, Some(input))?;
    let wish = wish(selection, &asked.filters, &mappings, &asked.how);
    let picked = pick(&shelf, &Journals::none(), &wish).await?;
    if picked.letters.is_empty() {
        return Err(nothing(&picked));
    }
    as_recorded(&asked.how, &picked, &configuration.hash)?;
    picked.tell_left_out(MAX_REPLAYS);
    let task = Task::File {
        dead_letters: asked.dead_letters.clone(),
        others: picked.others,
    };
    let session = Session::over(configuration, picked.letters, asked.how.max_rate, form);
    Box::pin(session.go(task)).await
}

/// The replay that is meant.
fn meant(state: &JournalState, which: &Which) -> Result<Run, Failure> {
    let run = match &which.id {
        Some(id) => state.run(id),
        None => state
            .runs()
            .filter(|run| run.state != RunState::Done)
            .max_by_key(|run| run.at_ms),
    };
    run.cloned().ok_or_else(|| {
        Failure::Data(match &which.id {
            Some(id) => format!("there is no replay {id}; `hubferry replay status` lists them"),
            None => "no replay is unfinished".to_owned(),
        })
    })
}

async fn resume(
    configuration: Configuration,
    asked: ResumeArgs,
    form: Form,
) -> Result<(), Failure> {
    let desk = Desk::open(&configuration, &asked.which.topic).await?;
    let run = meant(desk.state(), &asked.which)?;
    let plan = run.plan.as_deref().and_then(|id| desk.state().plan(id));
    let Some(plan) = plan.cloned() else {
        return Err(Failure::Data(format!(
            "the plan of replay {} is gone",
            run.id
        )));
    };
    let selection = filters::written(&plan.selection, now_ms())?;
    let mappings = mappings(&configuration);
    let wish = Wish {
        selection: &selection,
        source: None,
        ends: Some(&plan.ends),
        mappings: &mappings,
        max_replays: MAX_REPLAYS,
        worn_out_too: names_letters(&selection),
        // It was decided when the replay began.
        ignore_blocker: true,
    };
    let picked = desk.pick(&wish).await?;
    let run = Run {
        state: RunState::Running,
        reason: None,
        by: who(),
        ..run
    };
    let note = format!("{} deliveries left", picked.deliveries());
    desk.write(&[audit("resume", &run.id, note)]).await?;
    carry(configuration, desk, picked, run, asked.max_rate, form).await
}

async fn stop(configuration: &Configuration, which: &Which) -> Result<(), Failure> {
    let mut desk = Desk::open(configuration, &which.topic).await?;
    let run = meant(desk.state(), which)?;
    if run.state == RunState::Done {
        return Err(Failure::Data(format!("replay {} is done", run.id)));
    }
    desk.write(&[audit("stop", &run.id, String::new())]).await?;
    let until = tokio::time::Instant::now() + STOP_PATIENCE;
    loop {
        let now = desk
            .state()
            .run(&run.id)
            .cloned()
            .unwrap_or_else(|| run.clone());
        let held = desk.state().holder(&run.id, now_ms()).is_some();
        if !held && now.state != RunState::Running {
            output::tell(&format!(
                "replay {} is stopped; `hubferry replay resume {}` goes on",
                run.id, run.id
            ));
            return Ok(());
        }
        // The process that works on it may have said at the same moment that it goes on.
        if now.state == RunState::Running {
            let stopped = Run {
                state: RunState::Stopped,
                reason: Some("asked to stop".to_owned()),
                at_ms: now_ms(),
                by: who(),
                ..now
            };
            desk.write(&[Entry::Run(stopped)]).await?;
        }
        if tokio::time::Instant::now() >= until {
            return Err(Failure::Outside(format!(
                "replay {} was told to stop, but its process has not let go yet",
                run.id
            )));
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        desk.journal.refresh().await.map_err(failure)?;
    }
}

async fn discard(
    configuration: &Configuration,
    asked: &DiscardArgs,
    form: Form,
) -> Result<(), Failure> {
    let selection = asked.filters.selection(now_ms())?;
    if selection.is_everything() {
        return Err(Failure::Data(
            "nothing is selected: name what to discard, such as --cause CAUSE".to_owned(),
        ));
    }
    let desk = Desk::open(configuration, &asked.topic).await?;
    let mappings = mappings(configuration);
    let how = How {
        max_rate: None,
        as_recorded: false,
        ignore_blocker: true,
    };
    let mut wish = wish(&selection, &asked.filters, &mappings, &how);
    wish.worn_out_too = true;
    let picked = desk.pick(&wish).await?;
    if picked.letters.is_empty() {
        return Err(nothing(&picked));
    }
    let now = now_ms();
    let id = fresh_id('d');
    let mut entries = vec![audit(
        "discard",
        &id,
        format!("{} deliveries: {selection}", picked.deliveries()),
    )];
    for chosen in &picked.letters {
        let mappings = chosen.mappings.iter();
        entries.extend(mappings.map(|mapping| {
            Entry::Result(DeliveryResult {
                letter: chosen.letter.id(),
                mapping: mapping.clone(),
                offset: chosen.letter.at.offset.get(),
                result: Ending::Discarded,
                run: None,
                at_ms: now,
                code: None,
            })
        }));
    }
    desk.write(&entries).await?;
    let (letters, count) = (picked.letters.len(), picked.deliveries());
    match form {
        Form::Json => output::print_json(&json!({ "letters": letters, "deliveries": count })),
        Form::Text => output::print(&format!(
            "{} of {} discarded\n",
            deliveries(count),
            counted(crate::words::size(letters), "dead letter")
        )),
    }
}

async fn status(configuration: &Configuration, topic: &Topic, form: Form) -> Result<(), Failure> {
    let desk = Desk::open(configuration, topic).await?;
    let state = desk.state();
    let mut standing = Standing::default();
    let mut letters = 0_u64;
    let source = &desk.source;
    desk.shelf
        .look(
            &mut |letter| {
                if letter.letter.origin.topic.as_str() == source {
                    letters += u64::from(!state.open_in(&letter).is_empty());
                    state.count(&letter, &mut standing);
                }
            },
            &mut |error| output::tell(&format!("hubferry: {error}")),
        )
        .await?;
    let mut runs: Vec<&Run> = state.runs().collect();
    runs.sort_by_key(|run| run.at_ms);
    match form {
        Form::Json => output::print_json(&json!({
            "open_letters": letters,
            "open": standing.open,
            "resolved": standing.resolved,
            "discarded": standing.discarded,
            "replays": runs.iter().map(|run| run_json(run, state)).collect::<Vec<_>>(),
        })),
        Form::Text => {
            let lines: String = runs.iter().map(|run| run_line(run, state)).collect();
            output::print(&format!(
                "{} open in {}; {} resolved, {} discarded\n{lines}",
                deliveries(standing.open),
                counted(letters, "dead letter"),
                grouped(standing.resolved),
                grouped(standing.discarded)
            ))
        }
    }
}

/// `running`, `interrupted` when its process is gone, `stopped`, `done`.
fn state_of(run: &Run, state: &JournalState) -> &'static str {
    match run.state {
        RunState::Running if state.holder(&run.id, now_ms()).is_some() => "running",
        RunState::Running => "interrupted",
        RunState::Stopped => "stopped",
        RunState::Done => "done",
    }
}

fn run_json(run: &Run, state: &JournalState) -> Value {
    json!({
        "id": run.id,
        "plan": run.plan,
        "state": state_of(run, state),
        "reason": run.reason,
        "at": rfc3339(run.at_ms),
        "by": run.by,
        "planned": run.planned,
        "resolved": run.resolved,
        "failed": run.failed,
    })
}

fn run_line(run: &Run, state: &JournalState) -> String {
    let reason = run
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    format!(
        "{}  {}  {} of {} resolved, {} failed again  {}{reason}\n",
        run.id,
        rfc3339(run.at_ms),
        grouped(run.resolved),
        grouped(run.planned),
        grouped(run.failed),
        state_of(run, state)
    )
}
