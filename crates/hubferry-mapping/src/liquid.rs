//! `@liquid`: templates with variables, filters, conditions and assignments.
//!
//! This is a small interpreter of our own. The maintained crate `liquid` (0.26, read November 2026) was looked at
//! first and cannot be made to give the reference's results: it refuses unknown filters and undefined variables instead
//! of passing over them, joins operators in another order, prints objects and numbers its own way, and has no budget
//! for the work of a rendering. What is left of it, a parser for text between braces, is the small part.
//!
//! The rules are those of the engine behind the reference (LiquidJS 10), as observed by running it, with the tags and
//! filters that the reference disables. hubferry differs where a result would depend on the machine or the moment:
//!
//! - Work is counted in steps and bytes ([`MAX_LIQUID_STEPS`], [`MAX_LIQUID_BYTES`]), not in milliseconds.
//! - Times are UTC. `now` and `today` are the time at which the event was received, or else its own.
//! - Faults that the text alone shows refuse the mapping when it is loaded.
//! - `increment` and `decrement` count beside the event and never change it.

mod block;
mod cursor;
mod expression;
mod filters;
mod run;
mod token;
mod value;

use hubferry_event::Json;

use block::Block;
use filters::FilterKind;
use run::Run;

/// The longest template, in UTF-16 units. Source: the reference's limit.
pub const MAX_LIQUID_UNITS: usize = 1000;

/// How many steps one rendering may take: tags, values, filters and elements of lists that are looked at.
pub const MAX_LIQUID_STEPS: usize = 100_000;

/// How many bytes of text and lists one rendering may make, its output included.
pub const MAX_LIQUID_BYTES: usize = 8 * 1024 * 1024;

/// How deep tags and brackets may nest.
pub const MAX_LIQUID_DEPTH: usize = 64;

/// Why a template gives no text for one event. It never shows the event's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiquidError {
    /// The reference disables the filter.
    #[error("the filter `{name}` is disabled")]
    DisabledFilter {
        /// The filter's name.
        name: String,
    },
    /// A filter cannot work with what it got.
    #[error("the filter `{name}` {rule}")]
    Filter {
        /// The filter's name.
        name: &'static str,
        /// The broken rule.
        rule: &'static str,
    },
    /// The rendering takes too many steps.
    #[error("the rendering takes more than {MAX_LIQUID_STEPS} steps")]
    Steps,
    /// The rendering makes too much text.
    #[error("the rendering makes more than {MAX_LIQUID_BYTES} bytes")]
    Bytes,
}

/// A template, parsed once.
#[derive(Clone, Debug)]
pub(crate) struct Liquid {
    blocks: Vec<Block>,
}

impl Liquid {
    /// Parses a template; the fault names the broken rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.encode_utf16().count() > MAX_LIQUID_UNITS {
            return Err(format!("must have at most {MAX_LIQUID_UNITS} characters"));
        }
        let chars: Vec<char> = text.chars().collect();
        let blocks = block::parse(&chars)?;
        Ok(Self { blocks })
    }

    /// The text for one event and the steps it took; without an event all variables are undefined.
    pub(crate) fn render(&self, event: Option<Json<'_>>) -> Result<(String, usize), LiquidError> {
        let mut run = Run::new(event);
        let mut out = String::new();
        run.render(&self.blocks, &mut out)?;
        Ok((out, run.steps()))
    }

    /// What is suspicious about the filters, each once.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        block::for_each_filter(&self.blocks, &mut |filter| {
            let warning = match filter.kind {
                FilterKind::Known(_) => return,
                FilterKind::Disabled => format!("uses the disabled filter `{}`", filter.name),
                FilterKind::Unknown => format!("ignores the unknown filter `{}`", filter.name),
            };
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        });
        warnings
    }
}

#[cfg(test)]
mod tests;
