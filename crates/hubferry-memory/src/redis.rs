//! The memory of a fleet, kept by Redis.
//!
//! Keys, after `PREFIX:v1:PORTAL:`
//!
//! | key | value |
//! |---|---|
//! | `identity:PERSON` | `1:CONTACT`, 90 days after the last use |
//! | `link:of:PERSON` | set of link ids; may name links that are gone |
//! | `link:body` | hash, link id to the link as JSON with `"v":1`; the one truth about which links wait |
//! | `link:due` | sorted set of link ids by the time they expire or their lease ends |
//! | `ensure:property:OBJECT:NAME`, `ensure:definition:NAME`, `ensure:event-property:DEFINITION:NAME`, `ensure:list:HASH` | `1:done` for a day, or `1:claim:WORKER` for 30 seconds |
//! | `id:RECORD` | `1:ID`, a day after the last use |
//! | `schema:properties:OBJECT`, `schema:type:OBJECT`, `schema:definition:NAME`, `schema:list:HASH` | `1:` and what was read, for five minutes |
//! | `dedupe:DELIVERY` | `1`, as long as deliveries are remembered |
//! | `mark:RECORD` | hash, property to `1:TIME` or `1:TIME,PREVIOUS` in milliseconds, 31 days after the last write |
//!
//! A value of another version counts as absent.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use ::redis::{FromRedisValue, Pipeline, Script, Value};
use deadpool_redis::{Connection, Pool};
use hubferry_actions::{ListName, RecordId, RecordRef};
use hubferry_event::IdentityKey;
use tokio::time::timeout;

use crate::error::MemoryError;
use crate::inquiry::{EnsureKey, EnsureState, FactKey, Finding, Inquiry};
use crate::link::{Link, LinkId};
use crate::local::{ENSURED_MS, FACT_MS, IDENTITY_MS, LEASE_MS, RECORD_MS};
use crate::mark::RecordKey;
use crate::person::{PersonKey, hash, hex};
use crate::seen::SeenKey;
use crate::stored::StoredLink;
use marks::Marks;

mod marks;

/// The store of a fleet. It is used through [`Memory`](crate::Memory).
#[derive(Debug)]
pub struct RedisMemory {
    pool: Pool,
    /// `PREFIX:v1:PORTAL`.
    base: String,
    /// What stands in the claims of this worker.
    claim: String,
    expire: Script,
    marks: Marks,
}

/// Every call to Redis ends within this time.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a claim holds.
const CLAIM_MS: i64 = 30_000;
const DONE: &str = "1:done";

/// Leases what is due; a due id without a body was dropped halfway and goes.
const EXPIRE: &str = r"
local bodies = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local body = redis.call('HGET', KEYS[2], id)
  if body then
    redis.call('ZADD', KEYS[1], ARGV[3], id)
    bodies[#bodies + 1] = body
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return bodies
";

impl RedisMemory {
    pub(crate) fn new(pool: Pool, prefix: &str, portal: &str) -> Self {
        let worker = RandomState::new().build_hasher().finish();
        Self {
            pool,
            base: format!("{prefix}:v1:{portal}"),
            claim: format!("1:claim:{worker:016x}"),
            expire: Script::new(EXPIRE),
            marks: Marks::new(),
        }
    }

    pub(crate) async fn ask(
        &self,
        inquiries: &[Inquiry],
        now_ms: i64,
    ) -> Result<Vec<Finding>, MemoryError> {
        if inquiries.is_empty() {
            return Ok(Vec::new());
        }
        within_deadline(async {
            let mut connection = self.connection().await?;
            let mut pipe = ::redis::pipe();
            for inquiry in inquiries {
                self.write(&mut pipe, inquiry, now_ms)?;
            }
            let answers = send(&pipe, &mut connection).await?;
            let mut answers = answers.into_iter();
            let drafts = inquiries
                .iter()
                .map(|inquiry| self.read(inquiry, &mut answers))
                .collect::<Result<Vec<Draft>, MemoryError>>()?;
            self.finish(&mut connection, drafts, now_ms).await
        })
        .await
    }

    pub(crate) async fn waiting_links(&self) -> Result<u64, MemoryError> {
        within_deadline(async {
            let mut connection = self.connection().await?;
            let mut command = ::redis::cmd("HLEN");
            command.arg(self.key("link:body"));
            command
                .query_async(&mut connection)
                .await
                .map_err(MemoryError::Failed)
        })
        .await
    }

    pub(crate) async fn expired_links(
        &self,
        now_ms: i64,
        max: usize,
    ) -> Result<Vec<Link>, MemoryError> {
        within_deadline(async {
            let mut connection = self.connection().await?;
            let mut call = self.expire.prepare_invoke();
            call.key(self.key("link:due")).key(self.key("link:body"));
            // More at once would keep Redis busy for too long.
            call.arg(now_ms)
                .arg(max.min(10_000))
                .arg(now_ms.saturating_add(LEASE_MS));
            let bodies: Vec<String> = call
                .invoke_async(&mut connection)
                .await
                .map_err(MemoryError::Failed)?;
            Ok(bodies
                .iter()
                .filter_map(|body| StoredLink::read(body))
                .collect())
        })
        .await
    }

    pub(crate) async fn seen(&self, deliveries: &[SeenKey]) -> Result<Vec<bool>, MemoryError> {
        if deliveries.is_empty() {
            return Ok(Vec::new());
        }
        within_deadline(async {
            let mut connection = self.connection().await?;
            let mut pipe = ::redis::pipe();
            for delivery in deliveries {
                pipe.cmd("EXISTS").arg(self.delivery(*delivery));
            }
            let answers = send(&pipe, &mut connection).await?;
            let mut answers = answers.into_iter();
            deliveries.iter().map(|_| take(&mut answers)).collect()
        })
        .await
    }

    pub(crate) async fn keep_seen(
        &self,
        deliveries: &[SeenKey],
        window: Duration,
    ) -> Result<(), MemoryError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX).max(1);
        within_deadline(async {
            let mut connection = self.connection().await?;
            let mut pipe = ::redis::pipe();
            for delivery in deliveries {
                pipe.cmd("SET")
                    .arg(self.delivery(*delivery))
                    .arg("1")
                    .arg("PX")
                    .arg(window_ms);
            }
            send(&pipe, &mut connection).await?;
            Ok(())
        })
        .await
    }

    async fn connection(&self) -> Result<Connection, MemoryError> {
        self.pool.get().await.map_err(MemoryError::Unreachable)
    }

    /// Adds an inquiry's commands. [`RedisMemory::read`] takes their answers in the same order.
    fn write(
        &self,
        pipe: &mut Pipeline,
        inquiry: &Inquiry,
        now_ms: i64,
    ) -> Result<(), MemoryError> {
        match inquiry {
            Inquiry::FindContact { person } => self.write_find(pipe, &PersonKey::of(person)),
            Inquiry::KeepContact { person, contact } => {
                for key in PersonKey::of(person) {
                    let value = format!("1:{}", contact.as_str());
                    pipe.cmd("SET")
                        .arg(self.identity(key))
                        .arg(value)
                        .arg("PX")
                        .arg(IDENTITY_MS);
                    pipe.cmd("SMEMBERS").arg(self.links_of(key));
                }
            }
            Inquiry::KeepLink { person, link } => {
                let keys = PersonKey::of(person);
                self.write_link(pipe, &keys, link, now_ms)?;
                // After the link: whoever keeps the contact first is seen here, whoever keeps it later sees the link.
                self.write_find(pipe, &keys);
            }
            Inquiry::DropLinks { person, links } => {
                self.write_drop(pipe, &PersonKey::of(person), links)
            }
            Inquiry::ForgetContact { person } => {
                for key in PersonKey::of(person) {
                    pipe.cmd("DEL").arg(self.identity(key));
                }
            }
            Inquiry::ClaimEnsure { what } => {
                let key = self.ensure(what);
                pipe.cmd("SET")
                    .arg(&key)
                    .arg(&self.claim)
                    .arg("NX")
                    .arg("PX")
                    .arg(CLAIM_MS);
                pipe.cmd("GET").arg(key);
            }
            Inquiry::EnsureDone { what } => {
                pipe.cmd("SET")
                    .arg(self.ensure(what))
                    .arg(DONE)
                    .arg("PX")
                    .arg(ENSURED_MS);
            }
            Inquiry::ForgetEnsure { what } => {
                pipe.cmd("DEL").arg(self.ensure(what));
            }
            Inquiry::FindRecord { record } => {
                pipe.cmd("GETEX")
                    .arg(self.record(record))
                    .arg("PX")
                    .arg(RECORD_MS);
            }
            Inquiry::KeepRecord { record, id } => {
                pipe.cmd("SET")
                    .arg(self.record(record))
                    .arg(format!("1:{}", id.as_str()))
                    .arg("PX")
                    .arg(RECORD_MS);
            }
            Inquiry::ForgetRecord { record } => {
                pipe.cmd("DEL").arg(self.record(record));
            }
            Inquiry::FindFact { what } => {
                pipe.cmd("GET").arg(self.fact(what));
            }
            Inquiry::KeepFact { what, text } => {
                pipe.cmd("SET")
                    .arg(self.fact(what))
                    .arg(format!("1:{text}"))
                    .arg("PX")
                    .arg(FACT_MS);
            }
            Inquiry::ForgetFact { what } => {
                pipe.cmd("DEL").arg(self.fact(what));
            }
        }
        Ok(())
    }

    fn write_find(&self, pipe: &mut Pipeline, keys: &[PersonKey]) {
        for key in keys {
            pipe.cmd("GETEX")
                .arg(self.identity(*key))
                .arg("PX")
                .arg(IDENTITY_MS);
        }
    }

    fn write_link(
        &self,
        pipe: &mut Pipeline,
        keys: &[PersonKey],
        link: &Link,
        now_ms: i64,
    ) -> Result<(), MemoryError> {
        let id = link.id.as_str();
        let body = StoredLink::write(link)?;
        // The time first: a link that was written halfway still expires.
        pipe.cmd("ZADD")
            .arg(self.key("link:due"))
            .arg(link.expires_ms)
            .arg(id)
            .ignore();
        pipe.cmd("HSET")
            .arg(self.key("link:body"))
            .arg(id)
            .arg(body)
            .ignore();
        // Longer than any link in the set waits; ids of links that are gone do no harm.
        let kept_ms = link
            .expires_ms
            .saturating_sub(now_ms)
            .max(0)
            .saturating_add(IDENTITY_MS);
        for key in keys {
            let of = self.links_of(*key);
            pipe.cmd("SADD").arg(&of).arg(id).ignore();
            pipe.cmd("PEXPIRE").arg(of).arg(kept_ms).ignore();
        }
        Ok(())
    }

    fn write_drop(&self, pipe: &mut Pipeline, keys: &[PersonKey], links: &[LinkId]) {
        if links.is_empty() {
            return;
        }
        let ids: Vec<&str> = links.iter().map(LinkId::as_str).collect();
        pipe.cmd("HDEL")
            .arg(self.key("link:body"))
            .arg(&ids)
            .ignore();
        pipe.cmd("ZREM")
            .arg(self.key("link:due"))
            .arg(&ids)
            .ignore();
        for key in keys {
            pipe.cmd("SREM").arg(self.links_of(*key)).arg(&ids).ignore();
        }
    }

    fn read(
        &self,
        inquiry: &Inquiry,
        answers: &mut impl Iterator<Item = Value>,
    ) -> Result<Draft, MemoryError> {
        let finding = match inquiry {
            Inquiry::FindContact { person } => Finding::Contact(read_contact(person, answers)?),
            Inquiry::KeepContact { person, .. } => {
                let mut ids: Vec<String> = Vec::new();
                for _ in PersonKey::of(person) {
                    take::<Value>(answers)?;
                    ids.extend(take::<Vec<String>>(answers)?);
                }
                ids.sort_unstable();
                ids.dedup();
                return Ok(Draft::Links(ids));
            }
            Inquiry::KeepLink { person, .. } => Finding::LinkKept(read_contact(person, answers)?),
            Inquiry::DropLinks { .. } => Finding::Kept,
            Inquiry::ForgetContact { person } => {
                for _ in PersonKey::of(person) {
                    take::<Value>(answers)?;
                }
                Finding::Kept
            }
            Inquiry::ClaimEnsure { .. } => {
                take::<Value>(answers)?;
                Finding::Ensure(self.claimed(take::<Option<String>>(answers)?.as_deref()))
            }
            Inquiry::FindRecord { .. } => {
                Finding::Record(take_versioned(answers)?.map(|id| RecordId::new(&id)))
            }
            Inquiry::FindFact { .. } => {
                Finding::Fact(take_versioned(answers)?.map(String::into_boxed_str))
            }
            Inquiry::EnsureDone { .. }
            | Inquiry::ForgetEnsure { .. }
            | Inquiry::KeepRecord { .. }
            | Inquiry::ForgetRecord { .. }
            | Inquiry::KeepFact { .. }
            | Inquiry::ForgetFact { .. } => {
                take::<Value>(answers)?;
                Finding::Kept
            }
        };
        Ok(Draft::Whole(finding))
    }

    fn claimed(&self, value: Option<&str>) -> EnsureState {
        match value {
            Some(DONE) => EnsureState::Done,
            Some(claim) if claim == self.claim => EnsureState::Claimed,
            // Somebody's, of a version we do not know, or run out this moment: ask again soon.
            Some(_) | None => EnsureState::Busy,
        }
    }

    /// Fetches the links named by the drafts, all in one further round trip.
    async fn finish(
        &self,
        connection: &mut Connection,
        drafts: Vec<Draft>,
        now_ms: i64,
    ) -> Result<Vec<Finding>, MemoryError> {
        let ids: Vec<&str> = drafts
            .iter()
            .flat_map(Draft::ids)
            .map(String::as_str)
            .collect();
        let mut bodies: Vec<Option<String>> = Vec::new();
        if !ids.is_empty() {
            let mut command = ::redis::cmd("HMGET");
            command.arg(self.key("link:body")).arg(&ids);
            bodies = command
                .query_async(connection)
                .await
                .map_err(MemoryError::Failed)?;
        }
        let mut bodies = bodies.into_iter();
        let findings = drafts.into_iter().map(|draft| match draft {
            Draft::Whole(finding) => finding,
            Draft::Links(ids) => {
                let bodies = bodies.by_ref().take(ids.len()).flatten();
                let links = bodies.filter_map(|body| StoredLink::read(&body));
                let mut links: Vec<Link> = links.filter(|link| link.expires_ms > now_ms).collect();
                links.sort_by(|a, b| (a.since_ms, &a.id).cmp(&(b.since_ms, &b.id)));
                Finding::Links(links)
            }
        });
        Ok(findings.collect())
    }

    fn key(&self, rest: &str) -> String {
        format!("{}:{rest}", self.base)
    }

    fn identity(&self, key: PersonKey) -> String {
        format!("{}:identity:{}", self.base, key.hex())
    }

    fn links_of(&self, key: PersonKey) -> String {
        format!("{}:link:of:{}", self.base, key.hex())
    }

    fn ensure(&self, what: &EnsureKey) -> String {
        let what = match what {
            EnsureKey::Property { object, name } => {
                format!("property:{}:{}", object.as_str(), name.as_str())
            }
            EnsureKey::Definition { event } => format!("definition:{}", event.as_str()),
            EnsureKey::EventProperty { event, name } => {
                format!("event-property:{}:{}", event.as_str(), name.as_str())
            }
            EnsureKey::List { list } => format!("list:{}", list_hash(list)),
        };
        format!("{}:ensure:{what}", self.base)
    }

    fn delivery(&self, delivery: SeenKey) -> String {
        format!("{}:dedupe:{}", self.base, delivery.hex())
    }

    fn record(&self, record: &RecordRef) -> String {
        format!("{}:id:{}", self.base, RecordKey::of(record).hex())
    }

    fn fact(&self, what: &FactKey) -> String {
        let what = match what {
            FactKey::Properties(object) => format!("properties:{}", object.as_str()),
            FactKey::TypeId(object) => format!("type:{}", object.as_str()),
            FactKey::Definition(event) => format!("definition:{}", event.as_str()),
            FactKey::List(list) => format!("list:{}", list_hash(list)),
        };
        format!("{}:schema:{what}", self.base)
    }
}

/// A list's name may hold anything, people's names included.
fn list_hash(list: &ListName) -> String {
    hex(hash(&[
        list.object.as_str().as_bytes(),
        list.name.as_bytes(),
    ]))
}

/// An answer that may still need its links.
enum Draft {
    Whole(Finding),
    Links(Vec<String>),
}

impl Draft {
    fn ids(&self) -> &[String] {
        match self {
            Self::Whole(_) => &[],
            Self::Links(ids) => ids,
        }
    }
}

/// Sends what was written. People without a key need no commands, and Redis takes no empty pipeline.
async fn send(pipe: &Pipeline, connection: &mut Connection) -> Result<Vec<Value>, MemoryError> {
    if pipe.cmd_iter().next().is_none() {
        return Ok(Vec::new());
    }
    pipe.query_async(connection)
        .await
        .map_err(MemoryError::Failed)
}

fn take<T: FromRedisValue>(answers: &mut impl Iterator<Item = Value>) -> Result<T, MemoryError> {
    let value = answers.next().ok_or(MemoryError::Unreadable)?;
    T::from_redis_value(value).map_err(|_| MemoryError::Unreadable)
}

/// A value of this version; one of another counts as absent.
fn take_versioned(
    answers: &mut impl Iterator<Item = Value>,
) -> Result<Option<String>, MemoryError> {
    let value = take::<Option<String>>(answers)?;
    Ok(value.and_then(|value| value.strip_prefix("1:").map(str::to_owned)))
}

/// The first contact known among a person's keys, which stand in the order of their authority.
fn read_contact(
    person: &[IdentityKey],
    answers: &mut impl Iterator<Item = Value>,
) -> Result<Option<RecordId>, MemoryError> {
    let mut found = None;
    for _ in PersonKey::of(person) {
        let value = take::<Option<String>>(answers)?;
        let contact = value
            .as_deref()
            .and_then(|value| value.strip_prefix("1:"))
            .map(RecordId::new);
        found = found.or(contact);
    }
    Ok(found)
}

async fn within_deadline<T>(
    call: impl Future<Output = Result<T, MemoryError>>,
) -> Result<T, MemoryError> {
    timeout(DEADLINE, call)
        .await
        .unwrap_or(Err(MemoryError::TooSlow(DEADLINE)))
}

#[cfg(test)]
mod tests {
    use deadpool_redis::{Config, Runtime};
    use hubferry_actions::{AssociationType, ObjectType};

    use super::*;

    /// The names of the commands an inquiry becomes.
    fn commands(inquiry: &Inquiry) -> Vec<String> {
        // No connection is made before a command is sent.
        let pool = Config::from_url("redis://127.0.0.1").create_pool(Some(Runtime::Tokio1));
        let memory = RedisMemory::new(pool.unwrap(), "hubferry", "42");
        let mut pipe = ::redis::pipe();
        memory.write(&mut pipe, inquiry, 0).unwrap();
        let name = |command: &::redis::Cmd| match command.args_iter().next() {
            Some(::redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
            other => panic!("a command has a name: {}", other.is_some()),
        };
        pipe.cmd_iter().map(name).collect()
    }

    /// Each side writes its own part before it looks for the other's, and a link is complete before it can be found.
    /// Redis runs short pipelines in one piece, so no race of two workers would show another order.
    #[test]
    fn links_and_contacts_are_written_before_the_other_is_looked_for() {
        let person = vec![IdentityKey::User("u".into())];
        let from = RecordId::new("c1");
        let companies = ObjectType::companies();
        let link = Link {
            id: LinkId::of("m", (&companies, &from), &person, "1"),
            mapping: "m".to_owned(),
            from_object: companies,
            from,
            kind: AssociationType::company_to_contact(),
            since_ms: 0,
            expires_ms: 1,
            origin: None,
        };
        let keep_link = Inquiry::KeepLink {
            person: person.clone(),
            link,
        };
        assert_eq!(
            commands(&keep_link),
            ["ZADD", "HSET", "SADD", "PEXPIRE", "GETEX"]
        );
        let keep_contact = Inquiry::KeepContact {
            person,
            contact: RecordId::new("7"),
        };
        assert_eq!(commands(&keep_contact), ["SET", "SMEMBERS"]);
    }
}
