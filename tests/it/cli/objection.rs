//! `shuqiao objection record`: what the steward sees on the node itself.

use crate::support::{
    process::{Home, client, json, verify},
    registers::{Person, csv, person},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_steward_sees_the_record_then_and_now_and_the_look_is_written_down() {
    let home = Home::with_persons(20, "").await;
    let steward =
        ["client", "register", "ps-steward", "--department", "gd-public-security", "--role", "steward", "--generate"];
    assert_eq!(home.run(&steward).code, Some(0));
    let node = home.serve().await;
    let (http, token, who) = (client(), home.token().await, person(3));
    let (_, answer) = verify(&http, &home.url("/v1/verifications"), &token, &who, &who.name).await.unwrap();
    let body = serde_json::json!({
        "receipt": json(&answer)["receipt"], "subject": who.id.as_str(), "fields": ["name"], "statement": "姓名有误",
    });
    let filed = http.post(home.url("/v1/objections")).bearer_auth(&token).json(&body).send().await.unwrap();
    assert_eq!(filed.status(), 201);
    let filed = json(&filed.bytes().await.unwrap());
    let id = filed["id"].as_str().unwrap();
    let mended = |n| Person { name: if n == 3 { "测试叁".to_owned() } else { person(n).name }, ..person(n) };
    home.publish(&csv((0..20).map(mended))).await;

    let look = |subject: &str, more: &[&str]| {
        let asked = ["objection", "record", id, "--subject", subject, "--as", "ps-steward", "--reason", "核对"];
        home.run(&[&asked[..], more].concat())
    };
    let refused = look(person(4).id.as_str(), &[]);
    assert!(refused.code == Some(2) && refused.err.contains("`resident_id` that was asked"), "{refused:?}");
    let seen = look(who.id.as_str(), &[]);
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let row = seen.out.lines().find(|line| line.starts_with("name")).unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["name", "测试3", "测试叁"]);
    let told = json(look(who.id.as_str(), &["--json"]).out.as_bytes());
    assert_eq!(told["then"]["records"][0]["name"], "测试3", "{told}");
    let acts = home.run(&["acts"]);
    assert_eq!(acts.out.matches("look at the record of an objection").count(), 2, "{acts:?}");
    assert!(acts.out.contains("核对") && !acts.out.contains(who.id.as_str()), "{acts:?}");
    drop(node);
}
