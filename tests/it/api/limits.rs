//! What the node does not do without bounds: rates, quotas, sizes, times, calls at once; and paths that it does not have.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use shuqiao::problem::Code;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{
    node::{Answered, ITEM, Setup, TestNode, verification},
    refusal::{self, PATIENCE, read_answer},
    registers::person,
};

const PATH: &str = "/v1/verifications";

async fn call(node: &TestNode) -> Answered {
    node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await
}

fn retry_after(answer: &Answered) -> u64 {
    answer.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

/// The head of a call whose body of `length` bytes is still to come.
fn head(length: usize) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_client_that_calls_too_fast_is_told_when_to_come_back() {
    let node = TestNode::start(20, "[limits]\ncalls_per_second = 1\n").await;
    assert_eq!(call(&node).await.said(), "match");
    let began = Instant::now();
    let refused = loop {
        let answer = call(&node).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "one call a second is all that is allowed");
    };
    refusal::check_call(&refused, Code::RateLimited, None);
    assert!((1..=2).contains(&retry_after(&refused)), "{:?}", refused.headers);
    assert_eq!(node.records().last().unwrap().code.as_deref(), Some("rate_limited"));
}

#[tokio::test]
async fn a_quota_of_the_day_holds_across_a_restart() {
    let agreements = format!(
        "agreements:\n  - id: agr-small\n    consumer: gz-administrative-approval\n    dataset: natural-person\n    \
         items: [{ITEM}]\n    compare: [resident_id, name]\n    valid_from: 2025-01-01\n    valid_until: 2099-12-31\n    \
         calls_per_second: 1000\n    calls_per_day: 3\n"
    );
    let node = TestNode::of(Setup { persons: 20, agreements: Some(&agreements), ..Setup::default() }).await;
    let mut said = vec![call(&node).await.said().to_owned(), call(&node).await.said().to_owned()];
    let node = node.restart().await;
    said.extend([call(&node).await.said().to_owned(), call(&node).await.said().to_owned()]);
    assert_eq!(said, ["match", "match", "match", "quota_exceeded"]);
    let node = node.restart().await;
    let refused = call(&node).await;
    refusal::check_call(&refused, Code::QuotaExceeded, None);
    assert!((1..=86_400).contains(&retry_after(&refused)));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_whether_or_not_it_says_so_beforehand() {
    let node = TestNode::start(0, "[http]\nbody_bytes_max = 1024\n").await;
    for length in [1025, 10_000, 300_000] {
        let text = format!("{{\"dataset\": \"{}\"}}", "x".repeat(length - 15));
        let request = node.request(Method::POST, PATH).header("content-type", "application/json");
        let answer = node.send(request.body(text.clone())).await;
        refusal::check(&answer, Code::BodyTooLarge, None);

        let head = head(0).replace("content-length: 0", "transfer-encoding: chunked");
        let mut stream = node.connect(&format!("{head}{length:x}\r\n{text}\r\n0\r\n\r\n")).await;
        refusal::check(&read_answer(&mut stream).await, Code::BodyTooLarge, None);
    }
    let text = format!("{{\"dataset\": \"{}\"}}", "x".repeat(1024 - 15));
    let request = node.request(Method::POST, PATH).header("content-type", "application/json");
    assert_eq!(node.send(request.body(text)).await.said(), "token_missing");
}

#[tokio::test]
async fn a_body_that_never_ends_gives_its_place_up() {
    let settings = "[http]\nrequest_ms_max = 100\nheader_ms_max = 100\n[lookup]\ndeadline_ms = 10\n";
    let node = TestNode::start(0, settings).await;
    let mut stream = node.connect(&format!("{}{{", head(100))).await;
    refusal::check(&read_answer(&mut stream).await, Code::RequestTimeout, None);
}

#[tokio::test]
async fn a_node_with_too_many_calls_under_way_refuses_the_next_at_once_and_recovers() {
    let node = TestNode::start(20, "[http]\ncalls_in_flight_max = 1\n").await;
    let stuck = node.connect(&format!("{}{{", head(100))).await;
    let refused = until(&node, 503).await;
    refusal::check(&refused, Code::Overloaded, None);
    assert_eq!(retry_after(&refused), 1);
    // Whoever watches the node must not take a busy one for a dead one.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(node.send(node.request(Method::GET, path)).await.status, 200, "{path}");
    }
    drop(stuck);
    assert_eq!(until(&node, 200).await.said(), "match");
}

/// Call until the status is this one.
async fn until(node: &TestNode, status: u16) -> Answered {
    let began = Instant::now();
    loop {
        let answer = call(node).await;
        if answer.status == status {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "still {}: {}", answer.status, answer.json);
        tokio::time::sleep(Duration::from_millis(30)).await; // Slower than the agreement's rate.
    }
}

#[tokio::test]
async fn a_path_or_method_that_is_not_there_is_a_problem_too() {
    let node = TestNode::start(0, "").await;
    for path in ["/v1/verification", "/v1/verifications/", "/v2/verifications", "/metrics/x", "/.env", "/%2e%2e/etc"] {
        let answer = node.send(node.request(Method::GET, path)).await;
        refusal::check(&answer, Code::NoSuchPath, None);
    }
    for (method, path, allowed) in [
        (Method::GET, PATH, "POST"),
        (Method::DELETE, "/v1/disclosures", "POST"),
        (Method::GET, "/oauth/token", "POST"),
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::PUT, "/openapi.json", "GET,HEAD"),
        (Method::POST, "/docs/openapi.json", "GET,HEAD"),
    ] {
        let answer = node.send(node.request(method, path)).await;
        refusal::check(&answer, Code::MethodNotAllowed, None);
        assert_eq!(answer.headers["allow"], allowed, "{path}");
    }
}

#[tokio::test]
async fn a_node_that_stops_is_no_longer_ready_but_finishes_what_it_has_begun() {
    let mut node = TestNode::start(20, "").await;
    let token = node.token().await;
    let body = verification(person(3).id.as_str(), json!({ "name": "测试3" })).to_string();
    let asked = head(body.len()).replace("host:", &format!("authorization: Bearer {token}\r\nhost:"));
    let mut call = node.connect(&format!("{asked}{}", &body[..20])).await;
    let mut ready = node.connect("GET /readyz HTTP/1.1\r\nhost: node\r\nconnection: close\r\n").await;
    // Both have been accepted once this later connection is answered.
    assert_eq!(node.send(node.request(Method::GET, "/readyz")).await.status, 200);
    node.begin_stop();
    let began = Instant::now();
    while TcpStream::connect(node.settings.http.listen).await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "the node still takes connections");
        tokio::task::yield_now().await;
    }
    ready.write_all(b"\r\n").await.unwrap();
    let answer = read_answer(&mut ready).await;
    refusal::check(&answer, Code::NotReady, None);
    assert_eq!(retry_after(&answer), 5);
    call.write_all(&body.as_bytes()[20..]).await.unwrap();
    assert_eq!(read_answer(&mut call).await.said(), "match");
    node.stop().await;
}
