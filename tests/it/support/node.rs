//! A node under test: real settings, real keys, a real socket, in a folder of its own.

use std::{fmt::Write as _, fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shuqiao::{
    config::Settings,
    http::{Node, operator_token, serve},
    identifiers::ClientId,
    keys::{PublicKeys, SigningKey},
    ledger::{ClientKeys, ClientStatus, Ledger, Registration},
    telemetry,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{guangdong, registers, root};

/// Household registration, carried out by gz-administrative-approval, the department of [`WINDOW`].
pub(crate) const ITEM: &str = "11440100MB9YYY997R3440101001000";
/// A client that is registered in every node under test.
pub(crate) const WINDOW: &str = "gz-hukou-window";
const DEPARTMENT: &str = "gz-administrative-approval";

/// A node that answers on a free port of this machine until it is dropped or stopped.
pub(crate) struct TestNode {
    pub(crate) dir: TempDir,
    pub(crate) settings: Settings,
    pub(crate) node: Arc<Node>,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
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
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = write_settings(&dir, listener.local_addr().unwrap(), settings);
        if persons > 0 {
            let file = dir.path().join("persons.csv");
            fs::write(&file, registers::csv((0..persons).map(registers::person))).unwrap();
            fs::create_dir_all(settings.paths.tables().join("spill")).unwrap();
            registers::publish_persons(&guangdong(), &settings.paths.tables(), &file).await.unwrap();
        }
        register(&settings, WINDOW, DEPARTMENT).await;
        let metrics = telemetry::install_metrics().unwrap();
        let node = Node::open(settings.clone(), metrics, Utc::now).await.unwrap_or_else(|error| panic!("{error}"));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(Arc::clone(&node), listener, async {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        Self { dir, settings, node, http, stop: Some(stop), serving: Some(serving) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.settings.http.listen)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// A token of [`WINDOW`].
    pub(crate) async fn token(&self) -> String {
        self.token_of(WINDOW).await
    }

    pub(crate) async fn token_of(&self, client: &str) -> String {
        operator_token(&self.settings, &client.parse().unwrap(), Utc::now()).await.unwrap()
    }

    pub(crate) async fn register(&self, client: &str, department: &str) {
        register(&self.settings, client, department).await;
        tokio::time::sleep(Duration::from_millis(600)).await; // Clients are read again every half second.
    }

    pub(crate) async fn set_status(&self, client: &str, status: ClientStatus) {
        let ledger = Ledger::open(&self.settings.paths.ledger()).await.unwrap();
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

fn write_settings(dir: &TempDir, address: SocketAddr, more: &str) -> Settings {
    let mut text = format!(
        "[node]\nid = 'guangdong'\nurl = 'http://{address}'\n\n[paths]\ndata = 'data'\ncatalog = '{root}/catalogs/guangdong'\n\
         agreements = '{root}/catalogs/guangdong-agreements.yaml'\npolicies = '{root}/policies'\n",
        root = root().display()
    );
    if !more.contains("[http]") {
        write!(text, "\n[http]\nlisten = '{address}'\n").unwrap();
    }
    text.push_str(&more.replace("[http]", &format!("[http]\nlisten = '{address}'")));
    let file: PathBuf = dir.path().join("shuqiao.toml");
    fs::write(&file, text).unwrap();
    Settings::load(Some(&file), &[]).unwrap_or_else(|error| panic!("{error}"))
}

async fn register(settings: &Settings, client: &str, department: &str) {
    let id: ClientId = client.parse().unwrap();
    let key = SigningKey::load_or_create(&settings.paths.clients().join(format!("{client}.pem"))).unwrap();
    let keys = ClientKeys::from_json(&PublicKeys::new([key.public()]).jwks().to_string()).unwrap();
    let ledger = Ledger::open(&settings.paths.ledger()).await.unwrap();
    let registration = Registration { id, department: department.parse().unwrap(), name: client.to_owned(), keys };
    ledger.register_client(registration, Utc::now()).await.unwrap();
    ledger.close().await;
}
