//! The scopes that the enabled mappings need, against those that were granted.

use std::collections::BTreeSet;

use hubferry_hubspot::{AnyScope, Client, DirectoryError};
use tokio_util::sync::CancellationToken;

use super::uses;
use crate::config::Destination;

/// What one mapping needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Needs {
    /// Its id.
    pub(crate) mapping: String,
    /// Of each entry one scope.
    pub(crate) scopes: BTreeSet<AnyScope>,
}

/// A mapping that lacks scopes: it needs re-authorisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lacks {
    /// Its id.
    pub(crate) mapping: String,
    /// The scopes to ask for.
    pub(crate) missing: Vec<String>,
}

impl Lacks {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let Self { mapping, missing } = self;
        format!(
            "forbidden: mapping {mapping} needs re-authorisation: the token lacks {}; add it to the app and connect again; other mappings go on",
            missing.join(", ")
        )
    }
}

/// What the enabled mappings of a destination need.
pub(crate) fn needs(destination: &Destination) -> Vec<Needs> {
    uses::of_destination(destination)
        .map(|(mapping, uses)| {
            let calls = uses.calls.iter().flat_map(|call| call.scopes());
            let sensitive = uses.sensitive.iter();
            let sensitive = sensitive.flat_map(|call| call.sensitive_scopes());
            Needs {
                mapping,
                scopes: calls.chain(sensitive).collect(),
            }
        })
        .collect()
}

/// The scopes to ask for, each once: of alternatives the first, unless another one is asked for anyway.
pub(crate) fn wanted(needs: &[Needs]) -> Vec<String> {
    let all: BTreeSet<&AnyScope> = needs.iter().flat_map(|one| &one.scopes).collect();
    let (single, several): (Vec<&AnyScope>, Vec<&AnyScope>) = all
        .into_iter()
        .partition(|any| any.alternatives().count() == 1);
    let mut wanted: BTreeSet<String> = single
        .iter()
        .map(|any| any.preferred().to_owned())
        .collect();
    // Those of which the preferred one serves others too come first, so that nothing is asked for twice.
    for any in several {
        if !any.is_granted(&wanted) {
            wanted.insert(any.preferred().to_owned());
        }
    }
    // Every app has it.
    std::iter::once("oauth".to_owned()).chain(wanted).collect()
}

/// The mappings that lack scopes. A token that names none does not tell.
pub(crate) fn lacking(needs: &[Needs], granted: &BTreeSet<String>) -> Vec<Lacks> {
    if granted.is_empty() {
        return Vec::new();
    }
    let lacks = needs.iter().map(|one| {
        let missing = one.scopes.iter().filter(|any| !any.is_granted(granted));
        Lacks {
            mapping: one.mapping.clone(),
            missing: missing.map(|any| any.preferred().to_owned()).collect(),
        }
    });
    lacks.filter(|one| !one.missing.is_empty()).collect()
}

/// Asks what was granted, and compares.
///
/// # Errors
///
/// HubSpot does not answer, or does not accept the token.
pub(crate) async fn compare(
    client: &Client,
    needs: &[Needs],
    stop: &CancellationToken,
) -> Result<Vec<Lacks>, DirectoryError> {
    let info = client.directory(stop).token_info().await?;
    Ok(info.map_or_else(Vec::new, |info| lacking(needs, &info.scopes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, load_text};

    fn destination(mappings: &str) -> Destination {
        let text = format!(
            "destinations:\n- name: acme\n  hubspot: {{ auth: {{ kind: private_app, token: t }} }}\n  mappings:\n{mappings}"
        );
        let loaded = load_text(&text, &Surroundings::default());
        let mut configuration = loaded.unwrap_or_else(|e| panic!("{e:#?}")).configuration;
        configuration.destinations.remove(0)
    }

    const CONTACTS: &str = "  - { name: contacts, action: upsertContact, trigger: type = \"identify\", use_defaults: true }\n";
    const COMPANIES: &str = "  - { name: companies, action: upsertCompany, trigger: type = \"group\", use_defaults: true }\n";
    const PETS: &str = "
  - name: pets
    action: upsertObject
    sync_mode: upsert
    trigger: type = \"track\"
    fields:
      object_details: { object_type: p7_pets, id_field_name: pet_id, id_field_value: { '@path': $.properties.id } }
      association_sync_mode: read
      associations:
      - { object_type: contact, association_label: 'USER_DEFINED:3', id_field_name: email, id_field_value: { '@path': $.properties.email } }
      list_details: { list_name: Pets, list_action: true, should_create_list: false }
      sensitive_properties: { chip: { '@path': $.properties.chip } }
";
    const EVENTS: &str = "
  - name: events
    action: customEvent
    sync_mode: update
    trigger: type = \"track\"
    fields:
      event_name: order_completed
      record_details: { object_type: contact, email: { '@path': $.properties.email } }
  - name: off
    enabled: false
    action: upsertCompany
    trigger: type = \"group\"
    use_defaults: true
";

    #[test]
    fn exactly_what_the_enabled_mappings_need_is_asked_for() {
        for (mappings, expected) in [
            (
                CONTACTS,
                "oauth crm.objects.contacts.read crm.objects.contacts.write",
            ),
            (
                COMPANIES,
                "oauth crm.objects.companies.write crm.objects.contacts.read crm.objects.contacts.write crm.schemas.companies.write",
            ),
            (
                PETS,
                "oauth crm.lists.read crm.lists.write crm.objects.contacts.read crm.objects.contacts.write \
                 crm.objects.custom.read crm.objects.custom.sensitive.read crm.objects.custom.sensitive.write crm.objects.custom.write",
            ),
            (
                EVENTS,
                "oauth analytics.behavioral_events.send behavioral_events.event_definitions.read_write",
            ),
        ] {
            assert_eq!(wanted(&needs(&destination(mappings))).join(" "), expected);
        }
    }

    #[test]
    fn s8_deletions_need_the_right_to_write_contacts() {
        for mode in ["archive", "gdpr"] {
            let deleting = format!("{EVENTS}  deletion: {{ enabled: true, mode: {mode} }}\n");
            let needs = needs(&destination(&deleting));
            let lacks = lacking(
                &needs,
                &[
                    "analytics.behavioral_events.send",
                    "behavioral_events.event_definitions.read_write",
                ]
                .map(str::to_owned)
                .into(),
            );
            assert_eq!(
                lacks,
                [Lacks {
                    mapping: "acme/deletion".to_owned(),
                    missing: vec!["crm.objects.contacts.write".to_owned()],
                }]
            );
        }
    }

    #[test]
    fn each_mapping_says_what_it_lacks_and_the_others_go_on() {
        let needs = needs(&destination(&format!("{CONTACTS}{EVENTS}")));
        let granted = |scopes: &[&str]| scopes.iter().map(|s| (*s).to_owned()).collect();
        let contacts = ["crm.objects.contacts.read", "crm.objects.contacts.write"];
        let lacks = lacking(&needs, &granted(&contacts));
        assert_eq!(lacks.len(), 1);
        assert_eq!(
            lacks[0].line(),
            "forbidden: mapping acme/events needs re-authorisation: the token lacks analytics.behavioral_events.send, \
             behavioral_events.event_definitions.read_write; add it to the app and connect again; other mappings go on"
        );
        assert_eq!(lacking(&needs, &BTreeSet::new()), []);
    }
}
