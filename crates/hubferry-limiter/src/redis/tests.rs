//! The function in Redis against the core in Rust: the same random history must get the same answers.

use std::sync::atomic::{AtomicU32, Ordering};

use deadpool_redis::{Config, Runtime};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::ask::Class;
use crate::bucket::{Bucket, Request};
use crate::group::{self, Booked};

const START: u64 = 1_700_000_000_000_000;

#[derive(Clone, Debug)]
enum Op {
    Ask {
        limits: u8,
        class: Class,
        cost: u64,
        lead: u64,
        waiting: u64,
    },
    GiveBack,
    Throttled {
        limits: u8,
        pause: u64,
    },
    Named {
        limits: u8,
        max: u64,
    },
    Look,
    /// Redis forgets limits.
    Lose {
        limits: u8,
    },
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let limits = 1u8..=3;
    let class = prop::sample::select(Class::ALL.as_slice());
    let ask = (limits.clone(), class, 1u64..=2, 0u64..40_000, 0u64..5).prop_map(
        |(limits, class, cost, lead, waiting)| Op::Ask {
            limits,
            class,
            cost,
            lead,
            waiting,
        },
    );
    prop_oneof![
        20 => ask,
        3 => Just(Op::GiveBack),
        1 => (limits.clone(), 0u64..90_000_000).prop_map(|(limits, pause)| Op::Throttled { limits, pause }),
        2 => (limits.clone(), 0u64..30).prop_map(|(limits, max)| Op::Named { limits, max }),
        2 => Just(Op::Look),
        1 => limits.prop_map(|limits| Op::Lose { limits }),
        8 => (0u64..400_000).prop_map(Op::Pass),
        2 => (0u64..20_000_000).prop_map(Op::Pass),
    ]
}

fn settings(max: (u32, u32), fresh: Fresh) -> (Vec<LimitSettings>, LimiterOptions) {
    let size = |max: u32| std::num::NonZeroU32::new(max).expect("not zero");
    let slow = LimitSettings::ten_seconds(LimitName::new("slow"), size(max.0));
    let fast = LimitSettings {
        slot: Duration::from_millis(70),
        ..LimitSettings::per_second(LimitName::new("fast"), size(max.1))
    };
    (
        vec![slow, fast],
        LimiterOptions {
            fresh: Some(fresh),
            patience: None,
        },
    )
}

fn asked(limits: u8) -> Vec<usize> {
    (0..2).filter(|limit| limits & (1 << limit) != 0).collect()
}

/// Both twins, and the permits that were not given back.
struct Twins {
    redis: RedisLimiter,
    buckets: Vec<Bucket>,
    fresh: Fresh,
    /// Which limits have no state, neither here nor there.
    lost: [bool; 2],
    now: u64,
    held: Vec<(Class, SmallVec<[Place; 2]>)>,
}

impl Twins {
    /// Asks Redis. Whatever is missing begins here when any of it is asked about.
    async fn redis(&mut self, op: &'static str, asked: &[usize], arguments: &[u64]) -> Vec<u64> {
        if asked.iter().any(|limit| self.lost[*limit]) {
            for limit in 0..2 {
                if std::mem::take(&mut self.lost[limit]) {
                    let rule = self.buckets[limit].rule;
                    self.buckets[limit] = Bucket::new(rule, self.fresh, self.now);
                }
            }
        }
        let at = self.now.to_string();
        let answer = self
            .redis
            .run_unbounded(op, asked, arguments, &at)
            .await
            .expect("Redis answers");
        assert_eq!(answer.clock.store, self.now);
        answer.numbers
    }

    async fn step(&mut self, op: &Op) {
        match op {
            Op::Ask {
                limits,
                class,
                cost,
                lead,
                waiting,
            } => {
                let asked = asked(*limits);
                let number = u64::from(class.number());
                let there = self
                    .redis("ask", &asked, &[number, *cost, *lead, *waiting])
                    .await;
                let request = Request {
                    class: *class,
                    cost: *cost,
                    waiting: *waiting,
                };
                let here = match group::book(&mut self.buckets, &asked, self.now, *lead, &request) {
                    Booked::Refused { again } => vec![0, again],
                    Booked::Granted {
                        opens,
                        closes,
                        places,
                    } => {
                        let mut numbers = vec![1, opens, closes];
                        for place in &places {
                            let ceiling = self.buckets[place.limit].ceiling();
                            numbers.extend([place.slot, place.epoch, ceiling]);
                        }
                        self.held.push((*class, places));
                        numbers
                    }
                };
                assert_eq!(there, here);
            }
            Op::GiveBack => {
                let Some((class, places)) = self.held.pop() else {
                    return;
                };
                let asked: Vec<usize> = places.iter().map(|place| place.limit).collect();
                let mut arguments = vec![u64::from(class.number())];
                for place in &places {
                    arguments.extend([place.slot, place.epoch]);
                }
                self.redis("back", &asked, &arguments).await;
                for place in &places {
                    let bucket = &mut self.buckets[place.limit];
                    bucket.give_back(self.now, place.epoch, place.slot, class);
                }
            }
            Op::Throttled { limits, pause } => {
                self.redis("slow", &asked(*limits), &[*pause]).await;
                for limit in asked(*limits) {
                    self.buckets[limit].throttled(self.now, *pause);
                }
            }
            Op::Named { limits, max } => {
                let there = self.redis("size", &asked(*limits), &[*max]).await;
                let here: Vec<u64> = asked(*limits)
                    .into_iter()
                    .map(|limit| {
                        self.buckets[limit].named(self.now, *max);
                        self.buckets[limit].ceiling()
                    })
                    .collect();
                assert_eq!(there, here);
            }
            Op::Look => self.look().await,
            Op::Lose { limits } => {
                let mut connection = self.redis.pool.get().await.expect("Redis answers");
                for limit in asked(*limits) {
                    self.lost[limit] = true;
                    let mut command = ::redis::cmd("DEL");
                    command.arg(&self.redis.limits[limit].key);
                    let () = command
                        .query_async(&mut connection)
                        .await
                        .expect("Redis answers");
                }
            }
            Op::Pass(time) => self.now += time,
        }
    }

    async fn look(&mut self) {
        let there = self.redis("look", &[0, 1], &[]).await;
        let mut here = Vec::new();
        for bucket in &mut self.buckets {
            bucket.settle(self.now);
            let (used, ahead) = bucket.used(self.now);
            let (closed, left) = match bucket.closed(self.now) {
                None => (0, 0),
                Some((Closed::Paused, until)) => (1, until - self.now),
                Some((Closed::Quarantine, until)) => (2, until - self.now),
            };
            here.extend([bucket.effective(), used, ahead, closed, left]);
            here.extend([
                bucket.granted,
                bucket.returned,
                bucket.wasted,
                bucket.throttled,
            ]);
        }
        assert_eq!(there, here);
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test's service is named by the environment"
)]
fn the_function_in_redis_and_the_core_are_twins() {
    let url = std::env::var("HUBFERRY_TEST_REDIS")
        .expect("HUBFERRY_TEST_REDIS names a Redis server, as in redis://127.0.0.1:6379");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pool = Config::from_url(url)
        .create_pool(Some(Runtime::Tokio1))
        .unwrap();
    let run = format!(
        "hubferry-twins-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    );
    let cases = AtomicU32::new(0);
    let fresh = prop::sample::select(vec![Fresh::Empty, Fresh::Quarantine]);
    let histories = (
        1u32..=30,
        1u32..=9,
        fresh,
        prop::collection::vec(op(), 1..150),
    );
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&histories, |(slow, fast, fresh, ops)| {
        let prefix = format!("{run}-{}", cases.fetch_add(1, Ordering::Relaxed));
        let (limits, options) = settings((slow, fast), fresh);
        let redis = RedisLimiter::new(
            pool.clone(),
            &prefix,
            &Scope::new("1:app"),
            &limits,
            options,
        )
        .unwrap();
        let rules = rules(&limits).unwrap();
        let buckets = rules
            .into_iter()
            .map(|(_, rule)| Bucket::new(rule, fresh, START))
            .collect();
        let mut twins = Twins {
            redis,
            buckets,
            fresh,
            lost: [true; 2],
            now: START,
            held: Vec::new(),
        };
        runtime.block_on(async {
            for op in &ops {
                twins.step(op).await;
            }
            twins.look().await;
        });
        Ok(())
    });
    result.unwrap();
}
