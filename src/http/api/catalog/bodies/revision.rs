//! A revision of the catalogue in JSON.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::super::super::body;
use crate::ledger::Revision;

/// A revision of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogRevision)]
pub(crate) struct RevisionBody {
    pub(crate) number: i64,
    /// The revision that it was made from; 0 for the first.
    pub(crate) base: i64,
    /// `draft`, `in_review`, `published`, `rejected` or `retired` (another one has taken its place).
    pub(crate) state: &'static str,
    /// The worst of its changes: `compatible`, `narrowing` or `breaking`.
    pub(crate) effect: String,
    /// What it changes of its base, one line a change.
    pub(crate) changes: Vec<String>,
    pub(crate) reason: String,
    /// Agreements that end with it.
    pub(crate) ended: Vec<String>,
    /// Absent of the first, which was read from the node's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author_department: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reviewer: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    reviewed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// SHA-256 of the files.
    hash: String,
}

pub(crate) fn shown(revision: &Revision) -> RevisionBody {
    RevisionBody {
        number: revision.number,
        base: revision.base,
        state: revision.state.word(),
        effect: revision.effect.clone(),
        changes: revision.changes.lines().map(str::to_owned).collect(),
        reason: revision.reason.clone(),
        ended: revision.ended.iter().map(ToString::to_string).collect(),
        author: revision.author.as_ref().map(ToString::to_string),
        author_department: revision.author_department.as_ref().map(ToString::to_string),
        created_at: body::rfc3339(revision.created),
        reviewer: revision.reviewer.as_ref().map(ToString::to_string),
        reviewed_at: revision.reviewed.map(body::rfc3339),
        note: revision.note.clone(),
        hash: revision.hash.clone(),
    }
}
