//! `shuqiao policy`: test, explain and replay, as a steward runs them.

use std::{fs, path::Path, time::Instant};

use serde_json::json;

use crate::support::{
    node::{ITEM, WINDOW},
    process::{Home, PATIENCE, Said, json, shuqiao},
    registers::person,
    root,
};

/// The policies of the repository with one passage changed, in a folder of their own.
fn changed(file: &str, old: &str, new: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    for name in
        ["shuqiao.cedarschema", "permits.cedar", "forbids.cedar", "tests/verification.yaml", "tests/disclosure.yaml"]
    {
        let mut text = fs::read_to_string(root().join("policies").join(name)).unwrap();
        if name == file {
            assert!(text.contains(old), "{file} has no `{old}`");
            text = text.replace(old, new);
        }
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn policy(verb: &str, folder: &Path, more: &[&str]) -> Said {
    shuqiao(&[&["policy", verb, folder.to_str().unwrap()], more].concat())
}

#[test]
fn the_policies_of_the_repository_pass_their_cases_and_warn_of_nothing() {
    let folder = root().join("policies");
    let said = policy("test", &folder, &["--coverage-min", "100"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("0 failed; 100 % of the policies decide a case"), "{said:?}");
    let checked = policy("check", &folder, &["--deny-warnings"]);
    assert!(checked.code == Some(0) && !checked.out.contains("warning"), "{checked:?}");
}

#[test]
fn a_policy_that_was_loosened_fails_its_cases_by_name() {
    let folder = changed("forbids.cedar", "context.sensitivity >= 4", "context.sensitivity > 4");
    let said = policy("test", folder.path(), &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("FAIL allow the most sensitive field without a case"), "{said:?}");
    assert!(said.out.contains("tests/verification.yaml:") && said.out.contains("expected deny, got allow"), "{said:?}");
    let checked = policy("check", folder.path(), &["--deny-warnings"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.out.contains("case-required-for-sensitive: can never hold"), "{checked:?}");

    let told = policy("test", folder.path(), &["--json"]);
    let told = (told.code, json(told.out.as_bytes()));
    assert_eq!((told.0, &told.1["failed"]), (Some(1), &json!(2)));
    assert_eq!(told.1["uncovered"], json!(["case-required-for-sensitive"]));
    assert!(told.1["coverage"].as_f64().unwrap() < 100.0);
}

#[test]
fn coverage_below_what_is_asked_fails_and_names_the_policy() {
    let folder = changed("tests/verification.yaml", "", "");
    let night =
        "\n@id(\"not-at-night\")\n@why(\"x\")\nforbid (principal, action, resource)\nwhen { context.hour < 5 };\n";
    let forbids = folder.path().join("forbids.cedar");
    fs::write(&forbids, fs::read_to_string(&forbids).unwrap() + night).unwrap();
    assert_eq!(policy("test", folder.path(), &["--coverage-min", "90"]).code, Some(0));
    let said = policy("test", folder.path(), &["--coverage-min", "100"]);
    assert!(said.code == Some(1) && said.out.contains("0 not-at-night  decides no case"), "{said:?}");
    let wrong = policy("test", folder.path(), &["--coverage-min", "101"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("0 to 100"), "{wrong:?}");
}

#[test]
fn a_case_is_explained_by_the_field_that_made_it_so() {
    let file = root().join("policies/tests/verification.yaml");
    let file = file.to_str().unwrap();
    let said = shuqiao(&["policy", "explain", file, "--case", "a field that the item does not need"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("deny by fields-needed-by-item"), "{said:?}");
    assert!(said.out.contains("context.item.needed lacks \"phone\""), "{said:?}");
    let told = shuqiao(&["policy", "explain", file, "--case", "no agreement", "--json"]);
    let told = json(told.out.as_bytes());
    assert_eq!((&told["decision"], &told["decided_by"]), (&json!("deny"), &json!(["agreement-required"])));
    assert_eq!(told["policies"][0]["conditions"][0]["attributes"]["context.agreement"], "absent");
    for (what, hint) in [("no/such/file.yaml", "neither the id of a call nor a file"), (file, "no case of that name")] {
        let wrong = shuqiao(&["policy", "explain", what, "--case", "no such case"]);
        assert!(wrong.code == Some(2) && wrong.err.contains(hint), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_calls_are_explained_and_replayed_beside_the_running_node() {
    let home = Home::with_persons(20, "").await;
    let _node = home.serve().await;
    let subject = format!("resident_id={}", person(10).id);
    let call = |more: &[&str]| {
        let fixed = ["call", "--client", WINDOW, "--dataset", "natural-person", "--item", ITEM, "--subject", &subject];
        json(home.run(&[&fixed[..], more, &["--json"]].concat()).out.as_bytes())
    };
    let allowed = call(&["--case", "C-1", "--claim", "name=测试10"]);
    let folded = call(&["--claim", "name=测试10"]);
    let denied = call(&["--case", "C-2", "--claim", "marital_status=10"]);
    assert_eq!((&allowed["outcome"], &denied["code"]), (&json!("match"), &json!("denied")));
    let id = |answer: &serde_json::Value| answer["call_id"].as_str().unwrap().to_owned();

    let said = home.run(&["policy", "explain", &id(&denied)]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("deny by fields-agreed-for-comparison, fields-needed-by-item"), "{said:?}");
    assert!(said.out.contains("lacks \"marital_status\"") && !said.out.contains("note:"), "{said:?}");
    assert!(!said.out.contains(person(10).id.as_str()), "no register value: {said:?}");
    let unknown = home.run(&["policy", "explain", "0193a5b2-7c00-7000-8000-000000000001"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("has no call"), "{unknown:?}");

    let folder = changed(
        "permits.cedar",
        "when { !context.case_given }",
        "when { !context.case_given && context.sensitivity > 3 }",
    );
    let candidate = folder.path().to_str().unwrap();
    let told = home.run(&["policy", "replay", "--since", "1h", "--with", candidate, "--json"]);
    let told = json(told.out.as_bytes());
    assert_eq!((&told["decided"], &told["drift"]["allow_to_deny"]), (&json!(3), &json!(0)), "{told}");
    assert_eq!((&told["flipped"]["obligations"], &told["flipped"]["allow_to_deny"]), (&json!(1), &json!(0)), "{told}");
    let flip = &told["flips"][0];
    assert_eq!(flip["because_of"], json!(["fold-not-found-without-case"]));
    assert_eq!((&flip["obligations_removed"], &flip["examples"]), (&json!(["fold_not_found"]), &json!([id(&folded)])));
    assert_eq!(told["by_policy"][0]["policy"], "fold-not-found-without-case");
    let table = home.run(&["policy", "replay", "--with", candidate]);
    assert!(table.code == Some(0) && table.out.contains("fold-not-found-without-case (changed)"), "{table:?}");
    let same = home.run(&["policy", "replay", "--with", "policies"]);
    assert!(same.code == Some(0) && same.out.contains("The candidate changes no answer."), "{same:?}");
    let wrong = home.run(&["policy", "replay", "--with", candidate, "--since", "yesterday"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("`yesterday` is no time"), "{wrong:?}");
}

/// Mistakes in policies: the file, the policy, a passage of it and what it becomes. A policy whose passage is empty is removed.
const MISTAKES: [(&str, &str, &str, &str); 10] = [
    ("forbids.cedar", "item-of-caller", "", ""),
    ("forbids.cedar", "agreement-in-force", "", ""),
    ("forbids.cedar", "agreement-required", "", ""),
    ("permits.cedar", "fold-not-found-without-case", "", ""),
    ("forbids.cedar", "fields-needed-by-item", "containsAll(context.asked)", "containsAny(context.asked)"),
    ("forbids.cedar", "fields-agreed-for-comparison", "containsAll(context.asked)", "contains(context.subject_field)"),
    (
        "forbids.cedar",
        "fields-agreed-for-disclosure",
        "disclose.containsAll(context.fields)",
        "disclose.containsAll(context.asked)",
    ),
    ("forbids.cedar", "case-required-for-sensitive", "context.sensitivity >= 4", "context.sensitivity > 4"),
    ("permits.cedar", "disclose-under-agreement", "(\"3\")", "(\"4\")"),
    (
        "permits.cedar",
        "verify-under-agreement",
        "{ context has agreement }",
        "{ context has agreement && context.hour < 22 }",
    ),
];

/// The policies of the repository with all of the mistakes.
fn mistaken() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("policies/shuqiao.cedarschema"), folder.path().join("shuqiao.cedarschema")).unwrap();
    for file in ["permits.cedar", "forbids.cedar"] {
        let text = fs::read_to_string(root().join("policies").join(file)).unwrap();
        let (head, policies) = text.split_once("@id(").unwrap();
        let mut changed = head.to_owned();
        for policy in policies.split("@id(") {
            let id = policy.split('"').nth(1).unwrap();
            match MISTAKES.iter().find(|(of, mistaken, ..)| (*of, *mistaken) == (file, id)) {
                Some((.., "", _)) => {}
                Some((.., old, new)) => {
                    assert!(policy.contains(old), "{id} has no `{old}`");
                    changed += &format!("@id({}", policy.replacen(old, new, 1));
                }
                None => changed += &format!("@id({policy}"),
            }
        }
        fs::write(folder.path().join(file), changed).unwrap();
    }
    folder
}

/// Recorded calls that are replayed; a million for the figures of the day.
fn calls() -> String {
    std::env::var("SHUQIAO_REPLAY_CALLS").unwrap_or_else(|_| "20000".to_owned())
}

#[test]
fn ten_mistakes_in_a_candidate_are_each_named_by_recorded_calls() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().to_str().unwrap();
    let calls = calls();
    let made = shuqiao(&["policy", "sample", "--calls", &calls, "--days", "30", "--out", log]);
    assert!(made.code == Some(0) && made.out.contains(&format!("{calls} calls")), "{made:?}");
    let folder = mistaken();
    let candidate = folder.path().to_str().unwrap();
    let replay = ["policy", "replay", "--since", "31d", "--with", candidate, "--policies", "policies", "--log", log];
    let told = shuqiao(&[&replay[..], &["--json"]].concat());
    let told = json(told.out.as_bytes());
    assert_eq!(told["decided"].to_string(), calls);
    assert_eq!((&told["drift"]["allow_to_deny"], &told["undecidable"]), (&json!(0), &json!([])));
    let mut named: Vec<_> = MISTAKES.iter().map(|(_, id, ..)| *id).collect();
    named.sort_unstable();
    let by_policy = told["by_policy"].as_array().unwrap();
    assert_eq!(by_policy.iter().map(|policy| policy["policy"].as_str().unwrap()).collect::<Vec<_>>(), named);
    for policy in by_policy {
        let shown: u64 = ["allow_to_deny", "deny_to_allow", "obligations", "reasons"]
            .iter()
            .map(|kind| policy[*kind].as_u64().unwrap())
            .sum();
        assert!(shown > 0 && !policy["examples"].as_array().unwrap().is_empty(), "no call shows {policy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_is_proposed_approved_and_rolled_back_from_the_command_line() {
    let home = Home::with_persons(20, "").await;
    let _node = home.serve().await;
    for (account, role) in [("li", "steward"), ("wu", "approver")] {
        let fixed = ["client", "register", account, "--department", "gd-government-services", "--generate"];
        let said = home.run(&[&fixed[..], &["--role", role]].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    let none = home.run(&["policy", "sets"]);
    assert!(none.code == Some(0) && none.out.contains("nodes decide by the policies in their folder"), "{none:?}");
    let call = || {
        let subject = format!("resident_id={}", person(10).id);
        let fixed = ["call", "--client", WINDOW, "--dataset", "natural-person", "--item", ITEM, "--subject", &subject];
        json(home.run(&[&fixed[..], &["--case", "C-1", "--claim", "name=测试10", "--json"]].concat()).out.as_bytes())
    };
    let until = |member: &str, said: &str| {
        let began = Instant::now();
        loop {
            let answer = call();
            if answer[member] == said {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "still {answer}");
        }
    };
    let before = until("outcome", "match");

    let folder = changed("tests/verification.yaml", "", "");
    let closed =
        "@id(\"closed\")\n@why(\"closed\")\nforbid (principal, action, resource)\nwhen { context.hour >= 0 };\n";
    fs::remove_dir_all(folder.path().join("tests")).unwrap();
    fs::write(folder.path().join("closed.cedar"), closed).unwrap();
    let candidate = folder.path().to_str().unwrap();
    let propose =
        |account: &str| home.run(&["policy", "propose", candidate, "--reason", "下班", "--as", account, "--json"]);
    let wrong = propose("wu");
    assert!(wrong.code == Some(2) && wrong.err.contains("role_required"), "{wrong:?}");
    let proposed = json(propose("li").out.as_bytes());
    let hash = proposed["hash"].as_str().unwrap();
    let short = &hash[..10];
    let own = home.run(&["policy", "approve", short, "--reason", "可以", "--as", "li"]);
    assert!(own.code == Some(2) && own.err.contains("`approver`"), "{own:?}");
    let approved = home.run(&["policy", "approve", short, "--reason", "可以", "--as", "wu"]);
    assert!(approved.code == Some(0) && approved.out.contains("is active"), "{approved:?}");
    let denied = until("code", "denied");
    let explained = home.run(&["policy", "explain", denied["call_id"].as_str().unwrap()]);
    assert!(
        explained.out.contains("deny by closed") && !explained.out.contains("note:"),
        "by the set of the ledger: {explained:?}"
    );

    let back = home.run(&["policy", "rollback", "--reason", "误操作", "--as", "wu"]);
    assert!(back.code == Some(0) && back.out.contains("active again"), "{back:?}");
    until("outcome", "match");
    let listed = json(home.run(&["policy", "sets", "--json"]).out.as_bytes());
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|set| set["state"].as_str().unwrap()).collect();
    assert_eq!((states.len(), states.contains(&"active"), states.contains(&"retired")), (2, true, true), "{listed}");
    // A call of the closed time is explained by the set that decided it, not by the one that decides now.
    let still = home.run(&["policy", "explain", denied["call_id"].as_str().unwrap()]);
    assert!(still.out.contains("deny by closed"), "{still:?}");
    let first = home.run(&["policy", "explain", before["call_id"].as_str().unwrap()]);
    assert!(first.out.contains("allow by verify-under-agreement"), "{first:?}");
    let table = home.run(&["policy", "sets"]);
    assert!(table.out.contains(short) && table.out.contains("下班"), "{table:?}");
    for (set, hint) in [("", "several policy sets"), ("zz", "no policy set begins")] {
        let wrong = home.run(&["policy", "reject", set, "--reason", "x", "--as", "wu"]);
        assert!(wrong.code == Some(2) && wrong.err.contains(hint), "{wrong:?}");
    }
}
