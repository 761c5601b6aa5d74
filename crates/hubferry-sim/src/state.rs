//! What a portal holds and what changes in it.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::access::Tokens;
use crate::associations::Graph;
use crate::calls::CallLog;
use crate::catalogue;
use crate::events::EventBook;
use crate::faults::FaultBox;
use crate::limits::Meters;
use crate::lists::Lists;
use crate::locks::Locks;
use crate::objects::{Names, ObjectType};
use crate::pipelines::{self, Pipeline};
use crate::properties::PropertyBook;
use crate::records::Shelf;
use crate::schemas::Schemas;
use crate::settings::SimSettings;
use crate::switches::Switches;

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
    pub(crate) calls: u64,
}

/// Definitions and records of one object type.
#[derive(Debug)]
pub(crate) struct Drawer {
    pub(crate) book: PropertyBook,
    pub(crate) shelf: Shelf,
}

impl State {
    pub(crate) fn new(settings: &SimSettings) -> Self {
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
