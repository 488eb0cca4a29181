//! Keys and certificates change while calls go on.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use shuqiao::{federation::Certificate, keys::KeyRing};

use super::{
    processes::Four,
    province::{EACH, Province, until},
};
use crate::support::{
    node::{TestNode, verification},
    registers::person,
};

async fn reload(node: &TestNode) {
    let node = Arc::clone(&node.node);
    tokio::task::spawn_blocking(move || node.reload()).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_certificates_change_and_no_call_is_lost() {
    let province = Province::found().await;
    let there = person(EACH + 3);
    let mut body = verification(there.id.as_str(), json!({ "name": there.name }));
    body["authority"] = json!("440300");
    let (stop, made) = (AtomicBool::new(false), AtomicU32::new(0));
    let calls = async {
        while !stop.load(Ordering::Relaxed) {
            let answer = province.guangzhou.post("/v1/verifications", &body).await;
            assert_eq!(answer.said(), "match", "{:#}", answer.json);
            made.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await; // The agreement allows some calls a second.
        }
    };
    let changes = async {
        for node in [&province.guangzhou, &province.shenzhen, &province.guangdong] {
            let paths = &node.settings.paths;
            KeyRing::rotate(&paths.token_key(), false).unwrap();
            KeyRing::rotate(&paths.receipt_key(), false).unwrap();
            reload(node).await;
        }
        for node in [&province.guangzhou, &province.shenzhen] {
            // A new certificate, made as the first one was.
            let (paths, before) = (&node.settings.paths, node.node.card().unwrap().certificates);
            let (file, key) = (paths.keys().join("next.pem"), paths.keys().join("next-key.pem"));
            let next = Certificate::open(&file, &key, &node.settings.node.id).unwrap().thumbprint();
            fs::rename(key, paths.peer_key()).unwrap();
            fs::rename(file, paths.peer_certificate()).unwrap();
            until(async || {
                let now = node.node.card().unwrap().certificates;
                (now == [next]).then_some(()).ok_or(format!("{before:?} {now:?} {next}"))
            })
            .await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(calls, changes);
    assert!(made.load(Ordering::Relaxed) > 20, "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_could_be_told_of_is_used_once_they_can() {
    let mut four = Four::found(1).await;
    four.kill(0);
    let city = &four.members[1];
    let said = city.home.run(&["key", "rotate", "token"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    city.running.as_ref().unwrap().signal("-HUP");
    until(async || {
        let log = city.home.log_text();
        log.contains("the other nodes have to hear of the keys first").then_some(()).ok_or(log)
    })
    .await;
    // Tokens by the new key are refused until the province is back, and then are good without anybody's doing.
    let tokens = four.tokens().await;
    assert!(!four.sweep(&tokens).await.1);
    four.start(0);
    four.ready().await;
    four.recovered(&tokens).await.unwrap_or_else(|amiss| panic!("{amiss}"));
}
