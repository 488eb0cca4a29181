//! What differs between sets, and what their decisions depend on.

use super::scene::{POLICIES, Scene, policies, set, with, without};
use crate::policy::{Depends, Difference};

#[test]
fn what_was_added_removed_and_changed_is_named_and_wording_is_not() {
    assert!(POLICIES.differences(&POLICIES).is_empty());
    let added = with("@id(\"night\") @why(\"x\") forbid (principal, action, resource) when { context.hour < 6 };");
    assert_eq!(POLICIES.differences(&added), [("night".to_owned(), Difference::Added)].into());
    assert_eq!(added.differences(&POLICIES), [("night".to_owned(), Difference::Removed)].into());
    assert_eq!(
        POLICIES.differences(&without("never-fields")),
        [("never-fields".to_owned(), Difference::Removed)].into()
    );
    let replaced = |old: &str, new: &str| {
        let text: String = policies().into_iter().map(|(_, text)| text.replace(old, new) + "\n").collect();
        POLICIES.differences(&set(&text))
    };
    let changed = |id: &str| [(id.to_owned(), Difference::Changed)].into();
    assert_eq!(
        replaced("context.sensitivity >= 4", "context.sensitivity >= 3"),
        changed("case-required-for-sensitive")
    );
    assert_eq!(replaced("sensitivity(\"3\")", "sensitivity(\"4\")"), changed("disclose-under-agreement"));
    assert!(replaced("the service item is not in force today", "it has ended").is_empty());
}

#[test]
fn decisions_depend_on_the_hour_and_the_client_where_a_policy_names_them() {
    let both = |client, hour| Depends { client, hour, volume: false };
    let whole = Depends { client: false, hour: true, volume: true };
    assert_eq!(POLICIES.depends(), both(false, false));
    let table = [
        ("principal, action, resource", "context.hour < 6", both(false, true)),
        ("principal, action, resource", "context has hour", both(false, true)),
        ("principal, action, resource", "context == context", whole),
        ("principal, action, resource", "[context].contains(context)", whole),
        ("principal, action, resource", "context.volume < 90", Depends { volume: true, ..Depends::default() }),
        ("principal == Shuqiao::Client::\"a\", action, resource", "true", both(true, false)),
        ("principal, action, resource", "principal == Shuqiao::Client::\"a\"", both(true, false)),
        ("principal in Shuqiao::Department::\"a\", action, resource", "true", both(false, false)),
        ("principal is Shuqiao::Client, action, resource", "principal.division == \"440100\"", both(false, false)),
    ];
    for (scope, condition, expected) in table {
        let set = set(&format!("@id(\"a\") @why(\"x\") permit ({scope}) when {{ {condition} }};"));
        assert_eq!(set.depends(), expected, "{scope} {condition}");
    }
}

#[test]
fn of_what_differs_only_that_tells_which_holds_on_one_side_or_obliges_otherwise() {
    let text: String = policies().into_iter().map(|(_, text)| text + "\n").collect();
    let candidate = set(&text
        .replace("context.sensitivity >= 4", "context.sensitivity >= 3")
        .replace("sensitivity(\"3\")", "sensitivity(\"4\")")
        .replace("when { !context.item.in_force }", "when { !context.item.in_force && context.case_given }"));
    let differences = POLICIES.differences(&candidate);
    assert_eq!(differences.len(), 3);
    let telling = |scene: &Scene| POLICIES.telling(&candidate, &differences, &scene.question());
    let mut scene = Scene::new();
    assert_eq!(telling(&scene), Vec::<String>::new());
    scene.case_present = false;
    assert_eq!(telling(&scene), ["case-required-for-sensitive"]);
    scene.case_present = true;
    scene.disclose();
    assert_eq!(telling(&scene), ["disclose-under-agreement"]);
    scene.item.valid_until = scene.today.pred_opt();
    assert_eq!(telling(&scene), ["disclose-under-agreement"], "an item that is not in force is refused by both");
}
