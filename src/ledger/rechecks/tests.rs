//! Leases: whoever claims has it alone, and whoever is late changes nothing.

use uuid::Uuid;

use super::{super::fixture::on_each, *};

const LEASE: TimeDelta = TimeDelta::seconds(60);

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_000_000 + second, 0).unwrap()
}

fn new(number: u128, client: &str) -> NewRecheck {
    NewRecheck {
        id: RecheckId::new(Uuid::from_u128(number)),
        call: CallId::new(Uuid::from_u128(1_000 + number)),
        client: client.parse().unwrap(),
        discloses: false,
        sealed_by: "k1".to_owned(),
        body: vec![7, 0, 255],
        filed_at: at(0),
        expires_at: at(1_000),
        due_at: at(10),
    }
}

fn said(number: u128) -> Said {
    Said { call: CallId::new(Uuid::from_u128(number)), sealed: vec![1, 2] }
}

#[tokio::test]
async fn a_recheck_of_one_answer_is_filed_once_and_no_more_wait_than_may() {
    on_each(async |ledger| {
        let first = ledger.file_recheck(&new(1, "gz-window"), 2).await.unwrap().unwrap();
        assert_eq!(
            (first.state, first.tries, first.body.as_deref()),
            (RecheckState::Waiting, 0, Some(&[7, 0, 255][..]))
        );
        let again = NewRecheck { id: RecheckId::new(Uuid::from_u128(9)), ..new(1, "gz-window") };
        assert_eq!(ledger.file_recheck(&again, 2).await.unwrap(), Some(first.clone()));
        assert!(ledger.file_recheck(&new(2, "gz-window"), 2).await.unwrap().is_some());
        assert_eq!(ledger.file_recheck(&new(3, "gz-window"), 2).await.unwrap(), None);
        assert_eq!(ledger.file_recheck(&again, 2).await.unwrap(), Some(first.clone()), "full, and known");
        let other = NewRecheck { id: RecheckId::new(Uuid::from_u128(4)), ..new(1, "gz-hall") };
        assert!(ledger.file_recheck(&other, 2).await.unwrap().is_some(), "each client has its own");
        let filter = RecheckFilter { client: Some(first.client.clone()), ..RecheckFilter::default() };
        let listed = ledger.rechecks(&filter, 10).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [new(2, "x").id, first.id]);
        let after = RecheckFilter { before: Some(listed[0].id), state: Some(RecheckState::Waiting), ..filter };
        assert_eq!(ledger.rechecks(&after, 10).await.unwrap(), [first]);
        assert_eq!(ledger.rechecks_waiting().await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_claimed_is_nobody_elses_until_it_counts_as_lost() {
    on_each(async |ledger| {
        ledger.file_recheck(&new(1, "gz-window"), 9).await.unwrap();
        let claim = async |second| ledger.claim_rechecks("k1", LEASE, 9, at(second)).await.unwrap();
        assert_eq!(claim(9).await, [], "not due");
        assert_eq!(ledger.claim_rechecks("k2", LEASE, 9, at(10)).await.unwrap(), [], "sealed by another key");
        let (one, other) = tokio::join!(claim(10), claim(10));
        let first = [one, other].concat();
        assert_eq!(first.iter().map(|one| one.tries).collect::<Vec<_>>(), [1]);
        assert_eq!(claim(69).await, []);
        let second = claim(70).await;
        assert_eq!(second.iter().map(|one| one.tries).collect::<Vec<_>>(), [2]);
        // The first one comes back late: it is no longer theirs.
        let delivery = DeliveryId::new(Uuid::from_u128(5));
        assert!(!ledger.put_off_recheck(&first[0], Some(&said(3)), at(80)).await.unwrap());
        let ended = ledger.end_recheck(&first[0], RecheckState::Settled, Some(&said(3)), &delivery, at(80)).await;
        assert!(!ended.unwrap());
        assert!(ledger.put_off_recheck(&second[0], Some(&said(4)), at(90)).await.unwrap());
        let third = claim(90).await;
        assert_eq!((third[0].tries, third[0].said.clone()), (3, Some(said(4))));
        let ended = ledger.end_recheck(&third[0], RecheckState::Expired, None, &delivery, at(91)).await;
        assert!(ended.unwrap());
        let kept = ledger.recheck(&third[0].id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.body, kept.said), (RecheckState::Expired, None, Some(said(4))));
        assert_eq!(claim(500).await, []);
        assert_eq!(ledger.delivery(&delivery).await.unwrap(), None, "nobody is to be told");
    })
    .await;
}

#[tokio::test]
async fn what_was_cancelled_or_abandoned_is_erased_in_its_time() {
    on_each(async |ledger| {
        for number in [1, 2] {
            ledger.file_recheck(&new(number, "gz-window"), 9).await.unwrap();
        }
        let (cancelled, abandoned) = (new(1, "x").id, new(2, "x").id);
        assert!(ledger.cancel_recheck(&cancelled, at(5)).await.unwrap());
        assert!(!ledger.cancel_recheck(&cancelled, at(6)).await.unwrap());
        assert_eq!(ledger.recheck(&cancelled).await.unwrap().unwrap().body, None);
        assert_eq!(ledger.abandoned_rechecks(at(999)).await.unwrap(), []);
        let left = ledger.abandoned_rechecks(at(1_001)).await.unwrap();
        assert_eq!(left.iter().map(|one| one.id).collect::<Vec<_>>(), [abandoned]);
        assert_eq!(ledger.erase_rechecks(at(5)).await.unwrap(), 0);
        assert_eq!(ledger.erase_rechecks(at(6)).await.unwrap(), 1);
        assert_eq!(ledger.recheck(&cancelled).await.unwrap(), None);
        assert!(ledger.recheck(&abandoned).await.unwrap().is_some(), "what waits stays");
    })
    .await;
}
