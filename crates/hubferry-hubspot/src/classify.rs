//! From an error to what is to be done about it: one table, first row wins, the last one takes all
//! (hubspot-api.md §9.1, §3.4, §4.2, §5.1, §8.4; fleet.md iv.1).

use std::ops::RangeInclusive;

use crate::call::Request;
use crate::failure::{Detail, Failure};
use crate::outcome::{Code, ErrorClass};

/// What an error means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ruling {
    /// The day's calls are used up.
    DailyLimit,
    /// A limit per second.
    SecondlyLimit,
    /// The ten-second burst.
    BurstLimit,
    /// The limit the call counts against.
    RateLimit,
    /// HubSpot or what stands before it is in trouble.
    Server,
    /// Too many writes to one object type at once.
    Locked,
    /// The account moves between data centres.
    Migrating,
    /// The token is not accepted.
    Auth,
    /// Scopes or a product tier are missing.
    Scope,
    /// The mapping asks for what this portal does not have.
    Config,
    /// A record id does not exist.
    Missing,
    /// A record with the same unique value exists.
    Taken,
    /// What was to be created is there.
    There,
    /// What was asked for does not exist.
    Absent,
    /// There was nothing to change.
    Unchanged,
    /// It can never succeed as it is.
    Refused(Code, ErrorClass),
    /// Those it names can never succeed as they are: what they share is at fault.
    NamedRefused(Code, ErrorClass),
    /// No step of the call can ever succeed as it is: what they share is at fault.
    AllRefused(Code, ErrorClass),
}

/// What kind of call the error answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Upsert,
    Update,
    Read,
    Create,
    Search,
    Link,
    Archive,
    GdprDelete,
    CreateProperties,
    ReadProperties,
    ReadObjectType,
    SendEvents,
    ReadDefinition,
    CreateDefinition,
    CreateEventProperty,
    ReadList,
    CreateList,
    ChangeMembers,
}

impl Kind {
    pub(crate) const fn of(request: &Request) -> Self {
        match request {
            Request::Upsert { .. } => Self::Upsert,
            Request::Update { .. } => Self::Update,
            Request::Read { .. } => Self::Read,
            Request::Create { .. } => Self::Create,
            Request::Search { .. } => Self::Search,
            Request::Link { .. } => Self::Link,
            Request::Archive { .. } => Self::Archive,
            Request::GdprDelete { .. } => Self::GdprDelete,
            Request::CreateProperties { .. } => Self::CreateProperties,
            Request::ReadProperties { .. } => Self::ReadProperties,
            Request::ReadObjectType { .. } => Self::ReadObjectType,
            Request::SendEvents { .. } => Self::SendEvents,
            Request::ReadEventDefinition { .. } => Self::ReadDefinition,
            Request::CreateEventDefinition { .. } => Self::CreateDefinition,
            Request::CreateEventProperty { .. } => Self::CreateEventProperty,
            Request::ReadList { .. } => Self::ReadList,
            Request::CreateList { .. } => Self::CreateList,
            Request::ChangeMembers { .. } => Self::ChangeMembers,
        }
    }
}

/// One row: all conditions that are set must hold. Texts are compared in lower case.
#[derive(Clone)]
struct Row {
    status: RangeInclusive<u16>,
    /// The kinds of call it is for; empty for all.
    kinds: &'static [Kind],
    category: Option<&'static str>,
    /// The end of the sub-category.
    sub_category: Option<&'static str>,
    /// The code of one of the details.
    code: Option<&'static str>,
    /// How the message begins. Rows that stop a mapping use this one: what users wrote never stands there.
    begins: Option<&'static str>,
    /// What the message, the policy or a detail says somewhere.
    says: Option<&'static str>,
    ruling: Ruling,
}

const fn on(status: u16) -> Row {
    within(status..=status)
}

const fn within(status: RangeInclusive<u16>) -> Row {
    Row {
        status,
        kinds: &[],
        category: None,
        sub_category: None,
        code: None,
        begins: None,
        says: None,
        ruling: Ruling::Server,
    }
}

impl Row {
    const fn kind(mut self, kinds: &'static [Kind]) -> Self {
        self.kinds = kinds;
        self
    }
    const fn category(mut self, category: &'static str) -> Self {
        self.category = Some(category);
        self
    }
    const fn sub_category(mut self, end: &'static str) -> Self {
        self.sub_category = Some(end);
        self
    }
    const fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
    const fn begins(mut self, words: &'static str) -> Self {
        self.begins = Some(words);
        self
    }
    const fn says(mut self, words: &'static str) -> Self {
        self.says = Some(words);
        self
    }
    const fn is(mut self, ruling: Ruling) -> Self {
        self.ruling = ruling;
        self
    }
    const fn named_refused(self, code: Code, class: ErrorClass) -> Self {
        self.is(Ruling::NamedRefused(code, class))
    }
    const fn all_refused(self, code: Code, class: ErrorClass) -> Self {
        self.is(Ruling::AllRefused(code, class))
    }
    const fn refused(self, code: Code, class: ErrorClass) -> Self {
        self.is(Ruling::Refused(code, class))
    }
}

use Code::{
    DateHasTime, DefinitionArchived, DefinitionMissing, HubspotRejected, ListMissing,
    ListNotWritable, NotUnique, PropertyArchived, PropertyMissing, PropertyOption,
    PropertyReadOnly, PropertyType, SearchFieldsInvalid, TooLarge, TooManyProperties,
};
use ErrorClass::{Conflict, Input, Mapping};

/// Calls about one custom event's definition.
const EVENTS: &[Kind] = &[Kind::SendEvents, Kind::CreateEventProperty];
/// Calls that create what a portal may have already.
const DEFINING: &[Kind] = &[
    Kind::CreateProperties,
    Kind::CreateDefinition,
    Kind::CreateEventProperty,
];
/// Calls that take records away.
const DELETING: &[Kind] = &[Kind::Archive, Kind::GdprDelete];
/// Calls that ask whether something exists.
const ASKING: &[Kind] = &[Kind::ReadObjectType, Kind::ReadDefinition, Kind::ReadList];

/// Validation of input: 400, and 422 where it is used for the same.
const BAD: RangeInclusive<u16> = 400..=422;

#[rustfmt::skip]
static TABLE: &[Row] = &[
    // Limits. The order matters: "ten_secondly" contains "secondly".
    on(429).says("daily").is(Ruling::DailyLimit),
    on(429).says("ten_secondly").is(Ruling::BurstLimit),
    on(429).says("secondly").is(Ruling::SecondlyLimit),
    on(429).is(Ruling::RateLimit),

    // Passing trouble.
    on(408).is(Ruling::Server),
    on(423).is(Ruling::Locked),
    on(477).is(Ruling::Migrating),
    on(501).refused(HubspotRejected, Input),
    within(500..=599).is(Ruling::Server),

    // Somebody has to act.
    on(401).is(Ruling::Auth),
    on(403).is(Ruling::Scope),
    within(BAD).begins("unable to infer object type").kind(&[Kind::ReadObjectType]).is(Ruling::Absent),
    within(BAD).begins("unable to infer object type").is(Ruling::Config),
    within(BAD).begins("unable to perform update/upsert by non-unique").is(Ruling::Config),
    within(BAD).begins("unable to perform update by non-unique").is(Ruling::Config),
    within(BAD).begins("unable to perform upsert by non-unique").is(Ruling::Config),
    within(BAD).begins("the maximum number of inputs").is(Ruling::Config),
    within(BAD).begins("invalid json input").is(Ruling::Config),
    within(BAD).begins("invalid input json").is(Ruling::Config),

    // Definitions, lists and types that are not there, or are there already. Their 400s are recorded, their 404s are not.
    within(BAD).says("event with fully qualified name").kind(&[Kind::ReadDefinition]).is(Ruling::Absent),
    within(BAD).begins("list does not exist").kind(&[Kind::ReadList]).is(Ruling::Absent),
    on(404).category("object_not_found").kind(ASKING).is(Ruling::Absent),
    on(404).says("not found").kind(ASKING).is(Ruling::Absent),
    on(404).says("not exist").kind(ASKING).is(Ruling::Absent),
    within(BAD).sub_category("duplicate_list_names").is(Ruling::There),
    within(BAD).begins("list does not exist").kind(&[Kind::ChangeMembers]).all_refused(ListMissing, Input),
    on(404).kind(&[Kind::ChangeMembers]).all_refused(ListMissing, Input),
    within(BAD).says("dynamic").kind(&[Kind::ChangeMembers]).all_refused(ListNotWritable, Input),
    within(BAD).says("processing type").kind(&[Kind::ChangeMembers]).all_refused(ListNotWritable, Input),
    within(BAD).says("event with fully qualified name").kind(EVENTS).named_refused(DefinitionMissing, Mapping),
    on(404).category("object_not_found").kind(EVENTS).refused(DefinitionMissing, Mapping),
    on(404).says("not found").kind(EVENTS).refused(DefinitionMissing, Mapping),
    on(404).says("not exist").kind(EVENTS).refused(DefinitionMissing, Mapping),
    on(409).kind(DEFINING).category("object_already_exists").is(Ruling::There),
    on(409).kind(DEFINING).sub_category("property_with_name_exists").is(Ruling::There),
    on(409).kind(DEFINING).says("already exists").is(Ruling::There),

    // A record that is not there, or is there already.
    within(BAD).sub_category("to_object_not_found").is(Ruling::Missing),
    within(BAD).sub_category("from_object_not_found").is(Ruling::Missing),
    within(BAD).sub_category("invalid_identifier").kind(&[Kind::Link]).is(Ruling::Missing),
    on(404).category("object_not_found").is(Ruling::Missing),
    // An address that does not exist must not pass for a contact that is deleted.
    on(404).kind(DELETING).is(Ruling::Config),
    on(404).says("resource not found").is(Ruling::Missing),
    // No record was looked for: the address itself is wrong (base URL, version, object type).
    on(404).is(Ruling::Config),
    on(405).is(Ruling::Config),
    on(409).says("already exists").is(Ruling::Taken),
    on(409).category("conflict").is(Ruling::Taken),
    on(409).refused(HubspotRejected, Conflict),
    on(413).refused(TooLarge, ErrorClass::TooLarge),

    // Values. What concerns all inputs comes before what concerns one.
    within(BAD).begins("duplicate ids found").refused(HubspotRejected, Input),
    within(BAD).begins("no properties found to update").is(Ruling::Unchanged),
    within(BAD).kind(&[Kind::Search]).refused(SearchFieldsInvalid, Mapping),
    within(BAD).says("more than 50 properties").kind(&[Kind::SendEvents]).refused(TooManyProperties, Input),
    within(BAD).says("at most 50 properties").kind(&[Kind::SendEvents]).refused(TooManyProperties, Input),
    within(BAD).says("too many properties").kind(&[Kind::SendEvents]).refused(TooManyProperties, Input),
    within(BAD).says("definition is archived").kind(EVENTS).refused(DefinitionArchived, Mapping),
    within(BAD).says("property is archived").kind(EVENTS).refused(PropertyArchived, Mapping),
    within(BAD).code("property_doesnt_exist").refused(PropertyMissing, Mapping),
    within(BAD).code("read_only_value").refused(PropertyReadOnly, Mapping),
    within(BAD).code("conflicting_unique_value").refused(NotUnique, Conflict),
    within(BAD).says("already has that value").refused(NotUnique, Conflict),
    within(BAD).code("invalid_option").refused(PropertyOption, Input),
    within(BAD).code("invalid_date").says("not midnight").refused(DateHasTime, Input),
    within(BAD).code("invalid_date").refused(PropertyType, Input),
    within(BAD).code("invalid_long").refused(PropertyType, Input),
    within(BAD).code("invalid_integer").refused(PropertyType, Input),
    within(BAD).code("invalid_number").refused(PropertyType, Input),
    within(BAD).code("invalid_boolean").refused(PropertyType, Input),
    within(BAD).code("invalid_email").refused(PropertyType, Input),
    within(BAD).says("was not one of the allowed options").refused(PropertyOption, Input),
    within(BAD).says("not midnight").refused(DateHasTime, Input),

    // Whatever else: an unknown answer costs the one input, never the portal.
    within(0..=u16::MAX).refused(HubspotRejected, Input),
];

/// What an error to a call of this kind means, and the detail that decided it.
pub(crate) fn classify(kind: Kind, failure: &Failure) -> (Ruling, Option<&Detail>) {
    let read = Lowered::of(failure);
    let row = TABLE.iter().find(|row| read.fits(kind, row));
    let row = row.expect("the last row takes everything");
    (row.ruling, read.deciding(row).or(failure.details.first()))
}

/// The texts of a failure in lower case, made once for all rows.
struct Lowered<'a> {
    failure: &'a Failure,
    message: String,
    category: String,
    sub_category: String,
    policy: String,
    details: Vec<(String, String)>,
}

impl<'a> Lowered<'a> {
    fn of(failure: &'a Failure) -> Self {
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase();
        Self {
            failure,
            message: failure.message.trim_start().to_lowercase(),
            category: lower(&failure.category),
            sub_category: lower(&failure.sub_category),
            policy: lower(&failure.policy),
            details: failure
                .details
                .iter()
                .map(|d| (lower(&d.code), d.message.to_lowercase()))
                .collect(),
        }
    }

    fn fits(&self, kind: Kind, row: &Row) -> bool {
        let said = |words: &str| {
            self.message.contains(words)
                || self.policy.contains(words)
                || self
                    .details
                    .iter()
                    .any(|(_, message)| message.contains(words))
        };
        row.status.contains(&self.failure.status)
            && (row.kinds.is_empty() || row.kinds.contains(&kind))
            && row
                .category
                .is_none_or(|category| self.category == category)
            && row
                .sub_category
                .is_none_or(|end| self.sub_category.ends_with(end))
            && row
                .code
                .is_none_or(|code| self.details.iter().any(|(c, _)| c == code))
            && row
                .begins
                .is_none_or(|words| self.message.starts_with(words))
            && row.says.is_none_or(said)
    }

    fn deciding(&self, row: &Row) -> Option<&'a Detail> {
        let decides = |(code, message): &(String, String)| match (row.code, row.says) {
            (Some(wanted), words) => code == wanted && words.is_none_or(|w| message.contains(w)),
            (None, Some(words)) => message.contains(words),
            (None, None) => false,
        };
        let at = self.details.iter().position(decides)?;
        self.failure.details.get(at)
    }
}
