//! `POST /v1/verifications`.

use serde_json::json;
use shuqiao::audit::receipt;

use crate::support::{
    node::TestNode,
    registers::{Person, person},
};

fn right(person: &Person) -> serde_json::Value {
    json!({ "name": person.name })
}

#[tokio::test]
async fn a_claim_is_answered_yes_or_no_and_the_register_says_nothing_else() {
    let node = TestNode::with_persons(1000).await;
    let (alive, dead, absent) = (person(10), person(19), person(5000));
    for (id, claims, outcome) in [
        (&alive, right(&alive), "match"),
        (&alive, json!({ "name": " 测 试 １０ " }), "match"),
        (&alive, json!({ "name": "测试11" }), "mismatch"),
        (&alive, json!({ "name": "测试10", "birth_date": "1950年1月11日" }), "match"),
        (&alive, json!({ "birth_date": { "before": "1950-01-12", "after": "1950-01-10" } }), "match"),
        (&alive, json!({ "birth_date": { "before": "1950-01-11" } }), "mismatch"),
        (&alive, json!({ "sex": { "one_of": ["1", "2"] } }), "match"),
        (&dead, right(&dead), "indeterminate"),
        (&dead, json!({ "status": "9" }), "match"),
        (&absent, right(&absent), "not_found"),
    ] {
        let answer = node.verify(id.id.as_str(), claims.clone()).await;
        assert_eq!((answer.status, answer.said()), (200, outcome), "{claims} {:?}", answer.json);
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(!text.contains("测试") && !text.contains(id.id.as_str()), "{text}");
    }
}

#[tokio::test]
async fn a_receipt_binds_the_request_and_the_answer() {
    let node = TestNode::with_persons(20).await;
    let person = person(3);
    let answer = node.verify(person.id.as_str(), right(&person)).await;
    let claims = receipt::verify_answer(&answer.bytes, &node.jwks()).unwrap();
    assert_eq!(claims.outcome, "match");
    let request = serde_json::to_vec(&crate::support::node::verification(person.id.as_str(), right(&person))).unwrap();
    receipt::verify_request(&claims, &request).unwrap();
    let mut changed = answer.json.clone();
    changed["outcome"] = json!("mismatch");
    assert!(receipt::verify_answer(changed.to_string().as_bytes(), &node.jwks()).is_err());
}
