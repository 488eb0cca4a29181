//! `GET /openapi.json` and the page at `/docs/`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use shuqiao::http::openapi;

use crate::support::{node::TestNode, snapshots};

/// Method, path and documented statuses of every operation.
fn operations(document: &Value) -> Vec<(Method, String, BTreeSet<u16>)> {
    let paths = document["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap());
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            operations.push((method, path.clone(), statuses.collect()));
        }
    }
    operations
}

#[test]
fn the_document_names_these_paths_and_statuses() {
    let document = serde_json::to_value(openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    let lines: Vec<_> = operations(&document)
        .iter()
        .map(|(method, path, statuses)| {
            let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
            format!("{:4} {path:24} {}", method.as_str(), statuses.join(" "))
        })
        .collect();
    snapshots::settings().bind(|| insta::assert_snapshot!("openapi_paths", lines.join("\n")));
}

#[tokio::test]
async fn every_documented_path_answers_as_documented() {
    let node = TestNode::start(0, "").await;
    let served = node.send(node.request(Method::GET, "/openapi.json")).await;
    assert_eq!((served.status, served.content_type.as_str()), (200, "application/json"));
    assert_eq!(served.json, serde_json::to_value(openapi()).unwrap());
    for (method, path, statuses) in operations(&served.json) {
        let answer = node.send(node.request(method.clone(), &path)).await;
        assert!(
            statuses.contains(&answer.status),
            "{method} {path} answers {}, documented are {statuses:?}",
            answer.status
        );
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    let document = serde_json::to_value(openapi()).unwrap();
    let text = document.to_string();
    let references: BTreeSet<_> =
        text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!references.is_empty());
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    assert!(document.pointer("/components/securitySchemes/bearer").is_some());
}

#[tokio::test]
async fn the_page_for_people_needs_nothing_from_elsewhere() {
    let node = TestNode::start(0, "").await;
    let start = node.send(node.request(Method::GET, "/")).await;
    assert_eq!(start.status, 200, "the root leads to the page");
    let page = node.send(node.request(Method::GET, "/docs/")).await;
    assert!(page.content_type.starts_with("text/html"), "{}", page.content_type);
    let html = String::from_utf8(page.bytes).unwrap();
    let mut parts = 0;
    for attribute in ["src=\"", "href=\""] {
        for part in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(!part.contains("//"), "`{part}` comes from elsewhere");
            let path = format!("/docs/{}", part.trim_start_matches("./"));
            assert_eq!(node.send(node.request(Method::GET, &path)).await.status, 200, "{path}");
            parts += 1;
        }
    }
    assert!(parts >= 3, "scripts and styles in {html}");
    let script = node.send(node.request(Method::GET, "/docs/swagger-initializer.js")).await;
    assert!(String::from_utf8(script.bytes).unwrap().contains("/docs/openapi.json"));
}
