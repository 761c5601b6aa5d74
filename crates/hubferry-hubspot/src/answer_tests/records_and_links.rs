//! Creating records, finding them by any property, tying and untying them.

use hubferry_actions::MatchMode;

use super::{answers, archive, associate, create, dissociate, gdpr_delete, read_by, search};
use crate::call::Request;

#[test]
fn a_created_record_is_matched_by_trace_id_by_its_unique_value_and_by_what_was_written() {
    let traced = create(&[(None, &[("dealname", "A")]), (None, &[("dealname", "A")])]);
    let body = r#"{"results":[
        {"id":"20","objectWriteTraceId":"2","properties":{"dealname":"A"}},
        {"id":"10","objectWriteTraceId":"1","properties":{"dealname":"A","lifecyclestage":"lead"}}]}"#;
    assert_eq!(
        answers(&traced, 201, body),
        "1 new 10 stage=lead | 2 new 20"
    );

    let unique = create(&[
        (Some(("order_no", "1")), &[("dealname", "A")]),
        (Some(("email", "B@x.io")), &[("dealname", "A")]),
    ]);
    let body = r#"{"results":[{"id":"20","properties":{"dealname":"A","email":"b@x.io"}},
        {"id":"10","properties":{"dealname":"A","order_no":"1"}}]}"#;
    assert_eq!(answers(&unique, 201, body), "1 new 10 | 2 new 20");

    let written = create(&[
        (None, &[("dealname", "A"), ("amount", "5")]),
        (None, &[("dealname", "A"), ("amount", "6"), ("note", "")]),
        (None, &[("dealname", "A")]),
    ]);
    // The third may have written any of them; once the others are clear, so is it.
    let body = r#"{"results":[{"id":"30","properties":{"dealname":"a"}},
        {"id":"20","properties":{"dealname":"A","amount":"6.0"}},{"id":"10","properties":{"dealname":"A","amount":"5"}}]}"#;
    assert_eq!(
        answers(&written, 201, body),
        "1 new 10 | 2 new 20 | 3 new 30"
    );
    // With one result lacking it stays unclear whose the others are.
    let body = body.replace(r#"{"id":"30","properties":{"dealname":"a"}},"#, "");
    assert_eq!(
        answers(&written, 201, &body),
        "1 unaccounted | 2 unaccounted | 3 unaccounted"
    );
}

#[test]
fn created_records_with_other_values_are_told_apart_and_equal_ones_need_not_be() {
    let request = create(&[
        (None, &[("dealname", "A")]),
        (None, &[("dealname", "B")]),
        (None, &[("dealname", "A")]),
    ]);
    let body = r#"{"results":[{"id":"1","properties":{"dealname":"B"}},{"id":"2","properties":{"dealname":"A"}},
        {"id":"3","properties":{"dealname":"A"}}]}"#;
    assert_eq!(answers(&request, 201, body), "1 new 2 | 2 new 1 | 3 new 3");
    let one_is_lacking = r#"{"results":[{"id":"1","properties":{"dealname":"B"}},{"id":"2","properties":{"dealname":"A"}}]}"#;
    assert_eq!(
        answers(&request, 201, one_is_lacking),
        "1 unaccounted | 2 new 1 | 3 unaccounted"
    );
    let silent = r#"{"results":[{"id":"1"},{"id":"2"},{"id":"3"}]}"#;
    assert_eq!(
        answers(&request, 201, silent),
        "1 unaccounted | 2 unaccounted | 3 unaccounted"
    );
}

#[test]
fn a_single_created_record_is_its_input_unless_it_shows_another_unique_value() {
    let body = r#"{"results":[{"id":"1","properties":{"order_no":"2"}}]}"#;
    assert_eq!(answers(&create(&[(None, &[])]), 201, body), "1 new 1");
    let named = create(&[(Some(("order_no", "1")), &[])]);
    assert_eq!(answers(&named, 201, body), "1 unaccounted");
    let email = create(&[(Some(("email", "a@x.io")), &[])]);
    let other = r#"{"results":[{"id":"1","properties":{"email":"b@x.io"}}]}"#;
    assert_eq!(answers(&email, 201, other), "1 unaccounted");
}

#[test]
fn a_record_that_exists_already_is_named() {
    let request = create(&[
        (Some(("email", "a@x.io")), &[("dealname", "A")]),
        (Some(("email", "b@x.io")), &[("dealname", "B")]),
    ]);
    let partial = r#"{"status":"COMPLETE","results":[{"id":"5","properties":{"email":"b@x.io"}}],"numErrors":1,"errors":[
        {"status":"error","category":"CONFLICT","message":"Contact already exists. Existing ID: 171591000198","context":{"objectWriteTraceId":["1"],"existingId":["171591000198"]}}]}"#;
    assert_eq!(
        answers(&request, 207, partial),
        "1 exists 171591000198 | 2 new 5"
    );
    let whole = r#"{"status":"error","message":"Contact already exists. Existing ID: 12345","category":"CONFLICT"}"#;
    assert_eq!(
        answers(&request, 409, whole),
        "refused [] not_unique/conflict [-] Contact already exists. Existing ID: 12345"
    );
    let alone = create(&[(Some(("email", "a@x.io")), &[])]);
    assert_eq!(answers(&alone, 409, whole), "1 exists 12345");
}

#[test]
fn records_are_read_by_their_ids() {
    let request = read_by("hs_object_id", &["5", "6", "7"]);
    let body = r#"{"results":[{"id":"6","properties":{"lifecyclestage":"lead"}},{"id":"5","properties":{"hs_object_id":"5"}}],
        "errors":[{"category":"OBJECT_NOT_FOUND","message":"Could not get some DEAL objects","context":{"ids":["7"]}}]}"#;
    assert_eq!(
        answers(&request, 207, body),
        "1 found [5 hs_object_id=5] | 2 found [6 lifecyclestage=lead] | 3 found []"
    );
}

#[test]
fn one_contact_answers_all_who_asked_by_one_of_its_addresses() {
    let request = read_by("email", &["old@x.io", "a@x.io", "older@x.io"]);
    let body = r#"{"results":[{"id":"1","properties":{"email":"a@x.io","hs_additional_emails":"Old@x.io; older@x.io"}}]}"#;
    assert_eq!(
        answers(&request, 200, body),
        "1 found [1 email=a@x.io] | 2 found [1 email=a@x.io] | 3 found [1 email=a@x.io]"
    );
}

#[test]
fn any_of_several_fields_is_enough_for_a_search_that_says_so() {
    let Request::Search {
        object, mut inputs, ..
    } = search(&[
        &[("domain", "a.io"), ("name", "A")],
        &[("domain", "b.io"), ("name", "B")],
    ])
    else {
        unreachable!()
    };
    inputs[0].mode = MatchMode::Any;
    let request = Request::Search { object, inputs };
    let body = r#"{"total":3,"results":[
        {"id":"1","properties":{"domain":"a.io","name":"Z"}},
        {"id":"2","properties":{"domain":"z.io","name":"a"}},
        {"id":"3","properties":{"domain":"b.io","name":"B"}}]}"#;
    assert_eq!(
        answers(&request, 200, body),
        "1 found [1 domain=a.io name=Z, 2 domain=z.io name=a] | 2 found [3 domain=b.io name=B]"
    );
}

#[test]
fn a_record_tied_to_itself_is_found_without_a_context() {
    let request = associate(&[("12", "12"), ("12", "13"), ("1", "1")]);
    let body = r#"{"results":[{"from":{"id":"12"},"to":{"id":"13"}}],"errors":[
        {"status":"error","category":"VALIDATION_ERROR","message":"Object 12 cannot be associated to itself (12)"}]}"#;
    assert_eq!(
        answers(&request, 207, body),
        "1 hubspot_rejected/input [-] Object 12 cannot be associated to itself (12) | 2 there | 3 unaccounted"
    );
    let whole = r#"{"category":"VALIDATION_ERROR","message":"Object 1 cannot be associated to itself (1)"}"#;
    assert_eq!(
        answers(&request, 400, whole),
        "refused [3] hubspot_rejected/input [-] Object 1 cannot be associated to itself (1)"
    );
}

#[test]
fn labels_are_gone_by_the_status_alone_whatever_the_version_answers() {
    let request = dissociate(&[("1", "10"), ("2", "20")]);
    assert_eq!(answers(&request, 204, ""), "1 there | 2 there");
    let envelope = r#"{"status":"COMPLETE","startedAt":"x","completedAt":"y"}"#;
    assert_eq!(answers(&request, 200, envelope), "1 there | 2 there");
    let partial = r#"{"status":"COMPLETE","numErrors":1,"errors":[
        {"category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.FROM_OBJECT_NOT_FOUND","message":"No company with ID 2 exists","context":{"id":["2"]}}]}"#;
    assert_eq!(answers(&request, 207, partial), "1 there | 2 gone");
    let unnamed = r#"{"errors":[{"category":"VALIDATION_ERROR","message":"no"}]}"#;
    assert_eq!(
        answers(&request, 207, unnamed),
        "1 unaccounted | 2 unaccounted"
    );
    assert_eq!(
        answers(&associate(&[("1", "10")]), 204, ""),
        "1 unaccounted",
        "a tie is shown"
    );
}

#[test]
fn a_whole_call_about_a_record_that_is_gone_names_it_and_spares_the_others() {
    let body = r#"{"status":"error","message":"No contact with ID 123 exists","context":{"objectType":["contact"],"id":["123"]},"category":"OBJECT_NOT_FOUND","subCategory":"crm.associations.TO_OBJECT_NOT_FOUND"}"#;
    assert_eq!(
        answers(&associate(&[("123", "5"), ("9", "123")]), 404, body),
        "1 transient Server(404) None | 2 gone"
    );
}

#[test]
fn archived_and_deleted_records_are_told_by_the_status() {
    let two = archive(&["101", "102"]);
    assert_eq!(answers(&two, 204, ""), "1 there | 2 there");
    assert_eq!(answers(&gdpr_delete(), 204, ""), "1 there");
    assert_eq!(answers(&gdpr_delete(), 200, "{}"), "1 there");

    // One of the two was gone; whether its answer says which or not, the other one is not taken for archived.
    let named = r#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"gone","context":{"ids":["102"]}}"#;
    assert_eq!(
        answers(&two, 404, named),
        "1 transient Server(404) None | 2 gone"
    );
    let unnamed = r#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"gone"}"#;
    assert_eq!(
        answers(&two, 404, unnamed),
        "refused [] hubspot_rejected/missing [-] gone"
    );
    assert_eq!(answers(&archive(&["101"]), 404, unnamed), "1 gone");
    assert_eq!(answers(&gdpr_delete(), 404, unnamed), "1 gone");
    let entry = r#"{"status":"COMPLETE","results":[],"errors":[
        {"status":"error","category":"OBJECT_NOT_FOUND","message":"gone","context":{"ids":["101"]}}]}"#;
    assert_eq!(answers(&two, 207, entry), "1 gone | 2 there");
}

#[test]
fn an_address_that_does_not_exist_deletes_nobody() {
    let nowhere = r#"{"status":"error","message":"resource not found"}"#;
    for request in [archive(&["101", "102"]), gdpr_delete()] {
        let shown = answers(&request, 404, nowhere);
        assert!(
            shown.starts_with("1 held Mapping config: resource not found"),
            "{shown}"
        );
    }
}
