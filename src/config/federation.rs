//! How the node takes part in the federation.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use url::Url;

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// How other nodes are asked, and how they ask; see `docs/federation.md`.
    "federation" => FederationSettings {
        /// Address and port for other nodes, with mutual TLS; `off` for a node that stands alone.
        "address" => address: PeerListen = Rule::Text { default: "off", shape: "`off` or address:port" };
        /// Where the others reach that address: an `https` URL with a port. `as-listened` for the address itself.
        "endpoint" => endpoint: Endpoint = Rule::Text { default: "as-listened", shape: "`as-listened` or https URL" };
        /// The card of the node that issues the directory, as its operator has handed it over (`shuqiao peer card`). `none` at that node itself.
        "province" => province: CardFile = Rule::Text { default: "none", shape: "`none` or path" };
        /// How long a call may be under way to other nodes; after it the answer is `indeterminate`.
        "deadline_ms" => deadline: Duration = Rule::Number(&limits::PEER_DEADLINE_MS);
        /// Nodes asked at once for one call.
        "parallel" => parallel: usize = Rule::Number(&limits::PEERS_AT_ONCE);
        /// How long a node that has a copy elsewhere may take before the copy is asked as well.
        "hedge_ms" => hedge: Duration = Rule::Number(&limits::HEDGE_MS);
        /// How often the directory and what nodes below keep is looked at.
        "pull_ms" => pull: Duration = Rule::Number(&limits::PULL_MS);
        /// How long the last directory is good while its issuer is away; after it the others are not asked and not answered.
        "grace_s" => grace: Duration = Rule::Number(&limits::DIRECTORY_GRACE_S);
        /// How long an entry of another node's catalogue counts as fresh after that node was last heard; then it is marked as stale.
        "catalog_stale_s" => catalog_stale: Duration = Rule::Number(&limits::CATALOG_STALE_S);
        /// How far the clocks of two nodes may be apart.
        "skew_s" => skew: Duration = Rule::Number(&limits::PEER_SKEW_S);
    }
}

/// Where other nodes connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerListen {
    Off,
    At(SocketAddr),
}

impl FromStr for PeerListen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text
                .parse()
                .map(Self::At)
                .map_err(|_| format!("`{text}` is no address with a port. Write `off`, or one such as `0.0.0.0:8641`")),
        }
    }
}

impl fmt::Display for PeerListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// What other nodes are told of where they connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    AsListened,
    Url(Url),
}

impl FromStr for Endpoint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "as-listened" {
            return Ok(Self::AsListened);
        }
        let form = "Write `as-listened`, or a URL such as `https://node.sz.example:8641`";
        let url: Url = text.parse().map_err(|_| format!("is no URL. {form}"))?;
        match url.scheme() == "https" && url.host().is_some() && url.path() == "/" {
            true => Ok(Self::Url(url)),
            false => Err(format!("is no https URL of a host alone. {form}")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsListened => f.write_str("as-listened"),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// The file of a card, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFile(pub Option<PathBuf>);

impl CardFile {
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}
