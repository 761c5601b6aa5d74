//! `hubferry dlq`: dead letters listed, shown, counted by cause, explained and taken out.

pub(crate) mod filters;
pub(crate) mod shelf;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use hubferry_stream::{Causes, DeadLetter, FailedMapping, Letter, LetterError, Sample, Selection};
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::config::Loaded;
use crate::exit::Failure;
use crate::output::{self, Form};
use filters::Filters;
use shelf::{Journals, Shelf};

#[derive(Args, Debug)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    what: What,
}

impl DlqArgs {
    /// Whether a configuration is needed: without one, a file is read.
    pub(crate) fn needs_configuration(&self) -> bool {
        self.place().input.is_none()
    }

    fn place(&self) -> &Place {
        match &self.what {
            What::List(which) | What::Count(which) | What::Export(which) => &which.place,
            What::Show(show) => &show.place,
            What::Explain(explain) => &explain.place,
        }
    }
}

#[derive(Subcommand, Debug)]
enum What {
    /// One line for each open dead letter
    List(Which),
    /// One dead letter: what failed, what was delivered, where it came from
    Show(Show),
    /// Open dead letters by cause: how many, since when, an example, what to do
    Count(Which),
    /// One cause: what it means, what to do, which letters, whether it still happens
    Explain(Explain),
    /// Open dead letters as NDJSON, as `run --dead-letters` and `replay --input` know them
    Export(Which),
}

#[derive(Args, Debug)]
struct Which {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,
}

#[derive(Args, Debug)]
struct Place {
    /// A --dead-letters file instead of the dead-letter topics
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Show {
    /// The letter's id, or how it begins
    #[arg(value_name = "ID")]
    id: String,
    /// Print the original bytes, which may be personal, and nothing else
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
struct Explain {
    /// MAPPING:CODE or MAPPING:CODE:PROPERTY, as `dlq count` prints it; a code alone will do
    #[arg(value_name = "CAUSE")]
    cause: String,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked.
///
/// # Errors
///
/// The letters cannot be read, or there is no such letter.
pub(crate) async fn dlq(loaded: Option<Loaded>, args: DlqArgs, form: Form) -> Result<(), Failure> {
    let configuration = loaded.as_ref().map(|loaded| &loaded.configuration);
    let shelf = Shelf::of(configuration, args.place().input.clone())?;
    let journals = shelf.journals(configuration).await?;
    match args.what {
        What::List(which) => list(&shelf, &journals, &which.filters, form).await,
        What::Show(asked) => show(&shelf, &asked, form).await,
        What::Count(which) => count(&shelf, &journals, &which.filters, form).await,
        What::Explain(asked) => explain(&shelf, &journals, &asked.cause, form).await,
        What::Export(which) => export(&shelf, &journals, &which.filters).await,
    }
}

/// Letters that `list` shows unless `--limit` says how many.
const LISTED: usize = 100;

/// Letters that `explain` names.
const NAMED: usize = 10;

/// Looks at the open letters that are meant, with the failed mappings that are meant of each.
async fn chosen(
    shelf: &Shelf,
    journals: &Journals,
    selection: &Selection,
    mut visit: impl FnMut(&Letter, Vec<&FailedMapping>) + Send,
) -> Result<(), Failure> {
    let (limit, size) = (selection.limit().unwrap_or(usize::MAX), selection.sample());
    let mut sample = size.map(Sample::new);
    let mut seen = 0;
    let mut unreadable = Unreadable::default();
    let mut look = |letter: Letter| {
        if journals.open(&letter, selection.chosen(&letter)).is_empty() || seen >= limit {
            return;
        }
        seen += 1;
        match &mut sample {
            Some(sample) => sample.offer(&letter.id(), letter),
            None => visit(&letter, journals.open(&letter, selection.chosen(&letter))),
        }
    };
    shelf
        .look(&mut look, &mut |error| unreadable.tell(&error))
        .await?;
    for letter in sample.into_iter().flat_map(Sample::into_items) {
        visit(&letter, journals.open(&letter, selection.chosen(&letter)));
    }
    unreadable.judge()
}

/// What is no letter that can be read: the first ones are told, the others counted.
#[derive(Default)]
struct Unreadable(usize);

impl Unreadable {
    fn tell(&mut self, error: &LetterError) {
        self.0 += 1;
        if self.0 <= NAMED {
            output::tell(&format!("hubferry: {error}"));
        }
    }

    /// The others were shown, but not all: a script must know.
    fn judge(&self) -> Result<(), Failure> {
        match self.0 {
            0 => Ok(()),
            many => Err(Failure::Data(format!(
                "{} could not be read",
                crate::words::counted(crate::words::size(many), "dead letter")
            ))),
        }
    }
}

async fn list(
    shelf: &Shelf,
    journals: &Journals,
    filters: &Filters,
    form: Form,
) -> Result<(), Failure> {
    let selection = filters.selection(now_ms())?;
    let most = match (selection.limit(), selection.sample()) {
        (None, None) => LISTED,
        _ => usize::MAX,
    };
    let (mut lines, mut total) = (Vec::new(), 0_usize);
    let read = chosen(shelf, journals, &selection, |letter, failed| {
        total += 1;
        if lines.len() < most {
            lines.push(match form {
                Form::Json => text::line_json(letter, &failed),
                Form::Text => Value::String(text::line(letter, &failed)),
            });
        }
    })
    .await;
    match form {
        Form::Json => output::print_json(&json!({ "letters": lines, "total": total }))?,
        Form::Text => {
            let shown: String = lines.iter().filter_map(Value::as_str).collect();
            output::print(&shown)?;
            if total > lines.len() {
                output::tell(&format!(
                    "{} of {total} shown; --limit says how many",
                    lines.len()
                ));
            }
        }
    }
    read
}

async fn show(shelf: &Shelf, asked: &Show, form: Form) -> Result<(), Failure> {
    let (mut found, mut ids) = (None, BTreeSet::new());
    let mut unreadable = Unreadable::default();
    let mut look = |letter: Letter| {
        if letter.id().starts_with(&asked.id) {
            ids.insert(letter.id());
            found = Some(letter);
        }
    };
    shelf
        .look(&mut look, &mut |error| unreadable.tell(&error))
        .await?;
    let letter = match (found, ids.len()) {
        (Some(letter), 1) => letter,
        (None, _) => {
            return Err(Failure::Data(format!(
                "no dead letter has the id {}",
                asked.id
            )));
        }
        (Some(_), several) => {
            return Err(Failure::Data(format!(
                "{several} dead letters have ids that begin with {}",
                asked.id
            )));
        }
    };
    if asked.raw {
        return output::print_bytes(&letter.letter.value);
    }
    match form {
        Form::Json => output::print_json(&text::headers(&letter)),
        Form::Text => output::print(&text::page(&letter)),
    }
}

async fn count(
    shelf: &Shelf,
    journals: &Journals,
    filters: &Filters,
    form: Form,
) -> Result<(), Failure> {
    let selection = filters.selection(now_ms())?;
    let (mut causes, mut letters) = (Causes::default(), 0_u64);
    let read = chosen(shelf, journals, &selection, |letter, failed| {
        letters += 1;
        for failed in failed {
            causes.add(letter, failed);
        }
    })
    .await;
    match form {
        Form::Json => output::print_json(&text::causes_json(&causes, letters))?,
        Form::Text => output::print(&text::causes(&causes, letters))?,
    }
    read
}

async fn explain(
    shelf: &Shelf,
    journals: &Journals,
    cause: &str,
    form: Form,
) -> Result<(), Failure> {
    let mut selection = Selection::default();
    let name = if cause.contains(':') { "cause" } else { "code" };
    selection
        .add(name, cause, now_ms())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let (mut causes, mut letters) = (Causes::default(), Vec::new());
    let read = chosen(shelf, journals, &selection, |letter, failed| {
        for failed in failed {
            causes.add(letter, failed);
        }
        if letters.len() < NAMED {
            letters.push(letter.id());
        }
    })
    .await;
    if causes.is_empty() {
        return Err(Failure::Data(format!(
            "no open dead letter has the cause {cause}; `hubferry dlq count` names them"
        )));
    }
    match form {
        Form::Json => output::print_json(&text::explained_json(&causes, &letters, now_ms()))?,
        Form::Text => output::print(&text::explained(&causes, &letters, now_ms()))?,
    }
    read
}

async fn export(shelf: &Shelf, journals: &Journals, filters: &Filters) -> Result<(), Failure> {
    let selection = filters.selection(now_ms())?;
    let mut printed = Ok(());
    let read = chosen(shelf, journals, &selection, |letter, failed| {
        if printed.is_ok() {
            printed = output::print_json(&exported(&letter.letter, &failed));
        }
    })
    .await;
    printed.and(read)
}

/// The letter with those of its failed mappings that are meant, and the original bytes beside it where the event as JSON
/// is not the same byte for byte.
fn exported(letter: &DeadLetter, failed: &[&FailedMapping]) -> Value {
    let mut letter = letter.clone();
    letter.failed = failed.iter().map(|failed| (*failed).clone()).collect();
    let mut line = letter.to_json();
    let same = match (line.get("event"), line.get("raw")) {
        (Some(event), _) => event.to_string().as_bytes() == letter.value,
        (None, raw) => raw
            .and_then(Value::as_str)
            .is_some_and(|raw| raw.as_bytes() == letter.value),
    };
    if !same {
        line["value.base64"] = STANDARD.encode(&letter.value).into();
    }
    line
}
