//! Returns of a dataset as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::yaml::At;

/// The records of one node's own division, handed back to it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a return: a mapping with `node`, `department`, `item` and `fields`")]
#[schemars(rename = "Return")]
pub(in crate::catalog) struct RawReturn {
    /// The node that gets the records of its division.
    pub(in crate::catalog) node: At<String>,
    /// The department of that node that uses them.
    pub(in crate::catalog) department: At<String>,
    /// The service item for whose sake it does: its agreement for this item is the ground.
    #[schemars(extend("pattern" = "^[0-9A-Z]{31}$"))]
    pub(in crate::catalog) item: At<String>,
    /// Fields that may leave, the key among them.
    pub(in crate::catalog) fields: At<Vec<At<String>>>,
}
