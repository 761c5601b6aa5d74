//! What to measure, how often, and where to write it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

const RUNS: usize = 3;

/// The arguments of `cargo xtask bench`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) names: Vec<&'static str>,
    pub(crate) runs: usize,
    pub(crate) json: Option<PathBuf>,
    /// A commit to compare with.
    pub(crate) against: Option<String>,
}

impl Options {
    /// Reads `[NAME…] [--runs N] [--json FILE] [--against REVISION]`; without a name, all.
    pub(crate) fn parse(arguments: &[String], known: &[&'static str]) -> Result<Options> {
        let mut options = Options {
            names: Vec::new(),
            runs: RUNS,
            json: None,
            against: None,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--runs" => {
                    let number = rest.next().context("--runs takes a number")?;
                    options.runs = number
                        .parse()
                        .ok()
                        .filter(|runs| *runs > 0)
                        .with_context(|| format!("--runs takes a number above 0, not {number}"))?;
                }
                "--json" => {
                    options.json = Some(rest.next().context("--json takes a file")?.into());
                }
                "--against" => {
                    let revision = rest.next().context("--against takes a commit")?;
                    options.against = Some(revision.clone());
                }
                other => {
                    let Some(name) = known.iter().find(|name| **name == other) else {
                        bail!(
                            "no benchmark is called `{other}`; there are: {}",
                            known.join(", ")
                        );
                    };
                    options.names.push(name);
                }
            }
        }
        if options.names.is_empty() {
            options.names = known.to_vec();
        }
        ensure!(!options.names.is_empty(), "there is no benchmark");
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words, &["fill", "speed"])
    }

    #[test]
    fn names_runs_and_a_file_are_read_in_any_order() {
        let all = parse("").unwrap();
        assert_eq!(
            (all.names, all.runs, all.json),
            (vec!["fill", "speed"], RUNS, None)
        );
        let one = parse("--json f.json speed --runs 1").unwrap();
        assert_eq!(
            (one.names, one.runs, one.json),
            (vec!["speed"], 1, Some("f.json".into()))
        );
        assert_eq!(
            parse("fill --against main").unwrap().against,
            Some("main".to_owned())
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let cases = [
            (
                "spede",
                "no benchmark is called `spede`; there are: fill, speed",
            ),
            ("--runs 0", "--runs takes a number above 0, not 0"),
            ("--runs", "--runs takes a number"),
            ("--json", "--json takes a file"),
            ("--against", "--against takes a commit"),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
