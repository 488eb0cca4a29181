//! Tests of `revisions`, on each kind of ledger.

use super::*;
use crate::ledger::fixture::on_each;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn draft(base: i64) -> NewRevision {
    NewRevision {
        base,
        hash: "ab".to_owned(),
        content: "{}".to_owned(),
        changes: "compatible  dataset people: name changed".to_owned(),
        effect: "compatible".to_owned(),
        reason: "更名".to_owned(),
        ended: vec!["agr-one".parse().unwrap()],
        author: "steward".parse().unwrap(),
        author_department: "police".parse().unwrap(),
    }
}

async fn hand_in(ledger: &Ledger, number: i64) -> bool {
    ledger.submit_revision(number, &"steward".parse().unwrap(), at(3)).await.unwrap()
}

fn review(reviewer: &ClientId) -> Review<'_> {
    Review { reviewer, note: "好", now: at(9) }
}

#[tokio::test]
async fn a_revision_goes_from_draft_to_published_and_is_retired_by_the_next() {
    on_each(async |ledger: Ledger| {
        let reviewer: ClientId = "approver".parse().unwrap();
        assert_eq!(ledger.published_revision().await.unwrap(), None);
        assert!(ledger.seed_catalog("00", "{}", at(0)).await.unwrap());
        assert!(!ledger.seed_catalog("11", "{}", at(1)).await.unwrap());
        let number = ledger.draft_revision(&draft(1), at(2)).await.unwrap();
        assert_eq!(number, 2);
        assert_eq!(ledger.publish_revision(2, &review(&reviewer)).await.unwrap(), Publishing::NotInReview);
        assert_eq!(ledger.published_revision().await.unwrap().unwrap().number, 1, "undone");
        assert!(hand_in(&ledger, 2).await && !hand_in(&ledger, 2).await);
        let before = ledger.stamp().await.unwrap();
        assert_eq!(ledger.publish_revision(2, &review(&reviewer)).await.unwrap(), Publishing::Done);
        assert_ne!(ledger.stamp().await.unwrap(), before, "nodes look at the stamp");
        let published = ledger.published_revision().await.unwrap().unwrap();
        assert_eq!((published.number, published.state), (2, RevisionState::Published));
        assert_eq!((published.reviewer, published.reviewed), (Some(reviewer), Some(at(9))));
        assert_eq!(published.ended, draft(1).ended);
        let all = ledger.revisions(None, 10).await.unwrap();
        let states: Vec<_> = all.iter().map(|one| (one.number, one.state)).collect();
        assert_eq!(states, [(2, RevisionState::Published), (1, RevisionState::Retired)]);
        assert_eq!(ledger.revisions(Some(2), 10).await.unwrap().len(), 1);
        let acts: Vec<_> = ledger.acts(None, 9).await.unwrap().into_iter().map(|act| act.act).collect();
        assert_eq!(acts, ["publish catalogue", "submit catalogue", "draft catalogue", "seed catalogue"]);
        assert_eq!(ledger.revision_content(1).await.unwrap().as_deref(), Some("{}"));
    })
    .await;
}

#[tokio::test]
async fn of_two_revisions_of_one_base_one_is_published() {
    on_each(async |ledger: Ledger| {
        let reviewer: ClientId = "approver".parse().unwrap();
        ledger.seed_catalog("00", "{}", at(0)).await.unwrap();
        let (drafted, other) = (draft(1), draft(1));
        let (one, two) = tokio::join!(ledger.draft_revision(&drafted, at(1)), ledger.draft_revision(&other, at(1)));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one, two);
        assert!(hand_in(&ledger, one).await && hand_in(&ledger, two).await);
        let (first, second) = (review(&reviewer), review(&reviewer));
        let (first, second) = tokio::join!(ledger.publish_revision(one, &first), ledger.publish_revision(two, &second));
        let outcomes = [first.unwrap(), second.unwrap()];
        assert!(outcomes.contains(&Publishing::Done) && outcomes.contains(&Publishing::Stale), "{outcomes:?}");
        assert!(
            ledger
                .reject_revision(if outcomes[0] == Publishing::Stale { one } else { two }, &review(&reviewer))
                .await
                .unwrap()
        );
    })
    .await;
}
