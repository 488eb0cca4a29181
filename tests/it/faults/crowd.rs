//! More connections than the process may have files open: those who call are answered, and the log goes on.

use std::time::{Duration, Instant};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::support::{
    process::{Home, PATIENCE, client, verify},
    registers::person,
};

/// Files that the process may have open, and connections that are made to it.
const FILES: u32 = 128;
const CROWD: usize = 400;

/// Connections, as far as the system makes them: the even ones ask once and rest, the others are silent.
async fn crowd(home: &Home) -> Vec<TcpStream> {
    let mut made = Vec::new();
    for n in 0..CROWD {
        let Ok(Ok(mut stream)) = timeout(Duration::from_secs(2), TcpStream::connect(home.address)).await else {
            continue;
        };
        if n % 2 == 0 {
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: node\r\n\r\n").await;
        }
        made.push(stream);
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_idle_connections_takes_nobody_s_place() {
    let more = "header_ms_max = 1000\n[audit]\nsegment_bytes = '128 KiB'\ncheckpoint_s = 1";
    let home = Home::with_persons(100, more).await;
    let token = home.token().await;
    let node = home.serve_under("-n", FILES).await;
    let url = home.url("/v1/verifications");
    let crowd = crowd(&home).await;
    assert!(crowd.len() > 2 * FILES as usize, "{} connections are no crowd", crowd.len());
    // Callers who come while the crowd is there, each by a connection of its own; segments are begun meanwhile.
    for n in 0..300 {
        let (http, person, began) = (client(), person(n % 99), Instant::now());
        let answer = verify(&http, &url, &token, &person, &person.name).await;
        assert!(answer.as_ref().is_some_and(|(status, _)| *status == 200), "call {n}: {answer:?} {}", home.log_text());
        assert!(began.elapsed() < PATIENCE);
    }
    drop(crowd);
    let ready = client().get(home.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    assert!(!home.log_text().contains("ERROR"), "{}", home.log_text());
    node.terminate();
    assert_eq!(node.end().await.code(), Some(0));
    assert_eq!(home.run(&["audit", "verify"]).code, Some(0));
}
