//! What later answers say of objections: which subjects have one open, and which records were corrected.

use std::collections::HashMap;

use crate::{
    identifiers::{DatasetId, VersionNo},
    ledger::{ObjectionMark, ObjectionState},
};

/// Subjects with an objection, by their pseudonyms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(HashMap<String, Vec<Mark>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    dataset: DatasetId,
    state: ObjectionState,
    corrected_version: Option<VersionNo>,
}

impl Marks {
    pub fn new(all: Vec<ObjectionMark>) -> Self {
        let mut marks: HashMap<String, Vec<Mark>> = HashMap::new();
        for ObjectionMark { dataset, subject, state, corrected_version } in all {
            marks.entry(subject).or_default().push(Mark { dataset, state, corrected_version });
        }
        Self(marks)
    }

    /// What an answer about that subject, from that version, says: `open`, `corrected`, or nothing.
    pub fn word(&self, dataset: &DatasetId, subject: &str, version: Option<VersionNo>) -> Option<&'static str> {
        if self.0.is_empty() {
            return None;
        }
        let ours = || self.0.get(subject).into_iter().flatten().filter(|mark| mark.dataset == *dataset);
        if ours().any(|mark| mark.state == ObjectionState::Open) {
            return Some(ObjectionState::Open.as_str());
        }
        let holds =
            |mark: &Mark| mark.corrected_version.is_some_and(|corrected| version.is_some_and(|v| v >= corrected));
        ours().any(holds).then_some(ObjectionState::Corrected.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(subject: &str, state: ObjectionState, corrected: Option<u64>) -> ObjectionMark {
        let dataset = "natural-person".parse().unwrap();
        ObjectionMark { dataset, subject: subject.to_owned(), state, corrected_version: corrected.map(VersionNo) }
    }

    #[test]
    fn an_open_objection_is_said_and_a_correction_from_its_version_on() {
        let (open, corrected) = (ObjectionState::Open, ObjectionState::Corrected);
        let marks = Marks::new(vec![
            mark("a", corrected, Some(3)),
            mark("b", open, None),
            mark("c", corrected, Some(3)),
            mark("c", open, None),
        ]);
        let (ours, other) = ("natural-person".parse().unwrap(), "legal-entity".parse().unwrap());
        let said = |subject, version| marks.word(&ours, subject, version);
        assert_eq!(said("a", Some(VersionNo(2))), None, "that version was not corrected yet");
        assert_eq!(said("a", None), None);
        assert_eq!(said("a", Some(VersionNo(3))), Some("corrected"));
        assert_eq!((said("b", None), said("c", Some(VersionNo(9)))), (Some("open"), Some("open")));
        assert_eq!((said("d", Some(VersionNo(9))), marks.word(&other, "b", None)), (None, None));
    }
}
