//! What can be asked of the portal: every endpoint with what its path says.

use crate::associations::Direction;
use crate::objects::ObjectType;

/// Which generation of paths a call came in on; a few answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `2026-03`, `2026-09`.
    Dated,
    /// `v1`, `v3`, `v4`.
    Legacy,
}

/// Batch operations on records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchOp {
    Create,
    Update,
    Upsert,
    Read,
    Archive,
}

/// Batch operations on associations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PairOp {
    Create,
    AssociateDefault,
    Archive,
    ArchiveLabels,
    Read,
    LegacyCreate,
    LegacyArchive,
    LegacyRead,
}

/// What is done to something named in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    List,
    Create,
    Read,
    Update,
    Delete,
}

/// What is done with lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListCall {
    Create,
    GetMany,
    Search,
    ByName(ObjectType, String),
    Get(String),
    Rename(String),
    Delete(String),
    Members(String),
    AddAndRemove(String),
    Add(String),
    Remove(String),
    AddFrom(String, String),
    Clear(String),
    OfRecord(ObjectType, String),
    OfRecords,
}

/// What is done with custom events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventCall {
    Definitions,
    Define,
    Definition(String),
    Redefine(String),
    Undefine(String),
    AddProperty(String),
    ChangeProperty(String, String),
    RemoveProperty(String, String),
    Send,
    SendBatch,
    Occurrences,
}

/// What is done with the numbers of associations a record may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitCall {
    All,
    OfPair(Direction),
    Set(Direction, u16),
    Purge(Direction, Era),
}

/// What an account says about its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageCall {
    Properties,
    Labels,
    RecordsFrom,
    RecordsTo(ObjectType),
    Records(Direction),
}

/// One association named in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) direction: Direction,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// An endpoint with what the path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Batch(ObjectType, BatchOp),
    Search(ObjectType),
    Records(ObjectType, Verb),
    Record(ObjectType, String, Verb),
    PairBatch(Direction, PairOp, Era),
    PairList {
        direction: Direction,
        from: String,
        era: Era,
    },
    PairLabel(Pair, Era),
    PairDefault(Pair),
    PairRemove(Pair),
    PairLegacy(Pair, String),
    PairLegacyRemove(Pair, String),
    Labels(Direction, Verb),
    Label(Direction, String),
    Properties(ObjectType, Verb),
    Property(ObjectType, String, Verb),
    PropertyBatch(ObjectType, BatchOp),
    Groups(ObjectType, Verb),
    Group(ObjectType, String, Verb),
    Merge(ObjectType),
    Forget,
    Schemas(Verb),
    Schema(ObjectType, Verb),
    SchemaBatch,
    SchemaAssociation(ObjectType),
    Pipelines(ObjectType, Verb),
    Pipeline {
        object: ObjectType,
        id: String,
        stages: bool,
    },
    Lists(ListCall),
    Events(EventCall),
    PairLimits(LimitCall),
    Usage(UsageCall),
    AccountDetails,
    AccountUsage,
    Authorize,
    Token,
    Introspect,
    Revoke,
    TokenInfo(String),
    RefreshTokenInfo(String),
    DropRefreshToken(String),
}
