//! The filters of `dlq` and `replay`, as they stand on the command line.

use clap::{ArgAction, Args};
use hubferry_event::Event;
use hubferry_mapping::Trigger;
use hubferry_stream::{FilterError, Letter, Predicate, Selection};

use crate::exit::Failure;

/// Which dead letters are meant. Different filters must all agree; values of one filter are alternatives.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    /// Failed at this time or later: -2h, or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, action = ArgAction::Append)]
    since: Vec<String>,
    /// Failed before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, action = ArgAction::Append)]
    until: Vec<String>,
    /// Partition of the source: 3, 0..7, or several with commas
    #[arg(long, value_name = "RANGE", action = ArgAction::Append)]
    partition: Vec<String>,
    /// Offsets in the source: 10..20, 10.. or ..20
    #[arg(long, value_name = "RANGE", action = ArgAction::Append)]
    offsets: Vec<String>,
    /// Class of the failure: input, mapping, transient, …
    #[arg(long, value_name = "CLASS", action = ArgAction::Append)]
    class: Vec<String>,
    /// Code of the failure: `property_option`, …
    #[arg(long, value_name = "CODE", action = ArgAction::Append)]
    code: Vec<String>,
    /// Stage of the failure: intake, mapping, record, association, …
    #[arg(long, value_name = "STAGE", action = ArgAction::Append)]
    stage: Vec<String>,
    /// HTTP status of the failure
    #[arg(long, value_name = "RANGE", action = ArgAction::Append)]
    status: Vec<String>,
    /// Category that HubSpot gave
    #[arg(long, value_name = "CATEGORY", action = ArgAction::Append)]
    category: Vec<String>,
    /// Property that was refused
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    property: Vec<String>,
    /// Mapping that failed: DESTINATION/NAME
    #[arg(long, value_name = "MAPPING", action = ArgAction::Append)]
    mapping: Vec<String>,
    /// Type of the event
    #[arg(long = "type", value_name = "TYPE", action = ArgAction::Append)]
    kind: Vec<String>,
    /// Hash of the person's key, as `dlq show` prints it
    #[arg(long, value_name = "HASH", action = ArgAction::Append)]
    identity: Vec<String>,
    /// Id of the event
    #[arg(long, value_name = "ID", action = ArgAction::Append)]
    message_id: Vec<String>,
    /// Hash of the configuration that judged it
    #[arg(long, value_name = "HASH", action = ArgAction::Append)]
    config_hash: Vec<String>,
    /// How often it was replayed: 0, 1.., …
    #[arg(long, value_name = "RANGE", action = ArgAction::Append)]
    replays: Vec<String>,
    /// A condition on the event, written like a trigger
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Cause, as `dlq count` prints it: MAPPING:CODE or MAPPING:CODE:PROPERTY
    #[arg(long, value_name = "CAUSE", action = ArgAction::Append)]
    cause: Vec<String>,
    /// At most so many letters, in the order of the topic
    #[arg(long, value_name = "N", action = ArgAction::Append)]
    limit: Vec<String>,
    /// At most so many letters, spread evenly over all that match
    #[arg(long, value_name = "N", action = ArgAction::Append)]
    sample: Vec<String>,
}

impl Filters {
    /// What was asked for; times such as `-1h` count from `now_ms`.
    ///
    /// # Errors
    ///
    /// A value that a filter does not take.
    pub(crate) fn selection(&self, now_ms: i64) -> Result<Selection, Failure> {
        let mut selection = Selection::default();
        for (name, values) in self.named() {
            for value in values {
                selection
                    .add(name, value, now_ms)
                    .map_err(|error| Failure::Usage(error.to_string()))?;
            }
        }
        match &self.condition {
            None => Ok(selection),
            Some(text) => Ok(selection.with_condition(text, condition(text)?)),
        }
    }

    /// Whether letters are asked for that would not be taken otherwise: by their ids or by how often they were replayed.
    pub(crate) fn names_letters(&self) -> bool {
        !self.message_id.is_empty() || !self.replays.is_empty()
    }

    fn named(&self) -> [(&'static str, &[String]); 19] {
        [
            ("since", &self.since),
            ("until", &self.until),
            ("partition", &self.partition),
            ("offsets", &self.offsets),
            ("class", &self.class),
            ("code", &self.code),
            ("stage", &self.stage),
            ("status", &self.status),
            ("category", &self.category),
            ("property", &self.property),
            ("mapping", &self.mapping),
            ("type", &self.kind),
            ("identity", &self.identity),
            ("message-id", &self.message_id),
            ("config-hash", &self.config_hash),
            ("replays", &self.replays),
            ("cause", &self.cause),
            ("limit", &self.limit),
            ("sample", &self.sample),
        ]
    }
}

/// Reads a selection that was written down.
///
/// # Errors
///
/// It was written by a version that has other filters.
pub(crate) fn written(text: &str, now_ms: i64) -> Result<Selection, Failure> {
    Selection::parse_with(text, now_ms, |text| condition(text).ok())
        .map_err(|error: FilterError| Failure::Data(error.to_string()))
}

/// A condition is a trigger, asked of the event as it was.
fn condition(text: &str) -> Result<Predicate, Failure> {
    let trigger = Trigger::parse_checked(text)
        .map_err(|fault| Failure::Usage(format!("filter `where`: {fault}")))?;
    Ok(Box::new(move |letter: &Letter| {
        let event = Event::parse(&letter.letter.value);
        event.is_ok_and(|event| trigger.matches(event.root()))
    }))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filters: Filters,
    }

    fn read(arguments: &[&str]) -> Result<String, String> {
        let line = Line::try_parse_from(["x"].iter().chain(arguments)).map_err(|_| "clap")?;
        let selection = line.filters.selection(1_000_000_000_000);
        selection
            .map(|selection| selection.to_string())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn filters_of_the_command_line_become_a_selection() {
        for (arguments, expected) in [
            (&[][..], Ok("")),
            (
                &[
                    "--since",
                    "-1h",
                    "--mapping",
                    "acme/contacts",
                    "--type",
                    "group",
                ],
                Ok("since=2001-09-09T00:46:40Z mapping=acme/contacts type=group"),
            ),
            (
                &["--where", "type = \"track\"", "--limit", "5"],
                Ok("limit=5 where=\"type = \\\"track\\\"\""),
            ),
            (
                &["--status", "many"],
                Err(
                    "filter `status`: expected a number, a range such as 10..20, 10.. or ..20, or several with commas",
                ),
            ),
            (
                &["--limit", "1", "--limit", "2"],
                Err("filter `limit` is given twice"),
            ),
            (&["--colour", "red"], Err("clap")),
        ] {
            let read = read(arguments);
            assert_eq!(read.as_deref().map_err(String::as_str), expected);
        }
    }

    #[test]
    fn what_was_written_down_is_read_again() {
        let line = Line::parse_from(["x", "--where", "type = \"track\"", "--code", "too_large"]);
        let selection = line.filters.selection(0).unwrap().to_string();
        assert_eq!(written(&selection, 9).unwrap().to_string(), selection);
        assert!(matches!(written("colour=red", 0), Err(Failure::Data(_))));
    }
}
