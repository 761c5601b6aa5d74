//! What a portal's schema says.

use hubferry_actions::Sensitivity;

use super::{answers, read_definition, read_list, read_properties, read_type};

#[test]
fn properties_are_learned_with_all_that_decides_about_a_value() {
    let body = r#"{"results":[
        {"name":"plan","label":"Plan","type":"enumeration","fieldType":"select","options":[{"label":"Gold","value":"gold","hidden":false,"displayOrder":1},{"label":"No value","value":""}],"hasUniqueValue":false,"modificationMetadata":{"readOnlyValue":false},"archived":false},
        {"name":"tags","label":"Tags","type":"enumeration","fieldType":"checkbox","options":[{"label":"A","value":"a"},{"label":"B","value":"b"}]},
        {"name":"agreed","label":"Agreed","type":"enumeration","fieldType":"booleancheckbox","options":[{"label":"Yes","value":"true"},{"label":"No","value":"false"}]},
        {"name":"opted","label":"Opted","type":"bool","fieldType":"booleancheckbox"},
        {"name":"owner","label":"Owner","type":"enumeration","fieldType":"select","options":[],"externalOptions":true},
        {"name":"age","label":"Age","type":"number","fieldType":"number","calculated":true},
        {"name":"born","type":"date","fieldType":"date"},
        {"name":"seen","label":"Seen","type":"datetime","fieldType":"date","modificationMetadata":{"readOnlyValue":true}},
        {"name":"code","label":"Code","type":"string","fieldType":"text","hasUniqueValue":true},
        {"name":"mobile","label":"Mobile","type":"phone_number","fieldType":"phonenumber"},
        {"name":"ssn","label":"SSN","type":"string","fieldType":"text","dataSensitivity":"sensitive"},
        {"name":"odd","label":"Odd","type":"json","fieldType":"text"},
        {"name":"gone","label":"Gone","type":"string","fieldType":"text","archived":true},
        {"label":"without a name"}, null]}"#;
    insta::assert_snapshot!(answers(&read_properties(Sensitivity::Plain), 200, body), @r#"
    1 age (Age) Number number:number read-only
    agreed (Agreed) Boolean enumeration:booleancheckbox
    born (born) Date date:date
    code (Code) Text string:text unique
    mobile (Mobile) Text phone_number:phonenumber
    odd (Odd) Other json:text
    opted (Opted) Boolean bool:booleancheckbox
    owner (Owner) Other enumeration:select
    plan (Plan) Option([OptionInfo { value: "gold", label: "Gold" }]) enumeration:select
    seen (Seen) DateTime datetime:date read-only
    ssn (SSN) Text string:text sensitive
    tags (Tags) Options([OptionInfo { value: "a", label: "A" }, OptionInfo { value: "b", label: "B" }]) enumeration:checkbox
    "#);
    let one = r#"{"results":[{"name":"ssn","label":"SSN","type":"string","fieldType":"text"}]}"#;
    assert_eq!(
        answers(&read_properties(Sensitivity::Sensitive), 200, one),
        "1 ssn (SSN) Text string:text sensitive"
    );
    let plain = read_properties(Sensitivity::Plain);
    assert_eq!(answers(&plain, 200, r#"{"results":[]}"#), "1 ");
    assert_eq!(answers(&plain, 200, "{}"), "1 unaccounted");
    assert_eq!(
        answers(
            &plain,
            400,
            r#"{"message":"Unable to infer object type from: cats"}"#
        ),
        "1 held Mapping config: Unable to infer object type from: cats"
    );
}

#[test]
fn a_type_has_an_id_or_does_not_exist() {
    let body =
        r#"{"id":"123","objectTypeId":"2-123","fullyQualifiedName":"p1_cats","name":"cats"}"#;
    assert_eq!(answers(&read_type(), 200, body), r#"1 TypeId("2-123")"#);
    assert_eq!(answers(&read_type(), 200, "{}"), "1 unaccounted");
    for (status, body) in [
        (
            400,
            r#"{"status":"error","message":"Unable to infer object type from: cats"}"#,
        ),
        (404, r#"{"message":"resource not found"}"#),
        (404, r#"{"category":"OBJECT_NOT_FOUND","message":"x"}"#),
    ] {
        assert_eq!(answers(&read_type(), status, body), "1 Absent");
    }
    assert_eq!(
        answers(&read_type(), 404, "<html>"),
        "1 held Mapping config: status 404 without a message"
    );
    let tier = r#"{"category":"MISSING_SCOPES","message":"m","context":{"requiredGranularScopes":["custom-object-read"]}}"#;
    assert_eq!(
        answers(&read_type(), 403, tier),
        "1 held Mapping scope: missing scopes: custom-object-read"
    );
}

#[test]
fn a_definition_is_learned_archived_or_not() {
    let body = r#"{"name":"signed_up","fullyQualifiedName":"pe1_signed_up","objectTypeId":"6-1","archived":true,"primaryObject":"CONTACT","properties":[
        {"name":"Plan","type":"string","archived":false},{"name":"ok","type":"enumeration","options":[{"label":"true","value":"true"},{"label":"false","value":"false"}]},
        {"name":"old","type":"number","archived":true},{"type":"number"}]}"#;
    assert_eq!(
        answers(&read_definition(), 200, body),
        "1 Definition(EventDefinition { full_name: \"pe1_signed_up\", name: \"signed_up\", archived: true, properties: \
         [EventPropertyInfo { name: \"plan\", value: Text, archived: false }, EventPropertyInfo { name: \"ok\", value: Boolean, archived: false }, \
         EventPropertyInfo { name: \"old\", value: Number, archived: true }] })"
    );
    assert_eq!(answers(&read_definition(), 200, "{}"), "1 unaccounted");
}

#[test]
fn only_what_says_so_does_not_exist() {
    let recorded = r#"{"status":"error","message":"StandardError{status=error, category=VALIDATION_ERROR, message=Event with fully qualified name custom_event_1 does not exist., errors=[], context={}, links={}}","correlationId":"c"}"#;
    assert_eq!(answers(&read_definition(), 400, recorded), "1 Absent");
    assert_eq!(
        answers(&read_definition(), 404, r#"{"message":"Event not found"}"#),
        "1 Absent"
    );
    // A bad name is not a missing definition: it would be created for ever.
    assert_eq!(
        answers(&read_definition(), 400, r#"{"message":"bad name"}"#),
        "refused [] hubspot_rejected/input [-] bad name"
    );
    let recorded =
        r#"{"status":"error","message":"List does not exist with name X and object type ID 0-2."}"#;
    assert_eq!(answers(&read_list(), 400, recorded), "1 Absent");
    assert_eq!(
        answers(&read_list(), 404, r#"{"message":"List not found"}"#),
        "1 Absent"
    );
    assert_eq!(
        answers(&read_list(), 400, r#"{"message":"no"}"#),
        "refused [] hubspot_rejected/input [-] no"
    );
    assert_eq!(
        answers(&read_list(), 500, ""),
        "1 transient Server(500) None"
    );
}

#[test]
fn a_list_tells_whether_it_takes_members() {
    let table = [("MANUAL", true), ("SNAPSHOT", true), ("DYNAMIC", false)];
    for (processing, writable) in table {
        let body = format!(
            r#"{{"list":{{"listId":"17","name":"VIPs","objectTypeId":"0-1","processingType":"{processing}"}}}}"#
        );
        assert_eq!(
            answers(&read_list(), 200, &body),
            format!(r#"1 List(ListInfo {{ id: "17", writable: {writable} }})"#)
        );
    }
    assert_eq!(answers(&read_list(), 200, "{}"), "1 unaccounted");
}
