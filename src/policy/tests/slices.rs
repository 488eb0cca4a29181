//! A decision by a slice of the policies is the decision by all of them.

use super::scene::{Scene, with};

/// Every form of a scope, for us and for others.
fn heads() -> Vec<String> {
    let principals = [
        "principal",
        "principal in Shuqiao::Department::\"gz-administrative-approval\"",
        "principal in Shuqiao::Department::\"nobody\"",
        "principal is Shuqiao::Client in Shuqiao::Department::\"nobody\"",
        "principal == Shuqiao::Client::\"gz-approval-system\"",
        "principal is Shuqiao::Client",
    ];
    let actions = [
        "action",
        "action == Shuqiao::Action::\"verify\"",
        "action in [Shuqiao::Action::\"disclose\"]",
        "action in [Shuqiao::Action::\"disclose\", Shuqiao::Action::\"verify\"]",
    ];
    let resources = [
        "resource",
        "resource == Shuqiao::Dataset::\"natural-person\"",
        "resource in Shuqiao::Dataset::\"legal-entity\"",
        "resource is Shuqiao::Dataset in Shuqiao::Dataset::\"natural-person\"",
    ];
    let mut heads = Vec::new();
    for principal in principals {
        for action in actions {
            heads.extend(resources.map(|resource| format!("forbid ({principal}, {action}, {resource})")));
        }
    }
    heads
}

#[test]
fn what_is_left_out_would_not_have_held() {
    let mut scenes = [Scene::new(), Scene::new()];
    scenes[1].disclose();
    let (mut cut, mut denied) = (0, 0);
    for head in heads() {
        let set = with(&format!("@id(\"scoped\") @why(\"it is\") {head};"));
        for scene in &scenes {
            let question = scene.question();
            let slice = set.slices.of(&question, &set.names);
            let decision = set.decide_by(&slice, &question);
            assert_eq!(decision, set.decide_by(&set.cedar, &question), "{head}");
            assert_eq!(decision, set.decide(&question), "{head}");
            cut += usize::from(slice.policies().all(|policy| policy.id().to_string() != "scoped"));
            denied += usize::from(decision.policies().contains(&"scoped".to_owned()));
        }
    }
    assert!(cut > 50 && denied > 20, "{cut} cut, {denied} denied: the test tests nothing");
}

#[test]
fn of_many_policies_for_others_none_is_looked_at() {
    let other = |number: usize| {
        let department = format!("principal in Shuqiao::Department::\"other-{number}\"");
        format!("@id(\"of-{number}\") @why(\"x\") forbid ({department}, action, resource);\n")
    };
    let set = with(&(0..200).map(other).collect::<String>());
    let scene = Scene::new();
    let slice = set.slices.of(&scene.question(), &set.names);
    assert!(slice.policies().count() < 20 && set.cedar.policies().count() > 200);
}
