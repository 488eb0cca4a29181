//! What goes wrong between nodes, drawn by a seed, done and undone.

use std::{fmt, path::Path, sync::atomic::Ordering::Relaxed};

use chrono::{TimeDelta, Utc};
use shuqiao::{
    federation::{Forwarding, paths},
    identifiers::{CallId, NodeId},
    keys::KeyRing,
};

use super::processes::{Asked, CALLERS, Four, NODES, window};
use crate::support::dice::Dice;

/// Where the library is that gives a process another clock, unless a variable says so.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Kill,
    Pause,
    Restart,
    Partition,
    OneWay,
    HalfOpen,
    Delay,
    Loss,
    /// The same forwarded call twice at once, and once more.
    Duplicate,
    /// A process with another clock, where the library for it is there.
    ClockSkew,
    /// A forwarded call by a node whose clock is wrong.
    TokenSkew,
    /// A city begins without a directory while the province is away; or the province has lost its own.
    DirectoryGone,
    TokenKey,
    ReceiptKey,
    /// Put into the files while the node runs; or while it does not, and its card is admitted again.
    Certificate,
    /// The directory says of a city that it speaks another form of calls.
    OtherProtocol,
}

use Kind::*;

pub(super) const KINDS: [Kind; 16] = [
    Kill,
    Pause,
    Restart,
    Partition,
    OneWay,
    HalfOpen,
    Delay,
    Loss,
    Duplicate,
    ClockSkew,
    TokenSkew,
    DirectoryGone,
    TokenKey,
    ReceiptKey,
    Certificate,
    OtherProtocol,
];

/// One thing that goes wrong, at one node or between two, from one millisecond to another.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    node: usize,
    other: usize,
    strength: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, node, other, strength, from, to } = *self;
        write!(f, "{kind:?} {}-{} {strength} {from}..{to} ms", NODES[node], NODES[other])
    }
}

/// One to three faults. Of a node's process, its files and its keys only one thing goes wrong at a time.
pub(super) fn draw(seed: u64) -> Vec<Fault> {
    let (mut dice, mut taken, mut faults) = (Dice(seed.wrapping_mul(0x9e37_79b9)), [false; NODES.len()], Vec::new());
    for number in 0..dice.within(1..4) {
        // The first of each schedule goes through all kinds by turns.
        let kind = KINDS[(if number == 0 { seed } else { dice.within(0..99) } % KINDS.len() as u64) as usize];
        let lowest = u64::from(matches!(kind, Certificate | OtherProtocol | Duplicate | TokenSkew));
        let node = dice.within(lowest..4) as usize;
        let other = (node + dice.within(1..4) as usize) % NODES.len();
        let (from, strength) = (dice.within(0..500), dice.within(0..1000));
        let fault = Fault { kind, node, other, strength, from, to: from + dice.within(200..1200) };
        let of_network = matches!(kind, Partition | OneWay | HalfOpen | Delay | Loss | Duplicate | TokenSkew);
        if !of_network {
            let needs = if kind == DirectoryGone { &[0, node][..] } else { &[node] };
            if needs.iter().any(|&needed| taken[needed]) {
                continue;
            }
            needs.iter().for_each(|&needed| taken[needed] = true);
        }
        faults.push(fault);
    }
    faults
}

/// The library that gives a process another clock, if it is here.
pub(super) fn faketime() -> Option<String> {
    let file = std::env::var("FEDERATION_FAKETIME").unwrap_or_else(|_| FAKETIME.to_owned());
    Path::new(&file).exists().then_some(file)
}

impl Fault {
    /// Do it; what was seen that may not be.
    pub(super) async fn begin(&self, four: &mut Four) -> Vec<String> {
        let Self { kind, node, other, strength, .. } = *self;
        let run = |four: &Four, arguments: &[&str]| {
            let said = four.members[node].home.run(arguments);
            assert_eq!(said.code, Some(0), "{said:?}");
        };
        match kind {
            Kill => four.kill(node),
            Restart => {
                four.kill(node);
                four.start(node);
            }
            Pause => four.members[node].running.as_ref().unwrap().signal("-STOP"),
            Partition | OneWay | HalfOpen | Delay | Loss => self.between(four, true),
            Duplicate => return forwarded_twice(four, node, other, 0).await,
            TokenSkew => return forwarded_twice(four, node, other, [-3, 3, 20, -60][strength as usize % 4]).await,
            ClockSkew => {
                if let Some(library) = faketime() {
                    four.kill(node);
                    let clock = ["-3s", "+3s", "+20s", "-60s"][strength as usize % 4];
                    let variables =
                        [("LD_PRELOAD", library.as_str()), ("FAKETIME", clock), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
                    four.members[node].home.variables =
                        variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
                    four.start(node);
                }
            }
            DirectoryGone => {
                four.kill(0);
                four.kill(node);
                let _ = std::fs::remove_file(four.members[node].home.settings().paths.directory());
                four.bring_card(); // Its keys may be others than when the city joined.
                four.start(node);
            }
            TokenKey => {
                run(four, &["key", "rotate", "token"]);
                four.members[node].running.as_ref().unwrap().signal("-HUP");
            }
            ReceiptKey => {
                run(four, &["key", "rotate", "receipt"]);
                four.members[node].running.as_ref().unwrap().signal("-HUP");
            }
            Certificate if strength % 2 == 0 => {
                let paths = four.members[node].home.settings().paths;
                let aside = tempfile::tempdir().unwrap();
                let (file, key) = (aside.path().join("certificate"), aside.path().join("key"));
                shuqiao::federation::Certificate::open(&file, &key, &NODES[node].parse().unwrap()).unwrap();
                std::fs::copy(key, paths.peer_key()).unwrap();
                std::fs::copy(file, paths.peer_certificate()).unwrap();
            }
            Certificate => {
                four.kill(node);
                let paths = four.members[node].home.settings().paths;
                std::fs::remove_file(paths.peer_certificate()).unwrap();
                std::fs::remove_file(paths.peer_key()).unwrap();
                four.admit(node, None);
                four.start(node);
            }
            OtherProtocol => {
                four.kill(node);
                four.admit(node, Some((0, 0)));
            }
        }
        Vec::new()
    }

    /// Undo it.
    pub(super) fn end(&self, four: &mut Four) {
        let node = self.node;
        match self.kind {
            Kill | OtherProtocol => four.start(node),
            Pause => four.members[node].running.as_ref().unwrap().signal("-CONT"),
            Partition | OneWay | HalfOpen | Delay | Loss => self.between(four, false),
            ClockSkew if !four.members[node].home.variables.is_empty() => {
                four.kill(node);
                four.members[node].home.variables.clear();
                four.start(node);
            }
            DirectoryGone if node > 0 => four.start(0),
            _ => {}
        }
    }

    fn between(&self, four: &Four, on: bool) {
        let (there, back) = (four.network.link(self.node, self.other), four.network.link(self.other, self.node));
        for link in [there, back] {
            match self.kind {
                HalfOpen => link.swallow.store(on, Relaxed),
                Delay => link.delay_ms.store(u64::from(on) * (20 + self.strength / 2), Relaxed),
                Loss => link.loss.store(u64::from(on) * (50 + self.strength / 2), Relaxed),
                _ => link.cut.store(on, Relaxed),
            }
            if self.kind == OneWay {
                return;
            }
        }
    }
}

/// A call that `from` forwards to `to`, by a clock that many seconds off: twice at once and once more.
async fn forwarded_twice(four: &Four, from: usize, to: usize, skew: i64) -> Vec<String> {
    let Some((peers, membership)) = four.peers(from) else { return Vec::new() };
    let (own, other): (NodeId, NodeId) = (NODES[from].parse().unwrap(), NODES[to].parse().unwrap());
    let held = membership.last();
    let Some(card) = held.as_ref().and_then(|held| held.members.get(&other)) else { return Vec::new() };
    let asked = Asked::number(from, 4 + to as u64);
    let mut request_sha256 = [0; 32];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &asked.body);
    request_sha256.copy_from_slice(digest.as_ref());
    let forwarding = Forwarding {
        chain: vec![own],
        client: window(),
        roles: Default::default(),
        department: CALLERS[from].0.parse().unwrap(),
        item: CALLERS[from].1.parse().unwrap(),
        case: Some("TEST-1".parse().unwrap()),
        operator: None,
        call_id: CallId::new(uuid::Uuid::now_v7()),
        request_sha256,
        budget_ms: 1000,
        came_with: None,
    };
    let ring = KeyRing::open(&four.members[from].home.settings().paths.token_key()).unwrap();
    let token = forwarding.sign(&other, &ring.signing(), Utc::now() + TimeDelta::seconds(skew)).unwrap();
    let (Ok(client), Ok(url)) = (peers.client(&other), card.endpoint.join(paths::VERIFICATIONS)) else {
        return Vec::new();
    };
    let send = async || {
        let request = client.post(url.clone()).bearer_auth(&token).header("content-type", "application/json");
        let response = request.timeout(std::time::Duration::from_secs(2)).body(asked.body.clone()).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.bytes().await.ok()?))
    };
    let (one, two) = tokio::join!(send(), send());
    let answers: Vec<_> = [one, two, send().await].into_iter().flatten().collect();
    let mut good = answers.iter().filter(|(status, _)| *status == 200).map(|(_, bytes)| bytes);
    let mut amiss = Vec::new();
    if let Some(first) = good.next() {
        if !(-35..=5).contains(&skew) {
            amiss.push(format!("a token of a clock {skew} s off was taken at {other}"));
        }
        if good.any(|more| more != first) {
            amiss.push(format!("{other} has given two answers to one forwarded call"));
        }
    }
    amiss
}
