//! The marks of a fleet: one hash per record, compared and set where they are kept.

use ::redis::{ErrorKind, Pipeline, Script, ServerErrorKind, Value};
use deadpool_redis::Connection;
use hubferry_actions::PropertyName;

use super::{RedisMemory, send, take, within_deadline};
use crate::error::MemoryError;
use crate::mark::{MarkWrite, RecordKey};

/// The functions that run in Redis, one call per record.
#[derive(Debug)]
pub(super) struct Marks {
    mark: Script,
    unmark: Script,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            mark: Script::new(include_str!("../mark.lua")),
            unmark: Script::new(include_str!("../unmark.lua")),
        }
    }
}

/// How long the marks of a record are kept after its last write: a dead letter may be replayed for 30 days, and a day more.
const MARK_MS: i64 = 31 * 24 * 3_600_000;
/// Redis compares times as floating point numbers, which are exact up to here; 285,000 years away from now.
const EXACT_MS: i64 = (1 << 53) - 1;

impl RedisMemory {
    pub(crate) async fn mark(
        &self,
        writes: &[MarkWrite],
    ) -> Result<Vec<Vec<PropertyName>>, MemoryError> {
        let answers = self.run_marks(&self.marks.mark, &[MARK_MS], writes).await?;
        let mut answers = answers.into_iter();
        writes
            .iter()
            .map(|write| read_stale(write, &mut answers))
            .collect()
    }

    pub(crate) async fn unmark(&self, writes: &[MarkWrite]) -> Result<(), MemoryError> {
        self.run_marks(&self.marks.unmark, &[], writes).await?;
        Ok(())
    }

    /// Runs a function for every record with values; one answer each.
    async fn run_marks(
        &self,
        script: &Script,
        arguments: &[i64],
        writes: &[MarkWrite],
    ) -> Result<Vec<Value>, MemoryError> {
        let pipe = self.write_marks(script, arguments, writes);
        if pipe.cmd_iter().next().is_none() {
            return Ok(Vec::new());
        }
        within_deadline(async {
            let mut connection = self.connection().await?;
            send_known(&pipe, script, &mut connection).await
        })
        .await
    }

    fn write_marks(&self, script: &Script, arguments: &[i64], writes: &[MarkWrite]) -> Pipeline {
        let mut pipe = ::redis::pipe();
        for write in writes.iter().filter(|write| !write.values.is_empty()) {
            pipe.cmd("EVALSHA")
                .arg(script.get_hash())
                .arg(1)
                .arg(self.marks_of(write))
                .arg(arguments);
            write_values(&mut pipe, write);
        }
        pipe
    }

    fn marks_of(&self, write: &MarkWrite) -> String {
        format!("{}:mark:{}", self.base, RecordKey::of(&write.record).hex())
    }
}

fn write_values(pipe: &mut Pipeline, write: &MarkWrite) {
    for (property, time_ms) in &write.values {
        pipe.arg(property.as_str())
            .arg((*time_ms).clamp(-EXACT_MS, EXACT_MS));
    }
}

/// Sends the calls; once more when Redis does not know the script yet, or no longer. Both scripts may run again.
async fn send_known(
    pipe: &Pipeline,
    script: &Script,
    connection: &mut Connection,
) -> Result<Vec<Value>, MemoryError> {
    match send(pipe, connection).await {
        Err(MemoryError::Failed(error))
            if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
        {
            script
                .load_async(connection)
                .await
                .map_err(MemoryError::Failed)?;
            send(pipe, connection).await
        }
        sent => sent,
    }
}

fn read_stale(
    write: &MarkWrite,
    answers: &mut impl Iterator<Item = Value>,
) -> Result<Vec<PropertyName>, MemoryError> {
    if write.values.is_empty() {
        return Ok(Vec::new());
    }
    let positions: Vec<usize> = take(answers)?;
    positions
        .into_iter()
        .map(|position| {
            let (property, _) = write.values.get(position).ok_or(MemoryError::Unreadable)?;
            Ok(property.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use deadpool_redis::{Config, Runtime};
    use hubferry_actions::{ObjectType, RecordRef};

    use super::*;

    /// One pipeline is one round trip; records without values take no part in it.
    #[test]
    fn a_hundred_records_become_one_pipeline() {
        // No connection is made before a command is sent.
        let pool = Config::from_url("redis://127.0.0.1").create_pool(Some(Runtime::Tokio1));
        let memory = RedisMemory::new(pool.unwrap(), "hubferry", "42");
        let email = PropertyName::new("email");
        let mut writes: Vec<MarkWrite> = (0..100)
            .map(|number| MarkWrite {
                record: RecordRef {
                    object: ObjectType::contacts(),
                    id_property: email.clone(),
                    value: format!("person-{number}@example.com").into(),
                },
                values: vec![(email.clone(), number)],
            })
            .collect();
        let commands = |writes: &[MarkWrite]| {
            let pipe = memory.write_marks(&memory.marks.mark, &[MARK_MS], writes);
            pipe.cmd_iter().count()
        };
        assert_eq!(commands(&writes), 100);
        writes[3].values.clear();
        assert_eq!(commands(&writes), 99);
        assert_eq!(commands(&[]), 0);
    }
}
