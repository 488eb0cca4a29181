//! Calls that another node answers.

use serde_json::{Value, json};
use shuqiao::{audit::receipt, ledger::Target};

use super::province::{EACH, Province, ends, until, window_of};
use crate::support::{
    node::verification,
    registers::{Person, person},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_city_asks_another_and_both_write_it_down_with_receipts_that_verify() {
    let province = Province::found().await;
    let there = person(EACH + 3);
    let body = verification(there.id.as_str(), json!({ "name": there.name }));
    let answer = province.guangzhou.post("/v1/verifications", &body).await;
    assert_eq!((answer.status, answer.said()), (200, "match"), "{:#}", answer.json);
    // Guangzhou's own part, and the province, which knows where the person is.
    assert_eq!(ends(&answer.json), ["guangzhou own", "guangdong answered"]);
    let of_province = &answer.json["nodes"][1]["answer"];
    assert_eq!(ends(of_province), ["shenzhen answered"]);

    // Each receipt verifies with the keys of the node that gave it, over the very answer that stands beside it.
    for (node, entry) in
        [(&province.guangdong, &answer.json["nodes"][1]), (&province.shenzhen, &of_province["nodes"][0])]
    {
        let claims = receipt::verify(entry["receipt"].as_str().unwrap(), &node.jwks()).unwrap();
        assert_eq!(claims.answer_sha256, receipt::answer_digest(&entry["answer"]).unwrap());
        let request = serde_json::to_vec(&body).unwrap();
        receipt::verify_request(&claims, &request).unwrap();
    }
    receipt::verify_answer(&answer.bytes, &province.guangzhou.jwks()).unwrap();

    // Shenzhen's own log names the caller as Guangzhou's, and the way that the call has come.
    let record = province.shenzhen.records().pop().unwrap();
    assert_eq!(record.client.unwrap().as_str(), window_of("guangzhou"));
    let via: Vec<_> = record.via.iter().map(|node| node.as_str()).collect();
    assert_eq!(via, ["guangzhou", "guangdong"]);
    let record = province.guangzhou.records().pop().unwrap();
    let asked: Vec<_> =
        record.asked.iter().map(|asked| (asked.node.as_str(), asked.receipt_sha256.is_some())).collect();
    assert_eq!(asked, [("guangdong", true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_that_is_named_is_asked_alone() {
    let province = Province::found().await;
    let there = person(EACH + 3);
    let mut body = verification(there.id.as_str(), json!({ "name": "不是他" }));
    body["authority"] = json!("440305");
    let answer = province.guangzhou.post("/v1/verifications", &body).await;
    assert_eq!((answer.said(), ends(&answer.json)), ("mismatch", vec!["shenzhen answered".to_owned()]));
    body["authority"] = json!("440106");
    let answer = province.guangzhou.post("/v1/verifications", &body).await;
    assert_eq!((answer.said(), ends(&answer.json)), ("not_found", Vec::new()));
    body["authority"] = json!("999999");
    let answer = province.guangzhou.post("/v1/verifications", &body).await;
    assert_eq!((answer.status, answer.json["field"].as_str()), (422, Some("/authority")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_that_is_away_is_never_taken_for_one_without_the_record() {
    let Province { guangdong, guangzhou, shenzhen } = Province::found().await;
    let (there, nowhere) = (person(EACH + 3), person(999));
    let ask = async |id: &str| guangzhou.post("/v1/verifications", &verification(id, json!({ "name": "谁" }))).await;
    drop(shenzhen.stop().await);

    // What Shenzhen keeps cannot be said; the province's index still tells, for a while, what it does not keep.
    let answer = ask(there.id.as_str()).await;
    assert_eq!((answer.said(), answer.json["reason"].as_str()), ("indeterminate", Some("source_unavailable")));
    assert_eq!(answer.json["disposition"], "accept_provisionally");
    assert_eq!(ends(&answer.json["nodes"][1]["answer"]), ["shenzhen unreachable"]);
    assert_eq!(ask(nowhere.id.as_str()).await.said(), "not_found");
    assert_eq!(ask(person(3).id.as_str()).await.said(), "mismatch");

    // Without the province everybody is asked, and Shenzhen does not answer.
    drop(guangdong.stop().await);
    let answer = ask(nowhere.id.as_str()).await;
    assert_eq!(
        (answer.said(), ends(&answer.json)),
        ("indeterminate", ["guangzhou own", "shenzhen unreachable"].map(str::to_owned).to_vec())
    );
    assert_eq!(ask(person(3).id.as_str()).await.said(), "mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shows_every_node_and_says_which_is_away() {
    let Province { guangdong, guangzhou, shenzhen } = Province::found().await;
    let status = async || {
        let file = guangzhou.dir.path().join("shuqiao.toml");
        let arguments = ["--config", file.to_str().unwrap(), "node", "status", "--json", "--timeout", "1000"];
        let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_shuqiao")).args(arguments).output().await.unwrap();
        let told: serde_json::Value =
            serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
        (done.status.success(), told)
    };
    let (well, told) = status().await;
    let nodes: Vec<_> = told["nodes"].as_array().unwrap().iter().map(|node| node["node"].as_str().unwrap()).collect();
    assert_eq!((well, nodes), (true, vec!["guangdong", "guangzhou", "shenzhen"]));
    let of_shenzhen = &told["nodes"][2];
    assert_eq!(
        (&of_shenzhen["said"]["datasets"][0]["rows"], &of_shenzhen["circuit"]),
        (&json!(EACH), &json!("closed"))
    );
    drop(shenzhen.stop().await);
    let (well, told) = status().await;
    assert_eq!((well, &told["nodes"][2]["answered_us"]), (false, &serde_json::Value::Null));
    drop(guangdong);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_decides_for_itself_whatever_the_asking_one_allows() {
    let province = Province::found().await;
    let there = person(EACH + 3);
    let body = verification(there.id.as_str(), json!({ "name": there.name }));
    // The kill switch of the answering node, thrown against the asking one.
    let ledger = shuqiao::http::open_ledger(&province.shenzhen.settings).await.unwrap();
    let target: Target = "peer:guangzhou".parse().unwrap();
    ledger.suspend(&target, "on-site", "an incident", chrono::Utc::now()).await.unwrap();
    until(async || {
        let answer = province.guangzhou.post("/v1/verifications", &body).await;
        let of_province = &answer.json["nodes"][1]["answer"];
        (answer.said() == "indeterminate" && of_province["nodes"][0]["code"] == "caller_suspended")
            .then_some(())
            .ok_or(format!("{:#}", answer.json))
    })
    .await;
    let answer = province.guangzhou.post("/v1/verifications", &body).await;
    assert_eq!(answer.json["reason"], "holder_refused");
    assert_eq!(ends(&answer.json["nodes"][1]["answer"]), ["shenzhen refused"]);
    let record = province.shenzhen.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some("caller_suspended"));
}

/// Shenzhen's answer does not show to which division the record belongs.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_of_its_own_divisions_records_only_is_not_told_what_another_node_has_found() {
    const OWN_RECORDS: &str = "
@id(\"own-division\") @why(\"a city sees its own records\")
@qualifies(\"true\") @obligation_rows_by_division(\"true\")
permit (principal, action, resource) when { resource.by_division };
";
    let province = Province::with("", OWN_RECORDS).await;
    let (here, there) = (person(3), person(EACH + 3));
    let ask = async |person: &Person| {
        let body = verification(person.id.as_str(), json!({ "name": person.name }));
        province.guangzhou.post("/v1/verifications", &body).await
    };
    assert_eq!(ask(&here).await.said(), "match");
    let answer = ask(&there).await;
    assert_eq!((answer.said(), answer.json["reason"].as_str()), ("indeterminate", Some("outside_division")));
    let of_province = &answer.json["nodes"][1];
    assert_eq!((&of_province["answer"], &of_province["receipt"]), (&Value::Null, &Value::Null), "{:#}", answer.json);
    let record = province.shenzhen.records().pop().unwrap();
    assert_eq!(record.outcome.as_deref(), Some("match"));
}
