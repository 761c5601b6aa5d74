//! The portal: everything it holds, and the path of a call through it.
//!
//! A call is answered in two steps, so that the server can let time pass between them: [`Portal::arrive`] counts it and
//! decides who may go on, [`Portal::perform`] does what was asked. Nothing here waits or touches a socket.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

use crate::access::{self, Bearer};
use crate::account;
use crate::answer::{Answer, Refusal};
use crate::batch;
use crate::calls::Finished;
use crate::dispatch::dispatch;
use crate::faults::{Effect, FaultBox, Faults, Suspect};
use crate::limits::Headers;
use crate::policies::Product;
use crate::records::Stamp;
use crate::routes::Route;
use crate::settings::SimSettings;
use crate::setup::SetupCall;
use crate::spoil::{raw, with_anonymous_error, without_first_input, without_results};
use crate::state::State;
use crate::switches::Switches;
use crate::urls::form;
use crate::visit::Visit;

/// The state behind a simulator, for inspection from inside the process.
pub struct Portal {
    pub(crate) settings: SimSettings,
    /// Wall clock at the start, epoch milliseconds.
    opened_ms: i64,
    state: Mutex<State>,
}

impl fmt::Debug for Portal {
    /// Without its records: they are many, and personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal")
            .field("portal_id", &self.settings.portal_id)
            .finish_non_exhaustive()
    }
}

/// A call as it came in.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: bytes::Bytes,
}

impl Request {
    fn path_and_query(&self) -> String {
        match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query),
        }
    }
}

/// A call that was counted, with what was decided about it.
#[derive(Debug)]
pub(crate) struct Arrived {
    number: u64,
    at: Duration,
    correlation_id: String,
    endpoint: String,
    max_inputs: u64,
    headers: Headers,
    bearer: Bearer,
    route: Result<Route, Refusal>,
    pub(crate) effects: Vec<Effect>,
}

impl Portal {
    /// An empty portal. `opened_ms` is the wall clock in epoch milliseconds.
    pub(crate) fn new(settings: SimSettings, opened_ms: i64) -> Self {
        Self {
            state: Mutex::new(State::new(&settings)),
            settings,
            opened_ms,
        }
    }

    /// Makes the calls of the settings. The answer of the one that was refused.
    pub(crate) fn set_up_first(&self) -> Result<(), Answer> {
        self.set_up(&self.settings.setup, Duration::ZERO)
    }

    /// Makes calls that nobody counts; the first refusal ends it.
    pub(crate) fn set_up(&self, calls: &[SetupCall], now: Duration) -> Result<(), Answer> {
        for call in calls {
            let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
            let route = Route::parse(&call.method, path, &self.lock().names)
                .map_err(|refusal| refusal.into_answer("setup"))?;
            let body = serde_json::to_vec(&call.body).unwrap_or_default();
            let visit = Visit {
                portal: self,
                settings: &self.settings,
                stamp: self.stamp(now, 0),
                query: form(query),
                bearer: &Bearer::default(),
                path,
                body: &body,
                inputs: Cell::new(0),
            };
            let answer =
                dispatch(&visit, &route).unwrap_or_else(|refusal| refusal.into_answer("setup"));
            if !(200..300).contains(&answer.status) || answer.status == 207 {
                return Err(answer);
            }
        }
        Ok(())
    }

    /// Turns switches; keys that are not given stay.
    pub(crate) fn turn(&self, changes: Map<String, Value>) -> Result<(), Refusal> {
        let mut state = self.lock();
        let turned = state.switches.turned(changes)?;
        self.put_switches(&mut state, turned);
        Ok(())
    }

    /// Replaces all switches.
    pub fn switch(&self, switches: Switches) {
        self.put_switches(&mut self.lock(), switches);
    }

    fn put_switches(&self, state: &mut State, switches: Switches) {
        state.meters.foreign = switches.foreign;
        state.switches = switches;
    }

    /// The random delay of one answer.
    pub(crate) fn latency(&self) -> Duration {
        let mut state = self.lock();
        let switched = state.switches.latency_ms;
        let switched =
            switched.map(|(from, to)| Duration::from_millis(from)..Duration::from_millis(to));
        let Range { start, end } = switched.unwrap_or_else(|| self.settings.latency.clone());
        match end <= start {
            true => start,
            false => state.chance.random_range(start..end),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a bug of ours; what the state holds is still the best answer there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties the portal: records, associations, definitions, counts, limits, faults back to the first ones.
    pub fn reset(&self) {
        *self.lock() = State::new(&self.settings);
        if let Err(refused) = self.set_up_first() {
            tracing::error!(
                status = refused.status,
                "a call of the setup that was good at the start was refused"
            );
        }
    }

    /// Replaces the fault rules.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = FaultBox::new(faults);
    }

    pub(crate) fn stamp(&self, since: Duration, call: u64) -> Stamp {
        Stamp {
            since,
            at_ms: self.epoch_ms(since),
            call,
        }
    }

    fn epoch_ms(&self, since: Duration) -> i64 {
        self.opened_ms
            .saturating_add(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Counts a call and lets it pass the token, the limits, the scopes and the faults.
    pub(crate) fn arrive(&self, request: &Request, now: Duration) -> Arrived {
        let epoch_ms = self.epoch_ms(now);
        let mut state = self.lock();
        let parsed = Route::parse(&request.method, &request.path, &state.names);
        state.calls += 1;
        let number = state.calls;
        let correlation_id = correlation_id(&mut state.chance);
        let (endpoint, max_inputs) = match &parsed {
            Ok(route) => (route.endpoint(), route.max_inputs()),
            Err(_) => ("unknown".to_owned(), 0),
        };
        let mut headers = Headers::new();
        let mut bearer = Bearer::default();
        let route = parsed.and_then(|route| {
            let admitted = self.admit(&mut state, &route, request, now, epoch_ms, &mut headers)?;
            bearer = admitted;
            Ok(route)
        });
        let effects = match &route {
            Ok(_) => {
                let State { faults, chance, .. } = &mut *state;
                let suspect = Suspect {
                    number,
                    method: &request.method,
                    path: &request.path,
                    body: &request.body,
                };
                faults.strike(suspect, chance)
            }
            Err(_) => Vec::new(),
        };
        Arrived {
            number,
            at: now,
            correlation_id,
            endpoint,
            max_inputs,
            headers,
            bearer,
            route,
            effects,
        }
    }

    fn admit(
        &self,
        state: &mut State,
        route: &Route,
        request: &Request,
        now: Duration,
        epoch_ms: i64,
        headers: &mut Headers,
    ) -> Result<Bearer, Refusal> {
        if !route.needs_token() {
            return Ok(Bearer::default());
        }
        if state.switches.uninstalled {
            return Err(access::invalid());
        }
        let mut bearer = access::bearer(
            &self.settings,
            &state.tokens,
            request.authorization.as_deref(),
            now,
            epoch_ms,
        )?;
        let day = account::day(epoch_ms);
        let standing = state.meters.admit(route.bucket(), now, day, !bearer.oauth);
        *headers = standing.headers;
        if let Some(refusal) = standing.refused {
            return Err(refusal);
        }
        if let Some(scopes) = &state.switches.scopes {
            bearer.scopes = Some(scopes.clone());
        }
        if let (Some(object), Some(lock)) = (route.writes(), state.switches.lock) {
            state.locks.pass(object, lock, now)?;
        }
        match route.product() {
            Some(product @ Product::CustomEvents) if !state.switches.custom_events => {
                return Err(access::missing_product(product));
            }
            Some(product @ Product::CustomObjects) if !state.switches.custom_objects => {
                return Err(access::missing_product(product));
            }
            _ => (),
        }
        access::permitted(&bearer, route)?;
        Ok(bearer)
    }

    /// Does what was asked, as far as the faults let it, and writes the call into the log.
    pub(crate) fn perform(&self, request: &Request, arrived: &Arrived, now: Duration) -> Answer {
        let mut inputs = 0;
        let mut answer = match &arrived.route {
            Err(refusal) => refusal.clone().into_answer(&arrived.correlation_id),
            Ok(route) => self.with_effects(request, arrived, route, now, &mut inputs),
        };
        answer.headers.extend(arrived.headers.iter().cloned());
        answer
            .headers
            .push(("X-HubSpot-Correlation-Id", arrived.correlation_id.clone()));
        self.finish(request, arrived, answer.status, inputs);
        answer
    }

    /// Writes a call into the log that was cut off before anything was done.
    pub(crate) fn cut_off(&self, request: &Request, arrived: &Arrived) {
        self.finish(request, arrived, 0, 0);
    }

    fn finish(&self, request: &Request, arrived: &Arrived, status: u16, inputs: usize) {
        self.lock().log.record(&Finished {
            call: arrived.number,
            at: arrived.at,
            method: &request.method,
            path: &request.path_and_query(),
            endpoint: &arrived.endpoint,
            max_inputs: arrived.max_inputs,
            status,
            inputs,
        });
    }

    fn with_effects(
        &self,
        request: &Request,
        arrived: &Arrived,
        route: &Route,
        now: Duration,
        inputs: &mut usize,
    ) -> Answer {
        let mut body = request.body.clone();
        let mut anonymous = false;
        for effect in &arrived.effects {
            match effect {
                Effect::Answer(canned) => {
                    return canned.answer(
                        self.settings.portal_id,
                        self.epoch_ms(now),
                        &arrived.correlation_id,
                    );
                }
                Effect::Raw {
                    status,
                    body,
                    retry_after,
                } => return raw(*status, body, *retry_after),
                Effect::Redirect { status, base } => {
                    let location = format!("{base}{}", request.path_and_query());
                    return Answer::empty(*status).with_header("Location", location);
                }
                Effect::EmptyComplete => {
                    return batch::nothing_done(200, &self.stamp(now, arrived.number));
                }
                Effect::AnonymousError => {
                    if let Some(shorter) = without_first_input(&body) {
                        body = shorter;
                        anonymous = true;
                    }
                }
                Effect::LatencyMs(_)
                | Effect::TimeoutAfterWriteMs(_)
                | Effect::Reset
                | Effect::ResetAfterWrite
                | Effect::DropResults(_)
                | Effect::TruncateBody => (),
            }
        }
        let visit = Visit {
            portal: self,
            settings: &self.settings,
            stamp: self.stamp(now, arrived.number),
            query: form(&request.query),
            bearer: &arrived.bearer,
            path: &request.path,
            body: &body,
            inputs: Cell::new(0),
        };
        let mut answer = dispatch(&visit, route)
            .unwrap_or_else(|refusal| refusal.into_answer(&arrived.correlation_id));
        *inputs = visit.inputs.get();
        if anonymous {
            answer = with_anonymous_error(answer);
        }
        for effect in &arrived.effects {
            match effect {
                Effect::DropResults(count) => answer = without_results(answer, *count),
                Effect::TruncateBody => answer.body.truncate(answer.body.len() / 2),
                _ => (),
            }
        }
        answer
    }
}

/// A version 4 UUID from the portal's own chance, so that runs repeat.
fn correlation_id(chance: &mut StdRng) -> String {
    let high: u64 = chance.random();
    let low: u64 = chance.random();
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
    let (d, e) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
}
