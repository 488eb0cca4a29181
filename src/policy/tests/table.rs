//! Who decides what: each row spoils an allowed question and names the policies that must decide it then.

use std::collections::BTreeSet;

use super::scene::{GUANGDONG, POLICIES, Scene, day, name, names, policies, with, without};
use crate::{
    catalog::{Disclosure, SharingAttribute},
    policy::{Decision, PolicySet},
};

enum By {
    Allowed(&'static [&'static str]),
    Denied(&'static [&'static str]),
}
use By::{Allowed, Denied};

type Row = (&'static str, fn(&mut Scene), By);

const ROWS: &[Row] = &[
    ("agreed claims are verified", |_| {}, Allowed(&["verify-under-agreement"])),
    (
        "without a case, not_found is folded",
        |s| s.case_present = false,
        Allowed(&["fold-not-found-without-case", "verify-under-agreement"]),
    ),
    ("agreed fields are disclosed", Scene::disclose, Allowed(&["disclose-under-agreement"])),
    (
        "a disclosure without a case is folded too",
        |s| {
            s.disclose();
            s.case_present = false;
        },
        Allowed(&["disclose-under-agreement", "fold-not-found-without-case"]),
    ),
    ("on its last day", |s| s.today = day("2026-12-31"), Allowed(&["verify-under-agreement"])),
    ("no agreement", |s| s.agreement = None, Denied(&["agreement-required"])),
    (
        "no agreement, to disclose",
        |s| {
            s.disclose();
            s.agreement = None;
        },
        Denied(&["agreement-required"]),
    ),
    ("an agreement that has ended", |s| s.today = day("2027-01-01"), Denied(&["agreement-in-force"])),
    (
        "an agreement to come",
        |s| s.agreement().valid_from = s.today.succ_opt().unwrap(),
        Denied(&["agreement-in-force"]),
    ),
    ("another item's agreement", |s| s.agreement().items.clear(), Denied(&["agreement-covers-item"])),
    (
        "another department's agreement",
        |s| s.agreement().consumer = "gz-housing".parse().unwrap(),
        Denied(&["agreement-covers-item"]),
    ),
    (
        "an agreement over another dataset",
        |s| s.agreement().dataset = "legal-entity".parse().unwrap(),
        Denied(&["agreement-covers-item"]),
    ),
    (
        "another department's item",
        |s| {
            s.department = GUANGDONG.departments["gz-housing"].clone();
            s.agreement().consumer = s.department.id.clone();
        },
        Denied(&["item-of-caller"]),
    ),
    ("an item no longer in force", |s| s.item.valid_until = s.today.pred_opt(), Denied(&["item-in-force"])),
    ("an item not yet in force", |s| s.item.valid_from = s.today.succ_opt().unwrap(), Denied(&["item-in-force"])),
    (
        "a field that the item does not need",
        |s| {
            s.ask(&["name", "phone"]);
            s.agreement().compare.insert(name("phone"));
        },
        Denied(&["fields-needed-by-item"]),
    ),
    ("a key that the item does not need", |s| s.no_need_of("resident_id"), Denied(&["fields-needed-by-item"])),
    (
        "a claim that is not agreed",
        |s| s.agreement().compare = names(&["resident_id", "name"]),
        Denied(&["fields-agreed-for-comparison"]),
    ),
    (
        "a claim agreed for disclosure only",
        |s| {
            s.agreement().compare.remove(&name("sex"));
            s.agreement().disclose.insert(name("sex"));
        },
        Denied(&["fields-agreed-for-comparison"]),
    ),
    (
        "a key that is not agreed",
        |s| s.agreement().compare = names(&["name", "sex"]),
        Denied(&["fields-agreed-for-comparison"]),
    ),
    (
        "a value agreed for comparison only",
        |s| {
            s.disclose();
            s.ask(&["status"]);
        },
        Denied(&["fields-agreed-for-disclosure"]),
    ),
    (
        "values about a key that is not agreed for comparison",
        |s| {
            s.disclose();
            s.agreement().compare.clear();
            s.agreement().disclose.insert(name("resident_id"));
        },
        Denied(&["fields-agreed-for-disclosure"]),
    ),
    ("a claim on a field that never leaves", |s| s.declare("sex", Disclosure::Never), Denied(&["never-fields"])),
    (
        "the value of a field that never leaves",
        |s| {
            s.disclose();
            s.declare("sex", Disclosure::Never);
        },
        Denied(&["never-fields"]),
    ),
    ("a key that never leaves", |s| s.declare("resident_id", Disclosure::Never), Denied(&["never-fields"])),
    (
        "a claim on a compare-only field",
        |s| s.declare("sex", Disclosure::CompareOnly),
        Allowed(&["verify-under-agreement"]),
    ),
    (
        "the value of a compare-only field",
        |s| {
            s.disclose();
            s.declare("sex", Disclosure::CompareOnly);
        },
        Denied(&["compare-only-not-disclosed"]),
    ),
    (
        "values found by a compare-only key",
        |s| {
            s.disclose();
            s.declare("resident_id", Disclosure::CompareOnly);
        },
        Denied(&["compare-only-not-disclosed"]),
    ),
    (
        "a claim on a field for statistics only",
        |s| s.declare("sex", Disclosure::AggregateOnly),
        Denied(&["aggregate-only-not-asked"]),
    ),
    (
        "a key for statistics only",
        |s| s.declare("resident_id", Disclosure::AggregateOnly),
        Denied(&["aggregate-only-not-asked"]),
    ),
    (
        "the value of a field for statistics only",
        |s| {
            s.disclose();
            s.declare("sex", Disclosure::AggregateOnly);
        },
        Denied(&["aggregate-only-not-asked"]),
    ),
    (
        "a claim on a field that only names the subject",
        |s| s.declare("sex", Disclosure::JoinKeyOnly),
        Denied(&["join-key-only-not-asked"]),
    ),
    (
        "the value of a field that only names the subject",
        |s| {
            s.disclose();
            s.declare("sex", Disclosure::JoinKeyOnly);
        },
        Denied(&["join-key-only-not-asked"]),
    ),
    (
        "a subject named by such a field",
        |s| s.declare("resident_id", Disclosure::JoinKeyOnly),
        Allowed(&["verify-under-agreement"]),
    ),
    (
        "values found by such a field",
        |s| {
            s.disclose();
            s.declare("resident_id", Disclosure::JoinKeyOnly);
        },
        Allowed(&["disclose-under-agreement"]),
    ),
    (
        "the claim of the very field that names the subject",
        |s| {
            s.ask(&["resident_id"]);
            s.declare("resident_id", Disclosure::JoinKeyOnly);
        },
        Denied(&["join-key-only-not-asked"]),
    ),
    (
        "a dataset that is not shared",
        |s| s.dataset.sharing.attribute = SharingAttribute::NotShared,
        Denied(&["not-shared-datasets"]),
    ),
    (
        "sharing without conditions is under an agreement still",
        |s| {
            s.dataset.sharing.attribute = SharingAttribute::Unconditional;
            s.agreement = None;
        },
        Denied(&["agreement-required"]),
    ),
    (
        "the most sensitive field without a case",
        |s| {
            s.classify("sex", 4);
            s.case_present = false;
        },
        Denied(&["case-required-for-sensitive"]),
    ),
    (
        "the most sensitive key without a case",
        |s| {
            s.classify("resident_id", 4);
            s.case_present = false;
        },
        Denied(&["case-required-for-sensitive"]),
    ),
    ("a client that walks through the register", |s| s.suspicion = 3, Denied(&["enumeration-blocked"])),
    (
        "a client that seems to",
        |s| s.suspicion = 2,
        Allowed(&["fold-not-found-under-suspicion", "verify-under-agreement"]),
    ),
    ("a client that is only warned of", |s| s.suspicion = 1, Allowed(&["verify-under-agreement"])),
    ("the most sensitive field in a case", |s| s.classify("sex", 4), Allowed(&["verify-under-agreement"])),
    (
        "a field that the catalogue does not know counts as the most sensitive",
        |s| {
            s.ask(&["shoe_size"]);
            s.case_present = false;
        },
        Denied(&["case-required-for-sensitive", "fields-agreed-for-comparison", "fields-needed-by-item"]),
    ),
    (
        "every reason is named",
        |s| {
            s.today = day("2027-01-01");
            s.item.valid_until = Some(day("2026-12-31"));
            s.agreement().items.clear();
        },
        Denied(&["agreement-covers-item", "agreement-in-force", "item-in-force"]),
    ),
];

fn spoilt(spoil: fn(&mut Scene)) -> Scene {
    let mut scene = Scene::new();
    spoil(&mut scene);
    scene
}

fn allows(set: &PolicySet, scene: &Scene) -> bool {
    matches!(scene.decided_by(set), Decision::Allow { .. })
}

#[test]
fn each_question_is_decided_by_the_policies_that_concern_it() {
    for (what, spoil, expected) in ROWS {
        let decision = spoilt(*spoil).decided_by(&POLICIES);
        match (&decision, expected) {
            (Decision::Allow { policies, .. }, Allowed(ids)) => assert_eq!(policies, ids, "{what}"),
            (Decision::Deny { policies, reasons }, Denied(ids)) => {
                assert_eq!(policies, ids, "{what}");
                let rules: std::collections::BTreeMap<_, _> = POLICIES.rules().collect();
                let whys: Vec<_> = ids.iter().map(|id| rules[id].why.clone()).collect();
                assert_eq!(reasons, &whys, "{what}");
            }
            _ => panic!("{what}: {decision:?}"),
        }
    }
}

#[test]
fn every_forbid_shuts_a_door_that_nothing_else_shuts() {
    let forbids: Vec<_> = POLICIES.rules().filter(|(_, rule)| !rule.permits).map(|(id, _)| id).collect();
    assert!(forbids.len() >= 11, "{forbids:?}");
    for id in forbids {
        let set = without(id);
        let alone = |expected: &By| matches!(expected, Denied(ids) if *ids == [id]);
        let mut rows = ROWS.iter().filter(|(_, _, expected)| alone(expected)).peekable();
        assert!(rows.peek().is_some(), "no row is denied by `{id}` alone");
        for (what, spoil, _) in rows {
            let scene = spoilt(*spoil);
            if id == "agreement-required" {
                // The one door with two locks: permits ask for an agreement too, and only the reason would be lost.
                let Decision::Deny { policies, .. } = scene.decided_by(&set) else { panic!("{what}: allowed") };
                assert_eq!(policies, ["default-deny"], "{what}");
            } else {
                assert!(allows(&set, &scene), "{what}: denied without `{id}` too");
            }
        }
    }
}

#[test]
fn without_the_permit_of_an_operation_nothing_opens_it() {
    for (id, spoil) in
        [("verify-under-agreement", (|_| {}) as fn(&mut Scene)), ("disclose-under-agreement", Scene::disclose)]
    {
        let set = without(id);
        for case_present in [true, false] {
            let mut scene = spoilt(spoil);
            scene.case_present = case_present;
            let Decision::Deny { policies, reasons } = scene.decided_by(&set) else { panic!("allowed without `{id}`") };
            assert_eq!(policies, ["default-deny"]);
            assert_eq!(reasons, ["nothing permits the call"]);
        }
    }
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies_whatever_it_is() {
    for effect in ["forbid", "permit"] {
        let overflows = "when { context.hour + 9223372036854775807 < 5 }";
        let set = with(&format!("@id(\"late\") @why(\"x\") {effect} (principal, action, resource) {overflows};"));
        let mut scene = Scene::new();
        let Decision::Deny { policies, reasons } = scene.decided_by(&set) else { panic!("{effect}: allowed") };
        assert_eq!(
            (policies, reasons),
            (vec!["late".to_owned()], vec!["the policy could not be evaluated".to_owned()])
        );
        scene.hour = 0;
        assert!(allows(&set, &scene), "{effect}: denied where it can be evaluated");
    }
}

#[test]
fn a_policy_can_speak_of_everything_in_the_schema() {
    let everything = r#"
        @id("everything") @why("x") @obligation_fold_not_found("true")
        permit (principal, action, resource)
        when {
            principal in Shuqiao::Department::"gz-administrative-approval" && principal.node == "guangzhou" &&
            principal.division == "440100" && resource.provider == Shuqiao::Department::"gd-public-security" &&
            resource.sharing == "conditional" && resource.sensitivity == 4 &&
            context.item.code like "11440100*" && context.item.department != resource.provider &&
            context has agreement && context.agreement.id == "agr-test" && context.subject_field == "resident_id" &&
            context.fields == ["sex", "name"] && context.asked.contains("resident_id") && context.hour == 10 &&
            context.never.isEmpty() && context.compare_only.isEmpty() && context.sensitivity == 3 &&
            context.item.needed.contains("status") && context.agreement.disclose.contains("division")
        };"#;
    let Decision::Allow { policies, obligations } = Scene::new().decided_by(&with(everything)) else {
        panic!("denied")
    };
    assert_eq!(policies, ["everything", "verify-under-agreement"]);
    assert!(obligations.fold_not_found);
}

#[test]
fn a_case_decides_whether_not_found_is_told() {
    for case_present in [true, false] {
        let mut scene = Scene::new();
        scene.case_present = case_present;
        let Decision::Allow { obligations, .. } = scene.decided_by(&POLICIES) else { panic!("denied") };
        assert_eq!(obligations.fold_not_found, !case_present);
        // A verification shows no value, so there is none to mask.
        assert!(obligations.masked.is_empty() && obligations.dropped.is_empty());
    }
}

#[test]
fn sensitive_fields_are_disclosed_masked_and_the_others_plain() {
    let mut scene = Scene::new();
    scene.disclose();
    scene.declare("name", Disclosure::Plain);
    scene.declare("division", Disclosure::Masked);
    scene.ask(&["name", "sex", "division"]);
    let Decision::Allow { obligations, .. } = scene.decided_by(&POLICIES) else { panic!("denied") };
    // `name` by policy (sensitivity 3), `division` by the catalogue (sensitivity 2), `sex` by neither.
    assert_eq!(obligations.masked, names(&["division", "name"]));
    assert!(obligations.dropped.is_empty());
    assert_eq!(obligations.words(), ["mask:division", "mask:name"]);
}

#[test]
fn the_policies_are_few_and_every_one_is_in_the_table() {
    let used = ROWS.iter().flat_map(|(_, _, expected)| match expected {
        Allowed(ids) | Denied(ids) => ids.iter().copied(),
    });
    let used: BTreeSet<&str> = used.collect();
    let declared: Vec<_> = policies().into_iter().map(|(id, _)| id).collect();
    let declared: BTreeSet<&str> = declared.iter().map(String::as_str).collect();
    assert_eq!(used, declared);
    assert_eq!(declared, POLICIES.ids().collect());
    assert!(declared.len() <= 20, "a decision costs time per policy");
}
