//! `GET /healthz`, `/readyz`, `/metrics`.

use std::fs;

use chrono::Utc;
use reqwest::Method;
use serde_json::json;
use shuqiao::{
    http::{Node, NodeError},
    problem::Code,
    telemetry,
};

use crate::support::{node::TestNode, registers::person};

#[tokio::test]
async fn a_node_that_serves_is_alive_and_ready() {
    let node = TestNode::start(0, "").await;
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = node.send(node.request(Method::GET, path)).await;
        assert_eq!((answer.status, answer.bytes.as_slice()), (200, text.as_bytes()), "{path}");
    }
}

#[tokio::test]
async fn metrics_count_calls_and_name_nobody() {
    let node = TestNode::with_persons(20).await;
    let (one, other) = (person(3), person(4));
    node.verify(one.id.as_str(), json!({ "name": one.name })).await;
    node.verify(other.id.as_str(), json!({ "name": one.name })).await;
    node.verify(other.id.as_str(), json!({ "测试": one.name })).await;
    let answer = node.send(node.request(Method::GET, "/metrics")).await;
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.bytes).unwrap();
    for (outcome, code) in [("match", "none"), ("mismatch", "none"), ("refused", "unknown_field")] {
        let counted = text.lines().filter(|line| line.starts_with("shuqiao_calls_total{")).any(|line| {
            [("operation", "verify"), ("outcome", outcome), ("code", code)]
                .iter()
                .all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
        });
        assert!(counted, "{outcome} {code} in\n{text}");
    }
    assert!(text.contains("shuqiao_ready 1") && text.contains("shuqiao_call_seconds_bucket"), "{text}");
    for secret in [one.id.as_str(), other.id.as_str(), "测试"] {
        assert!(!text.contains(secret), "`{secret}` in\n{text}");
    }
}

#[tokio::test]
async fn a_node_whose_policies_do_not_hold_together_does_not_open() {
    let node = TestNode::start(0, "").await;
    let folder = node.dir.path().join("policies");
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(&node.settings.paths.policies).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    let mut settings = node.settings.clone();
    settings.paths.policies = folder.clone();
    for (text, wrong) in [
        ("@id(\"misspelt\") @why(\"x\") permit (principal, action, resource) when { context.agreemnt };", "policy"),
        // Well formed, and it lets everybody in: the probes find it.
        ("@id(\"open-house\") @why(\"x\") permit (principal, action, resource);", "probe"),
    ] {
        fs::write(folder.join("more.cedar"), text).unwrap();
        if wrong == "probe" {
            fs::remove_file(folder.join("forbids.cedar")).unwrap();
        }
        let opened = Node::open(settings.clone(), telemetry::install_metrics().unwrap(), Utc::now).await;
        match (opened.err().unwrap(), wrong) {
            (NodeError::Policy(error), "policy") => assert_eq!(error.code(), Code::PolicyInvalid, "{error}"),
            (NodeError::Probe(_), "probe") => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}
