//! What a receipt must not let through.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use proptest::prelude::*;
use serde_json::json;

use super::{super::record::tests::answered_record, *};

fn claims() -> ReceiptClaims {
    let place = LogPlace { id: Uuid::from_u128(5), index: Some(41), leaf: Digest([9; 32]) };
    answered_record().receipt_claims("https://node.example", place).unwrap()
}

fn key() -> (SigningKey, PublicKeys) {
    let key = SigningKey::generate().unwrap();
    let keys = PublicKeys::new([key.public()]);
    (key, keys)
}

/// An answer with its receipt, as it goes over the wire.
fn answered(key: &SigningKey, mut answer: Value) -> Value {
    let claims = ReceiptClaims { answer_sha256: answer_digest(&answer).unwrap(), ..claims() };
    answer[MEMBER] = sign(key, &claims).into();
    answer
}

fn answer() -> Value {
    json!({
        "call_id": "0193a5b2-7c00-7000-8000-000000000001",
        "outcome": "match",
        "claims": { "name": { "result": "match", "rule": "名字" } },
        "dataset_version": 3,
    })
}

#[test]
fn a_receipt_says_what_was_signed() {
    let (key, keys) = key();
    assert_eq!(verify(&sign(&key, &claims()), &keys), Ok(claims()));
}

#[test]
fn what_a_receipt_states_has_stable_names() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&claims()).unwrap(), @r#"
    {
      "iss": "https://node.example",
      "iat": 1795501800,
      "jti": "0193a5b2-7c00-7000-8000-000000000001",
      "client": "gz-hukou-window",
      "department": "gz-civil-affairs",
      "item": "11440100MB9YYY997R3440101001000",
      "case": "CASE-7",
      "operation": "verification",
      "dataset": "natural-person",
      "dataset_version": 3,
      "as_of": "2026-11-23T00:00:00.000Z",
      "decision": "allow",
      "outcome": "match",
      "policy_set": "abcd",
      "request_sha256": "0101010101010101010101010101010101010101010101010101010101010101",
      "answer_sha256": "0202020202020202020202020202020202020202020202020202020202020202",
      "log": {
        "id": "00000000-0000-0000-0000-000000000005",
        "index": 41,
        "leaf": "0909090909090909090909090909090909090909090909090909090909090909"
      }
    }
    "#);
}

#[test]
fn every_changed_bit_of_the_compact_string_is_refused() {
    let (key, keys) = key();
    let receipt = sign(&key, &claims());
    for bit in 0..receipt.len() * 8 {
        let mut bytes = receipt.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // A changed top bit is not UTF-8, which no door takes for text.
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        assert!(verify(&changed, &keys).is_err(), "bit {bit}");
    }
}

#[test]
fn another_spelling_of_the_same_receipt_is_refused() {
    let (key, keys) = key();
    let receipt = sign(&key, &claims());
    for changed in [format!("{receipt}="), format!("{receipt} "), format!(" {receipt}"), receipt.replace('.', "..")] {
        assert!(verify(&changed, &keys).is_err(), "{changed}");
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let (key, keys) = key();
    let (stranger, _) = self::key();
    let signed = |payload: &[u8]| verify(&jws::sign(&key, TYPE, payload), &keys);
    let mut members = serde_json::to_value(claims()).unwrap();
    members["more"] = true.into();
    assert!(matches!(signed(members.to_string().as_bytes()), Err(ReceiptError::Claims { .. })));
    let text = serde_json::to_string(&claims()).unwrap();
    let twice = text.replacen('{', r#"{"outcome":"match","#, 1);
    assert!(matches!(signed(twice.as_bytes()), Err(ReceiptError::Claims { .. })));
    assert!(matches!(signed(format!("{text}{{}}").as_bytes()), Err(ReceiptError::Claims { .. })));
    assert!(signed(text.as_bytes()).is_ok());
    let unknown = verify(&sign(&stranger, &claims()), &keys);
    assert_eq!(unknown, Err(ReceiptError::Signature(JwsError::UnknownKey)));
    let token = verify(&jws::sign(&key, "at+jwt", text.as_bytes()), &keys);
    assert_eq!(token, Err(ReceiptError::Signature(JwsError::Type)));
    let long = "a".repeat(RECEIPT_BYTES_MAX + 1);
    assert_eq!(verify(&long, &keys), Err(ReceiptError::TooLong { bytes: RECEIPT_BYTES_MAX + 1 }));
    let header = |header: &str| {
        let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(&text));
        let signature = BASE64URL.encode(key.sign(signed.as_bytes()));
        verify(&format!("{signed}.{signature}"), &keys)
    };
    let kid = key.kid();
    assert!(header(&format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"receipt+jwt"}}"#)).is_ok());
    for (bad, reason) in [
        (format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"receipt+jwt","crit":["b64"]}}"#), JwsError::Header),
        (format!(r#"{{"alg":"EdDSA","alg":"none","kid":"{kid}","typ":"receipt+jwt"}}"#), JwsError::Header),
        (format!(r#"{{"alg":"none","kid":"{kid}","typ":"receipt+jwt"}}"#), JwsError::Algorithm),
        (format!(r#"{{"alg":"eddsa","kid":"{kid}","typ":"receipt+jwt"}}"#), JwsError::Algorithm),
        (format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"Receipt+JWT"}}"#), JwsError::Type),
    ] {
        assert_eq!(header(&bad), Err(ReceiptError::Signature(reason)), "{bad}");
    }
}

#[test]
fn an_answer_holds_however_it_is_laid_out_and_only_as_it_was_signed() {
    let (key, keys) = key();
    let signed = answered(&key, answer());
    assert!(verify_answer(&serde_json::to_vec_pretty(&signed).unwrap(), &keys).is_ok());
    let changes: [fn(&mut Value); 6] = [
        |answer| answer["outcome"] = "mismatch".into(),
        |answer| answer["claims"]["name"]["rule"] = "名".into(),
        |answer| answer["dataset_version"] = 4.into(),
        |answer| answer["values"] = json!({ "name": "somebody" }),
        |answer| drop(answer.as_object_mut().unwrap().remove("dataset_version")),
        |answer| answer["claims"]["receipt"] = "nested".into(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = signed.clone();
        change(&mut changed);
        let verdict = verify_answer(changed.to_string().as_bytes(), &keys);
        assert_eq!(verdict, Err(ReceiptError::OtherAnswer), "change {number}");
    }
}

#[test]
fn an_answer_with_two_readings_is_refused() {
    let (key, keys) = key();
    let text = answered(&key, answer()).to_string();
    let twice = text.replacen('{', r#"{"outcome":"mismatch","#, 1);
    assert!(matches!(verify_answer(twice.as_bytes(), &keys), Err(ReceiptError::Answer { .. })));
    let nested = text.replacen(r#"{"result""#, r#"{"result":"mismatch","result""#, 1);
    assert_ne!(nested, text);
    assert!(matches!(verify_answer(nested.as_bytes(), &keys), Err(ReceiptError::Answer { .. })));
}

#[test]
fn numbers_that_lose_digits_are_not_signed() {
    for (number, fits) in [
        ("9007199254740991", true),
        ("9007199254740992", false),
        ("-9007199254740992", false),
        ("18446744073709551615", false),
        ("1e300", false),
        ("0.5", true),
    ] {
        let answer = parse_answer(format!(r#"{{"values":[{number}]}}"#).as_bytes()).unwrap();
        assert_eq!(answer_digest(&answer).is_ok(), fits, "{number}");
    }
}

#[test]
fn an_answer_without_a_receipt_or_no_object_is_told_so() {
    let (_, keys) = key();
    assert_eq!(verify_answer(answer().to_string().as_bytes(), &keys), Err(ReceiptError::NoReceipt));
    assert_eq!(verify_answer(br#"{"receipt":7}"#, &keys), Err(ReceiptError::NoReceipt));
    assert!(matches!(verify_answer(b"not json", &keys), Err(ReceiptError::Answer { .. })));
    assert!(matches!(answer_digest(&json!([1])), Err(ReceiptError::Answer { .. })));
}

#[test]
fn a_request_is_known_by_its_bytes() {
    let claims = ReceiptClaims { request_sha256: sha256(b"{\"a\":1}"), ..claims() };
    assert_eq!(verify_request(&claims, b"{\"a\":1}"), Ok(()));
    assert_eq!(verify_request(&claims, b"{\"a\": 1}"), Err(ReceiptError::OtherRequest));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_digest_survives_the_wire_and_the_receipt_itself(
        members in proptest::collection::btree_map(any::<String>(), json_value(), 0..5),
    ) {
        let mut answer = Value::Object(members.into_iter().collect());
        let digest = answer_digest(&answer).unwrap();
        answer[MEMBER] = "x.y.z".into();
        prop_assert_eq!(answer_digest(&answer).unwrap(), digest);
        let over_the_wire = parse_answer(&serde_json::to_vec_pretty(&answer).unwrap()).unwrap();
        prop_assert_eq!(answer_digest(&over_the_wire).unwrap(), digest);
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text: String, bytes: Vec<u8>) {
        let (_, keys) = key();
        prop_assert!(verify(&text, &keys).is_err());
        prop_assert!(verify_answer(&bytes, &keys).is_err());
    }
}
