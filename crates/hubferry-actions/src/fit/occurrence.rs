//! An occurrence's values made to fit its definition (actions.md §7.3, §8.5).

use std::sync::Arc;

use super::{DropReason, EventPropertyDefinition, FittedOccurrence, Misfit, MisfitCode, Takes};
use crate::convert::{Unfit, convert, is_longer};
use crate::nouns::PropertyName;
use crate::occurrence::{
    EventName, EventValue, MAX_EVENT_PROPERTIES, OccurrenceStep, Overflow, WhenUndefined,
};
use crate::plan::{Policy, ValueKind};
use crate::portal::{EventDefinition, EventPropertyInfo, ValueType};

/// The longest text of an event property, in characters, and of one that holds an address (hubspot-api.md §7.1).
const MAX_TEXT: usize = 256;
const MAX_ADDRESS: usize = 1_024;
const ADDRESSES: [&str; 3] = ["url", "referrer", "link"];

/// The properties that HubSpot gives every definition, whether it lists them or not (actions.md §8.3).
pub const DEFAULT_EVENT_PROPERTIES: [&str; 32] = [
    "hs_asset_description",
    "hs_asset_type",
    "hs_browser",
    "hs_campaign_id",
    "hs_city",
    "hs_country",
    "hs_device_name",
    "hs_device_type",
    "hs_element_class",
    "hs_element_id",
    "hs_element_text",
    "hs_language",
    "hs_link_href",
    "hs_operating_system",
    "hs_operating_version",
    "hs_page_content_type",
    "hs_page_id",
    "hs_page_title",
    "hs_page_url",
    "hs_parent_module_id",
    "hs_referrer",
    "hs_region",
    "hs_screen_height",
    "hs_screen_width",
    "hs_touchpoint_source",
    "hs_tracking_name",
    "hs_user_agent",
    "hs_utm_campaign",
    "hs_utm_content",
    "hs_utm_medium",
    "hs_utm_source",
    "hs_utm_term",
];

/// Makes an occurrence's values fit. Of more than fifty, those stay that stand first in the definition, or none.
///
/// # Errors
/// A [`Misfit`] when the definition was archived, or a value cannot fit and the policy refuses it.
pub fn fit_occurrence(
    step: &OccurrenceStep,
    definition: &EventDefinition,
    policy: &Policy,
) -> Result<FittedOccurrence, Misfit> {
    if definition.archived {
        return Err(archived_definition(&step.event));
    }
    let mut fitting = Fitting {
        step,
        policy,
        event: EventName::new(&definition.full_name),
        placed: Vec::with_capacity(step.properties.len()),
        dropped: Vec::new(),
    };
    // Neither has many more than fifty: to look through them costs less than to index them for every occurrence.
    let defined = || definition.properties.iter().enumerate();
    for (name, value) in &step.properties {
        match defined().find(|(_, info)| &*info.name == name.as_str()) {
            Some((place, info)) => fitting.known(name, value, place, info)?,
            None => fitting.unknown(name, value)?,
        }
    }
    fitting.finish()
}

struct Fitting<'a> {
    step: &'a OccurrenceStep,
    policy: &'a Policy,
    event: EventName,
    placed: Vec<Placed>,
    dropped: Vec<(PropertyName, DropReason)>,
}

/// A value that fits, and its place among the properties of the definition.
struct Placed {
    place: Place,
    name: PropertyName,
    text: Arc<str>,
}

/// Properties that are to be created come after those the definition has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Defined(usize),
    Default,
    New(ValueKind),
}

impl Fitting<'_> {
    fn known(
        &mut self,
        name: &PropertyName,
        value: &EventValue,
        place: usize,
        info: &EventPropertyInfo,
    ) -> Result<(), Misfit> {
        if info.archived {
            let message = format!(
                "the event's property {} was archived in HubSpot: restore it there, or take it out of the mapping",
                name.as_str()
            );
            return self.refuse(name, MisfitCode::PropertyArchived, message);
        }
        self.place(name, value, Place::Defined(place), &info.value)
    }

    fn unknown(&mut self, name: &PropertyName, value: &EventValue) -> Result<(), Misfit> {
        if DEFAULT_EVENT_PROPERTIES.contains(&name.as_str()) {
            let takes = match name.as_str() {
                "hs_screen_height" | "hs_screen_width" => ValueType::Number,
                "hs_language" | "hs_page_content_type" => ValueType::Other,
                _ => ValueType::Text,
            };
            return self.place(name, value, Place::Default, &takes);
        }
        // An empty value says nothing, not even what kind of property it wants: it costs no event.
        if value.expose().is_empty() {
            return self.drop_unknown(name);
        }
        match self.step.definition.property {
            WhenUndefined::Drop => self.drop_unknown(name),
            WhenUndefined::Create => {
                let kind = value.kind();
                self.place(name, value, Place::New(kind), &event_type(kind))
            }
            WhenUndefined::Refuse => Err(Misfit {
                code: MisfitCode::PropertyMissing,
                property: Some(name.clone()),
                message: format!(
                    "the event {} has no property {}: add it in HubSpot, take it out of the mapping, or set unknown_property to \
                     drop or create",
                    self.event.as_str(),
                    name.as_str()
                ),
            }),
        }
    }

    fn drop_unknown(&mut self, name: &PropertyName) -> Result<(), Misfit> {
        self.dropped.push((name.clone(), DropReason::Unknown));
        Ok(())
    }

    fn place(
        &mut self,
        name: &PropertyName,
        value: &EventValue,
        place: Place,
        takes: &ValueType,
    ) -> Result<(), Misfit> {
        let text = value.expose();
        let fits = match takes {
            ValueType::Text => short_enough(name, text),
            _ => convert(text, takes, self.policy.truncate_dates),
        };
        match fits {
            Ok(converted) => {
                let text = converted.map_or_else(|| value.shared(), Arc::from);
                let name = name.clone();
                self.placed.push(Placed { place, name, text });
                Ok(())
            }
            Err(why) => {
                let takes = Takes {
                    value: takes,
                    kind: "event property",
                };
                let misfit = takes.misfit(name, text, why);
                self.refuse(name, misfit.code, misfit.message)
            }
        }
    }

    fn refuse(
        &mut self,
        name: &PropertyName,
        code: MisfitCode,
        message: String,
    ) -> Result<(), Misfit> {
        if self.policy.drop_invalid_property && !self.policy.required.contains(name) {
            self.dropped.push((name.clone(), DropReason::Invalid));
            return Ok(());
        }
        Err(Misfit {
            code,
            property: Some(name.clone()),
            message,
        })
    }

    fn finish(mut self) -> Result<FittedOccurrence, Misfit> {
        if self.placed.len() > MAX_EVENT_PROPERTIES {
            match self.step.definition.overflow {
                Overflow::DeadLetter => return Err(too_many(self.placed.len())),
                Overflow::Truncate => self.truncate(),
            }
        }
        let create = self.placed.iter().filter_map(|one| match one.place {
            Place::New(kind) => Some(EventPropertyDefinition {
                event: self.event.clone(),
                name: one.name.clone(),
                kind,
            }),
            Place::Defined(_) | Place::Default => None,
        });
        Ok(FittedOccurrence {
            create: create.collect(),
            event: self.event.shared(),
            properties: self
                .placed
                .into_iter()
                .map(|one| (one.name, one.text))
                .collect(),
            dropped: self.dropped,
        })
    }

    fn truncate(&mut self) {
        // Stable: new ones keep the order of the mapping.
        self.placed.sort_by_key(|one| match one.place {
            Place::New(_) => Place::New(ValueKind::Text),
            place => place,
        });
        let beyond = self.placed.split_off(MAX_EVENT_PROPERTIES);
        self.dropped.extend(
            beyond
                .into_iter()
                .map(|one| (one.name, DropReason::Invalid)),
        );
    }
}

/// What a created event property of a kind takes: HubSpot has moments there, and no dates.
fn event_type(kind: ValueKind) -> ValueType {
    match kind {
        ValueKind::Date | ValueKind::DateTime => ValueType::DateTime,
        ValueKind::Boolean => ValueType::Boolean,
        ValueKind::Number => ValueType::Number,
        ValueKind::Text => ValueType::Text,
    }
}

fn short_enough(name: &PropertyName, text: &str) -> Result<Option<String>, Unfit> {
    let holds_address = ADDRESSES.iter().any(|word| name.as_str().contains(word));
    let most = if holds_address { MAX_ADDRESS } else { MAX_TEXT };
    if is_longer(text, most) {
        Err(Unfit::TooLong(most))
    } else {
        Ok(None)
    }
}

fn archived_definition(event: &EventName) -> Misfit {
    Misfit {
        code: MisfitCode::DefinitionArchived,
        property: None,
        message: format!(
            "the event {} was archived in HubSpot, which never takes its name again: restore it there, or map another name",
            event.as_str()
        ),
    }
}

fn too_many(count: usize) -> Misfit {
    Misfit {
        code: MisfitCode::TooManyProperties,
        property: None,
        message: format!(
            "the event has {count} properties and HubSpot takes {MAX_EVENT_PROPERTIES}: map fewer, or set overflow: truncate"
        ),
    }
}

#[cfg(test)]
mod tests;
