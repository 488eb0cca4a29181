//! The calling side of HTTP/1.1, as small as it can be, because it shares the cores with what it measures: requests are
//! put together from bytes made beforehand, answers are read up to their `content-length`, and nothing of them is parsed
//! but status, length, `retry-after` and how other nodes ended.

use std::{io, net::SocketAddr};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{home::ITEM, world::World};

/// Bodies that differ: more than any cache of a few answers would hold, fewer than would crowd the processor's.
const BODIES: u64 = 50_000;

/// The same calls for every server under test: headers with the token, and bodies about people all over the register.
#[derive(Debug)]
pub(crate) struct Requests {
    head: String,
    bodies: Vec<String>,
}

impl Requests {
    pub(crate) fn about(world: &World, token: &str) -> Self {
        Self::to(world, token, None)
    }

    /// The same to the node of an authority, or to whoever may know.
    pub(crate) fn to(world: &World, token: &str, authority: Option<&str>) -> Self {
        let body = |person: &shuqiao::sample::Person| {
            let mut body = json!({ "dataset": "natural-person", "item": ITEM, "case": "BENCH-1",
                    "subject": { "resident_id": person.resident_id }, "claims": { "name": person.name } });
            if let Some(authority) = authority {
                body["authority"] = authority.into();
            }
            body.to_string()
        };
        let head = format!(
            "POST /v1/verifications HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             authorization: Bearer {token}\r\ncontent-length: "
        );
        Self { head, bodies: world.people(BODIES.min(world.persons)).iter().map(body).collect() }
    }
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) has_retry_after: bool,
    /// A node that was asked for it did not answer: such an answer is quick, and is not to be taken for a good one.
    pub(crate) lacks_a_node: bool,
}

/// One keep-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, outgoing: Vec::with_capacity(2_048), incoming: vec![0; 4_096], filled: 0 })
    }

    /// Send call number `number` and read its answer.
    pub(crate) async fn call(&mut self, requests: &Requests, number: usize) -> io::Result<Answer> {
        let body = &requests.bodies[number % requests.bodies.len()];
        self.outgoing.clear();
        self.outgoing.extend_from_slice(requests.head.as_bytes());
        io::Write::write_fmt(&mut self.outgoing, format_args!("{}\r\n\r\n", body.len()))?;
        self.outgoing.extend_from_slice(body.as_bytes());
        self.stream.write_all(&self.outgoing).await?;
        self.answer().await
    }

    /// The bytes of the last answer, for those who look closer.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.incoming[..self.filled]).into_owned()
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        self.filled = 0;
        loop {
            if self.filled == self.incoming.len() {
                self.incoming.resize(self.filled * 2, 0);
            }
            match self.stream.read(&mut self.incoming[self.filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
            let Some(end) = find(&self.incoming[..self.filled], b"\r\n\r\n") else { continue };
            let head = &self.incoming[..end];
            if self.filled >= end + 4 + number_after(head, b"content-length: ") {
                let lacks_a_node = lacks_a_node(&self.incoming[end + 4..self.filled]);
                let status = number_after(head, b"HTTP/1.1 ") as u16;
                let has_retry_after = status != 200 && find(head, b"\r\nretry-after: ").is_some();
                return Ok(Answer { status, has_retry_after, lacks_a_node });
            }
        }
    }
}

/// Is there a node in it that neither answered nor had no need to?
fn lacks_a_node(body: &[u8]) -> bool {
    const END: &[u8] = b"\"end\":\"";
    let well = ["answered", "own", "ruled_out"];
    let mut ends = memchr::memmem::find_iter(body, END).map(|at| &body[at + END.len()..]);
    ends.any(|end| !well.iter().any(|word| end.starts_with(word.as_bytes())))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Zero where it does not stand.
fn number_after(head: &[u8], name: &[u8]) -> usize {
    let Some(at) = find(head, name) else { return 0 };
    let digits = head[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
