//! A load generator: keep-alive connections over loopback, each with its next request as soon as the last is answered.
//!
//! As small as it can be, because it shares two cores with what it measures: requests are bytes made beforehand, answers
//! are read up to their `content-length`, and nothing of them is parsed but the status.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a turn of load came to.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The bytes of a POST.
pub(crate) fn post(path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let bearer = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{bearer}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Load an address for a while; every answer must be a 200.
pub(crate) async fn run(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>, connections: usize, turn_ms: u64) -> Load {
    let started = Instant::now();
    let end = started + Duration::from_millis(turn_ms);
    let callers: Vec<_> = (0..connections)
        .map(|caller| tokio::spawn(connection(address, Arc::clone(&requests), caller * 7919, end)))
        .collect();
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.unwrap());
    }
    let per_second = times.len() as f64 / started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |time| f64::from(*time));
    Load { per_second, p50: at(0.5), p99: at(0.99) }
}

async fn connection(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>, first: usize, end: Instant) -> Vec<u32> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let mut number = first;
    while Instant::now() < end {
        let sent = Instant::now();
        stream.write_all(&requests[number % requests.len()]).await.unwrap();
        answer(&mut stream, &mut buffer).await;
        times.push(sent.elapsed().as_micros() as u32);
        number += 1;
    }
    times
}

async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the connection was closed");
        filled += read;
        let Some(head) = find(&buffer[..filled], b"\r\n\r\n") else { continue };
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..filled]));
        if filled >= head + 4 + content_length(&buffer[..head]) {
            return;
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> usize {
    let at = find(head, b"content-length: ").unwrap() + b"content-length: ".len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}
