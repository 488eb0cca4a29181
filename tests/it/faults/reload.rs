//! Keys and policies are changed while calls are under way.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use shuqiao::{audit::receipt, keys::KeyRing};

use crate::support::{
    process::{Home, PATIENCE, Running, client, json, verify},
    registers::person,
};

const PERSONS: u64 = 500;
const CALLERS: u64 = 4;
const ROTATIONS: usize = 3;

/// Answers that came while the callers ran, each whole.
type Answers = Vec<Vec<u8>>;

struct Callers {
    over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Answers>>,
}

impl Callers {
    /// Call without a pause; whatever is not a match fails the test.
    fn begin(home: &Home, token: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let call = |caller: u64| {
            let (url, token, over) = (home.url("/v1/verifications"), token.to_owned(), Arc::clone(&over));
            async move {
                let (http, mut answers) = (client(), Vec::new());
                while !over.load(Ordering::Relaxed) {
                    // Every tenth is somebody whose record is in its ordinary state.
                    let asked = person((caller * 101 + answers.len() as u64 * 7) * 10 % PERSONS);
                    let (status, bytes) = verify(&http, &url, &token, &asked, &asked.name).await.expect("an answer");
                    let outcome = json(&bytes)["outcome"].as_str().map(str::to_owned);
                    assert_eq!((status, outcome.as_deref()), (200, Some("match")));
                    answers.push(bytes);
                }
                answers
            }
        };
        let tasks = (0..CALLERS).map(|caller| tokio::spawn(call(caller))).collect();
        Self { over, tasks }
    }

    async fn end(self) -> Answers {
        self.over.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for task in self.tasks {
            answers.extend(task.await.unwrap());
        }
        answers
    }
}

/// SIGHUP, and wait until the node has said `words` once more.
async fn reload(home: &Home, node: &Running, words: &str) {
    let said = || home.log_text().matches(words).count();
    let (before, until) = (said(), Instant::now() + PATIENCE);
    node.signal("-HUP");
    while said() == before {
        assert!(Instant::now() < until, "`{words}` is not said: {}", home.log_text());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_policies_change_under_load_and_no_call_fails() {
    let home = Home::with_persons(PERSONS, "").await;
    let node = home.serve().await;
    let callers = Callers::begin(&home, &home.token().await);
    for round in 0..ROTATIONS {
        for purpose in ["receipt", "token"] {
            let said = home.run(&["key", "rotate", purpose]);
            assert_eq!(said.code, Some(0), "{said:?}");
        }
        let note = format!("// Changed for the {round}th time.\n");
        let file = fs::read_dir(home.path("policies")).unwrap().flatten().map(|entry| entry.path());
        let file = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "cedar")).unwrap();
        fs::write(&file, note + &fs::read_to_string(&file).unwrap()).unwrap();
        reload(&home, &node, "policies and keys were read again").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let answers = callers.end().await;
    assert!(answers.len() > 100, "{} calls are no load", answers.len());
    let keys = KeyRing::open(&home.settings().paths.receipt_key()).unwrap().public();
    assert_eq!(keys.iter().count(), ROTATIONS + 1);
    let claims: Vec<_> = answers.iter().map(|answer| receipt::verify_answer(answer, &keys).unwrap()).collect();
    let sets: BTreeSet<_> = claims.iter().map(|claims| &claims.policy_set).collect();
    assert_eq!(sets.len(), ROTATIONS + 1, "each set has decided calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_in_order_is_not_taken_and_a_distrusted_key_is_refused() {
    let home = Home::with_persons(PERSONS, "").await;
    let node = home.serve().await;
    let (token, http, url) = (home.token().await, client(), home.url("/v1/verifications"));
    let status = async || verify(&http, &url, &token, &person(1), &person(1).name).await.expect("an answer").0;

    fs::write(home.path("policies/broken.cedar"), "permit (").unwrap();
    reload(&home, &node, "nothing was changed").await;
    assert_eq!(status().await, 200);
    fs::remove_file(home.path("policies/broken.cedar")).unwrap();

    let said = home.run(&["key", "rotate", "token", "--distrust"]);
    assert!(said.code == Some(0) && said.out.contains("verifies nothing any longer"), "{said:?}");
    assert_eq!(status().await, 200, "until the node is told");
    reload(&home, &node, "policies and keys were read again").await;
    assert_eq!(status().await, 401);
}
