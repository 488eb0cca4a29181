//! Senders that take their time: they lose their place, and nobody else does.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    process::{Home, PATIENCE, client, verify},
    registers::person,
};

const HEADER_MS_MAX: u64 = 400;

async fn home() -> Home {
    Home::with_persons(100, &format!("header_ms_max = {HEADER_MS_MAX}\nrequest_ms_max = 1000")).await
}

/// Read one answer to `GET /healthz`.
async fn asked_health(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: node\r\n\r\n").await.expect("the connection is open");
    let mut said = Vec::new();
    while !said.ends_with(b"ok\n") {
        let mut buffer = [0; 1024];
        let count = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().expect("an answer");
        assert!(count > 0, "the connection was cut");
        said.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(said).unwrap()
}

/// How long a connection lasts on which `part` is sent over and over, byte by byte.
async fn lasts(home: &Home, begin: &[u8], drop_by_drop: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(home.address).await.unwrap();
    let began = Instant::now();
    stream.write_all(begin).await.unwrap();
    let mut bytes = drop_by_drop.iter().cycle();
    let mut buffer = [0; 1024];
    while began.elapsed() < PATIENCE {
        match timeout(Duration::from_millis(20), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return began.elapsed(),
            Ok(Ok(_)) => {} // It is told why.
            Err(_) => {
                if let Some(byte) = bytes.next() {
                    let _ = stream.write_all(&[*byte]).await;
                }
            }
        }
    }
    panic!("the connection is still open after {PATIENCE:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_headers_drop_by_drop_is_cut_while_others_are_served() {
    let home = home().await;
    let _node = home.serve().await;
    let token = home.token().await;
    let begin = b"POST /v1/verifications HTTP/1.1\r\nhost: node\r\n";
    let slow =
        async { tokio::join!(lasts(&home, begin, b"x: y\r\n"), lasts(&home, b"", b""), lasts(&home, b"G", b"")) };
    let others = async {
        let (http, url, began) = (client(), home.url("/v1/verifications"), Instant::now());
        let mut calls = 0;
        while began.elapsed() < Duration::from_millis(2 * HEADER_MS_MAX) {
            let person = person(calls % 99);
            let (status, _) = verify(&http, &url, &token, &person, &person.name).await.unwrap();
            assert_eq!(status, 200);
            calls += 1;
        }
        calls
    };
    let ((trickle, silent, stuck), calls) = tokio::join!(slow, others);
    for lasted in [trickle, silent, stuck] {
        let (least, most) = (Duration::from_millis(HEADER_MS_MAX - 50), Duration::from_secs(10));
        assert!((least..most).contains(&lasted), "{lasted:?}");
    }
    assert!(calls > 10, "{calls}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_second_request_on_a_connection_is_cut_like_a_first_one() {
    let home = home().await;
    let _node = home.serve().await;
    let mut stream = TcpStream::connect(home.address).await.unwrap();
    asked_health(&mut stream).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.expect("cut").unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_may_rest_between_two_calls() {
    let home = home().await;
    let _node = home.serve().await;
    let mut stream = TcpStream::connect(home.address).await.unwrap();
    for _ in 0..3 {
        asked_health(&mut stream).await;
        // Gateways keep connections; one that is cut just when the next call goes out is a call that fails.
        tokio::time::sleep(Duration::from_millis(2 * HEADER_MS_MAX)).await;
    }
    asked_health(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_a_body_drop_by_drop_is_told_and_cut() {
    let home = home().await;
    let _node = home.serve().await;
    let begin = b"POST /v1/verifications HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
    let lasted = lasts(&home, begin, b" ").await;
    assert!((Duration::from_millis(900)..Duration::from_secs(12)).contains(&lasted), "{lasted:?}");
    let mut stream = TcpStream::connect(home.address).await.unwrap();
    stream.write_all(begin).await.unwrap();
    let mut said = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap().unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\"code\":\"request_timeout\""), "{said}");
}
