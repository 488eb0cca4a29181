//! Doubts: what is found, and that nothing is accused that is not so.

use proptest::{prelude::*, sample::select};

use super::{
    laws::scenes,
    scene::{POLICIES, Scene, schema, set},
};
use crate::policy::{DoubtKind, PolicySet, Verdict};

fn doubts(set: &PolicySet) -> Vec<String> {
    set.doubts().iter().map(|doubt| format!("{}: {}", doubt.policy, doubt.message())).collect()
}

#[test]
fn nothing_is_doubtful_about_the_policies_of_the_repository() {
    assert_eq!(doubts(&POLICIES), Vec::<String>::new());
}

const ALL: &str = "@id(\"all\") @why(\"x\") permit (principal, action, resource);\n";

#[test]
fn what_can_never_hold_or_changes_nothing_is_named() {
    const NEVER: &[&str] = &["late: can never hold: its conditions contradict each other"];
    let late = |condition: &str| {
        format!("{ALL}@id(\"late\") @why(\"x\") forbid (principal, action, resource) when {{ {condition} }};")
    };
    let table: Vec<(String, &[&str])> = vec![
        (late("context.hour > 23"), NEVER),
        (late("context.hour < 0"), NEVER),
        (late("24 <= context.hour"), NEVER),
        (late("context.hour > 18 && context.hour < 9"), NEVER),
        (late("context.hour > 18 || context.hour < 9"), &[]),
        (late("context.hour == 3 && context.hour != 3"), NEVER),
        (late("context.sensitivity > 4"), NEVER),
        (late("context.case_given && !context.case_given"), NEVER),
        (late("context.case_given == false && context.case_given"), NEVER),
        (late("resource.sharing == \"shared\""), NEVER),
        (
            late("resource.sharing != \"unconditional\" && resource.sharing != \"conditional\" && resource.sharing != \"not_shared\""),
            NEVER,
        ),
        (late("!(context has agreement) && context has agreement && context.agreement.in_force"), NEVER),
        (
            format!("{ALL}@id(\"night\") @why(\"x\") forbid (principal, action, resource) when {{ context.hour < 6 }};\n\
                     @id(\"small-hours\") @why(\"x\") forbid (principal, action, resource) when {{ context.hour < 3 }};"),
            &["small-hours: wherever it holds, `night` holds too: it changes nothing"],
        ),
        (
            format!("{ALL}@id(\"night\") @why(\"x\") forbid (principal, action, resource) when {{ context.hour < 6 }};\n\
                     @id(\"nights\") @why(\"y\") forbid (principal, action, resource) unless {{ context.hour >= 6 }};"),
            &["nights: says the same as `night`"],
        ),
        (
            "@id(\"night\") @why(\"x\") forbid (principal, action, resource) when { context.hour < 6 };\n\
             @id(\"day\") @why(\"x\") forbid (principal, action, resource) when { context.hour >= 6 };\n\
             @id(\"p\") @why(\"x\") permit (principal, action, resource) when { context.hour == 3 || context.hour == 8 };"
                .to_owned(),
            &["p: permits only what `day` or `night` always forbids"],
        ),
        // A permit with an obligation of its own is not covered by one without.
        (
            format!("{ALL}@id(\"m\") @why(\"x\") @obligation_mask_sensitivity(\"2\") permit (principal, action, resource);"),
            &["all: wherever it holds, `m` holds too: it changes nothing"],
        ),
        (
            format!("{ALL}@id(\"m\") @why(\"x\") @qualifies(\"true\") @obligation_mask_sensitivity(\"2\") permit (principal, action, resource);"),
            &[],
        ),
        (
            format!("{ALL}@id(\"v\") @why(\"x\") permit (principal, action in [Shuqiao::Action::\"verify\"], resource);"),
            &["v: wherever it holds, `all` holds too: it changes nothing"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(doubts(&set(&text)), expected, "{text}");
    }
}

#[test]
fn conditions_that_are_too_many_to_hold_against_each_other_are_passed_over() {
    let either =
        |n: usize| format!("(context.item.needed.contains(\"a{n}\") || context.item.needed.contains(\"b{n}\"))");
    let many = (0..12).map(either).collect::<Vec<_>>().join(" && ");
    let text = format!("{ALL}@id(\"x\") @why(\"x\") forbid (principal, action, resource) when {{ {many} }};");
    assert_eq!(doubts(&set(&text)), Vec::<String>::new());
}

/// Parts that random conditions are made of.
const ATOMS: [&str; 12] = [
    "context.hour > 12",
    "context.hour <= 12",
    "context.hour == 7",
    "7 > context.hour",
    "context.sensitivity >= 3",
    "context.sensitivity != 4",
    "context.case_given",
    "context.item.in_force == true",
    "context has agreement",
    "(context has agreement && context.agreement.in_force)",
    "resource.sharing == \"conditional\"",
    "resource.sharing != \"not_shared\"",
];

fn condition() -> impl Strategy<Value = String> {
    let atom = select(ATOMS.to_vec()).prop_map(str::to_owned);
    atom.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

prop_compose! {
    fn policy(id: &'static str)(
        permits: bool, clause in select(vec!["when", "unless"]), condition in condition(),
        action in select(vec!["action", "action == Shuqiao::Action::\"verify\""]),
    ) -> String {
        let effect = if permits { "permit" } else { "forbid" };
        format!("@id(\"{id}\") @why(\"x\") {effect} (principal, {action}, resource) {clause} {{ {condition} }};\n")
    }
}

fn holds(set: &PolicySet, scene: &Scene, id: &str) -> bool {
    let explanation = set.explain(&scene.question());
    explanation.policies.iter().any(|policy| policy.id == id && policy.verdict == Verdict::True)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_policy_is_accused_of_what_it_does_not_do(
        texts in (policy("a"), policy("b"), policy("c")), scenes in proptest::collection::vec(scenes(), 12),
    ) {
        let text = texts.0 + &texts.1 + &texts.2;
        // Cedar finds some of them impossible by itself.
        let Ok(set) = PolicySet::from_sources(&schema(), &[("a.cedar".to_owned(), text.clone())]) else { return Ok(()) };
        for doubt in set.doubts() {
            for scene in &scenes {
                if !holds(&set, scene, &doubt.policy) {
                    continue;
                }
                let so = match &doubt.kind {
                    DoubtKind::NeverMatches | DoubtKind::Untested => false,
                    DoubtKind::AlwaysForbidden { by } => by.iter().any(|id| holds(&set, scene, id)),
                    DoubtKind::Covered { by } => holds(&set, scene, by),
                    DoubtKind::Duplicate { of } => holds(&set, scene, of),
                };
                prop_assert!(so, "{doubt:?} of\n{text}\n{scene:?}");
            }
        }
    }
}
