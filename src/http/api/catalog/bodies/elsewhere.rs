//! Whose entry it is, and how fresh.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Words;
use crate::cascade::{Everywhere, Freshness, Listed};

/// The node that publishes an entry, and when it was last heard.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EntryOrigin)]
pub(crate) struct OriginBody {
    /// The node that publishes the entry.
    pub(crate) node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Words>,
    /// Is it this node itself?
    own: bool,
    /// The nodes that the entry has passed on its way here, its origin first.
    path: Vec<String>,
    /// When the node changed the entry, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) as_of: Option<String>,
    /// When all that the node publishes was last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_at: Option<String>,
    /// Was it not confirmed for longer than `federation.catalog_stale_s`?
    pub(crate) stale: bool,
}

pub(crate) fn origin(
    all: &Everywhere,
    listed: &Listed,
    freshness: &Freshness,
    (stale_after, now): (TimeDelta, DateTime<Utc>),
) -> OriginBody {
    let own = all.is_own(listed);
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    OriginBody {
        node: listed.name.origin.to_string(),
        name: (listed.entry.node.id == listed.name.origin).then(|| (&listed.entry.node.name).into()),
        own,
        path: listed.path.iter().map(ToString::to_string).collect(),
        as_of: listed.as_of.map(time),
        confirmed_at: freshness.confirmed(listed).map(time),
        stale: !own && freshness.is_stale(listed, stale_after, now),
    }
}
