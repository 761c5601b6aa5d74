//! Figures that benchmarks hand over.

use serde::Serialize;

/// One figure of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How much.
    pub value: f64,
    /// In which unit; empty for a number of things.
    pub unit: &'static str,
    /// What it has to reach; empty where it only informs.
    pub wanted: &'static str,
}

impl Figure {
    /// A figure that only informs.
    #[must_use]
    pub fn of(what: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure {
            what: what.into(),
            value,
            unit,
            wanted: "",
        }
    }

    /// A number of things.
    #[must_use]
    pub fn count(what: impl Into<String>, count: u64) -> Figure {
        Figure::of(what, count as f64, "")
    }

    /// What it has to reach.
    #[must_use]
    pub fn wanted(self, wanted: &'static str) -> Figure {
        Figure { wanted, ..self }
    }

    /// Prints it as one line of JSON, for whoever runs the benchmark.
    #[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
    pub fn print(&self) {
        let value = serde_json::json!(self);
        println!("{value}");
    }
}
