//! The audit log cannot be written: nothing is answered any more.

use std::{collections::BTreeMap, fs};

use crate::support::{
    process::{Home, client, json, verify},
    registers::person,
};

/// Segments that are made when the limit is in force are too long for it.
const LIMIT_KIB: u32 = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_grow_refuses_every_call_and_says_so() {
    let home = Home::with_persons(100, "[audit]\nsegment_bytes = '128 KiB'").await;
    let token = home.token().await;
    let (http, url) = (client(), home.url("/v1/verifications"));
    home.serve().await.kill(); // The first segment is there now.
    home.configure("[audit]\nsegment_bytes = '4 MiB'");
    let mut node = home.serve_under("-f", LIMIT_KIB).await;

    let mut answered = Vec::new();
    let refusal = loop {
        assert!(answered.len() < 1000, "the log goes on");
        let person = person(answered.len() as u64 % 99);
        let (status, bytes) = verify(&http, &url, &token, &person, &person.name).await.unwrap();
        match status {
            200 => answered.push(json(&bytes)["call_id"].as_str().unwrap().to_owned()),
            _ => break (status, json(&bytes)),
        }
    };
    assert!(answered.len() > 20);
    let unavailable = |(status, problem): &(u16, serde_json::Value)| {
        assert_eq!((*status, problem["code"].as_str()), (503, Some("audit_unavailable")), "{problem}");
        assert_eq!(problem["outcome"], serde_json::Value::Null);
    };
    unavailable(&refusal);
    // Every kind of call, also those that would have been refused.
    let absent = person(5000);
    for (token, person) in [(token.as_str(), &absent), (token.as_str(), &person(3)), ("none", &person(3))] {
        let (status, bytes) = verify(&http, &url, token, person, "测试3").await.unwrap();
        unavailable(&(status, json(&bytes)));
    }
    let ready = http.get(home.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(json(&ready.bytes().await.unwrap())["code"], "audit_unavailable");
    assert_eq!(http.get(home.url("/healthz")).send().await.unwrap().status(), 200, "it lives, it is not ready");
    assert_eq!(node.ended(), None);

    node.terminate();
    node.end().await;
    let said = home.run(&["audit", "verify"]);
    assert!(said.code == Some(0) && said.out.ends_with("intact\n"), "{said:?}");

    let _node = home.serve().await; // Room again.
    for n in 0..300 {
        let person = person(n % 99);
        let (status, bytes) = verify(&http, &url, &token, &person, &person.name).await.unwrap();
        assert_eq!(status, 200);
        answered.push(json(&bytes)["call_id"].as_str().unwrap().to_owned());
    }
    let said = home.run(&["audit", "verify"]);
    assert!(said.code == Some(0) && said.out.ends_with("intact\n"), "{said:?}");
    let mut log = BTreeMap::new();
    for entry in shuqiao::audit::read(&home.path("data/audit"), 0).unwrap() {
        let (index, payload) = entry.unwrap();
        log.insert(shuqiao::audit::Record::from_bytes(&payload).unwrap().call_id.to_string(), index);
    }
    assert!(answered.iter().all(|call_id| log.contains_key(call_id)));
    let segments = fs::read_dir(home.path("data/audit")).unwrap();
    let segments =
        segments.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("segment-"));
    assert!(segments.count() > 1, "the log went on in a new segment");
}
