//! Who the node is.

use super::{
    key::{Rule, subject},
    value::BaseUrl,
};
use crate::identifiers::NodeId;

subject! {
    /// Who the node is.
    "node" => NodeSettings {
        /// Name of the node in the catalogue.
        "id" => id: NodeId = Rule::Text { default: "guangdong", shape: "name" };
        /// Public base address of the node. It issues tokens and receipts under this name (`iss`), so it is what others compare.
        "url" => url: BaseUrl = Rule::Text { default: "http://127.0.0.1:8640", shape: "URL" };
        /// What tokens for this node must name as their audience (`aud`).
        "audience" => audience: String = Rule::SameAs { key: "node.url", shape: "text" };
    }
}
