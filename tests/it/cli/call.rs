//! `shuqiao call` and `shuqiao sql`.

use crate::support::{
    node::{ITEM, WINDOW},
    process::{Home, json},
    registers::person,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_the_command_line_goes_the_whole_road() {
    let home = Home::with_persons(50, "").await;
    let _node = home.serve().await;
    let subject = format!("resident_id={}", person(10).id);
    let call = |item: &str, more: &[&str]| {
        let fixed = ["call", "--client", WINDOW, "--dataset", "natural-person", "--item", item, "--subject", &subject];
        home.run(&[&fixed, more].concat())
    };
    let case = ["--case", "CLI-1"];
    let with_case = |more: &[&str]| call(ITEM, &[&case, more].concat());

    let right = with_case(&["--claim", "name=测试10", "--claim", "birth_date:before=2000-01-01"]);
    assert_eq!(right.code, Some(0), "{right:?}");
    assert!(right.out.starts_with("outcome: match\n") && right.out.contains("version: 0 as of 2026-"), "{right:?}");
    let approved = ["--consent", "C-1", "--operator", "li.na", "--approver", "wu.gang", "--claim", "name=测试10"];
    assert!(with_case(&approved).out.starts_with("outcome: match\n"));
    let range = with_case(&["--claim", "birth_date:at_least=1950-01-11", "--claim", "birth_date:at_most=1950-01-11"]);
    assert!(range.out.starts_with("outcome: match\n"), "{range:?}");
    let one_of = with_case(&["--claim", "sex:one_of=1,2"]);
    assert!(one_of.out.starts_with("outcome: match\n"), "{one_of:?}");
    let wrong = with_case(&["--claim", "name=测试11"]);
    assert!(wrong.code == Some(0) && wrong.out.starts_with("outcome: mismatch\n"), "{wrong:?}");
    let whole = with_case(&["--claim", "name=测试10", "--json"]);
    let answer = json(whole.out.as_bytes());
    assert_eq!(answer["outcome"], "match");
    assert_eq!(answer["receipt"].as_str().unwrap().split('~').count(), 3);

    let disclosed = with_case(&["--field", "name", "--field", "division"]);
    assert!(disclosed.out.starts_with("outcome: found\n"), "{disclosed:?}");
    assert!(disclosed.out.contains("440106") && !disclosed.out.contains("测试10"), "names are masked: {disclosed:?}");

    // Refusals: exit 1 and the problem, whole.
    for (said, code) in [
        (call("11440100MB9YYY997R3440101002000", &["--case", "CLI-2", "--claim", "name=测试10"]), "denied"),
        (with_case(&["--claim", "nam=测试10"]), "unknown_field"),
        (with_case(&["--claim", "birth_date=gestern"]), "invalid_value"),
        (with_case(&["--approver", "wu.gang", "--claim", "name=测试10"]), "invalid_value"),
    ] {
        assert_eq!(said.code, Some(1), "{said:?}");
        assert_eq!(json(said.out.as_bytes())["code"], code, "{said:?}");
    }
    for (more, hint) in [
        (&["--claim", "name"][..], "KEY=VALUE"),
        (&["--claim", "name=a", "--claim", "name:before=b"], "claimed twice"),
        (&["--claim", "name=a", "--field", "name"], "cannot be used with"),
    ] {
        let said = with_case(more);
        assert!(said.code == Some(2) && said.err.contains(hint), "{more:?} {said:?}");
    }
    let stranger =
        home.run(&["call", "--client", "nobody", "--dataset", "natural-person", "--item", ITEM, "--subject", &subject]);
    assert!(stranger.code == Some(2) && stranger.err.contains("private key of `nobody`"), "{stranger:?}");
}

#[test]
fn a_call_to_a_node_that_is_down_names_the_address() {
    let home = Home::empty("");
    let subject = format!("resident_id={}", person(10).id);
    let said = home.run(&[
        "call",
        "--client",
        WINDOW,
        "--dataset",
        "natural-person",
        "--item",
        ITEM,
        "--subject",
        &subject,
        "--claim",
        "name=a",
    ]);
    assert!(said.code == Some(2) && said.err.contains(&home.address.to_string()), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_reads_the_registers_and_nothing_else() {
    let home = Home::with_persons(50, "").await;
    let counted = home.run(&["sql", "select count(*) as persons from \"natural-person\" where status = '9'"]);
    assert_eq!(counted.code, Some(0), "{counted:?}");
    assert!(counted.out.contains("| persons |") && counted.out.contains("| 5       |"), "{counted:?}");
    for (statement, hint) in [
        ("select nothing from \"natural-person\"", "nothing"),
        ("select * from persons", "persons"),
        ("drop table \"natural-person\"", "DDL"),
        ("selec 1", "selec"),
    ] {
        let said = home.run(&["sql", statement]);
        assert!(said.code == Some(2) && said.out.is_empty() && said.err.contains(hint), "{statement}: {said:?}");
    }
}
