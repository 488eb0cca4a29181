//! Asking other nodes: each part's holders one after the other, the parts side by side, all under one deadline.
//!
//! Knows no HTTP and no clock but tokio's, so that the same code runs in a simulated network. What is asked is safe to ask
//! twice: the node that is asked keeps its answer under the call's id and gives it again.

use std::{future::Future, time::Duration};

use futures::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use tokio::time::{Instant, sleep, timeout};

use super::{Breakers, Told, told::End};
use crate::identifiers::NodeId;

/// Tries at one node. More would be waiting for a node that the caller's case may as well be rechecked at.
const TRIES: u32 = 2;
/// Before the second try: a connection that broke is often the old one, and the node is there.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// A node that was given less than this and did not answer is not to blame for it.
const FAIR_BUDGET: Duration = Duration::from_millis(200);

/// How a call gets to a node and its answer back: one try.
pub trait Wire: Sync {
    fn ask(&self, node: &NodeId, budget: Duration) -> impl Future<Output = Result<End, Failure>> + Send;

    /// That node was not heard in time, though it had enough of it: its connections may be dead.
    fn suspect(&self, _node: &NodeId) {}
}

/// Why a try brought nothing. Each may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or one that broke off.
    Unreachable,
    /// The node said that it has no time, or is not ready.
    Busy,
    Late,
}

/// How nodes are asked.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Parts asked at once.
    pub parallel: usize,
    /// How long the first holder of a part has before its copy is asked as well.
    pub hedge: Duration,
}

/// Ask every part, and tell of each how it ended.
pub async fn ask_parts<W: Wire>(
    wire: &W,
    breakers: &Breakers,
    parts: &[Vec<NodeId>],
    manner: Manner,
    deadline: Instant,
) -> Vec<Told> {
    if let [holders] = parts {
        return ask_part(wire, breakers, holders, manner.hedge, deadline).await.into_iter().collect();
    }
    let mut asked = Vec::with_capacity(parts.len());
    for holders in parts {
        asked.push(ask_part(wire, breakers, holders, manner.hedge, deadline));
    }
    let mut asking = stream::iter(asked).buffer_unordered(manner.parallel.max(1));
    let mut told = Vec::with_capacity(parts.len());
    while let Some(one) = asking.next().await {
        told.extend(one);
    }
    told.sort_by(|one, other| one.node.cmp(&other.node));
    told
}

/// The first holder, after a while the next one as well; the first that answers is believed. None: a part without holders.
async fn ask_part<W: Wire>(
    wire: &W,
    breakers: &Breakers,
    holders: &[NodeId],
    hedge: Duration,
    deadline: Instant,
) -> Option<Told> {
    let mut waiting = holders.iter();
    let mut out = FuturesUnordered::new();
    out.push(ask_holder(wire, breakers, waiting.next()?, deadline));
    let mut worst = None;
    loop {
        let more = waiting.len() > 0;
        tokio::select! {
            biased;
            Some(told) = out.next() => {
                if matches!(told.end, End::Answered(_)) {
                    return Some(told);
                }
                worst = Some(graver(worst, told));
                match waiting.next() {
                    Some(next) => out.push(ask_holder(wire, breakers, next, deadline)),
                    None if out.is_empty() => return worst,
                    None => {}
                }
            }
            () = sleep(hedge), if more => {
                if let Some(next) = waiting.next() {
                    out.push(ask_holder(wire, breakers, next, deadline));
                }
            }
        }
    }
}

/// Of two that did not answer, the one that says more: a refusal is an answer of a kind.
fn graver(one: Option<Told>, other: Told) -> Told {
    match one {
        Some(one) if matches!(one.end, End::Refused { .. }) => one,
        Some(one) if !matches!(other.end, End::Refused { .. }) => one,
        _ => other,
    }
}

async fn ask_holder<W: Wire>(wire: &W, breakers: &Breakers, node: &NodeId, deadline: Instant) -> Told {
    let started = Instant::now();
    let mut end = End::Unreachable;
    for attempt in 1..=TRIES {
        let budget = deadline.saturating_duration_since(Instant::now());
        if budget.is_zero() {
            end = End::Late;
            break;
        }
        if !breakers.admit(node, Instant::now()) {
            break;
        }
        let tried = timeout(budget, wire.ask(node, budget)).await.unwrap_or(Err(Failure::Late));
        match tried {
            Ok(said) => {
                breakers.answered(node);
                end = said;
                break;
            }
            Err(failure) => {
                if failure != Failure::Late || budget >= FAIR_BUDGET {
                    breakers.failed(node, Instant::now());
                }
                if failure == Failure::Late && budget >= FAIR_BUDGET {
                    wire.suspect(node);
                }
                end = if failure == Failure::Late { End::Late } else { End::Unreachable };
            }
        }
        if attempt < TRIES {
            sleep(RETRY_PAUSE.min(deadline.saturating_duration_since(Instant::now()))).await;
        }
    }
    Told { node: node.clone(), end, took: started.elapsed() }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Mutex};

    use super::*;
    use crate::federation::told::Answered;

    /// After so many milliseconds.
    type Try = (u64, Result<&'static str, Failure>);

    /// Nodes that do as they are told: what each says to its first, second, ... try.
    #[derive(Default)]
    struct Script {
        says: HashMap<&'static str, Vec<Try>>,
        tries: Mutex<Vec<String>>,
        suspected: Mutex<Vec<String>>,
    }

    impl Wire for Script {
        async fn ask(&self, node: &NodeId, _: Duration) -> Result<End, Failure> {
            let number = {
                let mut tries = self.tries.lock().unwrap();
                tries.push(node.to_string());
                tries.iter().filter(|tried| *tried == node.as_str()).count()
            };
            let (after, said) = self.says[node.as_str()][number - 1];
            sleep(Duration::from_millis(after)).await;
            match said? {
                "refused" => Ok(End::Refused { code: "denied".to_owned(), policies: Vec::new() }),
                outcome => Ok(End::Answered(Answered::fake(outcome))),
            }
        }

        fn suspect(&self, node: &NodeId) {
            self.suspected.lock().unwrap().push(node.to_string());
        }
    }

    async fn asked(script: &Script, parts: &[&[&str]], millis: u64) -> Vec<String> {
        let parts: Vec<Vec<NodeId>> =
            parts.iter().map(|part| part.iter().map(|node| node.parse().unwrap()).collect()).collect();
        let manner = Manner { parallel: 2, hedge: Duration::from_millis(100) };
        let deadline = Instant::now() + Duration::from_millis(millis);
        let told = ask_parts(script, &Breakers::default(), &parts, manner, deadline).await;
        told.iter().map(|told| format!("{} {}", told.node, told.end.word())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_connection_is_tried_again_and_a_late_node_is_late() {
        let script = Script {
            says: HashMap::from([
                ("a", vec![(0, Err(Failure::Unreachable)), (0, Ok("match"))]),
                ("b", vec![(5_000, Ok("match")); 2]),
                ("c", vec![(0, Ok("refused"))]),
                ("d", vec![(0, Err(Failure::Busy)), (0, Err(Failure::Busy))]),
            ]),
            ..Script::default()
        };
        let told = asked(&script, &[&["a"], &["b"], &["c"], &["d"]], 1_000).await;
        assert_eq!(told, ["a answered", "b late", "c refused", "d unreachable"]);
        // Silence alone says nothing of the node, and may be that of a connection.
        assert_eq!(*script.suspected.lock().unwrap(), ["b"]);
        assert_eq!(asked(&script, &[&["b"]], 100).await, ["b late"]);
        assert_eq!(script.suspected.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_is_asked_when_the_first_is_slow_or_away_and_whoever_answers_is_believed() {
        let script = Script {
            says: HashMap::from([
                ("slow", vec![(600, Ok("match"))]),
                ("copy", vec![(0, Ok("match")); 3]),
                ("away", vec![(0, Err(Failure::Unreachable)); 2]),
                ("never", vec![(0, Ok("refused"))]),
            ]),
            ..Script::default()
        };
        assert_eq!(asked(&script, &[&["slow", "copy"]], 1_000).await, ["copy answered"]);
        assert_eq!(asked(&script, &[&["away", "copy"]], 1_000).await, ["copy answered"]);
        assert_eq!(asked(&script, &[&["never", "copy"]], 1_000).await, ["copy answered"]);
    }
}
