//! `shuqiao catalog`: from a folder of files to the published catalogue, and looking around in it.

use std::{fs, path::Path};

use crate::support::{
    process::{Home, Said, json, shuqiao},
    root,
};

/// A copy of the repository's catalogue with a change in one file.
fn copy(folder: &Path, file: &str, old: &str, new: &str) {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir(root().join("catalogs/guangdong")).unwrap() {
        let entry = entry.unwrap();
        let mut text = fs::read_to_string(entry.path()).unwrap();
        if entry.file_name() == file {
            assert!(text.contains(old), "{old}");
            text = text.replacen(old, new, 1);
        }
        fs::write(folder.join(entry.file_name()), text).unwrap();
    }
}

fn register(home: &Home, account: &str, roles: &[&str]) {
    let mut arguments = vec!["client", "register", account, "--department", "gd-public-security", "--generate"];
    arguments.extend(roles.iter().flat_map(|role| ["--role", *role]));
    let done = home.run(&arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[track_caller]
fn well(said: Said) -> String {
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out
}

#[test]
fn a_folder_of_files_becomes_the_published_catalogue_by_two_persons() {
    let home = Home::empty("");
    register(&home, "steward-li", &["steward"]);
    register(&home, "approver-wu", &["approver"]);
    let folder = home.path("proposed");
    copy(&folder, "natural-person.yaml", "zh: 自然人基础信息", "zh: 自然人登记信息");
    let folder = folder.to_str().unwrap();
    let changes = well(home.run(&["catalog", "diff", folder]));
    assert_eq!(changes, "compatible  dataset natural-person: name changed\n");

    let apply = ["catalog", "apply", folder, "--reason", "更名", "--as", "steward-li"];
    let drafted = well(home.run(&apply));
    assert!(drafted.contains("revision 2 is draft"), "{drafted}");
    let own = home.run(&["catalog", "approve", "2", "--note", "好", "--as", "steward-li"]);
    assert!(own.code == Some(2) && own.err.contains("approver"), "{own:?}");
    well(home.run(&["catalog", "submit", "2", "--as", "steward-li"]));
    let published = home.run(&["catalog", "approve", "2", "--note", "好", "--as", "approver-wu", "--json"]);
    assert_eq!(json(well(published).as_bytes())["state"], "published");
    let shown = well(home.run(&["catalog", "show", "natural-person"]));
    assert!(shown.contains("自然人登记信息") && shown.contains("101001/000001 (基础信息资源 · 人口)"), "{shown}");
    let again = home.run(&apply);
    assert!(again.code == Some(2) && again.err.contains("revision 2, which is published"), "{again:?}");

    let restore = ["catalog", "restore", "1", "--reason", "退回", "--submit", "--as", "steward-li", "--json"];
    assert_eq!(json(well(home.run(&restore)).as_bytes())["state"], "in_review");
    well(home.run(&["catalog", "reject", "3", "--note", "不必", "--as", "approver-wu"]));
    let listed = json(well(home.run(&["catalog", "revisions", "--json"])).as_bytes());
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["rejected", "published", "retired"]);
    let one = well(home.run(&["catalog", "revision", "2"]));
    assert!(one.contains("by steward-li: 更名") && one.contains("reviewed by approver-wu: 好"), "{one}");
    let acts = well(home.run(&["acts"]));
    assert!(acts.contains("publish catalogue") && acts.contains("reject catalogue"), "{acts}");

    let out = home.path("exported");
    well(home.run(&["catalog", "export", "--format", "yaml", "--out", out.to_str().unwrap()]));
    let text = fs::read_to_string(out.join("natural-person.yaml")).unwrap();
    assert!(text.contains("zh: 自然人登记信息"));
    assert_eq!(well(home.run(&["catalog", "diff", out.to_str().unwrap()])), "nothing changes\n");
}

#[test]
fn what_would_break_is_named_and_refused() {
    let home = Home::empty("");
    register(&home, "steward-li", &["steward", "operator"]);
    let folder = home.path("proposed");
    copy(&folder, "items-guangzhou.yaml", "[resident_id, name, birth_date, sex]", "[resident_id, name, birth_date]");
    let folder = folder.to_str().unwrap();
    let said = home.run(&["catalog", "diff", folder]);
    assert!(said.code == Some(1) && said.out.contains("agr-gz-hukou-person of gz-administrative-approval"), "{said:?}");
    let apply = ["catalog", "apply", folder, "--reason", "减材料", "--as", "steward-li"];
    let refused = home.run(&apply);
    assert!(refused.code == Some(2) && refused.err.contains("agr-gz-hukou-person"), "{refused:?}");
    let named = [&apply[..], &["--end", "agr-gz-hukou-person"]].concat();
    assert!(well(home.run(&named)).contains("revision 2 is draft"));
}

#[test]
fn a_catalogue_of_files_is_looked_at_without_a_node() {
    let folder = root().join("catalogs/guangdong");
    let from = ["--catalog", folder.to_str().unwrap()];
    let run = |arguments: &[&str]| shuqiao(&[arguments, &from[..]].concat());
    let found = json(well(run(&["catalog", "search", "民族", "--json"])).as_bytes());
    assert_eq!(found[0]["id"], "natural-person");
    let none = run(&["catalog", "search", "不存在"]);
    assert_eq!((none.code, none.out.as_str()), (Some(1), "nothing was found\n"));
    let listed = well(run(&["catalog", "list", "--sharing", "unconditional"]));
    assert!(listed.contains("social-credit") && !listed.contains("natural-person"), "{listed}");
    let items = json(well(run(&["catalog", "list", "--items", "--json"])).as_bytes());
    assert!(items.as_array().unwrap().len() > 20);
    let exported = json(well(run(&["catalog", "export"])).as_bytes());
    assert_eq!(exported["@type"], "dcat:Catalog");
    let whole = json(well(run(&["catalog", "export", "--format", "json"])).as_bytes());
    assert_eq!(whole["datasets"].as_array().unwrap().len(), 4);
    let by_code = json(well(run(&["catalog", "show", "105001/000001", "--json"])).as_bytes());
    assert_eq!(by_code["id"], "e-licence");
    assert!(run(&["catalog", "show", "nothing"]).err.contains("catalog search"));
    let wrong = run(&["catalog", "list", "--sharing", "free"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("unconditional, conditional, not_shared"), "{wrong:?}");
}
