//! Policies that were widened by mistake: the node does not start, and names the probe that got through.

use std::fs;

use shuqiao::policy::PolicySet;

use crate::support::process::Home;

/// A policy as it stands in its file, from its `@id` to its end.
fn policy(text: &str, id: &str) -> String {
    let begin = text.find(&format!("@id(\"{id}\")")).unwrap_or_else(|| panic!("there is no policy `{id}`"));
    let end = text[begin..].find(';').unwrap();
    text[begin..=begin + end].to_owned()
}

fn ids(text: &str) -> Vec<String> {
    let after = text.split("@id(\"").skip(1);
    after.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// Start with what is in the policies folder: the probe that stopped it, or nothing where it served.
async fn stopped_by(home: &Home) -> Option<String> {
    let before = home.log_text().len();
    let mut node = home.spawn(&["serve"]);
    let status = node.ready_or_ended().await?;
    let said = home.log_text()[before..].to_owned();
    assert_eq!(status.code(), Some(2), "{said}");
    let (_, after) = said.split_once("start-up probe `").unwrap_or_else(|| panic!("no probe: {said}"));
    assert!(said.contains("does not serve until every probe passes"), "{said}");
    Some(after.split('`').next().unwrap().to_owned())
}

/// Which probe stands for which forbid.
const CAUGHT: [(&str, &str); 14] = [
    ("agreement-in-force", "lapsed-agreement"),
    ("agreement-covers-item", "item-not-covered"),
    ("item-of-caller", "item-of-another"),
    ("item-in-force", "lapsed-item"),
    ("fields-needed-by-item", "field-not-needed"),
    ("fields-agreed-for-comparison", "field-not-agreed"),
    ("fields-agreed-for-disclosure", "field-not-agreed"),
    ("never-fields", "never-field"),
    ("compare-only-not-disclosed", "compare-only-field"),
    ("aggregate-only-not-asked", "aggregate-only-field"),
    ("join-key-only-not-asked", "join-key-only-field"),
    ("not-shared-datasets", "dataset-not-shared"),
    ("case-required-for-sensitive", "sensitive-without-case"),
    ("enumeration-blocked", "suspected-harvester"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_forbid_that_is_taken_away_is_missed_at_the_start() {
    let home = Home::empty("");
    let file = home.path("policies/forbids.cedar");
    let whole = fs::read_to_string(&file).unwrap();
    for id in ids(&whole) {
        fs::write(&file, whole.replace(&policy(&whole, &id), "")).unwrap();
        let expected = CAUGHT.iter().find(|(forbid, _)| *forbid == id).map(|(_, probe)| *probe);
        // The permits ask for an agreement themselves, so that taking away this forbid opens nothing.
        assert!(expected.is_some() || id == "agreement-required", "no probe is named for `{id}`");
        assert_eq!(stopped_by(&home).await.as_deref(), expected, "without `{id}`");
    }
    fs::write(&file, whole).unwrap();
    assert_eq!(stopped_by(&home).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_was_widened_is_found_at_the_start() {
    let home = Home::empty("");
    for (name, from, to, probe) in [
        // No agreement: with the forbid gone, a permit that does not ask for one opens the register to everybody.
        ("permits", "when { context has agreement };", ";", None),
        (
            "forbids",
            "!context.agreement.in_force",
            "!context.agreement.in_force && context.hour > 18",
            Some("lapsed-agreement"),
        ),
        ("forbids", "needed.containsAll(context.asked)", "needed.containsAny(context.asked)", Some("field-not-needed")),
        (
            "forbids",
            "compare.containsAll(context.asked)",
            "compare.containsAny(context.asked)",
            Some("field-not-agreed"),
        ),
        ("forbids", "context.sensitivity >= 4", "context.sensitivity > 4", Some("sensitive-without-case")),
        (
            "forbids",
            "!context.never.isEmpty()",
            "context.never.containsAll(context.asked) && context.hour > 18",
            Some("never-field"),
        ),
        ("permits", "@obligation_mask_sensitivity(\"3\")\n", "", Some("sensitive-field")),
        (
            "permits",
            "@obligation_mask_sensitivity(\"3\")",
            "@obligation_mask_sensitivity(\"4\")",
            Some("sensitive-field"),
        ),
        // Stricter than before: nothing is opened.
        ("permits", "@obligation_mask_sensitivity(\"3\")", "@obligation_mask_sensitivity(\"1\")", None),
        ("permits", "@obligation_mask_sensitivity(\"3\")", "@obligation_drop_sensitivity(\"2\")", None),
        ("forbids", "context.sensitivity >= 4", "context.sensitivity >= 2", None),
    ] {
        let file = home.path(&format!("policies/{name}.cedar"));
        let whole = fs::read_to_string(&file).unwrap();
        assert!(whole.contains(from), "`{from}` is not in {name}");
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        assert_eq!(stopped_by(&home).await.as_deref(), probe, "`{from}` -> `{to}`");
        fs::write(&file, whole).unwrap();
    }
    // Both halves of a lock gone.
    let (forbids, permits) = (home.path("policies/forbids.cedar"), home.path("policies/permits.cedar"));
    let text = fs::read_to_string(&forbids).unwrap();
    fs::write(&forbids, text.replace(&policy(&text, "agreement-required"), "")).unwrap();
    let text = fs::read_to_string(&permits).unwrap();
    fs::write(&permits, text.replacen("when { context has agreement };", ";", 1)).unwrap();
    assert_eq!(stopped_by(&home).await.as_deref(), Some("no-agreement"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_cannot_be_read_stop_the_node_too() {
    let home = Home::empty("");
    let file = home.path("policies/permits.cedar");
    let whole = fs::read_to_string(&file).unwrap();
    for (from, to, hint) in [
        ("@obligation_mask_sensitivity(\"3\")", "@obligation_mask_sensitivity(\"high\")", "1 to 4"),
        ("@obligation_mask_sensitivity(\"3\")", "@obligation_musk_sensitivity(\"3\")", "is no obligation"),
        ("permit (", "allow (", "permits.cedar"),
        ("context.case_given", "context.case_gven", "permits.cedar"),
    ] {
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let said = home.run(&["serve"]);
        assert_eq!(said.code, Some(2), "{to}: {said:?}");
        assert!(said.err.contains(hint), "{to}: {said:?}");
        let refused = PolicySet::load(&home.path("policies")).unwrap_err();
        assert_eq!(refused.code().as_str(), "policy_invalid");
    }
}
