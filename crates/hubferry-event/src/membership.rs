//! Whether an event says that somebody joins or leaves: an audience or journey by its boolean, a warehouse row by what happened
//! to it (events.md §4.1, §4.2).

use crate::event::Event;
use crate::kind::EventType;
use crate::view::Json;

/// What an event says of membership.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Membership {
    /// Somebody or something joins.
    Add,
    /// It leaves.
    Remove,
}

/// Which changes of warehouse rows a mapping takes part in: its sync mode, as the framework knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum RowSync {
    /// Rows that are new.
    Add,
    /// Rows that changed.
    Update,
    /// Rows that are new or changed.
    Upsert,
    /// Rows that are gone.
    Delete,
    /// All of them.
    Mirror,
}

/// What became of a warehouse row.
#[derive(Clone, Copy)]
enum Row {
    New,
    Updated,
    Deleted,
}

impl Membership {
    /// The word: `add` or `remove`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }

    /// What an event says for a mapping with this sync mode; `None` when it says nothing. An audience's boolean comes before
    /// what happened to a row.
    #[must_use]
    pub fn of(event: &Event, sync: Option<RowSync>) -> Option<Self> {
        of_audience(event).or_else(|| of_row(row(event)?, sync?))
    }
}

impl RowSync {
    /// All modes.
    pub const ALL: [Self; 5] = [
        Self::Add,
        Self::Update,
        Self::Upsert,
        Self::Delete,
        Self::Mirror,
    ];

    /// The text of the mode in a mapping.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Mirror => "mirror",
        }
    }

    /// Reads the text of a mode; any other text is no mode.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// The boolean of an audience or a journey, under its key as it is written.
fn of_audience(event: &Event) -> Option<Membership> {
    let root = event.json();
    let personas = root.get("context")?.get("personas")?;
    let class = personas.get("computation_class").and_then(Json::as_str)?;
    if !matches!(class, "audience" | "journey_step") {
        return None;
    }
    let key = personas.get("computation_key").and_then(Json::as_str)?;
    let holder = match event.kind() {
        EventType::Identify => "traits",
        EventType::Track => "properties",
        EventType::Group
        | EventType::Page
        | EventType::Screen
        | EventType::Alias
        | EventType::Delete => return None,
    };
    let named = Some(key).filter(|key| !key.is_empty())?;
    match root.get(holder)?.get(named)?.as_bool()? {
        true => Some(Membership::Add),
        false => Some(Membership::Remove),
    }
}

/// A row change is a track event of one of these names exactly.
fn row(event: &Event) -> Option<Row> {
    if event.kind() != EventType::Track {
        return None;
    }
    match event.name()? {
        "new" => Some(Row::New),
        "updated" => Some(Row::Updated),
        "deleted" => Some(Row::Deleted),
        _ => None,
    }
}

/// The table of events.md §4.2.
const fn of_row(row: Row, sync: RowSync) -> Option<Membership> {
    match (sync, row) {
        (RowSync::Add | RowSync::Upsert | RowSync::Mirror, Row::New)
        | (RowSync::Update | RowSync::Upsert | RowSync::Mirror, Row::Updated) => {
            Some(Membership::Add)
        }
        (RowSync::Delete | RowSync::Mirror, Row::Deleted) => Some(Membership::Remove),
        (RowSync::Add, Row::Updated | Row::Deleted)
        | (RowSync::Update, Row::New | Row::Deleted)
        | (RowSync::Upsert, Row::Deleted)
        | (RowSync::Delete, Row::New | Row::Updated) => None,
    }
}
