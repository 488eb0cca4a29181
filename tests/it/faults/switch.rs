//! A version is switched while calls are under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::support::{
    process::{Home, client, json, verify},
    registers::{Person, csv, person},
};

const PERSONS: u64 = 2000;
const PUBLICATIONS: u64 = 5;
const CALLERS: u64 = 4;

/// Person `n` as version `version` has it: in each another name, and in each another tenth is gone.
fn in_version(n: u64, version: u64) -> Option<Person> {
    (n % 10 != version).then(|| Person { name: format!("第{version}版{n}"), status: "0", ..person(n) })
}

fn lines(version: u64) -> String {
    csv((0..PERSONS).filter_map(|n| in_version(n, version)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_switch_fails_no_call_and_mixes_no_versions() {
    let home = Home::empty("");
    assert_eq!(home.publish(&lines(0)).await, 0);
    let _node = home.serve().await;
    let token = home.token().await;
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (url, token, over) = (home.url("/v1/verifications"), token.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let (http, mut last, mut calls) = (client(), 0, 0_u64);
                while !over.load(Ordering::Relaxed) {
                    let n = (caller * 499 + calls * 7) % PERSONS;
                    // The name as one of the versions has it; which of them answers is not known before.
                    let guess = calls % (PUBLICATIONS + 1);
                    let asked = Person { name: format!("第{guess}版{n}"), ..person(n) };
                    let (status, bytes) = verify(&http, &url, &token, &asked, &asked.name).await.expect("an answer");
                    let answer = json(&bytes);
                    let version = answer["dataset_version"].as_u64().unwrap_or_else(|| panic!("{status} {answer}"));
                    let expected = match in_version(n, version) {
                        None => "not_found",
                        Some(person) if person.name == asked.name => "match",
                        Some(_) => "mismatch",
                    };
                    assert_eq!((status, answer["outcome"].as_str()), (200, Some(expected)), "{answer}");
                    assert!(version >= last, "version {version} after {last}");
                    (last, calls) = (version, calls + 1);
                }
                (last, calls)
            })
        })
        .collect();
    for version in 1..=PUBLICATIONS {
        assert_eq!(home.publish(&lines(version)).await, version);
        // Longer than the node takes to see it, so that each version is switched to.
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        let (last, calls) = caller.await.unwrap();
        assert_eq!(last, PUBLICATIONS);
        assert!(calls > 100, "{calls} calls are no load");
    }
}
