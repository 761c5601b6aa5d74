//! Kafka and files as sources of messages, and Kafka and files as places for dead letters.
//!
//! The worker sees one face, [`Source`]: it hands out messages, each with a [`Ticket`], and takes the tickets back in
//! any order. Between the two stands the [`Ledger`], a pure account of what is still open: a position is committed
//! only when that message and all earlier ones of its partition have ended, and a partition pauses when too much of it
//! is open. A message that cannot be delivered goes to the [`DeadLetters`], and its ticket is settled only after they
//! said that it is safe there.
//!
//! Kafka's types stop at this crate. [`EmbeddedBroker`] is a small broker inside the process, for demonstrations and
//! tests.

mod base64;
mod cause;
mod clock;
mod compat;
mod dead_letters;
mod embedded;
mod ends;
mod error;
mod file;
mod finished;
mod group;
mod journal;
mod journal_state;
mod journal_topic;
mod kafka;
mod lag;
mod ledger;
mod letter;
mod letter_file;
mod letter_headers;
mod letter_json;
mod letter_read;
mod misrouted;
mod newest;
mod orders;
mod place;
mod poller;
mod probe;
mod produce;
mod rebalances;
mod reread;
mod restore;
mod route;
mod scan;
mod selection;
mod settings;
mod source;
mod topics;
mod wire;

pub use cause::{Cause, Causes, Example, Tally};
pub use compat::CompatHeaders;
pub use dead_letters::{DeadLetterTopic, DeadLetters, FileDeadLetters, KafkaDeadLetters};
pub use embedded::EmbeddedBroker;
pub use error::StreamError;
pub use file::{FileSource, INPUT_TOPIC};
pub use finished::{Finished, FinishedError};
pub use journal::{
    Audit, Claim, DeliveryResult, Ending, Entry, JournalError, Lease, Plan, Run, RunState,
};
pub use journal_state::{JournalState, Standing};
pub use journal_topic::{Journal, JournalTopicError};
pub use kafka::KafkaSource;
pub use lag::Lag;
pub use ledger::{Flow, IntakeBounds, Ledger, Settled, Ticket};
pub use letter::{
    DeadLetter, DoneMapping, FailedMapping, ReplayHistory, SkippedMapping, identity_hash,
};
pub use letter_file::LetterFile;
pub use letter_read::{Cut, Letter, LetterError, Missing};
pub use misrouted::Misrouted;
pub use newest::Newest;
pub use place::{Message, Offset, Partition, Place, Position, Topic};
pub use probe::{Reached, ensure_topic, reachable};
pub use produce::{Produced, Producer};
pub use rebalances::Rebalances;
pub use reread::read_at;
pub use restore::restore_cut;
pub use route::{Part, RouteSettings, Routed, route};
pub use scan::{ScanFrom, TopicScan};
pub use selection::{FilterError, Predicate, Sample, Selection};
pub use settings::{ClientSettings, GroupProtocol, KafkaSettings};
pub use source::{Intake, Revocation, Source};
pub use topics::{
    TopicFinding, TopicRole, check_dead_letter_topic, check_journal_topic, ensure_topic_for,
};
