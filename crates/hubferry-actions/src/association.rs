//! The association labels that payloads name.

use crate::action::{Refusal, RefusalCode};
use crate::nouns::AssociationType;

/// The association type of a label, or why there is none.
pub(crate) fn labelled(label: &str, field: &str) -> Result<AssociationType, Refusal> {
    AssociationType::parse(label).ok_or_else(|| {
        let message = format!("{field} has to be {}", AssociationType::FORM);
        Refusal::new(RefusalCode::PayloadInvalid, Some(field), message)
    })
}
