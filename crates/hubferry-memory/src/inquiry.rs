//! What is asked of the memory, and what it answers.

use hubferry_actions::{EventName, ListName, ObjectType, PropertyName, RecordId, RecordRef};
use hubferry_event::IdentityKey;

use crate::link::{Link, LinkId};

/// One thing to look up or to keep. Every inquiry may be repeated without harm.
///
/// Of a `person`, only user ids, anonymous ids and e-mails count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inquiry {
    /// The contact of a person: by user id, then by anonymous id, then by e-mail; the first that is known.
    /// Answer: [`Finding::Contact`].
    FindContact {
        /// Her keys.
        person: Vec<IdentityKey>,
    },
    /// Remembers a contact under every key of the person. Answer: [`Finding::Links`], those that wait for any of the keys
    /// and have not expired. They go on waiting until [`Inquiry::DropLinks`].
    KeepContact {
        /// Her keys.
        person: Vec<IdentityKey>,
        /// Her contact.
        contact: RecordId,
    },
    /// Keeps a link until the person's contact appears, then looks once more whether it has. Of two workers, one keeping
    /// the link and one the contact, at least one sees what the other kept. Answer: [`Finding::LinkKept`].
    KeepLink {
        /// The keys by which the contact may appear.
        person: Vec<IdentityKey>,
        /// The association to make.
        link: Link,
    },
    /// The links were made, or given up for good. Answer: [`Finding::Kept`].
    DropLinks {
        /// The keys they waited for; may be empty when not known.
        person: Vec<IdentityKey>,
        /// The links.
        links: Vec<LinkId>,
    },
    /// The contact no longer exists or was merged. Answer: [`Finding::Kept`].
    ForgetContact {
        /// Her keys.
        person: Vec<IdentityKey>,
    },
    /// Asks to be the one worker that ensures a piece of the schema. Answer: [`Finding::Ensure`].
    ClaimEnsure {
        /// Which piece.
        what: EnsureKey,
    },
    /// It was ensured; believed by the fleet for a day. Answer: [`Finding::Kept`].
    EnsureDone {
        /// Which piece.
        what: EnsureKey,
    },
    /// It could not be ensured, or it turned out to be gone: anybody may claim it again. Answer: [`Finding::Kept`].
    ForgetEnsure {
        /// Which piece.
        what: EnsureKey,
    },
    /// The id of a record that is no contact of a person: the other end of an association, a record that was found by
    /// searching. Answer: [`Finding::Record`].
    FindRecord {
        /// Which record.
        record: RecordRef,
    },
    /// Remembers a record's id for a day after its last use. Answer: [`Finding::Kept`].
    KeepRecord {
        /// Which record.
        record: RecordRef,
        /// Its id.
        id: RecordId,
    },
    /// The record no longer exists, or has another id. Answer: [`Finding::Kept`].
    ForgetRecord {
        /// Which record.
        record: RecordRef,
    },
    /// What some worker read of the portal's schema in the last five minutes. Answer: [`Finding::Fact`].
    FindFact {
        /// Which part.
        what: FactKey,
    },
    /// Shares what was read. Answer: [`Finding::Kept`].
    KeepFact {
        /// Which part.
        what: FactKey,
        /// What it says, as its reader writes it.
        text: Box<str>,
    },
    /// HubSpot contradicted it: whoever asks next reads it anew. Answer: [`Finding::Kept`].
    ForgetFact {
        /// Which part.
        what: FactKey,
    },
}

/// A part of a portal's schema that the fleet reads once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FactKey {
    /// The properties of a type.
    Properties(ObjectType),
    /// The type id of a custom type.
    TypeId(ObjectType),
    /// An event definition.
    Definition(EventName),
    /// A list.
    List(ListName),
}

/// The answer to one inquiry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The contact, if one is known.
    Contact(Option<RecordId>),
    /// The links that wait for the contact.
    Links(Vec<Link>),
    /// Done; there is nothing to say.
    Kept,
    /// The link is kept; the contact, if it has appeared meanwhile.
    LinkKept(Option<RecordId>),
    /// Who ensures it.
    Ensure(EnsureState),
    /// The record's id, if it is known.
    Record(Option<RecordId>),
    /// What was read, if it is fresh.
    Fact(Option<Box<str>>),
}

/// A piece of a portal's schema.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EnsureKey {
    /// A property of an object type.
    Property {
        /// The type.
        object: ObjectType,
        /// The property.
        name: PropertyName,
    },
    /// An event definition.
    Definition {
        /// Its name.
        event: EventName,
    },
    /// A property of an event definition.
    EventProperty {
        /// The definition.
        event: EventName,
        /// The property.
        name: PropertyName,
    },
    /// A list.
    List {
        /// Its name and type.
        list: ListName,
    },
}

/// Who ensures a piece of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EnsureState {
    /// It exists.
    Done,
    /// The asking worker, within the next 30 seconds.
    Claimed,
    /// Another worker is at it; ask again soon.
    Busy,
}
