//! Holds what callers were told against what all nodes have written down.

use std::collections::{HashMap, hash_map::Entry};

use serde_json::Value;
use shuqiao::{
    audit::{self, Record, receipt},
    keys::PublicKeys,
};

use super::processes::{Asked, Four, Heard, NODES};

/// A forwarded call at the node that received it: who sent it, under which id.
type Forwarded = (usize, String, String);

#[derive(Default)]
pub(super) struct Witness {
    /// Of each log, the record to be read next.
    next: [u64; NODES.len()],
    /// Of each log, the records since the last time, by their calls.
    records: [HashMap<String, Record>; NODES.len()],
    /// Since the start: the outcome that each forwarded call was answered with.
    answered: HashMap<Forwarded, String>,
    keys: Vec<PublicKeys>,
    /// Receipts inside answers that were found to be in order.
    pub(super) embedded: usize,
}

impl Witness {
    /// For other nodes, which begin with empty logs.
    pub(super) fn anew(self) -> Self {
        Self { embedded: self.embedded, ..Self::default() }
    }

    /// Everything that is not as it must be. All nodes serve.
    pub(super) fn examine(&mut self, four: &Four, heard: &[Heard]) -> Vec<String> {
        let mut amiss = self.read(four);
        self.keys = (0..NODES.len()).map(|n| four.keys(n)).collect();
        for heard in heard {
            amiss.extend(self.examine_one(heard));
            self.embedded += embedded(&heard.json());
        }
        amiss
    }

    /// Does it see what is amiss? Each true answer with an embedded one is falsified in several ways.
    pub(super) fn assert_sees(&mut self, heard: &[Heard]) {
        let sound = heard.iter().filter(|heard| heard.is_true() && heard.asked.keeper.is_some());
        let sound: Vec<_> = sound.filter(|heard| embedded(&heard.json()) > 0).collect();
        assert!(!sound.is_empty(), "no call went to another node");
        for heard in sound {
            let (was, answer) = (self.examine_one(heard), heard.json());
            assert_eq!(was, Vec::<String>::new());
            let falsified = |change: &dyn Fn(&mut Value)| {
                let mut other = answer.clone();
                change(&mut other);
                let bytes = serde_json::to_vec(&other).unwrap();
                self.examine_one(&Heard { bytes, asked: heard.asked.clone(), ..*heard }).join("\n")
            };
            assert!(falsified(&|answer| answer["outcome"] = "not_found".into()).contains("is true"));
            let inner = answer["nodes"].as_array().unwrap().iter().position(|node| node["end"] == "answered").unwrap();
            let receipt = falsified(&|answer| answer["nodes"][inner]["receipt"] = answer["receipt"].clone());
            assert!(receipt.contains("the embedded receipt of"), "{receipt}");
            let said = falsified(&|answer| answer["nodes"][inner]["answer"]["dataset"] = "other".into());
            assert!(said.contains("is for another answer"), "{said}");
            let id = answer["nodes"][inner]["answer"]["call_id"].as_str().unwrap().to_owned();
            let records = self.records.clone();
            self.records.iter_mut().for_each(|records| drop(records.remove(&id)));
            let unwritten = self.examine_one(heard).join("\n");
            assert!(unwritten.contains("and not written it down so"), "{unwritten}");
            self.records = records;
        }
    }

    /// What was written down since the last time.
    fn read(&mut self, four: &Four) -> Vec<String> {
        let mut amiss = Vec::new();
        for (n, node) in NODES.iter().enumerate() {
            self.records[n].clear();
            for entry in audit::read(&four.members[n].home.settings().paths.audit(), self.next[n]).unwrap() {
                let (index, payload) = entry.unwrap();
                self.next[n] = index + 1;
                let record = Record::from_bytes(&payload).unwrap();
                if let (Some(from), Some(id), Some(outcome)) =
                    (record.via.last(), record.forwarded_as, record.outcome.clone())
                {
                    let key = (n, from.to_string(), id.to_string());
                    match self.answered.entry(key) {
                        Entry::Vacant(free) => drop(free.insert(outcome)),
                        Entry::Occupied(taken) => amiss
                            .push(format!("{node} has answered {id} of {from} twice: {} and {outcome}", taken.get())),
                    }
                }
                let id = record.call_id.to_string();
                if self.records[n].insert(id.clone(), record).is_some() {
                    amiss.push(format!("{node} has written down {id} twice"));
                }
            }
        }
        amiss
    }

    fn examine_one(&self, heard: &Heard) -> Vec<String> {
        let mut amiss = Vec::new();
        let (node, answer) = (NODES[heard.at], heard.json());
        let id = answer["call_id"].as_str().unwrap_or_default();
        let record = self.records[heard.at].get(id);
        if heard.status != 200 {
            let unwritten = record.is_none() && !id.is_empty() && answer["code"] != "audit_unavailable";
            amiss.extend(unwritten.then(|| format!("{node} has refused {id} and not written it down: {answer}")));
            return amiss;
        }
        let outcome = answer["outcome"].as_str().unwrap_or_default();
        if outcome != heard.asked.truth && outcome != "indeterminate" {
            amiss.push(format!("{node} said {outcome} where {} is true: {answer:#}", heard.asked.truth));
        }
        if record.and_then(|record| record.outcome.as_deref()) != Some(outcome) {
            amiss.push(format!("{node} has answered {id} with {outcome} and written down {record:?}"));
        }
        match receipt::verify_answer(&heard.bytes, &self.keys[heard.at]) {
            Ok(claims) => amiss.extend(request_amiss(node, &claims, &heard.asked)),
            Err(error) => amiss.push(format!("the receipt of {node}: {error}")),
        }
        self.examine_nodes(heard.at, &answer, &heard.asked, &mut amiss);
        amiss
    }

    /// What other nodes have answered, as it stands in the answer of `asker`.
    fn examine_nodes(&self, asker: usize, answer: &Value, asked: &Asked, amiss: &mut Vec<String>) {
        let entries = answer["nodes"].as_array().into_iter().flatten();
        for entry in entries.filter(|entry| entry["end"] == "answered") {
            let Some(n) = NODES.iter().position(|node| entry["node"] == *node) else {
                amiss.push(format!("nobody knows the node of {entry}"));
                continue;
            };
            let (node, inner) = (NODES[n], &entry["answer"]);
            match receipt::verify(entry["receipt"].as_str().unwrap_or_default(), &self.keys[n]) {
                Ok(claims) => {
                    if receipt::answer_digest(inner).ok() != Some(claims.answer_sha256) {
                        amiss.push(format!("the embedded receipt of {node} is for another answer"));
                    }
                    amiss.extend(request_amiss(node, &claims, asked));
                }
                Err(error) => amiss.push(format!("the embedded receipt of {node}: {error}")),
            }
            let (id, outcome) =
                (inner["call_id"].as_str().unwrap_or_default(), inner["outcome"].as_str().unwrap_or_default());
            let (from, sent_as) = (NODES[asker], answer["call_id"].as_str().unwrap_or_default());
            let written = self.records[n].get(id).is_some_and(|record| {
                record.outcome.as_deref() == Some(outcome)
                    && record.via.last().is_some_and(|last| last.as_str() == from)
                    && record.forwarded_as.is_some_and(|id| id.to_string() == sent_as)
            });
            if !written {
                amiss.push(format!("{node} has answered {id} for {from} and not written it down so"));
            }
            if asked.keeper == Some(n) && outcome == "not_found" {
                amiss.push(format!("{node} keeps the record and said {outcome}"));
            }
            self.examine_nodes(n, inner, asked, amiss);
        }
    }
}

fn request_amiss(node: &str, claims: &receipt::ReceiptClaims, asked: &Asked) -> Option<String> {
    let error = receipt::verify_request(claims, &asked.body).err()?;
    Some(format!("the receipt of {node}: {error}"))
}

/// Answers inside an answer.
fn embedded(answer: &Value) -> usize {
    let inner = answer["nodes"].as_array().into_iter().flatten().map(|entry| &entry["answer"]);
    inner.filter(|answer| answer.is_object()).map(|answer| 1 + embedded(answer)).sum()
}
