//! The program itself as a process of its own: started, killed, started again, on real files.

use std::{
    fs,
    io::{Read, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use chrono::Utc;
use serde_json::Value;
use shuqiao::{
    config::Settings,
    http::operator_token,
    keys::{PublicKeys, SigningKey},
};
use tempfile::TempDir;

use super::{
    guangdong,
    node::{DEPARTMENT, WINDOW, verification},
    registers::{self, Person},
    root,
};

/// How long anything that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_shuqiao");

/// A node's folder with everything in it that `serve` needs, and a port of its own.
pub(crate) struct Home {
    dir: TempDir,
    pub(crate) address: SocketAddr,
    /// Of the processes that are started, beside those of the test itself.
    pub(crate) variables: Vec<(String, String)>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A process that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// A port that nobody listens on at this moment.
///
/// Below those that the kernel gives to callers: one of them could take the port while its process is being restarted.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        let offset = std::process::id().wrapping_mul(131).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + offset % 20_000).unwrap();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
    panic!("no port is free");
}

/// Run the program to its end, away from any node.
pub(crate) fn shuqiao(arguments: &[&str]) -> Said {
    shuqiao_reading(arguments, "")
}

/// The same, reading `input`. A program that does not end is killed, and the test with it.
pub(crate) fn shuqiao_reading(arguments: &[&str], input: &str) -> Said {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("SHUQIAO_DIR").env_remove("SHUQIAO_CONFIG");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // A program that reads nothing may have ended.
    let (out, err) = (collected(child.stdout.take().unwrap()), collected(child.stderr.take().unwrap()));
    let mut running = Running { child, address: free_address() };
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = running.ended() {
            break status;
        }
        assert!(Instant::now() < until, "`shuqiao {}` does not end", arguments.join(" "));
        thread::sleep(Duration::from_millis(2));
    };
    Said { code: status.code(), out: out.join().unwrap(), err: err.join().unwrap() }
}

/// A line of agreements with budgets that a load does not use up.
fn generous(line: &str) -> String {
    match line.split_once(':') {
        Some((key, _)) if key.trim() == "calls_per_second" => format!("{key}: 100000"),
        Some((key, _)) if key.trim() == "calls_per_day" => format!("{key}: 100000000"),
        _ => line.to_owned(),
    }
}

fn collected(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

impl Home {
    /// A node whose register holds persons 0 to `persons`, with [`WINDOW`] as its client; `more` are settings (TOML).
    pub(crate) async fn with_persons(persons: u64, more: &str) -> Self {
        let home = Self::empty(more);
        home.publish(&registers::csv((0..persons).map(registers::person))).await;
        home
    }

    /// The same without a register.
    pub(crate) fn empty(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self { dir, address: free_address(), variables: Vec::new() };
        home.configure(more);
        let catalogs = root().join("catalogs");
        // Budgets that a load in a test does not use up.
        let agreements = fs::read_to_string(catalogs.join("guangdong-agreements.yaml")).unwrap();
        let generous: String = agreements.lines().map(|line| generous(line) + "\n").collect();
        fs::write(home.path("agreements.yaml"), generous).unwrap();
        copy_folder(&root().join("policies"), &home.path("policies"));
        home.register(WINDOW, DEPARTMENT);
        home
    }

    /// A client of that department, with a key of its own.
    pub(crate) fn register(&self, client: &str, department: &str) {
        let said = self.run(&["client", "register", client, "--department", department, "--generate"]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    /// Write the settings file anew; `more` may go on in `[http]`, where it begins.
    pub(crate) fn configure(&self, more: &str) {
        let (address, root) = (self.address, root());
        let text = format!(
            "[node]\nid = 'guangdong'\nurl = 'http://{address}'\n\n[paths]\ndata = 'data'\n\
             catalog = '{}/catalogs/guangdong'\nagreements = 'agreements.yaml'\npolicies = 'policies'\n\n\
             [limits]\ncalls_per_second = 1000000\n\n[tokens]\naccess_ttl_s = 3600\n\n[enumeration]\nmode = 'detect'\n\n\
             [http]\nlisten = '{address}'\n{more}\n",
            root.display()
        );
        fs::write(self.path("shuqiao.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::load(Some(&self.path("shuqiao.toml")), &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Publish these lines as the next version; its number.
    pub(crate) async fn publish(&self, lines: &str) -> u64 {
        let file = self.path("persons.csv");
        fs::write(&file, lines).unwrap();
        let tables = self.settings().paths.tables();
        fs::create_dir_all(tables.join("spill")).unwrap();
        registers::publish_persons(&guangdong(), &tables, &file).await.unwrap().version.0
    }

    /// Run a command of the program on this node, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let dir = self.dir.path().to_str().unwrap();
        shuqiao(&[arguments, &["--dir", dir]].concat())
    }

    /// Start a command of the program on this node, and let it run.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        self.spawn_as(command)
    }

    /// Serve under a limit of the system: `-f`, KiB to which a file may grow, or `-n`, files that may be open.
    pub(crate) async fn serve_under(&self, limit: &str, most: u32) -> Running {
        let mut command = Command::new("bash");
        // Without the trap the signal of a file's limit would end the process before it sees the error.
        command.args(["-c", "trap '' XFSZ; ulimit \"$1\" \"$2\"; exec \"$0\" serve \"$3\" \"$4\""]);
        command.args([PROGRAM, limit, &most.to_string()]);
        let mut running = self.spawn_as(command);
        running.ready().await;
        running
    }

    fn spawn_as(&self, mut command: Command) -> Running {
        command.arg("--dir").arg(self.dir.path()).stdin(Stdio::null()).envs(self.variables.iter().cloned());
        let log = fs::File::options().create(true).append(true).open(self.path("process.log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Running { child: command.spawn().unwrap(), address: self.address }
    }

    /// Serve, and wait until calls are taken.
    pub(crate) async fn serve(&self) -> Running {
        let mut running = self.spawn(&["serve"]);
        running.ready().await;
        running
    }

    pub(crate) async fn token(&self) -> String {
        self.token_of(WINDOW).await
    }

    pub(crate) async fn token_of(&self, client: &str) -> String {
        operator_token(&self.settings(), &client.parse().unwrap(), Utc::now()).await.unwrap()
    }

    /// The key with which the node signs receipts.
    pub(crate) fn keys(&self) -> PublicKeys {
        PublicKeys::new([SigningKey::load(&self.path("data/keys/receipt.pem")).unwrap().public()])
    }

    /// What the processes have said so far.
    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.path("process.log")).unwrap_or_default()
    }
}

impl Running {
    /// Wait until calls are taken.
    pub(crate) async fn ready(&mut self) {
        assert_eq!(self.ready_or_ended().await, None, "the process has ended");
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As a power cut or the kernel's memory killer would: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager does: SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// As an operator does with `kill`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Has it ended by itself?
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Wait until it is ready, or has ended: then with which status.
    pub(crate) async fn ready_or_ended(&mut self) -> Option<ExitStatus> {
        let (http, url) = (client(), format!("http://{}/readyz", self.address));
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if http.get(&url).send().await.is_ok_and(|response| response.status() == 200) {
                return None;
            }
            if let Some(status) = self.ended() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not ready within {PATIENCE:?}");
    }

    /// Wait for its end.
    pub(crate) async fn end(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < until, "the process does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with connections of its own.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap()
}

/// One verification of a person's name; status and bytes, if a whole answer came.
pub(crate) async fn verify(
    http: &reqwest::Client,
    url: &str,
    token: &str,
    person: &Person,
    name: &str,
) -> Option<(u16, Vec<u8>)> {
    let body = verification(person.id.as_str(), serde_json::json!({ "name": name }));
    let response = http.post(url).bearer_auth(token).json(&body).send().await.ok()?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.ok()?;
    Some((status, bytes.to_vec()))
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
