//! `kill -9` under load: what a caller was told is in the log, every time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use shuqiao::audit::{self, Record, leaf_hash, receipt};

use crate::support::{
    dice::Dice,
    process::{Home, client, json, verify},
    registers::person,
};

const KILLS: usize = 20;
const CALLERS: u64 = 8;
const PERSONS: u64 = 500;

/// An answer that arrived whole.
type Whole = (u16, Vec<u8>);

/// Call without a pause until the node is gone.
async fn call_until_gone(url: String, token: String, caller: u64, heard: Arc<Mutex<Vec<Whole>>>) {
    let http = client();
    for turn in 0_u64.. {
        let person = person((caller * 61 + turn) % (PERSONS + 50));
        // Refusals are promised the same: every ninth call has a token that is none.
        let token = if turn % 9 == 8 { "none" } else { &token };
        let Some(answer) = verify(&http, &url, token, &person, &person.name).await else { return };
        heard.lock().unwrap().push(answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_that_left_a_killed_node_is_in_its_log() {
    let home = Home::with_persons(PERSONS, "[audit]\nsegment_bytes = '128 KiB'\ncheckpoint_s = 1").await;
    let mut dice = Dice(20_261_124);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let token = home.token().await;
    for _ in 0..KILLS {
        let node = home.serve().await;
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                tokio::spawn(call_until_gone(home.url("/v1/verifications"), token.clone(), caller, Arc::clone(&heard)))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(dice.within(20..300))).await;
        node.kill();
        for caller in callers {
            caller.await.unwrap();
        }
    }
    let said = home.run(&["audit", "verify"]);
    assert!(said.code == Some(0) && said.out.ends_with("intact\n"), "{said:?}");

    let mut log = HashMap::new();
    for entry in audit::read(&home.path("data/audit"), 0).unwrap() {
        let (index, payload) = entry.unwrap();
        let call_id = Record::from_bytes(&payload).unwrap().call_id.to_string();
        let twice = log.insert(call_id, (index, leaf_hash(&payload)));
        assert_eq!(twice, None, "a call is recorded once");
    }
    let (keys, heard) = (home.keys(), std::mem::take(&mut *heard.lock().unwrap()));
    let (mut answered, mut refused) = (0, 0);
    for (status, bytes) in &heard {
        let answer = json(bytes);
        let call_id = answer["call_id"].as_str().unwrap_or_else(|| panic!("{status} {answer}"));
        let (index, leaf) = log.get(call_id).unwrap_or_else(|| panic!("{call_id} was answered and is not in the log"));
        match status {
            200 => {
                let claims = receipt::verify_answer(bytes, &keys).unwrap();
                assert_eq!((claims.jti.to_string().as_str(), claims.log.index), (call_id, Some(*index)));
                assert_eq!(claims.log.leaf.0, *leaf);
                answered += 1;
            }
            401 => refused += 1,
            other => panic!("{other} {answer}"),
        }
    }
    assert!(answered > 10 * KILLS && refused > KILLS, "{answered} answered, {refused} refused: that was no load");
}
