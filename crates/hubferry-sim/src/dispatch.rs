//! From a route to the endpoint that answers it.

use crate::account;
use crate::answer::Reply;
use crate::association_calls;
use crate::batch;
use crate::event_calls;
use crate::list_calls;
use crate::merges;
use crate::oauth;
use crate::pipelines;
use crate::property_calls;
use crate::routes::{BatchOp, Route};
use crate::schemas;
use crate::search;
use crate::singles;
use crate::usage;
use crate::visit::Visit;

/// Answers a call that may be answered.
pub(crate) fn dispatch(visit: &Visit<'_>, route: &Route) -> Reply {
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
