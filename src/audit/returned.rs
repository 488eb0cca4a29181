//! What the record of a return says beside the rest: how much has left, to whom, and as which bytes.

use serde::{Deserialize, Serialize};

use super::{Digest, Record};
use crate::identifiers::{AgreementId, DatasetId, DepartmentId, FieldName, ItemCode, NodeId, VersionNo};

/// A slice of a register that was handed to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Rows that left.
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of these bytes, hexadecimal; the manifest that goes with them states the same.
    pub sha256: Digest,
    /// The version of the source and the terms of the cut, as one word.
    pub cursor: String,
    /// The one that the node said it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// For whom and for the sake of what a node asks for a return.
#[derive(Clone, Copy, Debug)]
pub struct ReturnPurpose<'a> {
    pub department: &'a DepartmentId,
    pub item: &'a ItemCode,
    pub agreement: Option<&'a AgreementId>,
    /// What may leave by the catalogue.
    pub fields: &'a [FieldName],
}

impl Record {
    /// A node asks for its part of a dataset.
    pub fn return_asked(&mut self, node: &NodeId, dataset: Option<&DatasetId>) {
        self.manner("peer", node, 0);
        self.dataset = dataset.cloned();
    }

    pub fn return_purpose(&mut self, purpose: ReturnPurpose<'_>) {
        self.department = Some(purpose.department.clone());
        self.item = Some(purpose.item.clone());
        self.agreement = purpose.agreement.cloned();
        self.fields = purpose.fields.to_vec();
    }

    /// The slice is about to leave, with these fields of each record.
    pub fn returned(&mut self, returned: Returned, version: VersionNo, as_of: String, fields: &[FieldName]) {
        self.outcome = Some("returned".to_owned());
        (self.dataset_version, self.as_of) = (Some(version), Some(as_of));
        self.disclosed = fields.iter().map(FieldName::to_string).collect();
        self.returned = Some(returned);
    }
}
