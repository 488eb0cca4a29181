//! What the policies say to returns.

use cedar_policy::Schema;

use super::scene::{GUANGDONG, POLICIES, in_repository, name};
use crate::{
    catalog::{Dataset, Disclosure, Item, Return, Sensitivity, SharingAttribute},
    identifiers::FieldName,
    ledger::{Agreement, Budget, Standing},
    policy::{Decision, Obligations, PolicyFiles, PolicySet, ReturnQuestion, returns::SCHEMA},
};

/// A return that is permitted, in owned parts that a test can spoil one at a time.
#[derive(Clone)]
struct Scene {
    dataset: Dataset,
    to: Return,
    item: Item,
    agreement: Option<Agreement>,
    today: &'static str,
}

fn scene() -> Scene {
    let mut dataset = Dataset::clone(&GUANGDONG.datasets["natural-person"]);
    let code = "11440300MB9Y03022Y3442035001000".parse().unwrap();
    let to = Return {
        node: "shenzhen".parse().unwrap(),
        division: "440300".parse().unwrap(),
        department: "sz-government-services".parse().unwrap(),
        item: code,
        fields: ["resident_id", "name", "birth_date", "sex", "division", "status"].map(name).into(),
    };
    set_class(&mut dataset, "resident_id", Disclosure::JoinKeyOnly);
    dataset.returns.to = vec![to.clone()];
    let item = Item::clone(&GUANGDONG.items[&to.item]);
    let agreement = Agreement {
        id: "agr-test".parse().unwrap(),
        consumer: to.department.clone(),
        dataset: dataset.id.clone(),
        items: [to.item.clone()].into(),
        compare: [name("resident_id")].into(),
        disclose: ["name", "birth_date", "sex", "division", "status"].map(name).into(),
        valid_from: "2026-01-01".parse().unwrap(),
        valid_until: "2026-12-31".parse().unwrap(),
        budget: Budget { calls_per_second: std::num::NonZeroU32::MIN, calls_per_day: 1 },
        standing: Standing::InForce,
    };
    Scene { dataset, to, item, agreement: Some(agreement), today: "2026-11-24" }
}

fn set_class(dataset: &mut Dataset, field: &str, class: Disclosure) {
    let position = dataset.field(field).unwrap().0;
    dataset.fields[position].disclosure = class;
}

fn set_level(dataset: &mut Dataset, field: &str, level: u8) {
    let position = dataset.field(field).unwrap().0;
    dataset.fields[position].sensitivity = Sensitivity::new(level).unwrap();
}

impl Scene {
    fn decided(&self, set: &PolicySet) -> Decision {
        let Self { dataset, to, item, agreement, today } = self;
        let today = today.parse().unwrap();
        let question = ReturnQuestion { dataset, to, item, agreement: agreement.as_ref(), today, hour: 10 };
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
        question.in_cedar(Some(&schema)).unwrap();
        set.decide_return(&question)
    }

    fn obligations(&self, set: &PolicySet) -> Obligations {
        match self.decided(set) {
            Decision::Allow { obligations, .. } => obligations,
            Decision::Deny { policies, .. } => panic!("{policies:?}"),
        }
    }
}

fn names(fields: &std::collections::BTreeSet<FieldName>) -> Vec<&str> {
    fields.iter().map(FieldName::as_str).collect()
}

#[test]
fn a_return_is_permitted_under_an_agreement_and_cut_to_the_nodes_division() {
    let scene = scene();
    let obligations = scene.obligations(&POLICIES);
    assert_eq!(scene.decided(&POLICIES).policies(), ["return-under-agreement"]);
    assert_eq!(obligations.rows_of, Some("440300".parse().unwrap()));
    assert_eq!(names(&obligations.masked), ["birth_date", "name"], "as the catalogue has them");
    assert!(obligations.dropped.is_empty());
    let words = ["rows_by_division", "mask:birth_date", "mask:name"];
    assert_eq!(obligations.words(), words);
}

#[test]
fn each_lock_holds_by_itself() {
    type Spoil = fn(&mut Scene);
    let cases: [(&str, Spoil); 12] = [
        ("default-deny", |scene| scene.agreement = None),
        ("return-agreement-in-force", |scene| scene.today = "2027-01-01"),
        ("return-agreement-in-force", |scene| scene.agreement.as_mut().unwrap().standing = Standing::Suspended),
        ("return-agreement-covers-item", |scene| scene.agreement.as_mut().unwrap().items.clear()),
        ("return-agreement-covers-item", |scene| {
            scene.agreement.as_mut().unwrap().consumer = "sz-housing".parse().unwrap();
        }),
        ("return-item-of-department", |scene| scene.item.department = "sz-housing".parse().unwrap()),
        ("return-item-in-force", |scene| scene.item.valid_until = Some("2026-11-23".parse().unwrap())),
        ("return-fields-needed-by-item", |scene| scene.item.materials.truncate(1)),
        ("return-fields-agreed", |scene| {
            scene.agreement.as_mut().unwrap().disclose.remove("status");
        }),
        ("return-fields-agreed", |scene| scene.agreement.as_mut().unwrap().compare.clear()),
        ("return-classes", |scene| set_class(&mut scene.dataset, "sex", Disclosure::CompareOnly)),
        ("return-not-shared", |scene| scene.dataset.sharing.attribute = SharingAttribute::NotShared),
    ];
    for (policy, spoil) in cases {
        let mut scene = scene();
        spoil(&mut scene);
        assert_eq!(scene.decided(&POLICIES).policies(), [policy]);
    }
    for class in [Disclosure::Never, Disclosure::AggregateOnly] {
        let mut scene = scene();
        set_class(&mut scene.dataset, "sex", class);
        assert_eq!(scene.decided(&POLICIES).policies(), ["return-classes"]);
    }
}

/// The repository's files, with other policies about returns.
fn with_returns(text: Option<&str>) -> Result<PolicySet, crate::policy::PolicyError> {
    let mut files = PolicyFiles::read(&in_repository("policies")).unwrap();
    files.policies.retain(|(file, _)| file != "returns.cedar");
    files.policies.extend(text.map(|text| ("returns.cedar".to_owned(), text.to_owned())));
    files.policies.sort();
    files.set()
}

const PERMIT: &str = "permit (principal, action, resource);";

#[test]
fn a_set_without_such_policies_permits_no_return() {
    assert_eq!(scene().decided(&with_returns(None).unwrap()).policies(), ["default-deny"]);
    // Nor does one that only qualifies.
    let qualifying =
        format!("@id(\"q\") @why(\"x\") @qualifies(\"true\") @obligation_drop_sensitivity(\"3\") {PERMIT}");
    assert_eq!(scene().decided(&with_returns(Some(&qualifying)).unwrap()).policies(), ["default-deny"]);
}

#[test]
fn a_set_that_permits_everything_lets_nothing_leave_that_the_catalogue_keeps() {
    let set = with_returns(Some(&format!("@id(\"all\") @why(\"x\") {PERMIT}"))).unwrap();
    for class in Disclosure::ALL.iter().copied() {
        let mut scene = scene();
        scene.agreement = None;
        set_class(&mut scene.dataset, "status", class);
        let obligations = scene.obligations(&set);
        let (masked, dropped) = (obligations.masked.contains("status"), obligations.dropped.contains("status"));
        let expected = match class {
            Disclosure::Plain => (false, false),
            Disclosure::Masked => (true, false),
            Disclosure::CompareOnly | Disclosure::AggregateOnly | Disclosure::JoinKeyOnly | Disclosure::Never => {
                (false, true)
            }
        };
        assert_eq!((masked, dropped), expected, "{class:?}");
        // The key leaves as it is, or not at all.
        set_class(&mut scene.dataset, "resident_id", class);
        let obligations = scene.obligations(&set);
        let leaves = matches!(class, Disclosure::Plain | Disclosure::JoinKeyOnly);
        assert_eq!(obligations.dropped.contains("resident_id"), !leaves, "{class:?}");
        assert!(!obligations.masked.contains("resident_id"));
    }
}

#[test]
fn levels_of_all_permits_are_united() {
    let policies = "@id(\"a\") @why(\"x\") @obligation_mask_sensitivity(\"3\") permit (principal, action, resource);\n\
                    @id(\"b\") @why(\"x\") @obligation_drop_sensitivity(\"4\") permit (principal, action, resource);";
    let set = with_returns(Some(policies)).unwrap();
    let mut scene = scene();
    set_level(&mut scene.dataset, "sex", 4);
    let obligations = scene.obligations(&set);
    assert_eq!(names(&obligations.dropped), ["sex"]);
    assert_eq!(names(&obligations.masked), ["birth_date", "name", "status"], "the key is none of them");
    set_level(&mut scene.dataset, "resident_id", 4);
    assert_eq!(names(&scene.obligations(&set).dropped), ["resident_id", "sex"]);
}

#[test]
fn a_permit_that_obliges_to_what_only_a_call_can_do_is_complained_of() {
    for obligation in ["fold_not_found", "require_consent", "require_second_approver"] {
        let text = format!("@id(\"wrong\") @why(\"x\") @obligation_{obligation}(\"true\") {PERMIT}");
        let error = with_returns(Some(&text)).unwrap_err();
        let complaint = &error.complaints()[0];
        assert_eq!((complaint.file.as_str(), complaint.path.as_str()), ("returns.cedar", "wrong"), "{obligation}");
    }
    let error = with_returns(Some(
        "@id(\"wrong\") @why(\"x\") permit (principal, action, resource) when { context.case_given };",
    ));
    assert_eq!(error.unwrap_err().complaints()[0].path, "wrong", "a word of another question");
}

#[test]
fn a_set_without_any_one_of_these_policies_fails_a_case_of_the_repository() {
    let files = PolicyFiles::read(&in_repository("policies")).unwrap();
    let cases = crate::policy::cases(&files.cases, &POLICIES, &GUANGDONG, &|_, _, _, _| None).unwrap();
    let of_returns: Vec<_> = cases.into_iter().filter(|case| case.to.is_some()).collect();
    let text = std::fs::read_to_string(in_repository("policies/returns.cedar")).unwrap();
    let all: cedar_policy::PolicySet = text.parse().unwrap();
    assert_eq!(crate::policy::try_cases(&POLICIES, &of_returns).failed(), 0);
    for id in POLICIES.return_ids() {
        let others = all.policies().filter(|policy| policy.annotation("id") != Some(id));
        let others: String = others.map(|policy| policy.to_cedar().unwrap() + "\n").collect();
        let set = with_returns(Some(&others)).unwrap();
        assert!(crate::policy::try_cases(&set, &of_returns).failed() > 0, "nothing fails without `{id}`");
    }
}
