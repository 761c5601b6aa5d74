//! What ran, how long it took, and how it ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::outside::{complain, now, say};

/// The parts of one run, in order.
#[derive(Default)]
pub(crate) struct Report {
    parts: Vec<Part>,
    tests: Tests,
}

struct Part {
    name: &'static str,
    took: Duration,
    passed: bool,
}

/// Tests counted from the closing lines of test binaries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tests {
    passed: u64,
    failed: u64,
}

impl Report {
    /// Runs one part; a part that fails does not keep the next ones from running.
    pub(crate) fn part<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Tests) -> Result<T>,
    ) -> Option<T> {
        say(&format!("\n── {name}"));
        let started = now();
        let ended = work(&mut self.tests);
        if let Err(error) = &ended {
            complain(&format!("{name}: {error:#}"));
        }
        self.parts.push(Part {
            name,
            took: now() - started,
            passed: ended.is_ok(),
        });
        ended.ok()
    }

    /// Prints the times and the closing line.
    pub(crate) fn close(self) -> ExitCode {
        say("");
        for part in &self.parts {
            let mark = if part.passed { "ok" } else { "FAILED" };
            say(&format!(
                "{:<28}{:>8.1} s  {mark}",
                part.name,
                part.took.as_secs_f64()
            ));
        }
        let total: Duration = self.parts.iter().map(|part| part.took).sum();
        say(&format!("{:<28}{:>8.1} s", "all", total.as_secs_f64()));

        let failed: Vec<&str> = self
            .parts
            .iter()
            .filter(|part| !part.passed)
            .map(|part| part.name)
            .collect();
        if !failed.is_empty() {
            complain(&format!("failed: {}", failed.join(", ")));
        }
        say(&format!(
            "tests: {} passed, {} failed",
            self.tests.passed, self.tests.failed
        ));
        if failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs a command to its end, its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("could not start {}", command.get_program().display()))?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

/// Runs a test command to its end, its output on ours, and counts the tests it reports.
///
/// Gives the number of test programs that ran no test at all.
pub(crate) fn run_tests(command: &mut Command, tests: &mut Tests) -> Result<usize> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {}", command.get_program().display()))?;
    let output = child.stdout.take().context("the output was asked for")?;
    let mut silent = 0;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        say(&line);
        if let Some(closing) = Tests::from_closing_line(&line) {
            tests.passed += closing.passed;
            tests.failed += closing.failed;
            silent += usize::from(closing == Tests::default());
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(silent)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.take(3).map(|word| word.to_string_lossy()).collect();
    format!("`{} …`", words.join(" "))
}

impl Tests {
    /// Reads `test result: ok. 12 passed; 0 failed; …`.
    fn from_closing_line(line: &str) -> Option<Tests> {
        let (_, counts) = line
            .trim()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let count = |word: &str| {
            let part = counts
                .split(';')
                .map(str::trim)
                .find(|part| part.ends_with(word))?;
            part.split(' ').next()?.parse().ok()
        };
        Some(Tests {
            passed: count(" passed")?,
            failed: count(" failed")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let cases = [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
                Some((12, 0)),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored",
                Some((3, 2)),
            ),
            ("test report::tests::x ... ok", None),
            ("running 3 tests", None),
        ];
        for (line, expected) in cases {
            let counted = Tests::from_closing_line(line).map(|tests| (tests.passed, tests.failed));
            assert_eq!(counted, expected, "{line}");
        }
    }

    #[test]
    fn programs_without_a_test_are_counted_apart() {
        let mut tests = Tests::default();
        let said = "echo 'test result: ok. 0 passed; 0 failed; 0 ignored'; echo 'test result: ok. 2 passed; 0 failed'";
        let silent = run_tests(Command::new("sh").args(["-c", said]), &mut tests).unwrap();
        assert_eq!(
            (silent, tests),
            (
                1,
                Tests {
                    passed: 2,
                    failed: 0
                }
            )
        );
    }

    #[test]
    fn a_failed_part_does_not_stop_the_next_one() {
        let mut report = Report::default();
        assert_eq!(
            report.part("first", |_| Err::<(), _>(anyhow::anyhow!("broken"))),
            None
        );
        assert_eq!(report.part("second", |_| Ok(7)), Some(7));
        assert_eq!(report.close(), ExitCode::FAILURE);
    }
}
