//! What every refusal is, whatever it is about.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;
use shuqiao::{http::status_of, problem::Code};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::node::Answered;

/// Longest that a test waits for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The answer is a problem of this code as RFC 9457 has it, pointing at `field`, fit for one line, with a remedy.
pub(crate) fn check(answer: &Answered, code: Code, field: Option<&str>) {
    let Answered { status, content_type, headers, json, .. } = answer;
    assert_eq!((*status, json["code"].as_str()), (status_of(code), Some(code.as_str())), "{json}");
    assert_eq!(content_type, "application/problem+json", "{json}");
    assert_eq!(headers["cache-control"], "no-store", "{json}");
    assert_eq!(json["type"], format!("urn:shuqiao:problem:{code}"), "{json}");
    assert_eq!(json["status"], *status, "{json}");
    assert_eq!(json["field"].as_str(), field, "{json}");
    assert!(json["title"].as_str().is_some_and(|title| !title.is_empty()), "{json}");
    let detail = json["detail"].as_str().unwrap_or_default();
    assert!(!detail.is_empty() && detail.lines().count() == 1 && !detail.ends_with('.'), "{json}");
    assert!(json["remedy"].as_str().is_some_and(|remedy| remedy.ends_with('.')), "{json}");
}

/// The same, of a call that the log knows.
pub(crate) fn check_call(answer: &Answered, code: Code, field: Option<&str>) -> String {
    check(answer, code, field);
    let id: uuid::Uuid = answer.json["call_id"].as_str().unwrap_or_default().parse().unwrap();
    id.to_string()
}

/// The answer on a bare connection that the node closes behind it.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answered {
    let mut all = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the node closes").unwrap();
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let bytes = all[end + 4..].to_vec();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answered { status, content_type, headers, bytes, json }
}
