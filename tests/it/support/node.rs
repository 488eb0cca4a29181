//! A node under test: real settings, real keys, a real socket, in a folder of its own.

use std::{fmt::Write as _, fs, net::SocketAddr, path::Path, path::PathBuf, sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shuqiao::{
    audit::{self, Record},
    catalog,
    config::Settings,
    http::{Listeners, Node, open_ledger, operator_token, serve},
    identifiers::ClientId,
    keys::{PublicKeys, SigningKey},
    ledger::{ClientKeys, ClientStatus, Registration},
    sample::{Register, SampleRequest, write},
    telemetry,
};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{OnceCell, oneshot},
    task::JoinHandle,
};

use super::{database, day, registers, root};

/// Household registration, carried out by gz-administrative-approval, the department of [`WINDOW`].
pub(crate) const ITEM: &str = "11440100MB9YYY997R3440101001000";
/// A client that is registered in every node under test.
pub(crate) const WINDOW: &str = "gz-hukou-window";
pub(crate) const DEPARTMENT: &str = "gz-administrative-approval";
/// In the node's folder, where a test brings its own.
const AGREEMENTS: &str = "agreements.yaml";
const CATALOG: &str = "catalog";
const POLICIES: &str = "policies";

/// What a node under test is made of.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setup<'a> {
    /// It serves persons 0 to this of `support::registers`. None: nothing is published.
    pub(crate) persons: u64,
    /// More settings (TOML), appended to those that every node needs.
    pub(crate) settings: &'a str,
    /// Agreements (YAML) in place of those of the repository.
    pub(crate) agreements: Option<&'a str>,
    /// Which node it is; the province's where nothing is said.
    pub(crate) id: Option<&'a str>,
    /// Changes to the catalogue: the file, what stands in it, what shall stand there.
    pub(crate) catalog: &'a [(&'a str, &'a str, &'a str)],
    /// Policies (Cedar) beside those of the repository.
    pub(crate) policies: &'a str,
}

/// A node that answers on a free port of this machine until it is dropped or stopped.
pub(crate) struct TestNode {
    pub(crate) dir: TempDir,
    pub(crate) settings: Settings,
    pub(crate) node: Arc<Node>,
    /// Where it takes statements, if it does.
    pub(crate) flight: Option<SocketAddr>,
    more: String,
    http: reqwest::Client,
    token: OnceCell<String>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// A node that has stopped, with its files.
pub(crate) struct Away {
    dir: TempDir,
    id: String,
    more: String,
}

impl Away {
    /// Start again, at another port.
    pub(crate) async fn come_back(self) -> TestNode {
        let Self { dir, id, more } = self;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = write_settings(&dir, Some(id.as_str()), listener.local_addr().unwrap(), &more);
        Box::pin(TestNode::serve(dir, settings, listener, more)).await
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) bytes: Vec<u8>,
    pub(crate) json: Value,
}

impl Answered {
    /// The outcome, or the problem's code.
    pub(crate) fn said(&self) -> &str {
        self.json["outcome"].as_str().or(self.json["code"].as_str()).unwrap_or("nothing")
    }
}

impl TestNode {
    /// A node that serves persons 0 to `persons` of `support::registers`.
    pub(crate) async fn with_persons(persons: u64) -> Self {
        Self::start(persons, "").await
    }

    /// The same with more settings (TOML) appended to those that it needs. No persons: nothing is published.
    pub(crate) async fn start(persons: u64, settings: &str) -> Self {
        Self::of(Setup { persons, settings, ..Setup::default() }).await
    }

    pub(crate) async fn of(setup: Setup<'_>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(agreements) = setup.agreements {
            fs::write(dir.path().join(AGREEMENTS), agreements).unwrap();
        }
        if !setup.catalog.is_empty() {
            write_catalog(&dir.path().join(CATALOG), setup.catalog);
        }
        if !setup.policies.is_empty() {
            write_policies(&dir.path().join(POLICIES), setup.policies);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        database::make(dir.path()).await;
        let settings = write_settings(&dir, setup.id, listener.local_addr().unwrap(), setup.settings);
        if setup.persons > 0 {
            publish(&settings, "natural-person", &registers::csv((0..setup.persons).map(registers::person))).await;
        }
        register(&settings, WINDOW, DEPARTMENT, "").await;
        Box::pin(Self::serve(dir, settings, listener, setup.settings.to_owned())).await
    }

    /// Stop, and start again on the same files, at another port.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(async || ()).await
    }

    /// The same, and let something happen while it is away.
    pub(crate) async fn restart_after(self, meanwhile: impl AsyncFnOnce()) -> Self {
        let away = Box::pin(self.go_away()).await;
        meanwhile().await;
        Box::pin(away.come_back()).await
    }

    /// Stop for a while.
    pub(crate) async fn go_away(self) -> Away {
        let (more, id) = (self.more.clone(), self.settings.node.id.to_string());
        Away { dir: self.stop().await, id, more }
    }

    async fn serve(dir: TempDir, settings: Settings, listener: TcpListener, more: String) -> Self {
        let metrics = telemetry::install_metrics().unwrap();
        let node =
            Box::pin(Node::open(settings.clone(), metrics, Utc::now)).await.unwrap_or_else(|error| panic!("{error}"));
        let (stop, stopped) = oneshot::channel::<()>();
        let listeners = Listeners::beside(listener, &settings).await.unwrap();
        let flight = listeners.flight.as_ref().map(|listener| listener.local_addr().unwrap());
        let serving = tokio::spawn(serve(Arc::clone(&node), listeners, async {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        let (stop, serving, token) = (Some(stop), Some(serving), OnceCell::new());
        Self { dir, settings, node, flight, more, http, token, stop, serving }
    }

    /// Publish a register (CSV) and serve it.
    pub(crate) async fn publish(&self, dataset: &str, csv: &str) {
        publish(&self.settings, dataset, csv).await;
        let (_, errors) = self.node.engine.refresh().await;
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// Publish a made-up register in that many rows, and serve it.
    pub(crate) async fn publish_sample(&self, register: Register, rows: u64) {
        let file = self.settings.paths.data.join(format!("{}.parquet", register.dataset()));
        let request = SampleRequest { register, rows, seed: 1, as_of: day("2026-11-24"), persons: rows };
        write(&request, &file, &|_| ()).unwrap();
        let tables = self.settings.paths.tables();
        fs::create_dir_all(tables.join("spill")).unwrap();
        let catalog = catalog::load(&self.settings.paths.catalog).unwrap_or_else(|error| panic!("{error}"));
        registers::publish_file(&catalog, register.dataset(), &tables, &file).await.unwrap();
        let (_, errors) = self.node.engine.refresh().await;
        assert!(errors.is_empty(), "{errors:?}");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.settings.http.listen)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// A token of [`WINDOW`], one for all its calls.
    pub(crate) async fn token(&self) -> &str {
        self.token.get_or_init(|| self.token_of(WINDOW)).await
    }

    pub(crate) async fn token_of(&self, client: &str) -> String {
        operator_token(&self.settings, &client.parse().unwrap(), Utc::now()).await.unwrap()
    }

    pub(crate) async fn register(&self, client: &str, department: &str) {
        register(&self.settings, client, department, "").await;
        tokio::time::sleep(Duration::from_millis(600)).await; // Clients are read again every half second.
    }

    /// The account of a person, and a token of it.
    pub(crate) async fn account(&self, account: &str, department: &str, roles: &str) -> String {
        register(&self.settings, account, department, roles).await;
        tokio::time::sleep(Duration::from_millis(600)).await; // As above.
        self.token_of(account).await
    }

    pub(crate) async fn set_status(&self, client: &str, status: ClientStatus) {
        let ledger = open_ledger(&self.settings).await.unwrap();
        ledger.set_client_status(&client.parse().unwrap(), status, Utc::now()).await.unwrap();
    }

    /// The private key of a registered client.
    pub(crate) fn key_of(&self, client: &str) -> SigningKey {
        SigningKey::load(&self.settings.paths.clients().join(format!("{client}.pem"))).unwrap()
    }

    pub(crate) fn jwks(&self) -> PublicKeys {
        self.node.public_keys().clone()
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answered {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let content_type =
            headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = response.bytes().await.unwrap().to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answered { status, content_type, headers, bytes, json }
    }

    /// Post JSON with a token of [`WINDOW`].
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        let token = self.token().await;
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    /// A verification by [`WINDOW`] for [`ITEM`], with a case number.
    pub(crate) async fn verify(&self, resident_id: &str, claims: Value) -> Answered {
        self.post("/v1/verifications", &verification(resident_id, claims)).await
    }

    /// A connection on which some bytes have been sent.
    pub(crate) async fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.settings.http.listen).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    /// Every record of the audit log, in its order.
    pub(crate) fn records(&self) -> Vec<Record> {
        let records = audit::read(&self.settings.paths.audit(), 0).unwrap();
        records.map(|entry| Record::from_bytes(&entry.unwrap().1).unwrap()).collect()
    }

    /// The files of the audit log, as they lie on the disk.
    pub(crate) fn log_bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(self.settings.paths.audit()).unwrap();
        files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    }

    /// Begin to stop, without waiting for the end.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stop, and wait until every call is finished.
    pub(crate) async fn stop(mut self) -> TempDir {
        drop(self.stop.take());
        self.serving.take().unwrap().await.unwrap();
        let Self { dir, .. } = self;
        dir
    }
}

/// The body of a verification for [`ITEM`].
pub(crate) fn verification(resident_id: &str, claims: Value) -> Value {
    json!({
        "dataset": "natural-person",
        "item": ITEM,
        "case": "TEST-1",
        "subject": { "resident_id": resident_id },
        "claims": claims,
    })
}

fn write_settings(dir: &TempDir, id: Option<&str>, address: SocketAddr, more: &str) -> Settings {
    let own = |name: &str, usual: &str| {
        let own = dir.path().join(name);
        if own.exists() { own } else { root().join(usual) }
    };
    let mut text = format!(
        "[node]\nid = '{}'\nurl = 'http://{address}'\n\n[paths]\ndata = 'data'\ncatalog = '{}'\n\
         agreements = '{}'\npolicies = '{}'\n",
        id.unwrap_or("guangdong"),
        own(CATALOG, "catalogs/guangdong").display(),
        own(AGREEMENTS, "catalogs/guangdong-agreements.yaml").display(),
        own(POLICIES, "policies").display(),
    );
    text.push_str(&database::setting(dir.path()));
    if !more.contains("[http]") {
        write!(text, "\n[http]\nlisten = '{address}'\n").unwrap();
    }
    text.push_str(&more.replace("[http]", &format!("[http]\nlisten = '{address}'")));
    let file: PathBuf = dir.path().join("shuqiao.toml");
    fs::write(&file, text).unwrap();
    Settings::load(Some(&file), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The repository's catalogue with some changes.
pub(crate) fn write_catalog(folder: &Path, changes: &[(&str, &str, &str)]) {
    fs::create_dir(folder).unwrap();
    for file in fs::read_dir(root().join("catalogs/guangdong")).unwrap() {
        let file = file.unwrap();
        let mut text = fs::read_to_string(file.path()).unwrap();
        for (_, old, new) in changes.iter().filter(|(name, ..)| file.file_name() == *name) {
            assert!(text.contains(old), "`{old}` does not stand in the catalogue");
            text = text.replacen(old, new, 1);
        }
        fs::write(folder.join(file.file_name()), text).unwrap();
    }
}

/// The repository's policies without their cases, and more.
fn write_policies(folder: &Path, more: &str) {
    fs::create_dir(folder).unwrap();
    for name in ["shuqiao.cedarschema", "permits.cedar", "forbids.cedar"] {
        fs::copy(root().join("policies").join(name), folder.join(name)).unwrap();
    }
    fs::write(folder.join("more.cedar"), more).unwrap();
}

async fn publish(settings: &Settings, dataset: &str, csv: &str) {
    let tables = settings.paths.tables();
    fs::create_dir_all(tables.join("spill")).unwrap();
    let file = tables.join(format!("{dataset}.csv"));
    fs::write(&file, csv).unwrap();
    let catalog = catalog::load(&settings.paths.catalog).unwrap_or_else(|error| panic!("{error}"));
    registers::publish_file(&catalog, dataset, &tables, &file).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn register(settings: &Settings, client: &str, department: &str, roles: &str) {
    let id: ClientId = client.parse().unwrap();
    let key = SigningKey::load_or_create(&settings.paths.clients().join(format!("{client}.pem"))).unwrap();
    let keys = ClientKeys::from_json(&PublicKeys::new([key.public()]).jwks().to_string()).unwrap();
    let ledger = open_ledger(settings).await.unwrap();
    let registration = Registration {
        id,
        department: department.parse().unwrap(),
        name: client.to_owned(),
        keys,
        roles: roles.parse().unwrap(),
    };
    ledger.register_client(registration, Utc::now()).await.unwrap();
    ledger.close().await;
}
