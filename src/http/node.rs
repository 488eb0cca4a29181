//! The node: every part, built in one place, the same in `serve`, in the demo and in the tests.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::{digest, rand};
use chrono::{DateTime, TimeDelta, Utc};
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
};
use uuid::Uuid;

use super::{
    enumeration, federate, follow, rechecks::RecheckDesk, secrets::pseudonymiser, shelf::Shelf, tables::tables,
};
use crate::{
    agreements::AgreementsError,
    audit::{
        self, AuditError, Log, LogOptions, Pseudonymiser, Record,
        receipt::{HeadSigner, Receipts},
    },
    calendar::{Calendar, CalendarError},
    catalog::{Catalog, CatalogError},
    config::{ForeignTokenType, IssuerSettings, LedgerStore, ReceiptForm, Settings, SignatureAlgorithm},
    engine::{Engine, EngineError},
    exchange::{
        Answer, Credential, Exchange, Incoming, Parts, ProbeFailed, Question, Refusal, StatisticsLimits, day_in_china,
        prove_the_locks,
    },
    federation::{self, Federation, FederationError},
    flight,
    identifiers::{AgreementId, CallId, ClientId, NodeId},
    identity::{
        Algorithm, ClientClaim, ClientDirectory, ForeignIssuer, IdentityError, IssuedToken, Issuer, TokenRequest,
        TokenRules, Verifier,
    },
    keys::{KeyError, KeyRing, PublicKeys},
    ledger::{Ledger, LedgerError},
    policy::{Operation, PolicyError},
    problem::{Code, Problem},
    rechecks::RechecksError,
    revisions::SeedError,
    storage::StorageError,
    uplink::{self, Uplink, UplinkError},
};

/// Where tokens are issued, below the node's URL.
const TOKEN_PATH: &str = "/oauth/token";

/// Why a node could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Revision(#[from] Problem),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    Agreements(#[from] AgreementsError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Probe(#[from] ProbeFailed),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Rechecks(#[from] RechecksError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Federation(#[from] FederationError),
    #[error("the address {address} for other nodes cannot be listened on")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("no index could be made: {0}")]
    Index(String),
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    #[error("no randomness for a secret")]
    Randomness,
    #[error("the secret file `{0}` is damaged. Restore it from the backup: pseudonyms in the audit log depend on it")]
    Secret(PathBuf),
    #[error("the foreign issuer `{issuer}` is not usable: {reason}")]
    Issuer { issuer: String, reason: String },
}

/// One running node. Shared by every handler and background task.
pub struct Node {
    pub settings: Settings,
    pub(super) ledger: Ledger,
    /// The published catalogue as it is shown.
    pub(super) shelf: ArcSwap<Shelf>,
    /// Of the ledger, when it was last read for what calls are decided by.
    pub(super) stamp: AtomicI64,
    /// The same for policies and catalogue.
    pub(super) laws_stamp: AtomicI64,
    /// What was wrong with published versions at the last look.
    pub(super) version_errors: Mutex<BTreeSet<String>>,
    /// Held for a moment while rights are replaced: of two that have read, none puts back what the other has taken.
    pub(super) taking: Mutex<()>,
    /// Held while laws are proven and taken, perhaps for seconds: what was proven together is taken together.
    pub(super) proving: Mutex<()>,
    /// Have the policies of the folder not passed when they were read again?
    pub(super) reload_failed: AtomicBool,
    /// Is a policy set of the ledger active? Then the folder's has no say.
    pub(super) policies_of_ledger: AtomicBool,
    pub(super) pseudonyms: Arc<Pseudonymiser>,
    pub(super) calendar: Calendar,
    /// What finishes calls later, and tells their clients.
    pub(super) rechecks: RecheckDesk,
    /// The platforms above.
    pub uplink: Uplink,
    pub engine: Arc<Engine>,
    pub(super) exchange: Arc<Exchange>,
    issuer: Issuer,
    pub(super) verifier: Arc<Verifier>,
    pub(super) directory: Arc<ClientDirectory>,
    log: Arc<Log>,
    pub(super) receipt_keys: Arc<KeyRing>,
    pub(super) token_keys: Arc<KeyRing>,
    metrics: PrometheusHandle,
    pub(super) clock: fn() -> DateTime<Utc>,
    pub(super) in_flight: Semaphore,
    /// The other nodes, where this one is not alone, and the listener for them until it is served.
    pub(super) federation: Option<Arc<Federation>>,
    pub(super) peer_listener: std::sync::Mutex<Option<TcpListener>>,
    /// What is kept for other nodes, and of them.
    pub(super) shared: federate::Shared,
    /// Who reads the audit log through, to replay or to explain: one at a time.
    pub(super) studies: Arc<Semaphore>,
    leaving: AtomicBool,
}

impl Node {
    /// Build every part from the settings: read the catalogue, prove the locks, recover the log, map the registers.
    pub async fn open(
        settings: Settings,
        metrics: PrometheusHandle,
        clock: fn() -> DateTime<Utc>,
    ) -> Result<Arc<Self>, NodeError> {
        let now = clock();
        let paths = &settings.paths;
        let ledger = open_ledger(&settings).await?;
        let (stamp, rights, current) = follow::read_rights(&settings, &ledger, now).await?;
        let policies_of_ledger = AtomicBool::new(ledger.active_policy_set().await?.is_some());
        let catalog = Arc::clone(&rights.catalog);
        let probes = prove_the_locks(&catalog, &rights.agreements, &rights.policies, day_in_china(now))?;
        tracing::info!(probes, policies = rights.policies.hash(), "start-up probes passed");

        let receipt_keys = Arc::new(KeyRing::open(&paths.receipt_key())?);
        let token_keys = Arc::new(KeyRing::open(&paths.token_key())?);
        let pseudonyms = Arc::new(pseudonymiser(&paths.pseudonym_secret())?);
        let rechecks = RecheckDesk::open(paths)?;
        let calendar = Calendar::load(paths.workdays.path())?;
        let uplink = match settings.uplink.file.path() {
            Some(file) => uplink::load(file, &catalog, clock)?,
            None => Uplink::default(),
        };

        let directory = Arc::new(ClientDirectory::open(ledger.clone()).await?);
        let rules = token_rules(&settings);
        let foreign = settings.issuers.iter().map(foreign_issuer).collect::<Result<Vec<_>, _>>()?;
        let verifier = Arc::new(Verifier::new(rules.clone(), &token_keys.public(), foreign, Arc::clone(&directory))?);
        let issuer = Issuer::new(rules, Arc::clone(&token_keys), Arc::clone(&directory))?;

        let engine = Arc::new(Engine::new(
            &catalog,
            tables(&settings)?,
            settings.lookup.sql_memory_bytes,
            settings.lookup.rows_max,
        )?);
        let (kept, kept_at) = ledger.watch(&settings.node.id).await?;
        let (log, Remembrance { used, since, forwarded }) = open_log(&settings, &receipt_keys, clock, kept_at)?;
        let (federation, peer_listener) = federate::open(&settings, &token_keys, &receipt_keys).await?.unzip();
        let exchange = Arc::new(Exchange::new(
            Parts {
                node: settings.node.id.clone(),
                rights,
                engine: Arc::clone(&engine),
                verifier: Arc::clone(&verifier),
                log: Arc::clone(&log),
                pseudonyms: Arc::clone(&pseudonyms),
                receipts: Receipts::new(
                    Arc::clone(&log),
                    Arc::clone(&receipt_keys),
                    settings.node.url.as_str().to_owned(),
                ),
                client_calls_per_second: NonZeroU32::new(settings.limits.calls_per_second).unwrap_or(NonZeroU32::MIN),
                lookup_deadline: settings.lookup.deadline,
                thresholds: enumeration::thresholds(&settings.enumeration),
                federation: federation.clone(),
                answered_before: forwarded,
                statistics: StatisticsLimits {
                    cell_min: settings.statistics.cell_min,
                    deadline: settings.statistics.deadline,
                    at_once_max: settings.statistics.at_once_max,
                },
            },
            used,
        ));
        enumeration::take_back(&exchange, &ledger, kept, &since).await?;
        let in_flight = Semaphore::new(settings.http.calls_in_flight_max);
        let node = Arc::new(Self {
            settings,
            ledger,
            shelf: ArcSwap::from_pointee(Shelf::new(&current)),
            stamp: AtomicI64::new(stamp),
            laws_stamp: AtomicI64::new(stamp),
            version_errors: Mutex::default(),
            taking: Mutex::new(()),
            proving: Mutex::new(()),
            reload_failed: AtomicBool::new(false),
            policies_of_ledger,
            pseudonyms,
            calendar,
            rechecks,
            uplink,
            engine,
            exchange,
            issuer,
            verifier,
            directory,
            log,
            receipt_keys,
            token_keys,
            metrics,
            clock,
            in_flight,
            federation,
            peer_listener: std::sync::Mutex::new(peer_listener),
            shared: federate::Shared::default(),
            studies: Arc::new(Semaphore::new(1)),
            leaving: AtomicBool::new(false),
        });
        node.refresh_registers().await;
        node.federate().await;
        node.verifier.refresh_foreign(now).await;
        Ok(node)
    }

    /// The catalogue in force.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.exchange.rights().catalog
    }

    /// The same, as it is shown.
    pub(super) fn shelf(&self) -> Arc<Shelf> {
        self.shelf.load_full()
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Put a request on the road.
    pub(super) async fn answer(
        &self,
        operation: Operation,
        credential: Credential<'_>,
        body: &[u8],
        question: Result<Question, Problem>,
    ) -> Result<Answer, Refusal> {
        let incoming = self.incoming(operation, credential, body, question);
        Box::pin(self.exchange.answer(incoming)).await
    }

    /// The same for a request that another node forwards.
    pub(super) async fn answer_forwarded(
        &self,
        operation: Operation,
        token: Option<&str>,
        from: &NodeId,
        body: &[u8],
        question: Result<Question, Problem>,
    ) -> Result<Answer, Refusal> {
        let incoming = self.incoming(operation, Credential::Missing, body, question);
        Box::pin(self.exchange.answer_forwarded(token, from, incoming)).await
    }

    fn incoming<'a>(
        &self,
        operation: Operation,
        credential: Credential<'a>,
        body: &'a [u8],
        question: Result<Question, Problem>,
    ) -> Incoming<'a> {
        let received = self.now();
        let call_id = CallId::new(fresh_id(received));
        let mut request_sha256 = [0; 32];
        request_sha256.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        Incoming { call_id, operation, credential, body, request_sha256, question, received }
    }

    /// The door for statistics, to be mounted on a listener.
    pub(super) fn flight(&self) -> axum::Router {
        flight::router(Arc::clone(&self.exchange), self.clock, super::status_of)
    }

    /// The same for other nodes, where there are any.
    pub(super) fn flight_of_peers(&self) -> Option<axum::Router> {
        let federation = self.federation.clone()?;
        Some(flight::peer_router(Arc::clone(&self.exchange), federation, self.clock, super::status_of))
    }

    pub(super) async fn issue_token(&self, request: TokenRequest) -> Result<IssuedToken, IdentityError> {
        self.issuer.issue(&request, Uuid::new_v4(), self.now()).await
    }

    /// The public halves of the keys that sign receipts, checkpoints and tokens.
    pub fn public_keys(&self) -> PublicKeys {
        let (receipt, token) = (self.receipt_keys.public(), self.token_keys.public());
        PublicKeys::new(receipt.iter().chain(token.iter()).cloned())
    }

    pub(super) fn metrics(&self) -> String {
        gauge!("shuqiao_ready").set(if self.readiness().is_ok() { 1.0 } else { 0.0 });
        let in_use = self.settings.http.calls_in_flight_max - self.in_flight.available_permits();
        gauge!("shuqiao_catalog_revision").set(self.shelf().revision as f64);
        if let Some(federation) = &self.federation {
            federation.show_circuits();
        }
        gauge!("shuqiao_calls_in_flight").set(in_use as f64);
        self.metrics.render()
    }

    /// Put the times observed since the last time into their buckets.
    pub(super) fn digest_metrics(&self) {
        self.metrics.run_upkeep();
    }

    /// May calls be sent here?
    pub(super) fn readiness(&self) -> Result<(), Problem> {
        if self.leaving.load(Ordering::Relaxed) {
            return Err(Problem::new(Code::NotReady, "the node is shutting down")
                .remedy("Send calls to another node, or try again.")
                .retry_after(5));
        }
        if !self.log.is_healthy() {
            return Err(Problem::new(Code::AuditUnavailable, "the audit log takes no records")
                .remedy("The node's operator has to look at the disk under the log, then restart the node.")
                .retry_after(30));
        }
        self.exchange.rights().unproven.map_or(Ok(()), Err)
    }

    /// No longer ready; calls in flight are finished.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Sign where the log stands; a truncation or rewriting of what came before is then found out.
    pub(super) fn write_checkpoint(&self) {
        if let Err(error) = self.log.checkpoint(&self.receipt_keys.signing(), self.now()) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "no checkpoint of the audit log could be written"
            );
        }
    }
}

/// A UUID of version 7. The library's own way takes a lock that every call would take, and asks the system for each.
pub(super) fn fresh_id(now: DateTime<Utc>) -> Uuid {
    let mut random = [0; 10];
    match rand::fill(&mut random) {
        Ok(()) => uuid::Builder::from_unix_timestamp_millis(now.timestamp_millis().unsigned_abs(), &random).into_uuid(),
        Err(_) => Uuid::now_v7(),
    }
}

/// The ledger, where the settings say that it is.
pub async fn open_ledger(settings: &Settings) -> Result<Ledger, LedgerError> {
    match &settings.ledger.store {
        LedgerStore::File => Ledger::open(&settings.paths.ledger()).await,
        LedgerStore::Postgres(url) => Ledger::connect(url).await,
    }
}

/// An access token made on the node itself, by whoever may read its keys: for the operator's tools, not for callers.
pub async fn operator_token(settings: &Settings, client: &ClientId, now: DateTime<Utc>) -> Result<String, NodeError> {
    let directory = Arc::new(ClientDirectory::open(open_ledger(settings).await?).await?);
    let keys = Arc::new(KeyRing::open(&settings.paths.token_key())?);
    let issuer = Issuer::new(token_rules(settings), keys, directory)?;
    Ok(issuer.issue_on_site(client, Uuid::new_v4(), now)?.access_token)
}

fn token_rules(settings: &Settings) -> TokenRules {
    let url = settings.node.url.as_str();
    let life = |duration: Duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::seconds(300));
    let mut rules = TokenRules::new(url, settings.node.audience.as_str(), format!("{url}{TOKEN_PATH}"));
    rules.token_life = life(settings.tokens.access_ttl);
    rules.assertion_life_max = life(settings.tokens.assertion_ttl_max);
    rules.skew = life(settings.tokens.clock_skew);
    rules.remembered_max = settings.tokens.cache_entries;
    rules
}

fn foreign_issuer(settings: &IssuerSettings) -> Result<ForeignIssuer, NodeError> {
    let unusable = |reason: String| NodeError::Issuer { issuer: settings.issuer.clone(), reason };
    let algorithm = |algorithm: &SignatureAlgorithm| {
        Algorithm::from_jose(algorithm.as_str()).ok_or_else(|| unusable(format!("algorithm `{}`", algorithm.as_str())))
    };
    Ok(ForeignIssuer {
        issuer: settings.issuer.clone(),
        jwks_url: settings.jwks_url.clone(),
        algorithms: settings.algorithms.iter().map(algorithm).collect::<Result<BTreeSet<_>, _>>()?,
        audience: settings.audience.clone(),
        client_claim: settings.client_claim.parse::<ClientClaim>().map_err(unusable)?,
        departments: settings.departments.iter().cloned().collect(),
        grace: TimeDelta::from_std(settings.grace).unwrap_or(TimeDelta::hours(1)),
        plain_jwt: settings.token_type == ForeignTokenType::PlainJwt,
    })
}

/// A second try of a forwarded call comes within the life of its token; clocks may be apart.
const REPEATABLE: TimeDelta = TimeDelta::seconds(120);

/// What the log tells at the start.
struct Remembrance {
    /// Today's use of agreements.
    used: Vec<(AgreementId, chrono::NaiveDate)>,
    /// Calls that the ledger does not know of yet.
    since: Vec<Record>,
    /// Forwarded calls that were answered so shortly ago that they may come again.
    forwarded: Vec<federation::Key>,
}

/// Recover the log, and read it back.
fn open_log(
    settings: &Settings,
    keys: &Arc<KeyRing>,
    clock: fn() -> DateTime<Utc>,
    kept_at: Option<DateTime<Utc>>,
) -> Result<(Arc<Log>, Remembrance), NodeError> {
    let signer = || HeadSigner { keys: Arc::clone(keys), issuer: settings.node.url.as_str().to_owned(), clock };
    let options = LogOptions {
        segment_bytes: settings.audit.segment_bytes,
        queue_max: settings.audit.queue_max,
        heads: (settings.audit.receipts == ReceiptForm::Batch).then(signer),
        ..LogOptions::default()
    };
    let folder = settings.paths.audit();
    let (log, recovery) = Log::open(&folder, options)?;
    tracing::info!(records = recovery.records, truncated_bytes = recovery.truncated_bytes, "audit log recovered");
    let today = day_in_china(clock());
    let (mut used, mut since, mut forwarded) = (Vec::new(), Vec::new(), Vec::new());
    let repeatable = clock() - REPEATABLE;
    for entry in audit::read(&folder, 0)? {
        let (_, payload) = entry?;
        let record = Record::from_bytes(&payload)?;
        let day = day_in_china(record.time);
        if record.time > repeatable {
            forwarded.extend(federate::forwarded_key(&record));
        }
        let code = record.code.as_deref();
        // A call that the limits refused was not counted then either.
        let admitted = ![Some(Code::RateLimited.as_str()), Some(Code::QuotaExceeded.as_str())].contains(&code);
        let agreement = record.agreement.clone().filter(|_| day == today && admitted && record.client.is_some());
        used.extend(agreement.map(|agreement| (agreement, day)));
        if kept_at.map_or(day == today, |kept_at| record.time > kept_at) {
            since.push(record);
        }
    }
    Ok((Arc::new(log), Remembrance { used, since, forwarded }))
}
