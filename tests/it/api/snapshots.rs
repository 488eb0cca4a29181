//! Whole bodies, member by member, and the help: what integrators and operators see changes only on purpose.

use std::process::Command;

use serde_json::json;

use crate::support::{
    node::{Answered, TestNode},
    registers::person,
    snapshots,
};

/// The body with what differs from run to run made equal.
fn check(name: &str, answer: &Answered) {
    let mut settings = snapshots::settings();
    settings.set_sort_maps(true);
    settings.add_redaction(".call_id", "[uuid]");
    settings.add_redaction(".answered_at", "[time]");
    settings.add_redaction(".receipt", "[receipt]");
    settings.bind(|| insta::assert_json_snapshot!(name, answer.json));
}

#[tokio::test]
async fn bodies_have_these_members() {
    let node = TestNode::with_persons(20).await;
    let ask = async |n, claims| node.verify(person(n).id.as_str(), claims).await;
    check("match", &ask(3, json!({ "name": "测试3", "sex": { "one_of": ["1", "2"] } })).await);
    check("not_found", &ask(5000, json!({ "name": "测试3" })).await);
    check("indeterminate", &ask(9, json!({ "name": "测试9" })).await);
    check("invalid_value", &ask(3, json!({ "birth_date": "1950-02-30" })).await);
    check("denied", &ask(3, json!({ "address": "广东省广州市" })).await);
}

#[test]
fn the_help_names_every_command() {
    let help = Command::new(env!("CARGO_BIN_EXE_shuqiao")).arg("--help").env_remove("COLUMNS").output().unwrap();
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    snapshots::settings().bind(|| insta::assert_snapshot!("help", text));
}
