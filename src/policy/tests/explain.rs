//! Explanations: the condition that settled it, the attributes it read, and that they agree with the decision.

use proptest::prelude::*;

use super::{
    laws::scenes,
    scene::{POLICIES, Scene, name, with},
};
use crate::policy::{Explanation, PolicyExplained, Verdict};

fn policy<'a>(explanation: &'a Explanation, id: &str) -> &'a PolicyExplained {
    explanation.policies.iter().find(|policy| policy.id == id).unwrap()
}

#[test]
fn the_field_that_the_item_does_not_need_is_named() {
    let mut scene = Scene::new();
    scene.ask(&["name", "phone"]);
    scene.agreement().compare.insert(name("phone"));
    let explanation = POLICIES.explain(&scene.question());
    let first = &explanation.policies[0];
    assert_eq!((first.id.as_str(), first.decided, &first.verdict), ("fields-needed-by-item", true, &Verdict::True));
    let [condition] = first.conditions.as_slice() else { panic!("{:?}", first.conditions) };
    assert_eq!((condition.unless, &condition.verdict), (true, &Verdict::False));
    assert_eq!(condition.text, "context.item.needed.containsAll(context.asked)");
    assert_eq!(condition.lacking.as_deref(), Some("context.item.needed lacks \"phone\""));
    let asked = ("context.asked".to_owned(), "[\"name\", \"phone\", \"resident_id\"]".to_owned());
    assert!(condition.attributes.contains(&asked), "{:?}", condition.attributes);
}

#[test]
fn what_a_condition_before_settled_is_not_reached_and_what_is_not_there_is_absent() {
    let mut scene = Scene::new();
    scene.agreement = None;
    let explanation = POLICIES.explain(&scene.question());
    let required = policy(&explanation, "agreement-required");
    assert_eq!(required.conditions[0].attributes, [("context.agreement".to_owned(), "absent".to_owned())]);
    let in_force = policy(&explanation, "agreement-in-force");
    let verdicts: Vec<_> = in_force.conditions.iter().map(|condition| condition.verdict.clone()).collect();
    assert_eq!((in_force.decided, verdicts), (false, vec![Verdict::False, Verdict::NotReached]));
}

#[test]
fn a_policy_of_another_operation_is_out_of_scope() {
    let explanation = POLICIES.explain(&Scene::new().question());
    let disclose = policy(&explanation, "disclose-under-agreement");
    assert!(!disclose.in_scope && disclose.conditions.is_empty() && disclose.verdict == Verdict::False);
    let verify = policy(&explanation, "verify-under-agreement");
    assert!(verify.in_scope && verify.decided);
}

#[test]
fn what_could_not_be_evaluated_says_so() {
    let set = with(
        "@id(\"late\") @why(\"x\") forbid (principal, action, resource) when { context.hour + 9223372036854775807 < 5 };",
    );
    let explanation = set.explain(&Scene::new().question());
    let late = policy(&explanation, "late");
    assert!(late.decided && matches!(late.verdict, Verdict::Failed(_)), "{late:?}");
    assert!(matches!(late.conditions[0].verdict, Verdict::Failed(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn an_explanation_agrees_with_the_decision_and_with_its_own_conditions(scene in scenes()) {
        let explanation = POLICIES.explain(&scene.question());
        prop_assert_eq!(&explanation.decision, &scene.decided_by(&POLICIES));
        let mut decided: Vec<_> = explanation.policies.iter().filter(|p| p.decided).map(|p| p.id.clone()).collect();
        decided.sort();
        let named: Vec<_> = explanation.decision.policies().iter().filter(|id| *id != "default-deny").cloned().collect();
        prop_assert_eq!(decided, named);
        prop_assert_eq!(explanation.policies.len(), POLICIES.ids().count());
        for policy in &explanation.policies {
            let all = |unless: bool| {
                let mut conditions = policy.conditions.iter().filter(|condition| condition.unless == unless);
                conditions.all(|condition| condition.verdict == Verdict::True)
            };
            let has_unless = policy.conditions.iter().any(|condition| condition.unless);
            let holds = policy.in_scope && all(false) && !(has_unless && all(true));
            prop_assert_eq!(holds, policy.verdict == Verdict::True, "{:?}", policy);
        }
    }
}
