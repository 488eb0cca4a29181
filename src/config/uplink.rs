//! Whose manner is spoken beside the node's own.

use std::path::{Path, PathBuf};

use super::key::{Rule, subject};

subject! {
    /// Platforms above: calls in their manner, answered and made.
    "uplink" => UplinkSettings {
        /// File of the platforms above: who calls in their manner, what can be asked, who is asked, and what their codes mean (docs/uplink.md). `none`: nobody calls so, and nobody is asked.
        "file" => file: UplinkFile = Rule::Text { default: "none", shape: "`none` or path" };
    }
}

/// Where the platforms above are declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkFile {
    None,
    Path(PathBuf),
}

impl UplinkFile {
    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::Path(path) => Some(path),
        }
    }
}
