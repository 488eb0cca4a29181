//! The callers in the simulation, and what must hold of everything that they were told.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{ASKER, AnswerBody, BUDGET, Breakers, KEEPERS, Message, OutcomeWord, World, answer};

/// Between two calls.
const PAUSE: Duration = Duration::from_millis(40);
/// How soon after healing every record is found again.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// Recovery is not waited for longer.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// Calls come in until everything is healed; then each record is asked for until all is as it should be.
pub(super) async fn call(world: Arc<World>) -> turmoil::Result {
    let (breakers, mut calls) = (Arc::new(Breakers::default()), Vec::new());
    for n in 0_usize.. {
        if world.healed.load(Relaxed) {
            break;
        }
        let (world, breakers) = (Arc::clone(&world), Arc::clone(&breakers));
        calls.push(tokio::spawn(async move { call_one(&world, &breakers, n % KEEPERS.len()).await }));
        sleep(PAUSE).await;
    }
    let healed = Instant::now();
    while healed.elapsed() < WAIT_MAX {
        let mut whole = true;
        for record in 0..KEEPERS.len() {
            whole &= call_one(&world, &breakers, record).await == truth(record);
        }
        if whole {
            *world.recovery.lock().unwrap() = Some(healed.elapsed());
            break;
        }
        sleep(PAUSE).await;
    }
    for call in calls {
        call.await?;
    }
    Ok(())
}

async fn call_one(world: &Arc<World>, breakers: &Breakers, record: usize) -> OutcomeWord {
    let budget_ms = u64::try_from(BUDGET.as_millis()).unwrap();
    let message = Message { chain: Vec::new(), id: world.call_id(), record, budget_ms };
    let answer = answer(world, breakers, ASKER, &message).await;
    let outcome = answer.outcome;
    world.heard.lock().unwrap().push((record, answer));
    outcome
}

fn truth(record: usize) -> OutcomeWord {
    if KEEPERS[record].is_empty() { OutcomeWord::NotFound } else { OutcomeWord::Found }
}

impl World {
    /// What is not as it must be.
    pub(super) fn amiss(&self) -> Vec<String> {
        let mut amiss = Vec::new();
        for (node, log) in &*self.logs.lock().unwrap() {
            let mut answered = HashMap::new();
            for written in log {
                if let Some(before) = answered.insert(&written.forwarded, written.outcome) {
                    amiss.push(format!(
                        "{node} has answered {:?} twice: {before:?} and {:?}",
                        written.forwarded, written.outcome
                    ));
                }
            }
        }
        for (record, answer) in &*self.heard.lock().unwrap() {
            if answer.outcome != truth(*record) && answer.outcome != OutcomeWord::Indeterminate {
                amiss.push(format!("record {record} is said to be {:?}: {answer:?}", answer.outcome));
            }
            self.examine_nodes(ASKER, *record, answer, &mut amiss);
        }
        match *self.recovery.lock().unwrap() {
            Some(after) if after <= RECOVERY_MAX => {}
            after => amiss.push(format!("full service came back after {after:?}")),
        }
        amiss
    }

    /// What an answer embeds was written down by the node that said it, as an answer to this call.
    fn examine_nodes(&self, asker: &str, record: usize, answer: &AnswerBody, amiss: &mut Vec<String>) {
        for entry in answer.nodes.iter().flatten() {
            let Some(inner) = &entry.answer else { continue };
            let inner: AnswerBody = serde_json::from_value(inner.clone()).unwrap();
            let written = self.logs.lock().unwrap().get(entry.node.as_str()).is_some_and(|log| {
                log.iter().any(|written| {
                    written.call_id == inner.call_id
                        && written.outcome == inner.outcome
                        && written.forwarded.0.as_str() == asker
                        && written.forwarded.1.to_string() == answer.call_id
                })
            });
            if !written {
                amiss.push(format!(
                    "{} has answered {} for {asker} and not written it down so",
                    entry.node, inner.call_id
                ));
            }
            if KEEPERS[record].contains(&entry.node.as_str()) && inner.outcome == OutcomeWord::NotFound {
                amiss.push(format!("{} keeps record {record} and said that it does not", entry.node));
            }
            self.examine_nodes(&entry.node, record, &inner, amiss);
        }
    }
}
