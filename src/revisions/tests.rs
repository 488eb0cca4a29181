//! Tests of `revisions`, on each kind of ledger.

use super::*;
use crate::{
    identifiers::Roles,
    ledger::{Budget, Standing, fixture::on_each},
};

const SMALL: &str = include_str!("../catalog/check/small.yaml");

fn moment() -> Moment {
    let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    Moment { now, today: "2026-11-24".parse().unwrap() }
}

fn actor(account: &str, roles: &str) -> Actor {
    let roles: Roles = roles.parse().unwrap();
    Actor { account: account.parse().unwrap(), department: "police".parse().unwrap(), roles }
}

/// Of the department that provides everything here, and of the platform.
fn steward() -> Actor {
    actor("steward", "steward,operator")
}

fn approver() -> Actor {
    actor("approver", "approver")
}

fn sources_with(old: &str, new: &str) -> Sources {
    assert!(SMALL.contains(old), "{old}");
    Sources::new([("c.yaml".to_owned(), SMALL.replacen(old, new, 1))]).unwrap()
}

fn proposal(old: &str, new: &str) -> Proposal {
    Proposal { sources: sources_with(old, new), reason: "更名".to_owned(), ended: BTreeSet::new() }
}

fn agreement() -> Agreement {
    Agreement {
        id: "agr-one".parse().unwrap(),
        consumer: "window".parse().unwrap(),
        dataset: "people".parse().unwrap(),
        items: ["11440100MB9YYY997R3440101001000".parse().unwrap()].into(),
        compare: ["name".parse().unwrap()].into(),
        disclose: BTreeSet::new(),
        valid_from: "2025-01-01".parse().unwrap(),
        valid_until: "2027-12-31".parse().unwrap(),
        budget: Budget { calls_per_second: std::num::NonZeroU32::MIN, calls_per_day: 1 },
        standing: Standing::InForce,
    }
}

async fn seeded(ledger: &Ledger) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.yaml"), SMALL).unwrap();
    assert!(seed(ledger, folder.path(), moment().now).await.unwrap());
    assert!(!seed(ledger, folder.path(), moment().now).await.unwrap());
}

/// Draft and hand in.
async fn proposed(ledger: &Ledger, proposal: Proposal) -> i64 {
    let (revision, _) = draft(ledger, &steward(), proposal, &[], moment()).await.unwrap();
    submit(ledger, &steward(), revision.number, moment()).await.unwrap().number
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Problem>, code: Code, hint: &str) {
    let problem = outcome.unwrap_err();
    assert!(problem.code == code && problem.to_string().contains(hint), "{problem}");
}

#[tokio::test]
async fn a_change_is_proposed_by_one_person_and_published_by_another() {
    on_each(async |ledger: Ledger| {
        seeded(&ledger).await;
        let (revision, outlook) =
            draft(&ledger, &steward(), proposal("zh: 人口,", "zh: 人口库,"), &[], moment()).await.unwrap();
        assert_eq!(revision.changes, "compatible  dataset people: name changed\n");
        assert_eq!((outlook.changes.len(), outlook.broken.len()), (1, 0));
        let number = revision.number;
        refused(approve(&ledger, &approver(), number, "好", &[], moment()).await, Code::Conflict, "is draft");
        submit(&ledger, &steward(), number, moment()).await.unwrap();
        let both = actor("steward", "steward,approver");
        refused(approve(&ledger, &both, number, "好", &[], moment()).await, Code::RoleRequired, "second person");
        refused(approve(&ledger, &steward(), number, "好", &[], moment()).await, Code::RoleRequired, "approver");
        let published = approve(&ledger, &approver(), number, "好", &[], moment()).await.unwrap();
        assert_eq!(published.state, RevisionState::Published);
        let current = current(&ledger).await.unwrap();
        assert_eq!((current.revision.number, current.catalog.datasets["people"].name.zh.as_str()), (2, "人口库"));
    })
    .await;
}

#[tokio::test]
async fn what_was_made_from_an_older_catalogue_is_stale() {
    on_each(async |ledger: Ledger| {
        seeded(&ledger).await;
        let one = proposed(&ledger, proposal("zh: 人口,", "zh: 人口库,")).await;
        let other = proposed(&ledger, proposal("zh: 窗口", "zh: 办事窗口")).await;
        let (late, _) = draft(&ledger, &steward(), proposal("en: People", "en: Persons"), &[], moment()).await.unwrap();
        approve(&ledger, &approver(), one, "好", &[], moment()).await.unwrap();
        let hint = "no longer the published one";
        refused(approve(&ledger, &approver(), other, "好", &[], moment()).await, Code::Conflict, hint);
        refused(submit(&ledger, &steward(), late.number, moment()).await, Code::Conflict, hint);
        refused(approve(&ledger, &approver(), one, "好", &[], moment()).await, Code::Conflict, "is published");
        refused(approve(&ledger, &approver(), 99, "好", &[], moment()).await, Code::NotFound, "no revision 99");
        let rejected = reject(&ledger, &approver(), other, "过时", moment()).await.unwrap();
        assert_eq!((rejected.state, rejected.note.as_deref()), (RevisionState::Rejected, Some("过时")));
        reject(&ledger, &steward(), late.number, "收回", moment()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_change_that_breaks_an_agreement_names_it_or_is_refused() {
    on_each(async |ledger: Ledger| {
        seeded(&ledger).await;
        let (one, breaking) = (agreement(), ("[resident_id, name] }", "[resident_id] }"));
        let held = [&one];
        let refusal = draft(&ledger, &steward(), proposal(breaking.0, breaking.1), &held, moment()).await;
        refused(refusal, Code::Conflict, "agr-one of window: no item of it needs people.name");
        let mut named = proposal(breaking.0, breaking.1);
        named.ended.insert(one.id.clone());
        let (revision, outlook) = draft(&ledger, &steward(), named.clone(), &held, moment()).await.unwrap();
        assert_eq!(outlook.broken.len(), 1);
        refused(draft(&ledger, &steward(), named, &[], moment()).await, Code::InvalidValue, "does not break");
        // Granted while the revision waited: its author could not have named it.
        let number = submit(&ledger, &steward(), revision.number, moment()).await.unwrap().number;
        let mut later = agreement();
        later.id = "agr-two".parse().unwrap();
        let refusal = approve(&ledger, &approver(), number, "好", &[&one, &later], moment()).await;
        refused(refusal, Code::Conflict, "agr-two");
        assert!(ended(&ledger).await.unwrap().is_empty());
        approve(&ledger, &approver(), number, "好", &held, moment()).await.unwrap();
        assert_eq!(ended(&ledger).await.unwrap(), [one.id.clone()].into());
    })
    .await;
}

#[tokio::test]
async fn rolling_back_is_a_new_revision_with_the_old_files() {
    on_each(async |ledger: Ledger| {
        seeded(&ledger).await;
        let number = proposed(&ledger, proposal("zh: 人口,", "zh: 人口库,")).await;
        approve(&ledger, &approver(), number, "好", &[], moment()).await.unwrap();
        let old =
            Proposal {
                sources: sources(&ledger, 1).await.unwrap(), reason: "退回".to_owned(), ended: BTreeSet::new()
            };
        let back = proposed(&ledger, old.clone()).await;
        approve(&ledger, &approver(), back, "好", &[], moment()).await.unwrap();
        let now = current(&ledger).await.unwrap();
        assert_eq!((now.revision.number, now.catalog.datasets["people"].name.zh.as_str()), (3, "人口"));
        assert_eq!(now.revision.hash, found(&ledger, 1).await.unwrap().hash);
        refused(draft(&ledger, &steward(), old, &[], moment()).await, Code::Conflict, "which is published");
    })
    .await;
}

#[tokio::test]
async fn what_does_not_hold_together_or_says_nothing_is_refused() {
    on_each(async |ledger: Ledger| {
        refused(current(&ledger).await, Code::NotFound, "no catalogue is published");
        seeded(&ledger).await;
        let wrong = draft(&ledger, &steward(), proposal("node: city", "node: citi"), &[], moment()).await;
        refused(wrong, Code::CatalogInvalid, "c.yaml:14:11: departments[1].node: unknown node `citi`");
        let mut silent = proposal("zh: 人口,", "zh: 人口库,");
        silent.reason = "  ".to_owned();
        refused(draft(&ledger, &steward(), silent, &[], moment()).await, Code::InvalidValue, "`reason`");
        let consumer = actor("somebody", "consumer");
        let other = draft(&ledger, &consumer, proposal("zh: 人口,", "zh: 人口库,"), &[], moment()).await;
        refused(other, Code::RoleRequired, "steward");
        let number = proposed(&ledger, proposal("zh: 人口,", "zh: 人口库,")).await;
        refused(reject(&ledger, &consumer, number, "不", moment()).await, Code::RoleRequired, "approver");
        refused(reject(&ledger, &approver(), number, " ", moment()).await, Code::InvalidValue, "`note`");
    })
    .await;
}

#[tokio::test]
async fn a_steward_changes_what_is_of_the_own_department() {
    on_each(async |ledger: Ledger| {
        seeded(&ledger).await;
        let own = actor("police-steward", "steward");
        draft(&ledger, &own, proposal("zh: 人口,", "zh: 人口库,"), &[], moment()).await.unwrap();
        draft(&ledger, &own, proposal("chars_max: 50", "chars_max: 60"), &[], moment()).await.unwrap();
        for (old, new, whose) in [
            ("zh: 户口迁入", "zh: 户口迁移", "the item 11440100MB9YYY997R3440101001000 is not of"),
            ("zh: 窗口", "zh: 办事窗口", "the department window is not of"),
            ("zh: 市,", "zh: 某市,", "the node city is not of"),
            // Neither given away nor taken.
            ("provider: police", "provider: window", "the dataset people is not of"),
        ] {
            refused(draft(&ledger, &own, proposal(old, new), &[], moment()).await, Code::RoleRequired, whose);
        }
        let mut other = actor("window-steward", "steward");
        other.department = "window".parse().unwrap();
        draft(&ledger, &other, proposal("zh: 户口迁入", "zh: 户口迁移"), &[], moment()).await.unwrap();
        let taken = draft(&ledger, &other, proposal("zh: 人口,", "zh: 人口库,"), &[], moment()).await;
        refused(taken, Code::RoleRequired, "the dataset people is not of the department `window`");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_any_more_is_put_right_by_an_operator_alone() {
    on_each(async |ledger: Ledger| {
        let fixed = sources_with("zh: 人口,", "zh: 人口库,");
        let operator = actor("operator", "operator");
        let unread = SMALL.replace("    listing:", "    older:");
        let old = Sources::new([("c.yaml".to_owned(), unread)]).unwrap();
        ledger.seed_catalog(&old.hash(), &old.to_json(), moment().now).await.unwrap();
        refused(current(&ledger).await, Code::StorageFailed, "unknown key `older`");
        refused(recover(&ledger, &steward(), &old, "升级", moment()).await, Code::CatalogInvalid, "older");
        let other = actor("somebody", "steward,approver");
        refused(recover(&ledger, &other, &fixed, "升级", moment()).await, Code::RoleRequired, "operator");
        recover(&ledger, &operator, &fixed, "升级", moment()).await.unwrap();
        let now = current(&ledger).await.unwrap();
        assert_eq!((now.revision.number, now.revision.reviewer), (2, Some(operator.account.clone())));
        let again = sources_with("zh: 窗口", "zh: 办事窗口");
        refused(recover(&ledger, &operator, &again, "升级", moment()).await, Code::Conflict, "can be read");
    })
    .await;
}
