//! A province and three cities as processes of their own, with a network between them that can be broken.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shuqiao::{
    federation::{Card, Certificate, Membership, Peers},
    identifiers::{ClientId, NodeId},
    keys::{KeyRing, PublicKeys},
};
use tokio::time::sleep;

use crate::support::{
    node::{ITEM, verification, write_catalog},
    process::{Home, Running, client, free_address},
    proxy::Network,
    registers::{self, Person, person},
};

pub(super) const NODES: [&str; 4] = ["guangdong", "guangzhou", "shenzhen", "zhaoqing"];
const DIVISIONS: [&str; 4] = ["440000", "440100", "440300", "441200"];
/// Persons that each city keeps: those from `city * EACH` on.
pub(super) const EACH: u64 = 40;

/// How long full service is waited for.
const RECOVERY_WAIT: Duration = Duration::from_secs(20);

/// Who calls at each node: a department that is registered with it, with an item of its own.
pub(super) const CALLERS: [(&str, &str); 4] = [
    ("gd-human-resources", "11440000MB9Y00040M2440514001000"),
    ("gz-administrative-approval", ITEM),
    ("sz-government-services", "11440300MB9Y03022Y3442035001000"),
    ("gz-human-resources", "11440100MB9Y01019T3440514001000"),
];
const CALLER: &str = "window";

const CATALOG: [(&str, &str, &str); 3] = [
    (
        "nodes.yaml",
        "nodes:\n",
        "nodes:\n  - id: zhaoqing\n    name: { zh: 肇庆市分节点, en: Zhaoqing city node }\n    division: \"441200\"\n    \
         parent: guangdong\n",
    ),
    (
        "natural-person.yaml",
        "    key: resident_id\n",
        "    key: resident_id\n    placement:\n      - { node: guangzhou, divisions: [\"440100\"] }\n      \
         - { node: shenzhen, divisions: [\"440300\"] }\n      - { node: zhaoqing, divisions: [\"441200\"] }\n",
    ),
    // Zhaoqing has a department as well.
    (
        "departments.yaml",
        "    credit_code: 11440100MB9Y01019T\n    division: \"440100\"\n    node: guangzhou\n",
        "    credit_code: 11440100MB9Y01019T\n    division: \"441200\"\n    node: zhaoqing\n",
    ),
];

/// One node: its folder, and its process while it runs.
pub(super) struct Member {
    pub(super) home: Home,
    pub(super) running: Option<Running>,
}

pub(super) struct Four {
    pub(super) members: Vec<Member>,
    pub(super) network: Arc<Network>,
    pub(super) http: reqwest::Client,
}

/// An answer as it came, and what was asked.
pub(super) struct Heard {
    /// Who was asked.
    pub(super) at: usize,
    pub(super) asked: Asked,
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
}

/// What is asked, and what is true.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) body: Vec<u8>,
    /// The city that keeps the record; none has it otherwise.
    pub(super) keeper: Option<usize>,
    pub(super) truth: &'static str,
}

impl Asked {
    /// Number `n` of what can be asked at a node: of persons in each city by turns, with the right name or another, with and without
    /// the authority, and of nobody.
    pub(super) fn number(at: usize, n: u64) -> Self {
        let keeper = (n % 4) as usize;
        let nobody = keeper == 0;
        let Person { id, name, .. } = match nobody {
            true => person(900 + n % 50),
            false => person(keeper as u64 * EACH + n / 4 % 9), // Of the first nine none is deceased.
        };
        let wrong = n.is_multiple_of(3);
        let mut body = verification(id.as_str(), json!({ "name": if wrong { "不是他" } else { &name } }));
        body["item"] = json!(CALLERS[at].1);
        if !nobody && n.is_multiple_of(5) {
            body["authority"] = json!(DIVISIONS[keeper]);
        }
        let truth = match (nobody, wrong) {
            (true, _) => "not_found",
            (_, true) => "mismatch",
            (_, false) => "match",
        };
        Self { body: serde_json::to_vec(&body).unwrap(), keeper: (!nobody).then_some(keeper), truth }
    }
}

impl Heard {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub(super) fn is_true(&self) -> bool {
        self.status == 200 && self.json()["outcome"] == self.asked.truth
    }
}

impl Four {
    pub(super) async fn found(seed: u64) -> Self {
        let network = Network::new(NODES.len(), seed);
        let (mut members, mut card) = (Vec::new(), None::<PathBuf>);
        for (n, id) in NODES.iter().enumerate() {
            let home = Home::empty("");
            write_catalog(&home.path("catalog"), &CATALOG);
            let (behind, before) = (free_address(), free_address());
            fs::write(home.path("shuqiao.toml"), settings(id, home.address, behind, before, card.as_ref())).unwrap();
            network.stand_before(n, before, behind).await;
            home.register(CALLER, CALLERS[n].0);
            let said = home.run(&["peer", "card"]);
            assert_eq!(said.code, Some(0), "{said:?}");
            fs::write(home.path("card.json"), &said.out).unwrap();
            match n {
                0 => card = Some(home.path("card.json")),
                n => {
                    let persons = (n as u64 * EACH..(n as u64 + 1) * EACH).map(person);
                    home.publish(&registers::csv(persons)).await;
                }
            }
            members.push(Member { home, running: None });
        }
        let mut four = Self { members, network, http: client() };
        for n in 0..NODES.len() {
            if n > 0 {
                four.admit(n, None);
            }
            four.start(n);
        }
        four.ready().await;
        four
    }

    pub(super) fn start(&mut self, n: usize) {
        let member = &mut self.members[n];
        let running = member.home.spawn(&["serve"]);
        self.network.is_process(n, running.id());
        member.running = Some(running);
    }

    pub(super) fn kill(&mut self, n: usize) {
        if let Some(running) = self.members[n].running.take() {
            running.kill();
        }
    }

    /// The province's operator lists a city by its card as it is now, or with other forms of calls that it speaks.
    pub(super) fn admit(&self, n: usize, protocol: Option<(u32, u32)>) {
        let home = &self.members[n].home;
        let said = home.run(&["peer", "card"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let mut card: Value = serde_json::from_str(&said.out).unwrap();
        if let Some((oldest, newest)) = protocol {
            card["protocol"] = json!({ "oldest": oldest, "newest": newest });
        }
        let file = home.path("admitted.json");
        fs::write(&file, card.to_string()).unwrap();
        let said = self.members[0].home.run(&["peer", "admit", file.to_str().unwrap(), "--reason", "joins"]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    /// The province's operator hands its card out anew.
    pub(super) fn bring_card(&self) {
        let home = &self.members[0].home;
        let said = home.run(&["peer", "card"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        fs::write(home.path("card.json"), said.out).unwrap();
    }

    /// All take calls.
    pub(super) async fn ready(&mut self) {
        for member in &mut self.members {
            let ended = member.running.as_mut().unwrap().ready_or_ended().await;
            assert_eq!(ended, None, "{}", member.home.log_text());
        }
    }

    pub(super) async fn tokens(&self) -> Vec<String> {
        let mut tokens = Vec::new();
        for member in &self.members {
            tokens.push(member.home.token_of(CALLER).await);
        }
        tokens
    }

    pub(super) fn url(&self, n: usize) -> String {
        self.members[n].home.url("/v1/verifications")
    }

    /// Every node is asked what it must know in full service; what was heard, and whether all of it was true.
    pub(super) async fn sweep(&self, tokens: &[String]) -> (Vec<Heard>, bool) {
        let calls = (0..NODES.len()).flat_map(|at| (1..=8).map(move |n| (at, Asked::number(at, n + 20))));
        let calls = calls.map(|(at, asked)| ask(self.http.clone(), self.url(at), tokens[at].clone(), at, asked));
        let heard = futures::future::join_all(calls).await;
        let whole = heard.iter().all(|heard| heard.as_ref().is_some_and(Heard::is_true));
        (heard.into_iter().flatten().collect(), whole)
    }

    /// Wait for full service: what was heard meanwhile, and how long it took.
    pub(super) async fn recovered(&self, tokens: &[String]) -> Result<(Vec<Heard>, Duration), String> {
        let (started, mut all) = (Instant::now(), Vec::new());
        loop {
            let (heard, whole) = self.sweep(tokens).await;
            if whole {
                all.extend(heard);
                return Ok((all, started.elapsed()));
            }
            if started.elapsed() > RECOVERY_WAIT {
                let amiss = heard.iter().filter(|heard| !heard.is_true());
                let told: Vec<_> = amiss.map(|heard| format!("{}: {:#}", NODES[heard.at], heard.json())).collect();
                let logs = self.members.iter().map(|member| member.home.log_text());
                let tails = logs.map(|log| log.lines().rev().take(5).collect::<Vec<_>>().join("\n"));
                return Err(format!(
                    "{} of {} are amiss: {}\n{}",
                    told.len(),
                    heard.len(),
                    told.last().cloned().unwrap_or_default(),
                    tails.collect::<Vec<_>>().join("\n\n")
                ));
            }
            all.extend(heard);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The keys under which a node's receipts verify, by its files.
    pub(super) fn keys(&self, n: usize) -> PublicKeys {
        let file = self.members[n].home.settings().paths.receipt_key();
        KeyRing::open(&file).unwrap().public()
    }

    /// Connections to others as that node makes them, with its certificate and its directory.
    pub(super) fn peers(&self, n: usize) -> Option<(Peers, Arc<Membership>)> {
        let home = &self.members[n].home;
        let (paths, id): (_, NodeId) = (home.settings().paths, NODES[n].parse().unwrap());
        let anchor = Card::parse(&fs::read_to_string(self.members[0].home.path("card.json")).unwrap()).unwrap();
        let grace = chrono::TimeDelta::hours(1);
        let membership = Arc::new(Membership::open(Some(anchor), &paths.directory(), grace).ok()?);
        let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), &id).ok()?;
        Some((Peers::new(Arc::new(certificate), Arc::clone(&membership)), membership))
    }
}

pub(super) async fn ask(http: reqwest::Client, url: String, token: String, at: usize, asked: Asked) -> Option<Heard> {
    let request = http.post(url).bearer_auth(token).header("content-type", "application/json");
    let response = request.body(asked.body.clone()).send().await.ok()?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.ok()?.to_vec();
    Some(Heard { at, asked, status, bytes })
}

fn settings(id: &str, http: SocketAddr, behind: SocketAddr, before: SocketAddr, card: Option<&PathBuf>) -> String {
    let province = card.map_or_else(String::new, |card| format!("province = '{}'\n", card.display()));
    format!(
        "[node]\nid = '{id}'\nurl = 'http://{http}'\n\n[paths]\ndata = 'data'\ncatalog = 'catalog'\n\
         agreements = 'agreements.yaml'\npolicies = 'policies'\n\n[limits]\ncalls_per_second = 1000000\n\n\
         [tokens]\naccess_ttl_s = 3600\n\n[enumeration]\nmode = 'detect'\n\n[audit]\nsegment_bytes = '1 MiB'\n\n\
         [http]\nlisten = '{http}'\n\n[federation]\naddress = '{behind}'\nendpoint = 'https://{before}'\npull_ms = 200\n\
         deadline_ms = 1000\n{province}"
    )
}

/// The client of the nodes, for calls that are forwarded by hand.
pub(super) fn window() -> ClientId {
    CALLER.parse().unwrap()
}
