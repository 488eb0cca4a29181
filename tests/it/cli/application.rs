//! `shuqiao application` and `shuqiao agreement`.

use crate::support::process::{Home, json};

const HUKOU: &str = "11440100MB9YYY997R3440101001000";

fn account(home: &Home, name: &str, department: &str, roles: &[&str]) {
    let mut words = vec!["client", "register", name, "--department", department, "--generate"];
    words.extend(roles.iter().flat_map(|role| ["--role", role]));
    let made = home.run(&words);
    assert_eq!(made.code, Some(0), "{made:?}");
}

#[test]
fn an_application_goes_its_way_on_the_command_line() {
    let home = Home::empty("");
    account(&home, "gz-clerk", "gz-administrative-approval", &["consumer"]);
    account(&home, "ps-steward", "gd-public-security", &["steward"]);
    account(&home, "ps-approver", "gd-public-security", &["approver"]);
    let run =
        |line: &str, reason: &[&str]| home.run(&line.split(' ').chain(reason.iter().copied()).collect::<Vec<_>>());

    let apply = format!(
        "application apply --as gz-clerk --dataset natural-person --items {HUKOU} --compare resident_id,name,birth_date \
         --disclose name --from 2099-01-01 --until 2099-12-31 --json"
    );
    let made = run(&apply, &["--basis", "《户口登记条例》第十条", "--scenario", "窗口核验"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let made = json(made.out.as_bytes());
    assert_eq!((&made["id"], &made["state"]), (&"app-1".into(), &"submitted".into()));
    assert!(made["due"].is_string(), "{made}");

    let asked = run("application ask app-1 --as ps-steward", &["是否留存？"]);
    assert_eq!(asked.out, "application `app-1` is asked_back\n", "{asked:?}");
    assert_eq!(run("application answer app-1 --as gz-clerk", &["不留存"]).code, Some(0));
    let refused = run("application approve app-1 --as gz-clerk --reason x", &[]);
    assert!(refused.code == Some(2) && refused.err.contains("role_required"), "{refused:?}");
    assert_eq!(run("application approve app-1 --as ps-steward --reason x", &[]).code, Some(0));
    let part = "application approve app-1 --as ps-approver --reason x --compare resident_id,name --disclose=";
    let granted = run(part, &[]);
    assert!(granted.out.starts_with("application `app-1` is granted_in_part"), "{granted:?}");

    let shown = run("application show app-1", &[]);
    for word in ["gz-clerk", "prepared", "approved_in_part", "《户口登记条例》第十条", "granted: compare"] {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
    let listed = run("application list --state granted_in_part --as ps-steward", &[]);
    assert!(listed.out.contains("app-1") && listed.out.contains("窗口核验"), "{listed:?}");
    assert_eq!(run("application overdue", &[]).out, "there is no such application\n");

    let agreements = json(run("agreement list --json", &[]).out.as_bytes());
    let ours = agreements.as_array().unwrap().iter().find(|one| one["id"] == "app-1").unwrap();
    assert_eq!((&ours["standing"], &ours["disclose"]), (&"to_come".into(), &serde_json::json!([])));
    assert_eq!(run("agreement suspend app-1 --as ps-steward --reason x", &[]).code, Some(0));
    let alone = run("agreement revoke app-1 --as ps-steward --reason x", &[]);
    assert!(alone.code == Some(2) && alone.err.contains("role_required"), "{alone:?}");
    assert_eq!(run("agreement revoke app-1 --as ps-approver --reason x", &[]).code, Some(0));
    let shown = run("agreement show app-1", &[]);
    assert!(shown.out.contains("revoked") && shown.out.contains("suspended"), "{shown:?}");
    let again = run("agreement renew app-1 --as gz-clerk --until 2100-12-31", &[]);
    assert!(again.code == Some(2) && again.err.contains("revoked"), "{again:?}");
}
