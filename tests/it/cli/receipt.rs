//! `shuqiao receipt verify`, with nothing but files.

use std::fs;

use crate::support::{
    node::verification,
    process::{Home, client, json, shuqiao, shuqiao_reading},
    registers::person,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_verified_offline_and_every_change_is_found() {
    verified_offline("", "does not cover").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_one_that_was_signed_by_itself() {
    verified_offline("[audit]\nreceipts = 'single'", "signature").await;
}

/// `changed_hint` is said of a receipt whose claims were changed.
async fn verified_offline(settings: &str, changed_hint: &str) {
    let home = Home::with_persons(50, settings).await;
    let node = home.serve().await;
    let (http, person) = (client(), person(4));
    let request =
        serde_json::to_vec(&verification(person.id.as_str(), serde_json::json!({ "name": person.name }))).unwrap();
    let call = http.post(home.url("/v1/verifications")).bearer_auth(home.token().await);
    let call = call.header("content-type", "application/json").body(request.clone());
    let answer = call.send().await.unwrap().text().await.unwrap();
    let jwks = http.get(home.url("/.well-known/jwks.json")).send().await.unwrap().text().await.unwrap();
    let by_url = home.url("/.well-known/jwks.json");
    let file = |name: &str, content: &[u8]| {
        fs::write(home.path(name), content).unwrap();
        home.path(name).to_str().unwrap().to_owned()
    };
    let receipt = json(answer.as_bytes())["receipt"].as_str().unwrap().to_owned();
    let (answer_file, jwks_file) = (file("answer.json", answer.as_bytes()), file("jwks.json", jwks.as_bytes()));
    let request_file = file("request.json", &request);
    let online = shuqiao(&["receipt", "verify", &answer_file, "--jwks", &by_url]);
    assert_eq!(online.code, Some(0), "{online:?}");
    node.kill();

    let verify =
        |file: &str, more: &[&str]| shuqiao(&[&["receipt", "verify", file, "--jwks", &jwks_file], more].concat());
    let valid = verify(&answer_file, &["--request", &request_file]);
    assert_eq!(valid.code, Some(0), "{valid:?}");
    assert!(
        valid.out.contains("outcome   match")
            && valid.out.contains("record    0 of log ")
            && valid.out.ends_with("of this answer to this request\n"),
        "{valid:?}"
    );
    let pretty = serde_json::to_string_pretty(&json(answer.as_bytes())).unwrap();
    assert_eq!(verify(&file("pretty.json", pretty.as_bytes()), &[]).code, Some(0), "its layout does not matter");
    assert_eq!(verify(&file("receipt.txt", receipt.as_bytes()), &[]).code, Some(0));
    let piped = shuqiao_reading(&["receipt", "verify", "-", "--jwks", &jwks_file], &answer);
    assert_eq!(piped.code, Some(0), "{piped:?}");

    let middle = receipt.len() / 2;
    let other = if receipt.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{other}{}", &receipt[..middle], &receipt[middle + 1..]);
    let other_request = String::from_utf8(request).unwrap().replace("TEST-1", "TEST-2");
    let other_request = file("other-request.json", other_request.as_bytes());
    for (said, hint) in [
        (verify(&file("a.json", answer.replace("\"match\"", "\"mismatch\"").as_bytes()), &[]), "answer"),
        (verify(&file("b.json", answer.replace(&receipt, &changed).as_bytes()), &[]), changed_hint),
        (verify(&file("c.txt", changed.as_bytes()), &[]), changed_hint),
        (verify(&answer_file, &["--request", &other_request]), "request"),
    ] {
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.starts_with("invalid: ") && said.out.contains(hint), "{said:?}");
        assert!(!said.out.contains("\nvalid"), "{said:?}");
    }
    // Nothing that could be checked is neither valid nor invalid.
    for (said, hint) in [
        (verify("absent.json", &[]), "absent.json"),
        (verify(&file("d.json", b"{}"), &[]), "no receipt"),
        (shuqiao(&["receipt", "verify", &answer_file, "--jwks", &answer_file]), "answer.json"),
        (shuqiao(&["receipt", "verify", &answer_file, "--jwks", &by_url]), "jwks.json"),
    ] {
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.out.is_empty() && said.err.contains(hint), "{said:?}");
    }
}
