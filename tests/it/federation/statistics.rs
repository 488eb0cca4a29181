//! Statistics over a province: the statement goes to the cities that keep the records, and only cells come back.

use chrono::Utc;
use shuqiao::{http::open_ledger, ledger::Target};

use super::province::{EACH, Province, until};
use crate::flight::scene::{Client, ask, client, code};

const BY_SEX: &str = "select node, sex, count(*) as n from \"natural-person\" group by node, sex order by node, sex";

/// An auditor of the province, at its node.
async fn auditor(province: &Province) -> Client {
    let token = province.guangdong.account("auditor", "gd-health", "auditor").await;
    client(&province.guangdong, &token).await
}

async fn found() -> Province {
    Province::with("[flight]\naddress = '127.0.0.1:0'\n", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_city_counts_by_its_own_rules_and_writes_it_down() {
    let province = found().await;
    let answer = ask(&mut auditor(&province).await, BY_SEX).await.unwrap();
    let table = answer.table();
    for city in ["guangzhou", "shenzhen"] {
        assert!(table.contains(&format!("| {city:9} | 1   | {EACH} |")), "{table}");
    }
    assert_eq!((answer.rows(), answer.told["shuqiao.missing"].as_str()), (2, ""));
    let nodes: serde_json::Value = serde_json::from_str(&answer.told["shuqiao.nodes"]).unwrap();
    for (node, told) in [(&province.guangzhou, &nodes[0]), (&province.shenzhen, &nodes[1])] {
        let record = node.records().pop().unwrap();
        assert_eq!(record.client.unwrap().as_str(), "guangdong--auditor");
        assert_eq!(record.via.iter().map(|node| node.as_str()).collect::<Vec<_>>(), ["guangdong"]);
        assert_eq!(record.policies, ["statistics-for-auditors"]);
        assert_eq!(told["call_id"], record.call_id.to_string());
        assert!(record.item.is_some() && record.case.is_some());
    }
    // The asking node's own record says who was asked.
    let record = province.guangdong.records().pop().unwrap();
    let asked = record.statistics.unwrap().nodes;
    assert_eq!(asked.iter().map(|asked| asked.end.as_str()).collect::<Vec<_>>(), ["answered", "answered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_that_is_away_or_refuses_is_named_and_never_silently_absent() {
    let Province { guangdong, guangzhou, shenzhen } = found().await;
    let token = guangdong.account("auditor", "gd-health", "auditor").await;
    let mut asking = client(&guangdong, &token).await;
    // The kill switch of one city, thrown against the province.
    let ledger = open_ledger(&guangzhou.settings).await.unwrap();
    let target: Target = "peer:guangdong".parse().unwrap();
    ledger.suspend(&target, "on-site", "an incident", Utc::now()).await.unwrap();
    drop(shenzhen.stop().await);
    until(async || {
        let refused = ask(&mut client(&guangdong, &token).await, BY_SEX).await.unwrap_err();
        let named = refused.message().contains("`guangzhou` (refused), `shenzhen` (unreachable)");
        (named && code(&refused) == "nodes_missing").then_some(()).ok_or(refused.to_string())
    })
    .await;
    asking.set_header("x-shuqiao-partial", "allow");
    let answer = ask(&mut asking, BY_SEX).await.unwrap();
    assert_eq!((answer.rows(), answer.told["shuqiao.missing"].as_str()), (0, "guangzhou,shenzhen"));
    assert!(answer.told["shuqiao.nodes"].contains("caller_suspended"), "{:?}", answer.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_counts_nothing_for_an_auditor_of_a_department_that_is_not_of_the_asking_node() {
    let province = found().await;
    let token = province.guangzhou.account("auditor", "gd-health", "auditor").await;
    let mut asking = client(&province.guangzhou, &token).await;
    asking.set_header("x-shuqiao-partial", "allow");
    let answer = ask(&mut asking, BY_SEX).await.unwrap();
    assert_eq!((answer.rows(), answer.told["shuqiao.missing"].as_str()), (1, "shenzhen"));
    assert!(answer.told["shuqiao.nodes"].contains("peer_department"), "{:?}", answer.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steward_of_the_province_has_no_say_over_a_city_that_decides_otherwise() {
    let province = found().await;
    let steward = province.guangdong.account("steward", "gd-public-security", "steward").await;
    let mut asking = client(&province.guangdong, &steward).await;
    assert_eq!(ask(&mut asking, BY_SEX).await.unwrap().rows(), 2);
    // Records are asked of nobody, whatever the statement is wrapped in.
    let refused = ask(&mut asking, "select node, name from \"natural-person\"").await.unwrap_err();
    assert_eq!(code(&refused), "statement_refused");
    let before = province.guangzhou.records().len();
    let refused = ask(&mut asking, "select sex, count(*) from \"natural-person\" group by sex").await.unwrap_err();
    assert!(refused.message().contains("several nodes"), "{refused}");
    assert_eq!(province.guangzhou.records().len(), before);
}
