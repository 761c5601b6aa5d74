//! What to do about each code, in a line.

/// What helps against a code (names.md §5).
#[must_use]
pub(crate) fn hint(code: &str) -> &'static str {
    match code {
        "parse_error" => "the producer wrote something that is not JSON; the raw bytes are kept",
        "not_an_object" => "an event is a JSON object: look at what the producer writes",
        "too_deep" => "nested deeper than 128 levels: flatten it at the source",
        "too_large" => "split the event, or raise input.max_event_bytes",
        "type_unknown" => {
            "`type` has to be identify, group, track, page, screen or alias, in lower case"
        }
        "no_identity" => "send userId, anonymousId, an e-mail or groupId with every event",
        "mapping_failed" => "the mapping cannot be evaluated on this event: look at its fields",
        "payload_invalid" => "correct the value at the source, or map another field",
        "identifier_missing" | "id_missing" => "map a field that every event carries",
        "email_differs" => {
            "map the same e-mail twice or not at all, or set allow_email_change: true"
        }
        "reserved_property" => "take the group id property out of `properties`: hubferry writes it",
        "property_missing" => "create the property in HubSpot, or set unknown_property: drop",
        "property_read_only" => "HubSpot computes this property: take it out of the mapping",
        "property_type" => "send the type the property has, or set invalid_property: drop",
        "property_option" => "add the option in HubSpot, or correct the value in the mapping",
        "date_has_time" => "map a date, or make the property a datetime",
        "not_unique" => "merge the records in HubSpot, or match by your own unique property",
        "search_fields_invalid" => {
            "search fields have to be properties of the company that can be searched"
        }
        "association_contact_missing" => {
            "the person never became a contact: send an identify, or set on_missing_contact"
        }
        "retries_exhausted" => "replay once HubSpot answers again",
        "unaccounted" => "replay; with the correlation id HubSpot's support can say more",
        "suspect" => "a bug of hubferry: please report it with the dead letter",
        _ => "HubSpot's own words say what it wants",
    }
}
