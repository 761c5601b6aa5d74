//! The directives that are more than a path or a text.

mod array_path;
mod case;
mod condition;
mod exclude_when_null;
mod flatten;
mod json;
mod layers;
mod merge;
mod replace;

pub(crate) use array_path::{ArrayPath, compile_array_path};
pub(crate) use case::{Case, compile_case};
pub(crate) use condition::{If, compile_if};
pub(crate) use exclude_when_null::exclude_when_null;
pub(crate) use flatten::{Flatten, compile_flatten};
pub(crate) use json::{JsonText, compile_json};
pub(crate) use merge::{Merge, compile_merge};
pub(crate) use replace::{Replace, compile_replace};
