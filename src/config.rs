//! How the node runs: raw settings, checked settings, limits.
//!
//! Floor 1: may use `identifiers` and `problem`. The only room that reads environment variables for settings. Two steps:
//! [`RawSettings`] is exactly what was said (file, then environment, then flags; an unknown key is refused),
//! [`Settings`] is checked and resolved. All complaints are collected; a `Settings` that exists holds together.
//! No setting is a secret: keys are files under `paths.data`, credentials of an object store or a
//! database stay in their variables.
//!
//! ```text
//! shuqiao.toml ─┐
//! SHUQIAO_…     ├─> RawSettings ──> one struct a subject ──> relations between them ──> Settings
//! flags        ─┘   (figment)       (key, type, bounds)
//! ```

mod audit;
mod clocks;
mod enumeration;
mod federation;
mod flight;
mod http;
mod issuers;
mod key;
mod ledger;
pub mod limits;
mod log;
mod lookup;
mod node;
mod page;
mod paths;
mod rates;
mod raw;
mod read;
mod rechecks;
mod returns;
mod statistics;
mod tables;
mod tokens;
mod uplink;
mod value;

use std::{
    env, fmt, io,
    path::{Path, PathBuf},
};

pub use audit::{AuditSettings, ReceiptForm};
pub use clocks::ClockSettings;
pub use enumeration::{EnumerationMode, EnumerationSettings};
pub use federation::{CardFile, Endpoint, FederationSettings, PeerListen};
pub use flight::{FlightListen, FlightSettings};
pub use http::HttpSettings;
pub use issuers::IssuerSettings;
pub use ledger::{LedgerSettings, LedgerStore};
pub use log::{LogFilter, LogFormat, LogLevel, LogSettings};
pub use lookup::LookupSettings;
pub use node::NodeSettings;
pub use page::page;
pub use paths::{PathSettings, WorkdayFile};
pub use rates::RateSettings;
pub use raw::{Origin, Override, RawSettings};
pub use rechecks::RecheckSettings;
pub use returns::ReturnSettings;
pub use statistics::StatisticsSettings;
pub use tables::{StoreEndpoint, StoreVariables, TableSettings, TableStore};
pub use tokens::TokenSettings;
pub use uplink::{UplinkFile, UplinkSettings};
pub(crate) use value::encrypted_or_here;
pub use value::{BaseUrl, ForeignTokenType, SignatureAlgorithm};

use crate::problem::Code;
use key::Key;
use read::{Explained, Reader};

/// Every subject, checked, in its own type.
///
/// ```
/// use shuqiao::config::{Override, RawSettings, Settings};
///
/// let listen = Override { flag: "--listen", key: "http.listen", value: "127.0.0.1:0".to_owned() };
/// let raw = RawSettings::gather(None, [], &[listen], "/srv/shuqiao".as_ref())?;
/// let settings = Settings::resolve(&raw)?;
/// assert_eq!(settings.http.listen.port(), 0);
/// assert_eq!(settings.paths.data.to_str(), Some("/srv/shuqiao/data"));
/// # Ok::<(), shuqiao::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub node: NodeSettings,
    pub paths: PathSettings,
    pub ledger: LedgerSettings,
    pub tables: TableSettings,
    /// Credentials of the object store, where tables are in one.
    pub store_variables: StoreVariables,
    pub http: HttpSettings,
    pub lookup: LookupSettings,
    pub flight: FlightSettings,
    pub statistics: StatisticsSettings,
    pub tokens: TokenSettings,
    pub issuers: Vec<IssuerSettings>,
    pub audit: AuditSettings,
    pub limits: RateSettings,
    pub enumeration: EnumerationSettings,
    pub clocks: ClockSettings,
    pub rechecks: RecheckSettings,
    pub federation: FederationSettings,
    pub returns: ReturnSettings,
    pub uplink: UplinkSettings,
    pub log: LogSettings,
    explained: Vec<Explained>,
}

impl Settings {
    /// Read the file, the environment and the flags of this process.
    pub fn load(file: Option<&Path>, overrides: &[Override]) -> Result<Self, ConfigError> {
        let here = env::current_dir().map_err(|source| ConfigError::File { path: PathBuf::from("."), source })?;
        Self::resolve(&RawSettings::gather(file, env::vars_os(), overrides, &here)?)
    }

    /// Check what was said. Touches nothing outside: whether a folder exists is seen by the room that opens it.
    pub fn resolve(raw: &RawSettings) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(raw);
        let node = NodeSettings::read(&mut reader);
        let paths = PathSettings::read(&mut reader);
        let ledger = LedgerSettings::read(&mut reader);
        let tables = TableSettings::read(&mut reader);
        let http = HttpSettings::read(&mut reader);
        let lookup = LookupSettings::read(&mut reader);
        let flight = FlightSettings::read(&mut reader);
        let statistics = StatisticsSettings::read(&mut reader);
        let tokens = TokenSettings::read(&mut reader);
        let issuers: Option<Vec<_>> = read_issuers(raw, &mut reader);
        let audit = AuditSettings::read(&mut reader);
        let limits = RateSettings::read(&mut reader);
        let enumeration = EnumerationSettings::read(&mut reader);
        let clocks = ClockSettings::read(&mut reader);
        let rechecks = RecheckSettings::read(&mut reader);
        let federation = FederationSettings::read(&mut reader);
        let returns = ReturnSettings::read(&mut reader);
        let uplink = UplinkSettings::read(&mut reader);
        let log = LogSettings::read(&mut reader);
        let Reader { complaints, explained, .. } = reader;
        let mut complaints = [raw.complaints.clone(), complaints].concat();

        let whole = (|| {
            Some(Self {
                node: node?,
                paths: paths?,
                ledger: ledger?,
                tables: tables?,
                store_variables: raw.store_variables.clone(),
                http: http?,
                lookup: lookup?,
                flight: flight?,
                statistics: statistics?,
                tokens: tokens?,
                issuers: issuers?,
                audit: audit?,
                limits: limits?,
                enumeration: enumeration?,
                clocks: clocks?,
                rechecks: rechecks?,
                federation: federation?,
                returns: returns?,
                uplink: uplink?,
                log: log?,
                explained,
            })
        })();
        complaints.extend(whole.iter().flat_map(Self::contradictions));
        match whole {
            Some(settings) if complaints.is_empty() => Ok(settings),
            _ => Err(ConfigError::Invalid { complaints }),
        }
    }

    /// Every key with its value and where the value came from, in the order of `docs/configuration.md`.
    pub fn explain(&self) -> Vec<(String, String, Origin)> {
        let row = |one: &Explained| (one.path.clone(), one.value.clone(), one.origin.clone());
        self.explained.iter().map(row).collect()
    }

    /// Values that are right each for itself and do not go together.
    fn contradictions(&self) -> Vec<Complaint> {
        let mut found = Vec::new();
        let mut ordered = |holds: bool, less: &str, more: &str, why: &str| {
            if !holds {
                found.push(self.contradiction(less, more, why));
            }
        };
        let (http, lookup) = (&self.http, &self.lookup);
        ordered(
            lookup.deadline < http.request_max,
            "lookup.deadline_ms",
            "http.request_ms_max",
            "a late look-up must still be recorded, signed and sent",
        );
        ordered(
            http.header_max <= http.request_max,
            "http.header_ms_max",
            "http.request_ms_max",
            "headers are a part of the request",
        );
        let scores = &self.enumeration;
        ordered(
            scores.warn_score < scores.slow_score,
            "enumeration.warn_score",
            "enumeration.slow_score",
            "a client is warned of before it is slowed",
        );
        ordered(
            scores.slow_score < scores.block_score,
            "enumeration.slow_score",
            "enumeration.block_score",
            "a client is slowed before it is blocked",
        );
        ordered(
            http.request_max <= http.shutdown_grace,
            "http.request_ms_max",
            "http.shutdown_grace_ms",
            "a call that was accepted must be able to finish",
        );
        ordered(
            self.federation.address == PeerListen::Off || self.federation.deadline < http.request_max,
            "federation.deadline_ms",
            "http.request_ms_max",
            "what other nodes say, or do not say, must still be recorded, signed and sent",
        );
        found.extend(self.issuers.iter().enumerate().filter_map(|(index, issuer)| self.issuer_twice(index, issuer)));
        found
    }

    fn contradiction(&self, less: &str, more: &str, why: &str) -> Complaint {
        let said = |path: &str| self.explained.iter().find(|one| one.path == path);
        let value = |path: &str| said(path).map_or_else(String::new, |one| one.value.clone());
        let place = |path: &str| said(path).map_or_else(String::new, |one| one.origin.to_string());
        Complaint {
            place: format!("{}, {}", place(less), place(more)),
            reason: format!("`{less}` ({}) is too much beside `{more}` ({}): {why}", value(less), value(more)),
            remedy: Some(format!("Lower `{less}` or raise `{more}`")),
        }
    }

    /// An issuer's name must lead to one set of keys.
    fn issuer_twice(&self, index: usize, issuer: &IssuerSettings) -> Option<Complaint> {
        let name = &issuer.issuer;
        let own = name == self.node.url.as_str();
        let again = self.issuers[..index].iter().any(|earlier| &earlier.issuer == name);
        let reason = match (own, again) {
            (true, _) => "is the node itself, whose tokens are accepted anyway",
            (false, true) => "is listed twice",
            (false, false) => return None,
        };
        Some(Complaint {
            place: format!("issuers[{index}]"),
            reason: format!("`issuers[{index}].issuer` {reason}"),
            remedy: Some("Leave one out".to_owned()),
        })
    }
}

fn read_issuers(raw: &RawSettings, reader: &mut Reader<'_>) -> Option<Vec<IssuerSettings>> {
    let read: Vec<_> = (0..raw.issuers())
        .map(|index| {
            reader.at_element(index);
            IssuerSettings::read(reader)
        })
        .collect();
    read.into_iter().collect()
}

/// Every key, in the order in which it is documented.
fn known_keys() -> impl Iterator<Item = &'static Key> {
    [
        NodeSettings::KEYS,
        PathSettings::KEYS,
        LedgerSettings::KEYS,
        TableSettings::KEYS,
        HttpSettings::KEYS,
        LookupSettings::KEYS,
        FlightSettings::KEYS,
        StatisticsSettings::KEYS,
        TokenSettings::KEYS,
        IssuerSettings::KEYS,
        AuditSettings::KEYS,
        RateSettings::KEYS,
        EnumerationSettings::KEYS,
        ClockSettings::KEYS,
        RecheckSettings::KEYS,
        FederationSettings::KEYS,
        ReturnSettings::KEYS,
        UplinkSettings::KEYS,
        LogSettings::KEYS,
    ]
    .into_iter()
    .flatten()
}

/// One thing that is wrong, where it was said, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub place: String,
    pub reason: String,
    pub remedy: Option<String>,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {remedy}"),
            None => Ok(()),
        }
    }
}

/// Why the node cannot run as it was told.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("settings file `{}` could not be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}", one_line(complaints))]
    Invalid { complaints: Vec<Complaint> },
}

impl ConfigError {
    pub fn code(&self) -> Code {
        match self {
            Self::File { .. } | Self::Invalid { .. } => Code::ConfigInvalid,
        }
    }
}

fn one_line(complaints: &[Complaint]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
