//! What several permits together oblige to, policies that fail together, and every byte that a set is named by.

use proptest::prelude::*;

use super::scene::{Scene, name, names, schema, set, with};
use crate::{
    catalog::Disclosure,
    policy::{Decision, PolicySet},
};

/// A disclosure of a field of each sensitivity: the first is masked by the catalogue, the others are plain.
fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.disclose();
    scene.ask(&["former_name", "sex", "division", "status", "phone"]);
    for (field, disclosure, level) in [
        ("former_name", Disclosure::Masked, 1),
        ("sex", Disclosure::Plain, 1),
        ("division", Disclosure::Plain, 2),
        ("status", Disclosure::Plain, 3),
        ("phone", Disclosure::Plain, 4),
    ] {
        scene.declare(field, disclosure);
        scene.classify(field, level);
    }
    scene
}

fn permits(annotations: &[&str]) -> PolicySet {
    let permit = |(number, said): (usize, &&str)| {
        let (said, condition) = said.split_once(" only ").unwrap_or((said, "when { true }"));
        format!("@id(\"p{number}\") @why(\"x\") {said} permit (principal, action, resource) {condition};\n")
    };
    set(&annotations.iter().enumerate().map(permit).collect::<String>())
}

#[test]
fn the_obligations_of_all_permits_that_hold_are_united() {
    let table: [(&[&str], &[&str]); 13] = [
        (&[""], &["mask:former_name"]),
        (&["", "@obligation_mask_sensitivity(\"3\")"], &["mask:former_name", "mask:phone", "mask:status"]),
        // Of two levels the one that protects more, whichever permit says it.
        (
            &["@obligation_mask_sensitivity(\"4\")", "@obligation_mask_sensitivity(\"2\")"],
            &["mask:division", "mask:former_name", "mask:phone", "mask:status"],
        ),
        (
            &["@obligation_mask_sensitivity(\"2\")", "@obligation_mask_sensitivity(\"4\")"],
            &["mask:division", "mask:former_name", "mask:phone", "mask:status"],
        ),
        // What is withheld is not masked too.
        (
            &["@obligation_mask_sensitivity(\"2\")", "@obligation_drop_sensitivity(\"3\")"],
            &["mask:division", "mask:former_name", "drop:phone", "drop:status"],
        ),
        (
            &["@obligation_drop_sensitivity(\"4\")", "@obligation_drop_sensitivity(\"2\")"],
            &["mask:former_name", "drop:division", "drop:phone", "drop:status"],
        ),
        (
            &["@obligation_drop_sensitivity(\"1\")", "@obligation_mask_sensitivity(\"1\")"],
            &["drop:division", "drop:former_name", "drop:phone", "drop:sex", "drop:status"],
        ),
        (
            &["@obligation_fold_not_found(\"true\") @obligation_drop_sensitivity(\"4\")", ""],
            &["fold_not_found", "mask:former_name", "drop:phone"],
        ),
        (&["", "@qualifies(\"true\") @obligation_fold_not_found(\"true\")"], &["fold_not_found", "mask:former_name"]),
        (&["@obligation_require_consent(\"true\")", ""], &["require_consent", "mask:former_name"]),
        (
            &["@obligation_require_second_approver(\"true\")", "@obligation_require_consent(\"true\")"],
            &["require_consent", "require_second_approver", "mask:former_name"],
        ),
        (&["", "@obligation_rows_by_division(\"true\")"], &["rows_by_division", "mask:former_name"]),
        // A permit that does not hold obliges to nothing.
        (&["", "@obligation_drop_sensitivity(\"1\") only when { context.hour > 22 }"], &["mask:former_name"]),
    ];
    for (annotations, expected) in table {
        let Decision::Allow { obligations, .. } = scene().decided_by(&permits(annotations)) else {
            panic!("{annotations:?}: denied")
        };
        assert_eq!(obligations.words(), expected, "{annotations:?}");
    }
}

#[test]
fn rows_are_of_the_callers_division_unless_the_item_is_for_applicants_of_any() {
    let set = permits(&["@obligation_rows_by_division(\"true\")"]);
    let mut scene = scene();
    let rows = |scene: &Scene| match scene.decided_by(&set) {
        Decision::Allow { obligations, .. } => obligations.rows_of,
        Decision::Deny { policies, .. } => panic!("denied by {policies:?}"),
    };
    assert_eq!(rows(&scene), Some("440100".parse().unwrap()));
    scene.department.division = "440300".parse().unwrap();
    assert_eq!(rows(&scene), Some("440300".parse().unwrap()));
    scene.item.cross_region = true;
    assert_eq!(rows(&scene), None);
}

#[test]
fn a_claim_is_withheld_from_a_class_that_is_not_compared_and_from_no_level() {
    let set = permits(&["@obligation_drop_sensitivity(\"1\") @obligation_mask_sensitivity(\"1\")"]);
    for class in Disclosure::ALL {
        let mut scene = scene();
        scene.operation = crate::policy::Operation::Verify;
        scene.declare("sex", *class);
        let Decision::Allow { obligations, .. } = scene.decided_by(&set) else { panic!("denied") };
        let expected: Vec<&str> = if class.is_compared() { vec![] } else { vec!["drop:sex"] };
        assert_eq!(obligations.words(), expected, "{class:?}");
    }
}

#[test]
fn permits_that_only_qualify_open_nothing_however_many_hold() {
    let only = "@qualifies(\"true\") @obligation_mask_sensitivity(\"1\")";
    for annotations in [&[only][..], &[only, only]] {
        let Decision::Deny { policies, .. } = scene().decided_by(&permits(annotations)) else { panic!("allowed") };
        assert_eq!(policies, ["default-deny"]);
    }
}

#[test]
fn a_field_that_the_catalogue_does_not_know_is_withheld_from_who_may_see_all() {
    let mut scene = scene();
    scene.ask(&["sex", "shoe_size"]);
    let Decision::Allow { obligations, .. } = scene.decided_by(&permits(&[""])) else { panic!("denied") };
    assert_eq!((obligations.masked, obligations.dropped), (names(&[]), [name("shoe_size")].into()));
}

#[test]
fn every_policy_that_could_not_be_evaluated_is_named_and_nothing_else() {
    let failing = |id: &str, effect: &str| {
        let overflows = "context.hour + 9223372036854775807 < 5";
        format!("@id(\"{id}\") @why(\"x\") {effect} (principal, action, resource) when {{ {overflows} }};\n")
    };
    let set = with(&(failing("late", "permit") + &failing("early", "forbid")));
    let mut scene = Scene::new();
    // A forbid of the repository holds besides; what it says is not all that there is to say.
    scene.agreement = None;
    let Decision::Deny { policies, reasons } = scene.decided_by(&set) else { panic!("allowed") };
    assert_eq!(
        (policies, reasons),
        (vec!["early".into(), "late".into()], vec!["the policy could not be evaluated".to_owned(); 2])
    );
}

const SOUND: &str = "@id(\"a\") @why(\"x\") permit (principal, action, resource); // ";

fn hash(schema: &str, files: &[(&str, &str)]) -> String {
    let files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    PolicySet::from_sources(schema, &files).unwrap().hash().to_owned()
}

#[test]
fn text_that_moves_from_one_file_or_name_to_another_is_another_set() {
    let whole = format!("{SOUND}\n// b\n");
    let first = hash(&schema(), &[("a.cedar", &whole), ("b.cedar", "// c\n")]);
    let sound = format!("{SOUND}\n");
    for (schema, files) in [
        (schema(), [("a.cedar", sound.as_str()), ("b.cedar", "// b\n// c\n")]),
        (schema(), [("a.cedar", "// c\n"), ("b.cedar", &whole)]),
        (schema() + "// c\n", [("a.cedar", whole.as_str()), ("b.cedar", "")]),
    ] {
        assert_ne!(hash(&schema, &files), first, "{files:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_set_is_another_one_if_any_character_of_it_is(
        comments in proptest::array::uniform3("[ -~]{1,20}"),
        changed in 0..3usize,
        at in any::<proptest::sample::Index>(),
        character in "[ -~]",
    ) {
        let named = |comments: &[String; 3]| {
            let [of_schema, of_first, of_second] = comments;
            let schema = format!("{}// {of_schema}\n", schema());
            hash(&schema, &[("a.cedar", &format!("{SOUND}{of_first}\n")), ("b.cedar", &format!("// {of_second}\n"))])
        };
        let mut other = comments.clone();
        let at = at.index(other[changed].len());
        other[changed].replace_range(at..=at, &character);
        prop_assert_eq!(named(&other) == named(&comments), other == comments);
    }
}
