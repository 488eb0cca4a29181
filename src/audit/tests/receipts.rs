//! Receipts by the road that a node takes: recorded, durable, and then said.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};

use super::{
    super::{
        receipt::{self, HeadSigner, ReceiptClaims, ReceiptHead, Receipts},
        record::tests::answered_record,
    },
    *,
};

const ISSUER: &str = "https://node.example";

fn signer(keys: &Arc<KeyRing>) -> HeadSigner {
    let clock = || "2026-11-24T06:30:01Z".parse().unwrap();
    HeadSigner { keys: Arc::clone(keys), issuer: ISSUER.to_owned(), clock }
}

fn desk(dir: &Path, batched: bool) -> (Arc<Log>, Arc<Receipts>, PublicKeys) {
    let keys = Arc::new(KeyRing::of(SigningKey::generate().unwrap()));
    let (log, _) = Log::open(dir, LogOptions { heads: batched.then(|| signer(&keys)), ..options() }).unwrap();
    let log = Arc::new(log);
    let receipts = Receipts::new(Arc::clone(&log), Arc::clone(&keys), ISSUER.to_owned());
    (log, Arc::new(receipts), keys.public())
}

fn answer(number: u128) -> Record {
    Record {
        call_id: Uuid::from_u128((7 << 76) | (2 << 62) | number).to_string().parse().unwrap(),
        ..answered_record()
    }
}

/// The receipts of many answers that are recorded at once, with refusals among them.
fn recorded_at_once(log: &Arc<Log>, receipts: &Arc<Receipts>, count: u128) -> Vec<String> {
    let tasks = |number| {
        let (log, receipts) = (Arc::clone(log), Arc::clone(receipts));
        async move {
            if number % 5 == 4 {
                log.append(format!("{{\"refused\":{number}}}").into_bytes()).await.unwrap();
                return None;
            }
            Some(receipts.record(&answer(number)).await.unwrap())
        }
    };
    runtime().block_on(async {
        let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(tasks(number))).collect();
        futures::future::join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect()
    })
}

/// Each receipt holds, no two are of one call, and the log holds the very record that each names.
fn check_against_log(dir: &Path, receipts: &[String], keys: &PublicKeys) -> Vec<ReceiptClaims> {
    let records = contents(dir);
    let claims: Vec<_> = receipts.iter().map(|receipt| receipt::verify(receipt, keys).unwrap()).collect();
    for claims in &claims {
        let payload = &records[claims.log.index.unwrap() as usize];
        assert_eq!((claims.log.id, claims.log.leaf), (LOG, Digest(leaf_hash(payload))));
        assert_eq!(Record::from_bytes(payload).unwrap().call_id, claims.jti);
    }
    let calls: std::collections::BTreeSet<_> = claims.iter().map(|claims| claims.jti.to_string()).collect();
    assert_eq!(calls.len(), receipts.len());
    claims
}

#[test]
fn one_signature_covers_the_receipts_of_a_commit_group() {
    let dir = tempfile::tempdir().unwrap();
    let (log, receipts, keys) = desk(dir.path(), true);
    let given = recorded_at_once(&log, &receipts, 1000);
    assert_eq!(given.len(), 800);
    let claims = check_against_log(dir.path(), &given, &keys);

    let mut groups = BTreeMap::new();
    for (text, claims) in given.iter().zip(&claims) {
        let payload = text.split(['.', '~']).nth(1).unwrap();
        let head: ReceiptHead = serde_json::from_slice(&BASE64URL.decode(payload).unwrap()).unwrap();
        let range = head.log.first..head.log.first + head.log.size;
        assert!(range.contains(&claims.log.index.unwrap()));
        assert_eq!(*groups.entry(head.log.first).or_insert(range.end), range.end, "a group has one head");
    }
    assert!(groups.len() < given.len() / 4, "{} signatures for {} answers", groups.len(), given.len());
    let mut reached = 0;
    for (first, end) in groups {
        assert!(first >= reached, "groups do not overlap");
        reached = end;
    }
}

#[test]
fn a_log_that_signs_no_heads_gives_receipts_that_stand_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (log, receipts, keys) = desk(dir.path(), false);
    let given = recorded_at_once(&log, &receipts, 50);
    check_against_log(dir.path(), &given, &keys);
    assert!(given.iter().all(|text| text.split('.').count() == 3 && !text.contains('~')));
}

#[test]
fn an_answer_that_lacks_something_is_not_recorded_in_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (log, receipts, _) = desk(dir.path(), true);
    let refused = Record { answer_sha256: None, ..answered_record() };
    let said = runtime().block_on(receipts.record(&refused));
    assert!(matches!(said, Err(AuditError::NotAnswered { .. })));
    assert_eq!(log.head().size, 0);
}

#[test]
fn nobody_gets_a_signed_head_of_a_group_that_did_not_become_durable() {
    let keys = Arc::new(KeyRing::of(SigningKey::generate().unwrap()));
    for device in ["/dev/full", "/dev/null"] {
        let dir = tempfile::tempdir().unwrap();
        let (shared, queue) = failing(dir.path(), device, LogOptions { heads: Some(signer(&keys)), ..options() });
        let told = runtime().block_on(async {
            let (done, told) = tokio::sync::oneshot::channel();
            let leaf = leaf_hash(&[1]);
            let entry = appender::Entry { payload: vec![1], leaf, receipt: Some(leaf), done };
            queue.send(entry).await.unwrap();
            told.await
        });
        assert!(told.is_err() && !shared.is_healthy(), "{device}");
    }
}
