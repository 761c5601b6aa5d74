//! The portal: everything it holds, and the path of a call through it.
//!
//! A call is answered in two steps, so that the server can let time pass between them: [`Portal::arrive`] counts it and
//! decides who may go on, [`Portal::perform`] does what was asked. Nothing here waits or touches a socket.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::access::{self, Bearer, Tokens};
use crate::account;
use crate::answer::{Answer, Refusal, Reply};
use crate::association_calls;
use crate::associations::Graph;
use crate::batch;
use crate::calls::{CallLog, Finished};
use crate::catalogue;
use crate::event_calls;
use crate::events::EventBook;
use crate::faults::{Effect, FaultBox, Faults, Suspect};
use crate::inputs::WrittenProperties;
use crate::limits::{Headers, Meters};
use crate::list_calls;
use crate::lists::Lists;
use crate::locks::Locks;
use crate::merges;
use crate::oauth;
use crate::objects::{Names, ObjectType};
use crate::pipelines::{self, Pipeline};
use crate::policies::Product;
use crate::properties::{PropertyBook, PropertyKey};
use crate::property_calls;
use crate::records::{Shelf, Stamp};
use crate::routes::{BatchOp, Route};
use crate::schemas::{self, Schemas};
use crate::search;
use crate::settings::SimSettings;
use crate::setup::SetupCall;
use crate::singles;
use crate::spoil::{raw, with_anonymous_error, without_first_input, without_results};
use crate::switches::Switches;
use crate::urls::form;
use crate::usage;

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

/// What changes.
pub(crate) struct State {
    drawers: BTreeMap<ObjectType, Drawer>,
    pub(crate) names: Names,
    pub(crate) schemas: Schemas,
    pub(crate) pipelines: BTreeMap<ObjectType, Vec<Pipeline>>,
    pub(crate) graph: Graph,
    pub(crate) lists: Lists,
    pub(crate) events: EventBook,
    /// Addresses nobody may write to any more.
    pub(crate) blocked: BTreeSet<String>,
    pub(crate) meters: Meters,
    pub(crate) locks: Locks,
    pub(crate) tokens: Tokens,
    pub(crate) switches: Switches,
    pub(crate) faults: FaultBox,
    pub(crate) log: CallLog,
    pub(crate) chance: StdRng,
    calls: u64,
}

/// Definitions and records of one object type.
#[derive(Debug)]
pub(crate) struct Drawer {
    pub(crate) book: PropertyBook,
    pub(crate) shelf: Shelf,
}

impl State {
    fn new(settings: &SimSettings) -> Self {
        let mut state = Self {
            drawers: BTreeMap::new(),
            names: Names::default(),
            schemas: Schemas::new(),
            pipelines: BTreeMap::new(),
            graph: Graph::new(settings.history),
            lists: Lists::default(),
            events: EventBook::default(),
            blocked: BTreeSet::new(),
            meters: Meters::new(settings),
            locks: Locks::default(),
            tokens: Tokens::default(),
            switches: settings.switches.clone(),
            faults: FaultBox::new(settings.faults.clone()),
            log: CallLog::default(),
            chance: StdRng::seed_from_u64(settings.seed),
            calls: 0,
        };
        for object in ObjectType::standard() {
            state.open_drawer(object, catalogue::book(object), settings);
            state.pipelines.insert(object, pipelines::first(object));
            pipelines::spread(&mut state, object);
        }
        state
    }

    /// Makes room for the records of a type.
    pub(crate) fn open_drawer(
        &mut self,
        object: ObjectType,
        book: PropertyBook,
        settings: &SimSettings,
    ) {
        let base: u64 = match object {
            ObjectType::Contacts => 171_000_000_000,
            ObjectType::Companies => 38_000_000_000,
            _ => 25_000_000_000,
        };
        let first_id = base + self.chance.random_range(0..1_000_000_000);
        let shelf = Shelf::new(first_id, settings.history);
        self.drawers.insert(object, Drawer { book, shelf });
    }

    /// Every object type, those of the account's own last.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectType> {
        self.drawers.keys().copied()
    }

    /// # Panics
    ///
    /// Never for a type that [`Names`] resolved: each has a drawer from its first day on, deleted types too.
    pub(crate) fn drawer(&self, object: ObjectType) -> &Drawer {
        let drawer = self.drawers.get(&object);
        drawer.expect("object types are resolved before they are used")
    }

    /// The same to change it.
    pub(crate) fn drawer_mut(&mut self, object: ObjectType) -> &mut Drawer {
        let drawer = self.drawers.get_mut(&object);
        drawer.expect("object types are resolved before they are used")
    }

    /// Removes a record and what it was joined to. False when there was none.
    pub(crate) fn archive(&mut self, object: ObjectType, id: u64) -> bool {
        let drawer = self.drawer_mut(object);
        let gone = drawer.shelf.archive(&drawer.book, id);
        if gone {
            self.graph.forget(object, id);
            self.lists.replace(object, id, None);
        }
        gone
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

/// What an endpoint gets to see.
pub(crate) struct Visit<'a> {
    portal: &'a Portal,
    pub(crate) settings: &'a SimSettings,
    pub(crate) stamp: Stamp,
    pub(crate) query: Vec<(String, String)>,
    bearer: &'a Bearer,
    path: &'a str,
    body: &'a [u8],
    inputs: Cell<usize>,
}

/// What is done with a sensitive value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Write,
}

impl<'a> Visit<'a> {
    pub(crate) fn state(&self) -> MutexGuard<'a, State> {
        let mut state = self.portal.lock();
        state.graph.clock = self.stamp;
        state
    }

    /// Whether this version holds record writes against the rules of the account.
    pub(crate) fn strict(&self) -> bool {
        self.path.contains("/2026-09/")
    }

    /// Values of a class other than `non_sensitive` need a scope of their own.
    pub(crate) fn may_touch(
        &self,
        object: ObjectType,
        class: Option<&str>,
        touch: Touch,
    ) -> Result<(), Refusal> {
        let Some(class) = class.filter(|class| *class != "non_sensitive") else {
            return Ok(());
        };
        let verb = match touch {
            Touch::Read => "read",
            Touch::Write => "write",
        };
        let scope = format!("crm.objects.{}.{class}.{verb}", object.scope());
        // The specification spells them with a version.
        let needed = [scope.clone(), format!("{scope}.v2")];
        match self.bearer.has_any(&needed) {
            true => Ok(()),
            false => Err(access::missing_scopes(&[scope])),
        }
    }

    /// Whether all of these values may be written.
    pub(crate) fn may_write(
        &self,
        book: &PropertyBook,
        properties: &WrittenProperties,
    ) -> Result<(), Refusal> {
        if self.bearer.scopes.is_none() {
            return Ok(());
        }
        let found = properties.iter().filter_map(|(name, _)| book.find(name));
        let class = book.sensitive(found.map(|(key, _)| key));
        self.may_touch(book.object, class, Touch::Write)
    }

    /// Those of the properties whose values the caller may see.
    pub(crate) fn readable(
        &self,
        book: &PropertyBook,
        mut keys: Vec<PropertyKey>,
    ) -> Vec<PropertyKey> {
        if self.bearer.scopes.is_some() {
            keys.retain(|key| {
                let class = book.get(*key).sensitivity.as_str();
                self.may_touch(book.object, Some(class), Touch::Read)
                    .is_ok()
            });
        }
        keys
    }

    /// The body as JSON of a shape.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::validation(
                "Invalid JSON input: a request body was expected, but none found",
            ));
        }
        serde_json::from_slice(self.body).map_err(|error| Refusal::bad_json(&error))
    }

    /// The body as it is.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    /// Notes how many inputs a batch carried, for the log.
    pub(crate) fn carried(&self, inputs: usize) {
        self.inputs.set(inputs);
    }
}

impl Portal {
    /// An empty portal. `opened_ms` is the wall clock in epoch milliseconds.
    pub(crate) fn new(settings: SimSettings, opened_ms: i64) -> Self {
        let portal = Self {
            state: Mutex::new(State::new(&settings)),
            settings,
            opened_ms,
        };
        portal.set_up_first();
        portal
    }

    fn set_up_first(&self) {
        if let Err(refused) = self.set_up(&self.settings.setup, Duration::ZERO) {
            let body = String::from_utf8_lossy(&refused.body).into_owned();
            tracing::error!(
                status = refused.status,
                body,
                "a call of the setup was refused"
            );
        }
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
        self.set_up_first();
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

fn dispatch(visit: &Visit<'_>, route: &Route) -> Reply {
    match route {
        Route::Batch(object, BatchOp::Read) => batch::read(visit, *object),
        Route::Batch(object, BatchOp::Archive) => batch::archive(visit, *object),
        Route::Batch(object, op) => batch::write(visit, *object, *op),
        Route::Search(object) => search::search(visit, *object),
        Route::Records(object, verb) => singles::records(visit, *object, *verb),
        Route::Record(object, id, verb) => singles::record(visit, *object, id, *verb),
        Route::PairBatch(direction, op, era) => {
            association_calls::batch(visit, *direction, *op, *era)
        }
        Route::PairList {
            direction,
            from,
            era,
        } => association_calls::list(visit, *direction, from, *era),
        Route::PairLabel(pair, era) => association_calls::label(visit, pair, *era),
        Route::PairDefault(pair) => association_calls::default(visit, pair),
        Route::PairRemove(pair) => association_calls::remove(visit, pair),
        Route::PairLegacy(pair, kind) => association_calls::legacy_label(visit, pair, kind),
        Route::PairLegacyRemove(pair, kind) => association_calls::legacy_remove(visit, pair, kind),
        Route::Labels(direction, verb) => association_calls::labels(visit, *direction, *verb),
        Route::Label(direction, id) => association_calls::delete_label(visit, *direction, id),
        Route::Properties(object, verb) => property_calls::properties(visit, *object, *verb),
        Route::Property(object, name, verb) => {
            property_calls::property(visit, *object, name, *verb)
        }
        Route::PropertyBatch(object, op) => property_calls::batch(visit, *object, *op),
        Route::Groups(object, verb) => property_calls::groups(visit, *object, *verb),
        Route::Group(object, name, verb) => property_calls::group(visit, *object, name, *verb),
        Route::Merge(object) => merges::merge(visit, *object),
        Route::Forget => merges::forget(visit),
        Route::Schemas(verb) => schemas::schemas(visit, *verb),
        Route::Schema(object, verb) => schemas::schema(visit, *object, *verb),
        Route::SchemaBatch => schemas::batch_read(visit),
        Route::SchemaAssociation(_) => schemas::associate(visit),
        Route::Pipelines(object, verb) => pipelines::pipelines(visit, *object, *verb),
        Route::Pipeline { object, id, stages } => pipelines::pipeline(visit, *object, id, *stages),
        Route::Lists(call) => list_calls::lists(visit, call),
        Route::Events(call) => event_calls::events(visit, call),
        Route::PairLimits(call) => usage::pair_limits(visit, *call),
        Route::Usage(call) => usage::usage(visit, *call),
        Route::AccountDetails => account::details(visit),
        Route::AccountUsage => account::usage(visit),
        Route::Authorize => oauth::authorize(visit),
        Route::Revoke => oauth::revoke(visit),
        Route::DropRefreshToken(token) => oauth::drop_refresh_token(visit, token),
        Route::Token => oauth::token(visit),
        Route::Introspect => oauth::introspect(visit),
        Route::TokenInfo(token) => oauth::token_info(visit, token),
        Route::RefreshTokenInfo(token) => oauth::refresh_token_info(visit, token),
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
