//! Nodes that ask each other over a network and by a clock that a seed decides: routes, tries, breakers, repeats and the
//! making of one answer are the real ones; registers, logs and connections are the least that they need.
//!
//! ```sh
//! FEDERATION_SCHEDULES=10000 cargo t --lib -- exchange::simulated --nocapture
//! FEDERATION_SCHEDULES=1 FEDERATION_SEED=17 cargo t --lib -- exchange::simulated --nocapture
//! ```

mod calls;
mod faults;
mod fixture;

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::{Instant, sleep, timeout},
};
use turmoil::net::{TcpListener, TcpStream};

use super::{
    body::{AnswerBody, OutcomeWord},
    call::Call,
    elsewhere::Elsewhere,
    fixtures::{self, fields, in_repository},
    forward::guide_has_said,
    shape::{self, Columns},
};
use crate::{
    catalog::{self, Catalog, Part, Placement, Value},
    engine::Found,
    federation::{
        Answered, Asking, Breakers, End, Failure, Key, Manner, Repeats, Route, Told,
        ask::{Wire, ask_parts},
        route,
    },
    identifiers::{CallId, NodeId, VersionNo},
    policy::Obligations,
    verification::Reason,
};

const PORT: u16 = 9000;
const PROVINCE: &str = "guangdong";
/// The city where all calls come in; it keeps a part itself.
const ASKER: &str = "guangzhou";
/// The nodes that may die: the province, two cities that keep parts, and one with a copy of the first.
const OTHERS: [&str; 4] = [PROVINCE, "shenzhen", "zhaoqing", "dongguan"];
/// Who keeps record 1, 2 and 3; nobody keeps record 0.
const KEEPERS: [&[&str]; 4] = [&[], &[ASKER], &["shenzhen", "dongguan"], &["zhaoqing"]];

/// How long a call may be under way from the asker, and what is kept of it at each further node.
const BUDGET: Duration = Duration::from_millis(1_000);
const OWN_SHARE: Duration = Duration::from_millis(50);
const CONNECT_MAX: Duration = Duration::from_millis(500);
const MANNER: Manner = Manner { parallel: 21, hedge: Duration::from_millis(100) };
/// From the record to the answer.
const SIGNING: Duration = Duration::from_millis(3);
const KEPT: TimeDelta = TimeDelta::seconds(90);

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let mut catalog = catalog::load(&in_repository("catalogs/guangdong")).unwrap();
    for more in ["zhaoqing", "dongguan"] {
        let mut node = catalog.nodes["shenzhen"].clone();
        node.id = id(more);
        catalog.nodes.insert(node.id.clone(), node);
    }
    catalog
});

static CALL: LazyLock<Call> = LazyLock::new(|| {
    let mut call = fixtures::call(&fixtures::question(fields(&["name"])));
    let mut dataset = (*call.dataset).clone();
    dataset.status = None;
    let part = |node: &str, replicas: &[&str]| Part {
        node: id(node),
        replicas: replicas.iter().map(|node| id(node)).collect(),
        divisions: Vec::new(),
    };
    dataset.placement = Placement(vec![part(ASKER, &[]), part("shenzhen", &["dongguan"]), part("zhaoqing", &[])]);
    call.dataset = Arc::new(dataset);
    call
});

fn id(node: &str) -> NodeId {
    node.parse().unwrap()
}

/// Bugs that are put in to see that they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    /// Who is not heard is taken for one without the record.
    SilenceIsNotFound,
    /// A second try is answered anew.
    ForgetsAtOnce,
    /// A second try after a restart is answered anew.
    ForgetsAtRestart,
    /// An answer leaves before it is written down.
    AnswersUnwritten,
    /// One link is never healed.
    NeverHeals,
}

/// An answer in a node's log.
#[derive(Clone, Debug)]
struct Written {
    forwarded: Key,
    call_id: String,
    outcome: OutcomeWord,
}

/// What outlives the nodes' processes, and what the test wants to know.
struct World {
    planted: Option<Planted>,
    logs: Mutex<HashMap<&'static str, Vec<Written>>>,
    next_call: AtomicU64,
    /// Of a thousand messages, those that arrive twice.
    twice: AtomicU64,
    messages: AtomicU64,
    healed: AtomicBool,
    /// Which record was asked for, and what was said.
    heard: Mutex<Vec<(usize, AnswerBody)>>,
    recovery: Mutex<Option<Duration>>,
}

impl World {
    fn new(planted: Option<Planted>) -> Self {
        Self {
            planted,
            logs: Mutex::default(),
            next_call: AtomicU64::new(1),
            twice: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            healed: AtomicBool::new(false),
            heard: Mutex::default(),
            recovery: Mutex::default(),
        }
    }

    fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    fn call_id(&self) -> CallId {
        CallId::new(uuid::Uuid::from_u128(self.next_call.fetch_add(1, Relaxed).into()))
    }
}

/// A forwarded call on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    chain: Vec<NodeId>,
    id: CallId,
    record: usize,
    budget_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Answered(Box<AnswerBody>),
    Refused(String),
}

/// A node that others ask, from its start until it dies.
async fn serve(world: Arc<World>, own: &'static str) -> turmoil::Result {
    let forgets = world.has(Planted::ForgetsAtRestart);
    let log = world.logs.lock().unwrap().get(own).cloned().unwrap_or_default();
    let before = log.into_iter().map(|written| written.forwarded).filter(|_| !forgets);
    let (repeats, breakers) = (Arc::new(Repeats::new(before)), Arc::new(Breakers::default()));
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (world, repeats, breakers) = (Arc::clone(&world), Arc::clone(&repeats), Arc::clone(&breakers));
        tokio::spawn(async move { take_one(&world, own, repeats, breakers, stream).await });
    }
}

async fn take_one(
    world: &Arc<World>,
    own: &'static str,
    repeats: Arc<Repeats<AnswerBody>>,
    breakers: Arc<Breakers>,
    stream: TcpStream,
) -> Option<()> {
    let (incoming, mut outgoing) = stream.into_split();
    let line = BufReader::new(incoming).lines().next_line().await.ok()??;
    let message: Message = serde_json::from_str(&line).ok()?;
    let now = DateTime::<Utc>::UNIX_EPOCH + turmoil::since_epoch()?;
    let key = (message.chain.last()?.clone(), message.id);
    let repeats = if world.has(Planted::ForgetsAtOnce) { Arc::new(Repeats::new([])) } else { repeats };
    let answering = {
        let world = Arc::clone(world);
        // As at the real door: not dropped with the connection.
        tokio::spawn(async move {
            let answer = async || {
                let answer = answer(&world, &breakers, own, &message).await;
                if world.has(Planted::AnswersUnwritten) {
                    let (world, answer, message) = (Arc::clone(&world), answer.clone(), message.clone());
                    tokio::spawn(async move {
                        sleep(Duration::from_millis(50)).await;
                        write_down(&world, own, &message, &answer);
                    });
                } else {
                    write_down(&world, own, &message, &answer);
                    sleep(SIGNING).await; // It may die between the two.
                }
                answer
            };
            let sha256 = [u8::try_from(message.record).unwrap(); 32];
            Box::pin(repeats.once(key, sha256, (now, now + KEPT), answer)).await
        })
    };
    let reply = match answering.await.ok()? {
        Ok(answer) => Reply::Answered(Box::new(answer)),
        Err(repeated) => Reply::Refused(format!("{repeated:?}")),
    };
    let line = serde_json::to_string(&reply).unwrap() + "\n";
    outgoing.write_all(line.as_bytes()).await.ok()
}

fn write_down(world: &World, own: &'static str, message: &Message, answer: &AnswerBody) {
    let forwarded = (message.chain.last().unwrap().clone(), message.id);
    let written = Written { forwarded, call_id: answer.call_id.clone(), outcome: answer.outcome };
    world.logs.lock().unwrap().entry(own).or_default().push(written);
}

/// Steps 3, 6 and 7 of a node's road.
async fn answer(world: &Arc<World>, breakers: &Breakers, own: &'static str, message: &Message) -> AnswerBody {
    let (call_id, deadline) = (world.call_id(), Instant::now() + Duration::from_millis(message.budget_ms));
    sleep(Duration::from_millis(call_id.to_string().bytes().last().map_or(1, u64::from) % 16)).await;
    let nothing = Obligations::default();
    let shaped = match route(&id(own), &CALL.dataset.placement, None, &message.chain, &CATALOG) {
        Route::Here => shape::shape(&CALL, &found(own, message.record), Columns::default(), &nothing),
        Route::Nowhere => shape::unanswered(&CALL, Reason::HolderUnknown),
        Route::Ask(asking) => {
            let chain = [message.chain.clone(), vec![id(own)]].concat();
            let wire = Network { world: Arc::clone(world), message: Message { chain, id: call_id, ..message.clone() } };
            let mut told = ask_as_forwarded(&wire, breakers, &asking, deadline).await;
            if world.has(Planted::SilenceIsNotFound) {
                for told in told.iter_mut().filter(|told| matches!(told.end, End::Late | End::Unreachable)) {
                    told.end = End::RuledOut { version: 1, as_of: String::new() };
                }
            }
            let own = asking.own_part.then(|| (id(own), Ok(found(own, message.record))));
            Elsewhere { own, told, columns: Columns::default() }.shape(&CALL, &nothing)
        }
    };
    AnswerBody {
        answered_at: String::new(),
        as_of: None,
        call_id: call_id.to_string(),
        claims: shaped.claims,
        dataset: CALL.dataset.id.to_string(),
        dataset_version: None,
        disposition: None,
        masked: None,
        nodes: Some(shaped.nodes),
        objection: None,
        outcome: shaped.outcome,
        reason: shaped.reason.map(|reason| reason.as_str().to_owned()),
        values: shaped.values,
        withheld: None,
    }
}

/// The guide first, and where it is not heard everybody, as `forward` does it.
async fn ask_as_forwarded(wire: &Network, breakers: &Breakers, asking: &Asking, deadline: Instant) -> Vec<Told> {
    if let Some(guide) = &asking.guide {
        let told = ask_parts(wire, breakers, &[vec![guide.clone()]], MANNER, deadline).await;
        if guide_has_said(&told) {
            return told;
        }
    }
    ask_parts(wire, breakers, &asking.parts, MANNER, deadline).await
}

/// What a node's register has of a record.
fn found(own: &str, record: usize) -> Found {
    let row = vec![Some(Value::Text(format!("record {record}")))];
    let rows = if KEEPERS[record].contains(&own) { vec![row] } else { Vec::new() };
    Found { version: VersionNo(1), as_of: DateTime::<Utc>::UNIX_EPOCH, rows }
}

/// Connections over the simulated network: one a try.
struct Network {
    world: Arc<World>,
    message: Message,
}

impl Wire for Network {
    async fn ask(&self, node: &NodeId, budget: Duration) -> Result<End, Failure> {
        let budget_ms = u64::try_from(budget.saturating_sub(OWN_SHARE).as_millis()).unwrap();
        let message = Message { budget_ms, ..self.message.clone() };
        let line = serde_json::to_string(&message).unwrap() + "\n";
        let count = self.world.messages.fetch_add(1, Relaxed);
        if count * 389 % 1000 < self.world.twice.load(Relaxed) {
            let (node, line) = (node.clone(), line.clone());
            tokio::spawn(async move {
                sleep(Duration::from_millis(count * 131 % 600)).await;
                send(&node, &line).await
            });
        }
        send(node, &line).await
    }
}

async fn send(node: &NodeId, line: &str) -> Result<End, Failure> {
    let connecting = timeout(CONNECT_MAX, TcpStream::connect((node.as_str(), PORT))).await;
    let stream = connecting.map_err(|_| Failure::Unreachable)?.map_err(|_| Failure::Unreachable)?;
    let (incoming, mut outgoing) = stream.into_split();
    outgoing.write_all(line.as_bytes()).await.map_err(|_| Failure::Unreachable)?;
    let line = BufReader::new(incoming).lines().next_line().await.ok().flatten().ok_or(Failure::Unreachable)?;
    match serde_json::from_str(&line).map_err(|_| Failure::Unreachable)? {
        Reply::Answered(answer) => {
            let answer = serde_json::to_value(answer).unwrap();
            Ok(End::Answered(Answered { answer, receipt: String::new() }))
        }
        Reply::Refused(code) => Ok(End::Refused { code, policies: Vec::new() }),
    }
}
