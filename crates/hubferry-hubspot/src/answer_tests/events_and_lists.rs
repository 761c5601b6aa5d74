//! Sending occurrences, making definitions, lists and properties, changing list members.

use super::{
    answers, create_definition, create_event_property, create_list, create_properties, members,
    occurrences,
};

#[test]
fn accepted_occurrences_are_there_and_refused_ones_wait_for_isolation() {
    let request = occurrences(&["pe1_a", "pe1_ab"]);
    assert_eq!(answers(&request, 204, ""), "1 there | 2 there");
    assert_eq!(answers(&request, 200, "{}"), "1 there | 2 there");
    let missing = r#"{"status":"error","message":"StandardError{status=error, category=VALIDATION_ERROR, message=Event with fully qualified name pe1_a does not exist., errors=[], context={}, links={}}","correlationId":"c"}"#;
    assert_eq!(
        answers(&request, 400, missing),
        "1 definition_missing/mapping [-] StandardError{status=error, category=VALIDATION_ERROR, message=Event with fully qualified name pe1_a does not exist., errors=[], context={}, links={}} | 2 transient Server(400) None",
        "no occurrence of it can succeed, and the others did nothing wrong"
    );
    let unnamed = r#"{"message":"Event with fully qualified name ? does not exist"}"#;
    assert_eq!(
        answers(&request, 400, unnamed),
        "refused [] definition_missing/mapping [-] Event with fully qualified name ? does not exist"
    );
    let table = [
        (
            r#"{"message":"One of email, utk or objectId is required for jane@example.com (gold)"}"#,
            "refused [] hubspot_rejected/input [-] One of email, utk or objectId is required for *** (***)",
        ),
        (
            r#"{"message":"An event cannot have more than 50 properties"}"#,
            "refused [] too_many_properties/input [-] An event cannot have more than 50 properties",
        ),
        (
            r#"{"message":"An event completion may have at most 50 properties"}"#,
            "refused [] too_many_properties/input [-] An event completion may have at most 50 properties",
        ),
        (
            r#"{"message":"Property plan is not defined for event pe1_a"}"#,
            "refused [1] property_missing/mapping [plan] plan: Property plan is not defined for event pe1_a",
        ),
        (
            r#"{"message":"The event definition is archived: pe1_ab"}"#,
            "refused [] definition_archived/mapping [-] The event definition is archived: pe1_ab",
        ),
        (
            r#"{"message":"The property is archived"}"#,
            "refused [] property_archived/mapping [-] The property is archived",
        ),
        (
            r#"{"message":"bad","errors":[{"code":"PROPERTY_DOESNT_EXIST","message":"no plan","context":{"propertyName":["plan"]}}]}"#,
            "refused [1, 2] property_missing/mapping [plan] plan: no plan",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(answers(&request, 400, body), expected);
    }
    assert_eq!(
        answers(&request, 404, r#"{"message":"resource not found"}"#),
        "refused [] definition_missing/mapping [-] resource not found"
    );
    assert_eq!(
        answers(&occurrences(&["pe1_a"]), 404, "<html>"),
        "1 held Mapping config: status 404 without a message",
        "the prefix of the events' paths is wrong"
    );
}

#[test]
fn the_limits_of_event_sends_and_of_everything_are_told_apart() {
    let request = occurrences(&["pe1_a"]);
    let table = [
        (
            r#"{"message":"You have reached your secondly limit."}"#,
            "1 throttled EventSends After(1s)",
        ),
        (
            r#"{"policyName":"TEN_SECONDLY_ROLLING","message":"x"}"#,
            "1 throttled Burst Limiter",
        ),
        ("{}", "1 throttled EventSends Limiter"),
    ];
    for (body, expected) in table {
        assert_eq!(answers(&request, 429, body), expected);
    }
}

#[test]
fn a_definition_or_a_property_of_it_that_is_there_counts_as_created() {
    for request in [create_definition(), create_event_property()] {
        assert_eq!(answers(&request, 201, r#"{"name":"signed_up"}"#), "1 there");
        for body in [
            r#"{"message":"Event definition signed_up already exists"}"#,
            r#"{"category":"OBJECT_ALREADY_EXISTS","message":"taken"}"#,
        ] {
            assert_eq!(answers(&request, 409, body), "1 there");
        }
        assert_eq!(
            answers(&request, 400, r#"{"message":"name is reserved"}"#),
            "refused [] hubspot_rejected/input [-] name is reserved"
        );
    }
    assert_eq!(
        answers(
            &create_event_property(),
            404,
            r#"{"category":"OBJECT_NOT_FOUND","message":"x"}"#
        ),
        "refused [] definition_missing/mapping [-] x"
    );
    assert_eq!(
        answers(&create_definition(), 404, "<html>"),
        "1 held Mapping config: status 404 without a message"
    );
}

#[test]
fn properties_are_created_together_and_those_that_exist_count_as_created() {
    let request = create_properties(&["plan", "plan_b", "age"]);
    let partial = r#"{"status":"COMPLETE","results":[{"name":"age","label":"Age"}],"numErrors":2,"errors":[
        {"status":"error","category":"OBJECT_ALREADY_EXISTS","subCategory":"Properties.PROPERTY_WITH_NAME_EXISTS","message":"A property named 'plan' already exists."},
        {"status":"error","category":"VALIDATION_ERROR","message":"plan_b is no good"}]}"#;
    assert_eq!(
        answers(&request, 207, partial),
        "1 there | 2 hubspot_rejected/input [-] plan_b is no good | 3 there"
    );
    let whole = r#"{"status":"error","message":"A property named 'plan' already exists.","category":"OBJECT_ALREADY_EXISTS","subCategory":"Properties.PROPERTY_WITH_NAME_EXISTS"}"#;
    assert_eq!(
        answers(&request, 409, whole),
        "refused [] not_unique/conflict [-] A property named 'plan' already exists.",
        "alone it counts as created, so nobody is blamed"
    );
    assert_eq!(
        answers(&create_properties(&["plan"]), 409, whole),
        "1 there"
    );
    let missing = r#"{"status":"COMPLETE","results":[{"name":"age"}]}"#;
    assert_eq!(
        answers(&request, 201, missing),
        "1 unaccounted | 2 unaccounted | 3 there"
    );
}

#[test]
fn a_list_whose_name_is_taken_counts_as_created() {
    assert_eq!(
        answers(&create_list(), 200, r#"{"list":{"listId":"17"}}"#),
        "1 there"
    );
    let taken = r#"{"status":"error","message":"x","subCategory":"ILS.DUPLICATE_LIST_NAMES"}"#;
    for status in [400, 409] {
        assert_eq!(answers(&create_list(), status, taken), "1 there");
    }
    assert_eq!(
        answers(&create_list(), 400, r#"{"message":"no"}"#),
        "refused [] hubspot_rejected/input [-] no"
    );
}

#[test]
fn members_are_there_unless_their_records_are_missing() {
    let request = members(&["5", "6", "7"]);
    let body = r#"{"recordsIdsAdded":["6"],"recordIdsRemoved":[],"recordIdsMissing":[7]}"#;
    assert_eq!(answers(&request, 200, body), "1 there | 2 there | 3 gone");
    for body in ["{}", ""] {
        assert_eq!(
            answers(&request, 200, body),
            "1 unaccounted | 2 unaccounted | 3 unaccounted"
        );
    }
}

#[test]
fn a_list_that_is_gone_or_dynamic_is_the_fault_of_no_member() {
    let request = members(&["5", "6"]);
    let gone = r#"{"status":"error","message":"List does not exist with ID 17."}"#;
    let expected = "list_missing/input [-] List does not exist with ID 17.";
    for status in [400, 404] {
        assert_eq!(
            answers(&request, status, gone),
            format!("1 {expected} | 2 {expected}")
        );
    }
    let dynamic = r#"{"message":"The list has processing type DYNAMIC"}"#;
    let expected = "list_not_writable/input [-] The list has processing type DYNAMIC";
    assert_eq!(
        answers(&request, 400, dynamic),
        format!("1 {expected} | 2 {expected}")
    );
}
