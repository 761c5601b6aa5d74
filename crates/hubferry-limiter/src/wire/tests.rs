//! The function in Redis against the desk in Rust: the same random history must get the same answers.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;

use deadpool_redis::{Config, Runtime};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::ask::Class;
use crate::day::Zone;
use crate::desk::{DayTerms, HEADER, Op, Reading};
use crate::fleet::{Caller, Terms};
use crate::settings::{LimitName, LimitSettings, rules};

const START: u64 = 1_700_000_000_000_000;
const WORKERS: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Ask {
        who: usize,
        limits: u8,
        class: Class,
        cost: u64,
        lead: u64,
        count: u64,
        in_turn: bool,
        reading: (u64, u64, u64),
        delays: (u64, u64),
        waiting: u64,
    },
    Back {
        who: usize,
    },
    Slow {
        who: usize,
        limits: u8,
        pause: u64,
    },
    Note {
        who: usize,
        limits: u8,
        reading: (u64, u64, u64),
    },
    Day {
        who: usize,
        max: u64,
        remaining: u64,
        is_spent: bool,
    },
    Beat {
        who: usize,
        island: u64,
    },
    Leave {
        who: usize,
    },
    Look,
    /// Redis forgets limits; the fourth bit is the fleet.
    Lose(u8),
    Pass(u64),
    /// The server's clock jumps.
    Jump(i64),
    /// Another server answers.
    Move,
    /// A worker starts anew, and knows nothing.
    Restart {
        who: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..WORKERS;
    let limits = 1u8..=3;
    let class = prop::sample::select(Class::ALL.as_slice());
    let reading = prop_oneof![
        2 => Just((0, 0, 0)),
        1 => (0u64..40, 0u64..30, 0u64..900_000),
    ];
    let ask = (
        (who.clone(), limits.clone(), class, 1u64..=2, 0u64..40_000),
        (
            1u64..=4,
            any::<bool>(),
            reading.clone(),
            (0u64..90_000, 0u64..200_000),
            0u64..5,
        ),
    )
        .prop_map(
            |((who, limits, class, cost, lead), (count, in_turn, reading, delays, waiting))| {
                Act::Ask {
                    who,
                    limits,
                    class,
                    cost,
                    lead,
                    count,
                    in_turn,
                    reading,
                    delays,
                    waiting,
                }
            },
        );
    prop_oneof![
        30 => ask,
        3 => who.clone().prop_map(|who| Act::Back { who }),
        1 => (who.clone(), limits.clone(), 0u64..90_000_000)
            .prop_map(|(who, limits, pause)| Act::Slow { who, limits, pause }),
        2 => (who.clone(), limits, reading)
            .prop_map(|(who, limits, reading)| Act::Note { who, limits, reading }),
        1 => (who.clone(), 0u64..300, 0u64..300, prop::bool::weighted(0.1))
            .prop_map(|(who, max, remaining, is_spent)| Act::Day { who, max, remaining, is_spent }),
        3 => (who.clone(), prop_oneof![Just(0u64), 1u64..20_000_000])
            .prop_map(|(who, island)| Act::Beat { who, island }),
        1 => who.clone().prop_map(|who| Act::Leave { who }),
        3 => Just(Act::Look),
        1 => (1u8..16).prop_map(Act::Lose),
        12 => (0u64..400_000).prop_map(Act::Pass),
        3 => (0u64..20_000_000).prop_map(Act::Pass),
        1 => (0u64..50_000).prop_map(|seconds| Act::Pass(seconds * 1_000_000)),
        1 => (-5_000_000_000i64..5_000_000_000).prop_map(Act::Jump),
        1 => Just(Act::Move),
        1 => who.prop_map(|who| Act::Restart { who }),
    ]
}

fn settings(max: (u32, u32)) -> Vec<LimitSettings> {
    let size = |max: u32| NonZeroU32::new(max).expect("not zero");
    let slow = LimitSettings {
        ceiling: size(max.0 * 2),
        others: 10,
        least_spread: Duration::from_millis(100),
        ..LimitSettings::ten_seconds(LimitName::new("slow"), size(max.0))
    };
    let fast = LimitSettings {
        slot: Duration::from_millis(70),
        ..LimitSettings::per_second(LimitName::new("fast"), size(max.1))
    };
    vec![slow, fast]
}

fn asked(limits: u8) -> Vec<usize> {
    (0..2).filter(|limit| limits & (1 << limit) != 0).collect()
}

/// A permit that may be handed back: its class and generation, limits, slots and epochs.
struct Held {
    class: u64,
    generation: u64,
    limits: Vec<usize>,
    places: Vec<u64>,
}

/// Both twins, what the workers know, and the permits that were not given back.
struct Twins {
    redis: RedisWire,
    desk: Desk,
    rules: Vec<Rule>,
    terms: Terms,
    day_max: u64,
    raw: u64,
    run: u64,
    callers: Vec<Caller>,
    counts: Vec<[u64; 2]>,
    held: Vec<Held>,
}

impl Twins {
    async fn ask(&mut self, who: usize, op: Op, asked: &[usize], arguments: &[u64]) -> Vec<i64> {
        self.callers[who].run = self.run;
        self.callers[who].worker = who as u64 + 1;
        let question = Question {
            op,
            asked,
            terms: self.terms,
            day: Some(DayTerms {
                is_covered: asked.contains(&0),
                max: self.day_max,
                midnights: Zone::fixed(3_600).midnights(self.raw),
            }),
            caller: self.callers[who],
            counts: &self.counts[who],
            arguments,
        };
        let here = self.desk.answer(self.raw, &question);
        let at = self.raw.to_string();
        let there = self
            .redis
            .exchange(question, &self.rules, &at)
            .await
            .expect("Redis answers");
        assert_eq!(there.numbers, here, "{op:?} of {who} at {at}");
        let field = |index: usize| u64::try_from(here[index]).expect("not negative");
        let caller = &mut self.callers[who];
        (caller.raw, caller.seen, caller.offset, caller.era) =
            (field(0), field(1), here[2], field(3));
        (caller.epoch, caller.generation, caller.last_run) = (field(4), field(5), field(8));
        caller.elapsed = 0;
        if caller.ticket > 0 {
            caller.ticket = 1 + field(7);
        }
        here
    }

    async fn act(&mut self, act: &Act) {
        let whole = |numbers: &[i64]| -> Vec<u64> {
            numbers
                .iter()
                .map(|n| u64::try_from(*n).expect("not negative"))
                .collect()
        };
        match act {
            Act::Ask {
                who,
                limits,
                class,
                cost,
                lead,
                count,
                in_turn,
                reading,
                delays,
                waiting,
            } => {
                let limits = asked(*limits);
                let class = u64::from(class.number());
                let mut arguments = vec![class, *cost, *lead, *count, u64::from(*in_turn)];
                for _ in &limits {
                    arguments.extend(self.reading(*who, *reading, *delays).numbers());
                }
                self.callers[*who].waiting = *waiting;
                let answer = self.ask(*who, Op::Ask, &limits, &arguments).await;
                let numbers = whole(&answer[HEADER..]);
                let (head, grants) = numbers.split_at(2 + 4 * limits.len());
                for (index, limit) in limits.iter().enumerate() {
                    self.counts[*who][*limit] = head[4 + 4 * index];
                }
                for grant in grants.chunks_exact(2 + limits.len()) {
                    let epochs = head[2..].chunks_exact(4).map(|numbers| numbers[0]);
                    let slots = grant[2..].iter().copied();
                    self.held.push(Held {
                        class,
                        generation: self.callers[*who].generation,
                        limits: limits.clone(),
                        places: slots
                            .zip(epochs)
                            .flat_map(|(slot, epoch)| [slot, epoch])
                            .collect(),
                    });
                }
            }
            Act::Back { who } => {
                let Some(held) = self.held.pop() else { return };
                let mut arguments = vec![held.class, held.generation];
                arguments.extend(held.places);
                self.ask(*who, Op::Back, &held.limits, &arguments).await;
            }
            Act::Slow { who, limits, pause } => {
                self.ask(*who, Op::Slow, &asked(*limits), &[*pause]).await;
            }
            Act::Note {
                who,
                limits,
                reading,
            } => {
                let limits = asked(*limits);
                let reading = self.reading(*who, *reading, (0, 0)).numbers();
                let arguments = reading.repeat(limits.len());
                self.ask(*who, Op::Note, &limits, &arguments).await;
            }
            Act::Day {
                who,
                max,
                remaining,
                is_spent,
            } => {
                let arguments = [*max, *remaining, u64::from(*is_spent)];
                self.ask(*who, Op::Day, &[0], &arguments).await;
            }
            Act::Beat { who, island } => {
                self.callers[*who].ticket = self.callers[*who].ticket.max(1);
                self.callers[*who].island = *island;
                self.ask(*who, Op::Beat, &[], &[]).await;
                self.callers[*who].island = 0;
            }
            Act::Leave { who } => {
                self.callers[*who].ticket = 0;
                self.ask(*who, Op::Leave, &[], &[]).await;
            }
            Act::Look => {
                self.ask(0, Op::Look, &[0, 1], &[]).await;
            }
            Act::Lose(what) => self.lose(*what).await,
            Act::Pass(time) => {
                self.raw += time;
                for caller in &mut self.callers {
                    caller.elapsed += time;
                }
            }
            Act::Jump(by) => self.raw = self.raw.saturating_add_signed(*by),
            Act::Move => self.run += 1,
            Act::Restart { who } => {
                self.callers[*who] = Caller::default();
                self.counts[*who] = [0; 2];
            }
        }
    }

    fn reading(
        &self,
        who: usize,
        (max, remaining, ago): (u64, u64, u64),
        delays: (u64, u64),
    ) -> Reading {
        let at = self.callers[who].seen.saturating_sub(ago);
        Reading {
            max: if at == 0 { 0 } else { max },
            remaining,
            at,
            least: delays.0,
            most: delays.1,
        }
    }

    async fn lose(&mut self, what: u8) {
        let mut connection = self.redis.pool.get().await.expect("Redis answers");
        let mut keys = Vec::new();
        for limit in asked(what & 3) {
            self.desk.buckets[limit] = None;
            keys.push(self.redis.keys.limits[limit].clone());
        }
        if what & 4 > 0 {
            self.desk.day = Some(crate::day::Day::default());
            keys.extend(self.redis.keys.day.clone());
        }
        if what & 8 > 0 {
            self.desk.fleet = None;
            keys.push(self.redis.keys.fleet.clone());
        }
        let mut command = ::redis::cmd("DEL");
        command.arg(keys);
        let () = command
            .query_async(&mut connection)
            .await
            .expect("Redis answers");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test's service is named by the environment"
)]
fn pool() -> Pool {
    let url = std::env::var("HUBFERRY_TEST_REDIS")
        .expect("HUBFERRY_TEST_REDIS names a Redis server, as in redis://127.0.0.1:6379");
    Config::from_url(url)
        .create_pool(Some(Runtime::Tokio1))
        .expect("the address is one")
}

#[test]
fn the_function_in_redis_and_the_desk_are_twins() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pool = pool();
    let run = format!(
        "hubferry-twins-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    );
    let cases = AtomicU32::new(0);
    // With the longer ticket, the function is called as a script.
    let ticket = prop::sample::select(vec![60_000_000, 90_000_000]);
    let terms = (0u64..=2, 0u64..=4, ticket).prop_map(|(quarantine, workers, ticket)| Terms {
        quarantine,
        workers,
        ticket,
        silent: 12_000_000,
    });
    let histories = (
        (1u32..=30, 1u32..=9, prop_oneof![Just(0u64), 20u64..200]),
        terms,
        prop::collection::vec(act(), 1..200),
    );
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&histories, |((slow, fast, day_max), terms, acts)| {
        let base = format!("{run}-{}:{{1:app}}", cases.fetch_add(1, Ordering::Relaxed));
        let rules = rules(&settings((slow, fast))).unwrap();
        let rules: Vec<Rule> = rules.into_iter().map(|(_, rule)| rule).collect();
        let keys = Keys {
            fleet: format!("{base}:fleet"),
            limits: vec![format!("{base}:slow"), format!("{base}:fast")],
            day: Some(format!("{base}:day")),
        };
        let mut twins = Twins {
            redis: if terms.ticket > 60_000_000 {
                RedisWire::new(pool.clone(), keys).without_library()
            } else {
                RedisWire::new(pool.clone(), keys)
            },
            desk: Desk::new(rules.clone(), true),
            rules,
            terms,
            day_max,
            raw: START,
            run: 1,
            callers: vec![Caller::default(); WORKERS],
            counts: vec![[0; 2]; WORKERS],
            held: Vec::new(),
        };
        runtime.block_on(async {
            for act in &acts {
                twins.act(act).await;
            }
            twins.act(&Act::Look).await;
        });
        Ok(())
    });
    result.unwrap();
}
