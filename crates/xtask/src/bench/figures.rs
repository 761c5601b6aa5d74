//! Figures of single runs, and what they come to over several.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// One figure of one run, as a benchmark prints it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    what: String,
    value: f64,
    unit: String,
    wanted: String,
}

impl Reading {
    /// Reads `{"what": …, "value": …, "unit": …, "wanted": …}`.
    pub(crate) fn parse(line: &str) -> Result<Reading> {
        let read = || {
            let figure: Value = serde_json::from_str(line).ok()?;
            let text = |key: &str| figure[key].as_str().map(str::to_owned);
            Some(Reading {
                what: text("what")?,
                value: figure["value"].as_f64()?,
                unit: text("unit")?,
                wanted: text("wanted")?,
            })
        };
        read().with_context(|| format!("a benchmark printed something else than a figure: {line}"))
    }
}

/// One figure over all runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    reading: Reading,
    /// Ascending.
    values: Vec<f64>,
}

/// Joins the figures of several runs by what they measure, in the order of the first run.
pub(crate) fn summaries(runs: &[Vec<Reading>]) -> Vec<Summary> {
    let mut found: Vec<Summary> = Vec::new();
    for reading in runs.iter().flatten() {
        match found
            .iter_mut()
            .find(|known| known.reading.what == reading.what)
        {
            Some(known) => known.values.push(reading.value),
            None => found.push(Summary {
                reading: reading.clone(),
                values: vec![reading.value],
            }),
        }
    }
    for summary in &mut found {
        summary.values.sort_by(f64::total_cmp);
    }
    found
}

impl Summary {
    fn median(&self) -> f64 {
        let middle = self.values.len() / 2;
        if self.values.len() % 2 == 1 {
            self.values[middle]
        } else {
            f64::midpoint(self.values[middle - 1], self.values[middle])
        }
    }

    /// Lowest and highest.
    fn spread(&self) -> (f64, f64) {
        let last = self.values.len() - 1;
        (self.values[0], self.values[last])
    }

    /// A line of the table.
    pub(crate) fn row(&self) -> String {
        let Reading {
            what, unit, wanted, ..
        } = &self.reading;
        let value = format!("{} {unit}", shown(self.median()));
        let (lowest, highest) = self.spread();
        let spread = if self.values.len() > 1 {
            format!("({} to {})", shown(lowest), shown(highest))
        } else {
            String::new()
        };
        format!("  {what:<58}{value:>14}  {spread:<22}{wanted}")
            .trim_end()
            .to_owned()
    }

    /// The same figure of another commit, and this one as a multiple of it.
    pub(crate) fn row_against(&self, others: &[Summary]) -> Option<String> {
        let same = |other: &&Summary| other.reading.what == self.reading.what;
        let other = others.iter().find(same)?;
        let (lowest, highest) = other.spread();
        let times = match (self.median(), other.median()) {
            (now, then) if now == then => "the same".to_owned(),
            (_, 0.0) => String::new(),
            (now, then) => format!("now x{:.2}", now / then),
        };
        let value = format!("{} {}", shown(other.median()), self.reading.unit);
        let spread = format!("({} to {})", shown(lowest), shown(highest));
        let row = format!("  {:<58}{value:>14}  {spread:<22}{times}", "    before");
        Some(row.trim_end().to_owned())
    }

    pub(crate) fn to_json(&self) -> Value {
        let (lowest, highest) = self.spread();
        let Reading {
            what, unit, wanted, ..
        } = &self.reading;
        json!({
            "what": what, "unit": unit, "wanted": wanted, "median": self.median(),
            "lowest": lowest, "highest": highest, "values": self.values,
        })
    }
}

/// Whole numbers as they are, others with two digits.
fn shown(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(what: &str, value: f64) -> Reading {
        let line = json!({"what": what, "value": value, "unit": "s", "wanted": "below 9"});
        Reading::parse(&line.to_string()).unwrap()
    }

    #[test]
    fn runs_come_to_a_median_and_a_spread() {
        let runs = [
            vec![reading("a", 3.0), reading("b", 1.0)],
            vec![reading("a", 1.5), reading("b", 2.0)],
            vec![reading("a", 7.0)],
        ];
        let rows: Vec<String> = summaries(&runs).iter().map(Summary::row).collect();
        let words = |row: &String| {
            row.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            rows.iter().map(words).collect::<Vec<_>>(),
            [
                vec!["a", "3", "s", "(1.50", "to", "7)", "below", "9"],
                vec!["b", "1.50", "s", "(1", "to", "2)", "below", "9"],
            ]
        );
    }

    #[test]
    fn another_commit_stands_beside_it_as_a_multiple() {
        let now = summaries(&[vec![reading("a", 3.0), reading("b", 1.0)]]);
        let then = summaries(&[vec![reading("b", 1.0), reading("a", 4.0)]]);
        let rows: Vec<String> = now
            .iter()
            .filter_map(|one| one.row_against(&then))
            .collect();
        assert!(
            rows[0].contains("4 s") && rows[0].ends_with("now x0.75"),
            "{rows:?}"
        );
        assert!(rows[1].ends_with("the same"), "{rows:?}");
        assert_eq!(now[0].row_against(&then[..1]), None);
    }

    #[test]
    fn one_run_has_no_spread() {
        let row = summaries(&[vec![reading("a", 3.0)]])[0].row();
        assert!(!row.contains('('), "{row}");
    }

    #[test]
    fn anything_else_is_no_figure() {
        for line in [
            "",
            "{}",
            r#"{"what": "a", "value": "3", "unit": "", "wanted": ""}"#,
        ] {
            assert!(Reading::parse(line).is_err(), "{line}");
        }
    }
}
