//! An S3 server on this machine: the real protocol over HTTP with signatures checked, on a folder, every request counted.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::{Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{
    Body, HttpError,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use shuqiao::storage::{Store, StoreOptions};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

pub(crate) const BUCKET: &str = "registers";
pub(crate) const PREFIX: &str = "guangdong";
const KEY: &str = "test-key";
const SECRET: &str = "test-secret";
/// Small, so that a small register is many blocks.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// A request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// As the header says it.
    pub(crate) range: Option<String>,
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    /// Takes files, but no commits.
    refuses_commits: AtomicBool,
}

/// The server; it stops when it is dropped.
pub(crate) struct S3 {
    dir: TempDir,
    address: SocketAddr,
    seen: Arc<Seen>,
    serving: JoinHandle<()>,
}

impl S3 {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let serving = tokio::spawn(serve(listener, service(&dir), Arc::clone(&seen)));
        Self { dir, address, seen, serving }
    }

    /// Cut every connection and take no more.
    pub(crate) async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// At the same address, on the same files.
    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = tokio::spawn(serve(listener, service(&self.dir), Arc::clone(&self.seen)));
    }

    pub(crate) fn refuse_commits(&self, refuse: bool) {
        self.seen.refuses_commits.store(refuse, Ordering::SeqCst);
    }

    /// What was asked since the last time.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.seen.asked.lock().unwrap())
    }

    /// What was asked of data files since the last time.
    pub(crate) fn take_reads(&self) -> Vec<Asked> {
        let mut asked = self.take_asked();
        asked.retain(|one| one.method == Method::GET && one.path.ends_with(".parquet"));
        asked
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .to_vec()
    }

    /// How a node reaches it, with a cache in that folder.
    pub(crate) fn options(&self, cache: &std::path::Path) -> StoreOptions {
        StoreOptions {
            bucket: BUCKET.to_owned(),
            prefix: PREFIX.to_owned(),
            endpoint: Some(self.endpoint().parse().unwrap()),
            variables: self.variables(),
            cache: cache.to_owned(),
            cache_bytes_max: 1 << 30,
            cache_block_bytes: BLOCK_BYTES,
        }
    }

    pub(crate) fn store(&self, cache: &std::path::Path) -> Arc<Store> {
        Arc::new(Store::open(self.options(cache)).unwrap())
    }

    /// The settings (TOML) of a node that reads from it.
    pub(crate) fn settings(&self) -> String {
        let endpoint = self.endpoint();
        format!(
            "[tables]\nstore = 's3://{BUCKET}/{PREFIX}'\nendpoint = '{endpoint}'\ncache_block_bytes = {BLOCK_BYTES}\n"
        )
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn service(dir: &TempDir) -> S3Service {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(dir.path()).unwrap());
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    builder.build()
}

async fn serve(listener: TcpListener, service: S3Service, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Else the last part of each answer waits 40 ms for an acknowledgement of the one before.
        stream.set_nodelay(true).unwrap();
        let (service, seen) = (service.clone(), Arc::clone(&seen));
        let answer = service_fn(move |request| answer(service.clone(), Arc::clone(&seen), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(service: S3Service, seen: Arc<Seen>, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
    let range = request.headers().get("range").and_then(|range| range.to_str().ok()).map(str::to_owned);
    let asked = Asked { method: request.method().clone(), path: request.uri().path().to_owned(), range };
    let commits = asked.method == Method::PUT && asked.path.contains("/_delta_log/");
    seen.asked.lock().unwrap().push(asked);
    if commits && seen.refuses_commits.load(Ordering::SeqCst) {
        let mut refused = Response::new(Body::empty());
        *refused.status_mut() = StatusCode::FORBIDDEN;
        return Ok(refused);
    }
    hyper::service::Service::call(&service, request).await
}
