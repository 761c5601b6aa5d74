use serde_json::json;

use super::*;
use crate::tape::{Batch, Tape};

fn document(text: &str) -> Document {
    Document::new(Tape::read(text, Batch::IsData).unwrap())
}

fn text() -> String {
    let long: Vec<Value> = (0..40).map(|n| json!({"n": n})).collect();
    let wide: Map<String, Value> = (0..40).map(|n| (format!("k{n}"), json!([n]))).collect();
    json!({
        "s": "x\n", "n": -1.50, "x": 1.5e300, "t": true, "f": false, "z": null,
        "l": [1, [2, {"a": []}], {}], "o": {"b": {"c": "d"}, "": 0}, "long": long, "wide": wide,
    })
    .to_string()
}

/// Everything that can be asked of two values and of all that is in them.
fn assert_same(left: Json<'_>, right: Json<'_>) {
    assert_eq!(left.kind(), right.kind());
    assert_eq!(left.is_null(), right.is_null());
    assert_eq!(left.is_object(), right.is_object());
    assert_eq!(left.as_str(), right.as_str());
    assert_eq!(left.as_bool(), right.as_bool());
    assert_eq!(left.as_number_text(), right.as_number_text());
    assert_eq!(
        (left.len(), left.is_empty()),
        (right.len(), right.is_empty())
    );
    assert_eq!(left.to_value(), right.to_value());
    assert_eq!(left.value(), right.value());
    assert!(left.get("nope").is_none() && right.get("nope").is_none());
    assert!(left.element(left.len()).is_none() && right.element(right.len()).is_none());
    let (mut lefts, mut rights) = (left.members(), right.members());
    loop {
        match (lefts.next(), rights.next()) {
            (None, None) => break,
            (Some((key, l)), Some((same, r))) => {
                assert_eq!(key, same);
                assert_same(l, r);
                assert_same(left.get(key).unwrap(), r);
                assert_same(left.member(&Key::new(key)).unwrap(), r);
            }
            _ => panic!("one has more members"),
        }
    }
    let rights: Vec<Json<'_>> = right.elements().collect();
    assert_eq!(left.elements().count(), rights.len());
    for (index, l) in left.elements().enumerate() {
        assert_same(l, rights[index]);
        assert_same(left.element(index).unwrap(), rights[index]);
    }
}

#[test]
fn a_text_looks_like_the_value_it_stands_for() {
    let text = text();
    let document = document(&text);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_same(Json::root(&document), Json::from(&value));
    assert_eq!(Json::root(&document).value().to_string(), text);
}

#[test]
fn looking_makes_no_value() {
    let document = document(&text());
    let root = Json::root(&document);
    let deep = root
        .get("o")
        .and_then(|o| o.get("b"))
        .and_then(|b| b.get("c"));
    assert_eq!(deep.and_then(Json::as_str), Some("d"));
    assert_eq!(root.get("wide").unwrap().to_value()["k39"], json!([39]));
    assert_eq!(document.made(), 0);
    assert_eq!(
        root.get("l").unwrap().value(),
        &json!([1, [2, {"a": []}], {}])
    );
    let inner = root
        .get("l")
        .and_then(|l| l.element(1))
        .and_then(|l| l.element(1));
    assert_eq!(inner.unwrap().value(), &json!({"a": []}));
    assert_eq!(document.made(), 1);
}

#[test]
fn debug_shows_no_value() {
    let value = json!("secret");
    assert_eq!(format!("{:?}", Json::from(&value)), "Json(String)");
}
