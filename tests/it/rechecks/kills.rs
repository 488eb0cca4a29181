//! `kill -9` while calls are finished and clients are told: nothing is lost.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    receiver::Receiver,
    scene::{PATH, question, until_in},
};
use crate::support::{
    dice::Dice,
    node::WINDOW,
    process::{Home, PATIENCE, client},
    registers::{csv, person},
};

const PERSONS: u64 = 100;
const KILLS: usize = 6;
/// A try that was under way at a kill is made again after two of these.
const SETTINGS: &str = "header_ms_max = 1000\nrequest_ms_max = 1000\n[rechecks]\nretry_ms = 50\nresend_ms = 50";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_that_was_filed_is_finished_and_told_however_often_its_node_is_killed() {
    let home = Home::empty(SETTINGS);
    let receiver = Receiver::answering([503; 5]).await;
    let set = home.run(&["webhook", "set", WINDOW, &receiver.url, "--reason", "接收补核结果"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    let (http, token, mut dice) = (client(), home.token().await, Dice(20_261_127));
    let post = async |path: &str, body: String| {
        let request = http.post(home.url(path)).bearer_auth(&token).header("content-type", "application/json");
        let said = request.body(body).send().await.unwrap();
        serde_json::from_slice::<Value>(&said.bytes().await.unwrap()).unwrap()
    };
    let node = home.serve().await;
    let mut waiting = Vec::new();
    // Every tenth is deceased, which no answer calls a match.
    for n in (0..PERSONS).filter(|n| n % 10 != 9) {
        let answer = post("/v1/verifications", question(n)).await;
        let filing = json!({ "receipt": answer["receipt"], "body": question(n) });
        let filed = post(PATH, filing.to_string()).await;
        waiting.push(filed["id"].as_str().unwrap_or_else(|| panic!("{answer} {filed}")).to_owned());
    }
    node.kill();
    home.publish(&csv((0..PERSONS).map(person))).await;
    for _ in 0..KILLS {
        let node = home.serve().await;
        tokio::time::sleep(Duration::from_millis(dice.within(450..900))).await;
        node.kill();
    }
    let node = home.serve().await;
    let keys = home.keys();
    // Pauses have grown meanwhile: a call that was tried for so long may wait as long again.
    let told = until_in(PATIENCE * 2, async || {
        let mut told: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for heard in receiver.heard() {
            let (delivery, body) = (heard.delivery().to_owned(), heard.verified(&keys));
            told.entry(body["id"].as_str().unwrap().to_owned()).or_default().push((delivery, body));
        }
        if told.len() == waiting.len() { Ok(told) } else { Err(home.run(&["webhook", "dead"]).out + &home.log_text()) }
    })
    .await;
    for id in &waiting {
        let all = &told[id];
        assert!(all.iter().all(|one| *one == all[0]), "the same delivery says the same: {all:#?}");
        assert_eq!((&all[0].1["state"], &all[0].1["answer"]["outcome"]), (&json!("settled"), &json!("match")));
    }
    drop(node);
    let verified = home.run(&["audit", "verify"]);
    assert!(verified.code == Some(0) && verified.out.ends_with("intact\n"), "{verified:?}");
}
