//! Colours on a terminal, and none anywhere else.

use std::fmt;
use std::io::IsTerminal;

use crate::config::Surroundings;

/// Whether text is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paint {
    /// A terminal reads it.
    Colours,
    /// A pipe or a file does, or nobody wants colours (`NO_COLOR`).
    Plain,
}

/// What a text means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    /// As wished.
    Good,
    /// Worth a look.
    Note,
    /// Refused.
    Bad,
    /// Beside the point.
    Dim,
    /// A heading.
    Strong,
}

impl Paint {
    /// As standard output wants it.
    pub(super) fn of_stdout(around: &Surroundings) -> Self {
        let refused = around
            .variables
            .get("NO_COLOR")
            .is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !refused {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    /// The text in the colour of its meaning.
    pub(super) fn text(self, tone: Tone, text: impl fmt::Display) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Note => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        match self {
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Plain => text.to_string(),
        }
    }
}
