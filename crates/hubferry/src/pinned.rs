//! A portal's schema, pinned to a file: what `check`, `try` and `test` hold mappings against without a network.
//!
//! `hubferry schema pull` writes one file per destination beside the configuration, `schema/DESTINATION.json`. It holds
//! names, types and options, never a record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hubferry_actions::{
    EventDefinition, ListInfo, ListName, ObjectProperties, PropertyInfo, PropertyName, Sensitivity,
    ValueKind, ValueType,
};
use serde::{Deserialize, Serialize};

/// What is pinned of one portal.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedPortal {
    /// The version of this form.
    pub(crate) version: u32,
    /// The portal's id.
    pub(crate) portal_id: u64,
    /// When it was read, RFC 3339.
    pub(crate) read_at: String,
    /// By the name mappings use.
    pub(crate) objects: BTreeMap<String, PinnedObject>,
    /// Event definitions, by fully qualified name.
    pub(crate) events: Vec<EventDefinition>,
    /// Lists.
    pub(crate) lists: Vec<PinnedList>,
    /// Labels of the associations that mappings make.
    #[serde(default)]
    pub(crate) labels: Vec<PinnedLabel>,
}

/// One association label.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedLabel {
    /// The type of the record, by the name mappings use.
    pub(crate) from: String,
    /// The type of the other end.
    pub(crate) to: String,
    /// `CATEGORY:number`, as a mapping says it.
    pub(crate) kind: String,
    /// What people see; none for the plain association.
    pub(crate) label: Option<String>,
}

/// One object type.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedObject {
    /// Such as `0-1` or `2-123`.
    pub(crate) type_id: String,
    /// All properties, of every class of sensitivity, by name.
    pub(crate) properties: BTreeMap<String, PropertyInfo>,
}

/// One list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedList {
    /// The type of its records.
    pub(crate) object: String,
    /// Its name.
    pub(crate) name: String,
    /// What else is known.
    pub(crate) info: ListInfo,
}

/// Why a pinned schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinnedError {
    /// It cannot be read.
    #[error("could not read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no pinned schema.
    #[error("{path} is no pinned schema ({reason}); `hubferry schema pull` writes it anew")]
    Form {
        /// Which file.
        path: PathBuf,
        /// Where it departs from the form.
        reason: String,
    },
}

/// The version this build writes and reads.
pub(crate) const VERSION: u32 = 1;

/// Where the schema of a destination is pinned: beside the first path of the configuration.
#[must_use]
pub(crate) fn path_of(paths: &[PathBuf], destination: &str) -> PathBuf {
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let folder = if first.is_dir() {
        first
    } else {
        first.parent().unwrap_or(Path::new("."))
    };
    folder.join("schema").join(format!("{destination}.json"))
}

/// Reads what is pinned of a destination; `None` when nothing is.
///
/// # Errors
/// The file is there and cannot be used.
pub(crate) fn read(
    paths: &[PathBuf],
    destination: &str,
) -> Result<Option<PinnedPortal>, PinnedError> {
    let path = path_of(paths, destination);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(PinnedError::Read { path, source }),
    };
    let form = |reason: String| PinnedError::Form {
        path: path.clone(),
        reason,
    };
    let portal: PinnedPortal =
        serde_json::from_slice(&text).map_err(|error| form(error.to_string()))?;
    if portal.version != VERSION {
        return Err(form(format!("version {} is not {VERSION}", portal.version)));
    }
    Ok(Some(portal))
}

impl PinnedPortal {
    /// The id of a type.
    pub(crate) fn type_id(&self, object: &str) -> Option<&str> {
        self.objects.get(object).map(|known| known.type_id.as_str())
    }

    /// What is known of a type.
    pub(crate) fn properties(&self, object: &str) -> Option<&PinnedObject> {
        self.objects.get(object)
    }

    /// An event definition by its full or short name.
    pub(crate) fn definition(&self, name: &str) -> Option<&EventDefinition> {
        let mut all = self.events.iter();
        all.find(|event| *event.full_name == *name || *event.name == *name)
    }

    /// A list by its name, which HubSpot compares without regard to case.
    pub(crate) fn list(&self, wanted: &ListName) -> Option<&ListInfo> {
        let name = wanted.name.to_lowercase();
        let mut all = self.lists.iter();
        let found = all
            .find(|list| list.object == wanted.object.as_str() && list.name.to_lowercase() == name);
        found.map(|list| &list.info)
    }
}

impl PinnedObject {
    /// The properties of one class of sensitivity, and such as were created since.
    pub(crate) fn with(
        &self,
        sensitivity: Sensitivity,
        created: impl Iterator<Item = (PropertyName, ValueKind)>,
    ) -> ObjectProperties {
        let pinned = self
            .properties
            .iter()
            .filter(|(_, info)| info.sensitivity == sensitivity)
            .map(|(name, info)| (PropertyName::new(name), info.clone()));
        let created = created.map(|(name, kind)| {
            let info = PropertyInfo {
                label: name.as_str().into(),
                value: match kind {
                    ValueKind::Number => ValueType::Number,
                    ValueKind::Boolean => ValueType::Boolean,
                    ValueKind::Date => ValueType::Date,
                    ValueKind::DateTime => ValueType::DateTime,
                    ValueKind::Text => ValueType::Text,
                },
                kind: "string:text".into(),
                read_only: false,
                unique: false,
                sensitivity,
            };
            (name, info)
        });
        ObjectProperties::new(pinned.chain(created))
    }
}
