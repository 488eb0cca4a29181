//! SIGTERM: what was begun is finished, nothing new is begun, and the log is sealed.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use shuqiao::audit::verify_log;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    node::verification,
    process::{Home, PATIENCE},
    registers::person,
};

/// The bytes of a verification, cut in two in the middle of its body.
fn request(home: &Home, token: &str, n: u64) -> (Vec<u8>, Vec<u8>) {
    let person = person(n);
    let body = verification(person.id.as_str(), serde_json::json!({ "name": person.name })).to_string();
    let head = format!(
        "POST /v1/verifications HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        home.address,
        body.len()
    );
    let (first, second) = body.as_bytes().split_at(body.len() / 2);
    ([head.as_bytes(), first].concat(), second.to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_were_begun_are_answered_and_the_last_checkpoint_covers_them() {
    let more = "header_ms_max = 15000\nrequest_ms_max = 20000\nshutdown_grace_ms = 25000\n[audit]\ncheckpoint_s = 3600";
    let home = Home::with_persons(100, more).await;
    let token = home.token().await;
    let node = home.serve().await;
    let mut begun = Vec::new();
    for n in 0..8 {
        let (first, second) = request(&home, &token, n);
        let mut stream = TcpStream::connect(home.address).await.unwrap();
        stream.write_all(&first).await.unwrap();
        begun.push((stream, second));
    }
    // Two that wait for nothing: one that never said a word, one between two calls.
    let mut silent = TcpStream::connect(home.address).await.unwrap();
    let mut idle = TcpStream::connect(home.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: node\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4096];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    // And one who has begun to ask whether the node is ready.
    let mut watching = TcpStream::connect(home.address).await.unwrap();
    watching.write_all(b"GET /readyz HTTP/1.1\r\n").await.unwrap();

    node.terminate();
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(home.address).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
            _ => assert!(Instant::now() < until, "new connections are still taken"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let asked_to_stop = Instant::now();
    for (stream, second) in &mut begun {
        stream.write_all(second).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"outcome\":\"match\""), "{answer}");
    }
    watching.write_all(b"host: node\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    watching.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"code\":\"not_ready\""), "{answer}");
    for waiting in [&mut silent, &mut idle] {
        let mut rest = Vec::new();
        let _ = waiting.read_to_end(&mut rest).await; // Closed or reset, but not left hanging.
        assert!(rest.is_empty());
    }
    let status = node.end().await;
    assert_eq!(status.code(), Some(0), "{}", home.log_text());
    let took = asked_to_stop.elapsed();
    assert!(took < Duration::from_secs(10), "connections on which nothing was asked held the stop up for {took:?}");

    let report = verify_log(&home.path("data/audit"), Some(&home.keys())).unwrap();
    assert_eq!(report.head.size, 8);
    assert_eq!(report.last_checkpoint.map(|last| last.head), Some(report.head));
    assert_eq!(report.torn, None);
    let said = home.run(&["audit", "verify"]);
    assert!(said.code == Some(0) && said.out.ends_with("intact\n"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_does_not_end_is_cut_when_the_grace_is_over() {
    let more = "header_ms_max = 500\nrequest_ms_max = 1000\nshutdown_grace_ms = 1000";
    let home = Home::with_persons(100, more).await;
    let token = home.token().await;
    let node = home.serve().await;
    let (first, _) = request(&home, &token, 1);
    let mut stream = TcpStream::connect(home.address).await.unwrap();
    stream.write_all(&first).await.unwrap();
    node.terminate();
    assert_eq!(node.end().await.code(), Some(0), "{}", home.log_text());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    assert_eq!(home.run(&["audit", "verify"]).code, Some(0));
}
