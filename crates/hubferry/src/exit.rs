//! How a command ends: one closed list of failures, one table of exit codes.

use std::process::ExitCode;

use crate::config::Problem;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration has problems.
    #[error("{}", shown(.0))]
    Problems(Vec<Problem>),
    /// The command line, or a file it names, is wrong.
    #[error("{0}")]
    Usage(String),
    /// The data is wrong.
    #[error("{0}")]
    Data(String),
    /// Something outside is missing or refuses us: broker, Redis, HubSpot.
    #[error("{0}")]
    Outside(String),
    /// A bug of ours that did not panic.
    #[error("this is a bug: {0}")]
    Bug(String),
}

impl Failure {
    /// The exit code (names.md §2); a panic ends with 101 too.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Problems(_) | Self::Usage(_) => 1,
            Self::Data(_) => 2,
            Self::Outside(_) => 3,
            Self::Bug(_) => 101,
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        Self::from(failure.code())
    }
}

fn shown(problems: &[Problem]) -> String {
    match problems {
        [only] => only.to_string(),
        several => {
            let lines: Vec<String> = several
                .iter()
                .map(|problem| format!("  {problem}"))
                .collect();
            format!(
                "{} problems in the configuration:\n{}",
                several.len(),
                lines.join("\n")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_exit_code() {
        for (failure, code) in [
            (Failure::Problems(Vec::new()), 1),
            (Failure::Usage(String::new()), 1),
            (Failure::Data(String::new()), 2),
            (Failure::Outside(String::new()), 3),
            (Failure::Bug(String::new()), 101),
        ] {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }
}
