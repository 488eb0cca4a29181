//! What the source states of a slice, signed: who hands what to whom, and which bytes these are.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Cursor, ReturnError, Slice, Terms};
use crate::{
    audit::Digest,
    identifiers::{CallId, DatasetId, DivisionCode, FieldName, NodeId, VersionNo},
    keys::{PublicKeys, SigningKey, jws},
};

/// What kind of JWS it is (RFC 8725 section 3.11).
const TYPE: &str = "return-manifest+jwt";
/// The header of the response that carries it, before the bytes that it is about.
pub const MANIFEST_HEADER: &str = "x-shuqiao-manifest";
/// Longest manifest that is looked at.
pub const MANIFEST_BYTES_MAX: usize = 12 * 1024;

/// The claims of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The node that keeps the register, and the one that is handed its slice.
    pub iss: NodeId,
    pub aud: NodeId,
    pub iat: i64,
    /// Under which the source has recorded it.
    pub jti: CallId,
    pub dataset: DatasetId,
    /// The version that was cut, and when its data was true (RFC 3339).
    pub version: VersionNo,
    pub as_of: DateTime<Utc>,
    /// Records of this division.
    pub area: String,
    /// The columns of the file, and those of them that are masked.
    pub fields: Vec<FieldName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<FieldName>,
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: Digest,
    /// Where a node is that has taken it, and where the node was that has asked for it.
    pub cursor: Cursor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// What a node expects of the manifest that it is handed.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub from: &'a NodeId,
    pub to: &'a NodeId,
    /// The division of the node that expects it.
    pub area: &'a DivisionCode,
    pub dataset: &'a DatasetId,
    /// Where the node is, and has said that it is.
    pub after: Option<Cursor>,
}

impl Manifest {
    /// The manifest of a slice of that version.
    pub fn new(
        call_id: CallId,
        terms: &Terms,
        slice: &Slice,
        (version, as_of): (VersionNo, DateTime<Utc>),
        after: Option<Cursor>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            iss: terms.from.clone(),
            aud: terms.to.clone(),
            iat: now.timestamp(),
            jti: call_id,
            dataset: terms.dataset.clone(),
            version,
            as_of,
            area: terms.area.to_string(),
            fields: terms.fields(),
            masked: terms.masked(),
            rows: slice.rows,
            bytes: slice.bytes,
            sha256: slice.sha256,
            cursor: terms.cursor(version),
            after,
        }
    }

    pub fn sign(&self, key: &SigningKey) -> Result<String, ReturnError> {
        let payload = serde_json::to_vec(self).map_err(|error| wrong(error.to_string()))?;
        let text = jws::sign(key, TYPE, &payload);
        match text.len() <= MANIFEST_BYTES_MAX {
            true => Ok(text),
            false => Err(wrong(format!("it would be longer than {MANIFEST_BYTES_MAX} bytes. Return fewer fields"))),
        }
    }

    /// Signed by one of these keys, from the node and for the node that are expected, and the next one there.
    pub fn verify(text: &str, keys: &PublicKeys, expected: Expected<'_>) -> Result<Self, ReturnError> {
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(wrong(format!("it is longer than {MANIFEST_BYTES_MAX} bytes")));
        }
        let payload = jws::verify(text, TYPE, keys).map_err(|error| wrong(error.to_string()))?;
        let manifest: Self = serde_json::from_slice(&payload).map_err(|error| wrong(error.to_string()))?;
        let stated = [
            (manifest.iss == *expected.from, "it is of another node"),
            (manifest.aud == *expected.to, "it is for another node"),
            (manifest.area == expected.area.as_str(), "it is about records of another division"),
            (manifest.dataset == *expected.dataset, "it is about another dataset"),
            (manifest.cursor.version == manifest.version, "its cursor is that of another version"),
            (manifest.after == expected.after, "it follows another version than the one that is here"),
        ];
        if let Some((_, reason)) = stated.iter().find(|(holds, _)| !holds) {
            return Err(wrong((*reason).to_owned()));
        }
        match expected.after {
            Some(here) if !manifest.cursor.follows(here) => {
                Err(ReturnError::NotNewer { node: manifest.iss, offered: manifest.cursor, here })
            }
            _ => Ok(manifest),
        }
    }
}

fn wrong(reason: String) -> ReturnError {
    ReturnError::Manifest { reason }
}
