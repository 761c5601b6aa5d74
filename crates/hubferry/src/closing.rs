//! How a delivery ended, wherever it ended: at intake, in its mapping, or at HubSpot.

use hubferry_delivery::{Ending, Note};

/// The end of a delivery, in the words of names.md §4.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Closing {
    /// HubSpot shows what it asked for.
    Delivered,
    /// Its values went out with another delivery's step.
    Merged,
    /// Nothing was to be done, for this reason.
    Skipped(&'static str),
    /// It can never succeed as it is.
    Dead(Box<Failed>),
}

/// Why a delivery is dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failed {
    /// `intake`, `mapping`, `ensure`, `record` or `association`.
    pub(crate) stage: &'static str,
    /// The class of the failure.
    pub(crate) class: &'static str,
    /// Our code.
    pub(crate) code: &'static str,
    /// HTTP status, when HubSpot refused it.
    pub(crate) status: Option<u16>,
    /// HubSpot's category.
    pub(crate) category: Option<String>,
    /// HubSpot's sub-category.
    pub(crate) sub_category: Option<String>,
    /// The property at fault.
    pub(crate) property: Option<String>,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// What happened, personal values masked.
    pub(crate) message: String,
    /// HubSpot's correlation id.
    pub(crate) correlation_id: Option<String>,
}

impl Failed {
    /// A failure before anything was asked of HubSpot.
    #[must_use]
    pub(crate) fn here(stage: &'static str, code: &'static str, message: String) -> Self {
        Self {
            stage,
            class: "input",
            code,
            status: None,
            category: None,
            sub_category: None,
            property: None,
            attempts: 0,
            message,
            correlation_id: None,
        }
    }

    /// The same, with the property it is about.
    #[must_use]
    pub(crate) fn about(self, property: Option<String>) -> Self {
        Self { property, ..self }
    }
}

impl Closing {
    /// `delivered`, `merged`, `skipped` or `dead`.
    #[must_use]
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Merged => "merged",
            Self::Skipped(_) => "skipped",
            Self::Dead(_) => "dead",
        }
    }

    /// The reason of a skip, the code of a death, else empty.
    #[must_use]
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Delivered | Self::Merged => "",
            Self::Skipped(reason) => reason,
            Self::Dead(failed) => failed.code,
        }
    }
}

/// The closing of an ending from the scheduler, and the notes that came with it; `None` for a delivery that was taken
/// back before it was sent, which has not ended at all.
pub(crate) fn closing_of(ending: Ending) -> Option<(Closing, Vec<Note>)> {
    let closing = match ending {
        Ending::Withdrawn => return None,
        Ending::Delivered { notes } => (Closing::Delivered, notes),
        Ending::Merged => (Closing::Merged, Vec::new()),
        Ending::Skipped(reason) => (Closing::Skipped(reason.as_str()), Vec::new()),
        Ending::Dead(death) => {
            let rejection = death.rejection;
            let failed = Failed {
                stage: death.stage.as_str(),
                class: rejection.class.as_str(),
                code: rejection.code.as_str(),
                status: rejection.status,
                category: rejection.category,
                sub_category: rejection.sub_category,
                property: rejection.property.map(|name| name.as_str().to_owned()),
                attempts: death.attempts,
                message: rejection.message,
                correlation_id: rejection.correlation_id,
            };
            (Closing::Dead(Box::new(failed)), Vec::new())
        }
    };
    Some(closing)
}
