//! What an answer says of the nodes that had to do with it, and whether their receipts hold: without asking anybody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{audit::receipt, keys::PublicKeys};

/// Public keys of all nodes, and what was verified with them.
pub(super) struct Evidence {
    pub(super) keys: BTreeMap<String, PublicKeys>,
    pub(super) verified: usize,
    pub(super) of: BTreeSet<String>,
    pub(super) broken: Vec<String>,
    /// One that was embedded in an answer: who gave it, and its text.
    pub(super) sample: Option<(String, String)>,
}

impl Evidence {
    pub(super) fn new(keys: BTreeMap<String, PublicKeys>) -> Self {
        Self { keys, verified: 0, of: BTreeSet::new(), broken: Vec::new(), sample: None }
    }

    /// The receipt of an answer, and those of all answers that it rests on.
    pub(super) fn examine(&mut self, node: &str, request: &[u8], answer: &Value) {
        self.check(node, &answer["receipt"], answer, request);
        self.embedded(request, answer);
    }

    fn embedded(&mut self, request: &[u8], answer: &Value) {
        for entry in entries(answer).filter(|entry| entry["end"] == "answered") {
            let node = word(&entry["node"]);
            self.check(node, &entry["receipt"], &entry["answer"], request);
            self.sample = entry["receipt"].as_str().map(|receipt| (node.to_owned(), receipt.to_owned()));
            self.embedded(request, &entry["answer"]);
        }
    }

    fn check(&mut self, node: &str, text: &Value, answer: &Value, request: &[u8]) {
        match self.holds(node, text, answer, request) {
            Ok(()) => {
                self.verified += 1;
                self.of.insert(node.to_owned());
            }
            Err(reason) => self.broken.push(format!("{node}: {reason}")),
        }
    }

    /// Signed by that node, over this answer to this request.
    fn holds(&self, node: &str, text: &Value, answer: &Value, request: &[u8]) -> Result<(), String> {
        let keys = self.keys.get(node).ok_or("nobody has its keys")?;
        let text = text.as_str().ok_or("an answer without a receipt")?;
        let claims = receipt::verify(text, keys).map_err(|error| error.to_string())?;
        receipt::verify_request(&claims, request).map_err(|error| error.to_string())?;
        match receipt::answer_digest(answer) {
            Ok(digest) if digest == claims.answer_sha256 => Ok(()),
            _ => Err("the receipt is of another answer".to_owned()),
        }
    }
}

/// `guangzhou own, guangdong answered (shenzhen ruled_out, zhaoqing answered)`.
pub(super) fn ends(answer: &Value) -> String {
    let mut told: Vec<_> = entries(answer)
        .map(|entry| {
            let inner = ends(&entry["answer"]);
            let inner = if inner.is_empty() { inner } else { format!(" ({inner})") };
            format!("{} {}{inner}", word(&entry["node"]), word(&entry["end"]))
        })
        .collect();
    told.sort();
    told.join(", ")
}

/// The entry of a node, however deep.
pub(super) fn entry_of<'a>(answer: &'a Value, node: &str) -> Option<&'a Value> {
    entries(answer).find_map(|entry| match entry["node"] == node {
        true => Some(entry),
        false => entry_of(&entry["answer"], node),
    })
}

fn entries(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["nodes"].as_array().into_iter().flatten()
}

pub(super) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::SigningKey;

    #[test]
    fn nodes_are_found_and_named_however_deep_and_an_answer_without_its_receipt_is_no_evidence() {
        let inner = json!({ "nodes": [{ "node": "zhaoqing", "end": "answered", "answer": {} }] });
        let answer = json!({ "nodes": [
            { "node": "shenzhen", "end": "ruled_out" }, { "node": "guangdong", "end": "answered", "answer": inner },
        ] });
        assert_eq!(ends(&answer), "guangdong answered (zhaoqing answered), shenzhen ruled_out");
        assert_eq!(entry_of(&answer, "zhaoqing").map(|entry| word(&entry["end"])), Some("answered"));
        assert!(entry_of(&answer, "guangzhou").is_none());

        let key = SigningKey::generate().unwrap();
        let known = ["guangdong", "guangzhou"].map(|node| (node.to_owned(), PublicKeys::new([key.public()])));
        let mut evidence = Evidence::new(known.into());
        evidence.examine("guangzhou", b"{}", &answer);
        let expect = [
            "guangzhou: an answer without a receipt",
            "guangdong: an answer without a receipt",
            "zhaoqing: nobody has its keys",
        ];
        assert_eq!((evidence.verified, evidence.broken.as_slice()), (0, expect.map(str::to_owned).as_slice()));
    }
}
