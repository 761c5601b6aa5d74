//! One exported subscription, and the mapping it becomes.

use hubferry_actions::ActionSlug;
use hubferry_mapping::{Trigger, TriggerDialect};
use serde_json::{Map, Value};

use super::notes;

/// What became of a subscription.
#[derive(Debug)]
pub(super) struct Imported {
    /// Its name, as people know it.
    pub(super) title: String,
    /// Where hubferry differs, and what is left to do.
    pub(super) notes: Vec<String>,
    /// The mapping; `None` when there is no such action.
    pub(super) mapping: Option<Map<String, Value>>,
}

impl Imported {
    /// Whether the mapping takes part.
    pub(super) fn is_enabled(&self) -> bool {
        self.mapping
            .as_ref()
            .is_some_and(|mapping| mapping.get("enabled") != Some(&Value::Bool(false)))
    }
}

/// Fields that say how the reference batches; hubferry always does.
const BATCHING: [&str; 3] = ["enable_batching", "batch_size", "batch_keys"];

/// Reads a subscription; `names` are those already taken.
pub(super) fn read(subscription: Value, names: &mut Vec<String>) -> Imported {
    let Value::Object(mut members) = subscription else {
        return nothing("an entry", "not imported: it is no subscription".to_owned());
    };
    let mut take = |keys: &[&str]| {
        let mut found = keys.iter().filter_map(|key| members.remove(*key));
        found.find(|value| !value.is_null())
    };
    let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let slug = text(take(&["actionSlug", "partnerAction"]));
    let title = text(take(&["name"]));
    let title =
        title.unwrap_or_else(|| slug.clone().unwrap_or_else(|| "a subscription".to_owned()));
    let Some(slug) = slug else {
        return nothing(
            &title,
            "not imported: it names no action (actionSlug)".to_owned(),
        );
    };
    let Ok(action) = slug.parse::<ActionSlug>() else {
        return nothing(
            &title,
            format!("not imported: {slug} is no action of this destination"),
        );
    };
    let trigger = take(&["trigger", "subscribe"]);
    let enabled = take(&["enabled"]) != Some(Value::Bool(false));
    let fields = match take(&["mapping", "settings"]) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut draft = Draft {
        enabled,
        notes: Vec::new(),
        mapping: Map::new(),
    };
    draft.set("name", name_of(&title, names));
    draft.set("action", action.as_str());
    draft.trigger(trigger.as_ref(), action);
    draft.fields(fields, action);
    draft.finish(title)
}

fn nothing(title: &str, note: String) -> Imported {
    Imported {
        title: title.to_owned(),
        notes: vec![note],
        mapping: None,
    }
}

/// A name without blanks and slashes that no other mapping has.
fn name_of(title: &str, names: &mut Vec<String>) -> String {
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let base = if words.is_empty() {
        "mapping".to_owned()
    } else {
        words.join("-")
    };
    let mut name = base.clone();
    let mut count = 1;
    while names.contains(&name) {
        count += 1;
        name = format!("{base}-{count}");
    }
    names.push(name.clone());
    name
}

/// A mapping in the making.
struct Draft {
    enabled: bool,
    notes: Vec<String>,
    mapping: Map<String, Value>,
}

impl Draft {
    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.mapping.insert(key.to_owned(), value.into());
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Nothing may fire here that did not fire there: what the reference cannot read delivers nothing.
    fn trigger(&mut self, trigger: Option<&Value>, action: ActionSlug) {
        let text = trigger.and_then(Value::as_str).unwrap_or_default();
        let there = Trigger::parse(text, TriggerDialect::Reference);
        let here = Trigger::parse_checked(text);
        match (there, here) {
            (Ok(_), Ok(_)) => self.set("trigger", text),
            (Ok(_), Err(fault)) => {
                self.set("trigger", text);
                self.set("trigger_dialect", "reference");
                self.note(format!(
                    "the trigger {fault}. It is evaluated as the reference does; write what is meant and set trigger_dialect: fql"
                ));
            }
            (Err(fault), _) if Trigger::parse(text, TriggerDialect::Fql).is_ok() => {
                self.set("trigger", text);
                self.set("trigger_dialect", "fql");
                self.enabled = false;
                self.note(format!(
                    "the reference cannot read the trigger ({fault}) and delivers nothing; here it can be read, so the mapping is imported disabled"
                ));
            }
            (Err(fault), _) => {
                self.set(
                    "trigger",
                    action.default_trigger().unwrap_or("type = \"track\""),
                );
                self.enabled = false;
                self.note(format!(
                    "the trigger {text:?} cannot be read ({fault}), in the reference it delivers nothing; another one stands in its place and the mapping is imported disabled"
                ));
            }
        }
    }

    fn fields(&mut self, mut fields: Map<String, Value>, action: ActionSlug) {
        self.sync_mode(fields.shift_remove("__segment_internal_sync_mode"), action);
        fields.shift_remove("__segment_internal_matching_key");
        let batched = fields.get("enable_batching") == Some(&Value::Bool(true));
        let batching = BATCHING
            .into_iter()
            .filter(|name| fields.shift_remove(*name).is_some())
            .count();
        if batching > 0 {
            self.note("batching is no choice here: every call is as full as it can be");
        }
        if batched {
            self.note(
                "the reference's batches send empty texts, which clears properties; here they are left out, as with its single events (blank_fields: clear sends them)",
            );
        }
        self.take_out_strangers(&mut fields, action);
        self.notes.extend(notes::on(action, &fields));
        self.set("fields", fields);
    }

    /// The reference drops fields that the action does not have; here they would be mistakes.
    fn take_out_strangers(&mut self, fields: &mut Map<String, Value>, action: ActionSlug) {
        let strangers: Vec<String> = fields
            .keys()
            .filter(|name| !name.starts_with('@') && *name != "__segment_internal_directive")
            .filter(|name| action.schema().field(name).is_none())
            .cloned()
            .collect();
        for name in strangers {
            fields.shift_remove(&name);
            self.note(format!(
                "the field {name} is left out: {action} has no such field, and the reference drops it"
            ));
        }
    }

    fn sync_mode(&mut self, exported: Option<Value>, action: ActionSlug) {
        if action.sync_modes().is_empty() {
            return;
        }
        match exported.as_ref().and_then(Value::as_str) {
            Some(mode @ ("upsert" | "add" | "update")) => self.set("sync_mode", mode),
            _ => {
                self.set("sync_mode", "update");
                self.note("the export names no sync mode that this action has; update is the reference's default");
            }
        }
    }

    fn finish(mut self, title: String) -> Imported {
        let mut mapping = Map::new();
        for key in ["name", "action"] {
            mapping.extend(self.mapping.shift_remove_entry(key));
        }
        if !self.enabled {
            mapping.insert("enabled".to_owned(), Value::Bool(false));
        }
        mapping.extend(self.mapping);
        Imported {
            title,
            notes: self.notes,
            mapping: Some(mapping),
        }
    }
}
