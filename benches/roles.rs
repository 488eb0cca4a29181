//! Servers under test, each in a process of its own: the node is `shuqiao serve`, a rival is this program again.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::net::TcpListener;

use crate::{baseline, echo, home::Home, process, program};

/// First argument of this program when it is started again.
const ROLE: &str = "--role";
const START_MAX: Duration = Duration::from_secs(60);

/// A server that ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it leaves its work to, such as a database.
    beside: Vec<u32>,
}

impl Server {
    pub(crate) fn echo() -> Self {
        Self::role(&["echo"])
    }

    /// axum and PostgreSQL: the socket's folder, the process of the database, and the connections to it.
    pub(crate) fn baseline(socket: &Path, database: u32, connections: usize) -> Self {
        let mut server = Self::role(&["baseline", socket.to_str().unwrap(), &connections.to_string()]);
        server.beside.push(database);
        server
    }

    pub(crate) fn node(home: &Home) -> Self {
        let log = File::options().create(true).append(true).open(home.log_file()).unwrap();
        let mut command = program::shuqiao(&home.settings_file());
        let child = command.arg("serve").stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let mut server = Self { child, address: home.address, beside: Vec::new() };
        let started = Instant::now();
        while TcpStream::connect(server.address).is_err() {
            let ended = server.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(home.log_file()).unwrap_or_default();
            assert!(ended.is_none() && started.elapsed() < START_MAX, "the node does not start:\n{}", log());
            thread::sleep(Duration::from_millis(1));
        }
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far, with what works for it.
    pub(crate) fn cpu(&self) -> Duration {
        process::cpu(self.pid()) + self.beside.iter().copied().map(process::cpu).sum::<Duration>()
    }

    fn role(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.arg(ROLE).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().expect("a role says its address first");
        Self { child, address, beside: Vec::new() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Be what the arguments ask for; false where they ask for no role.
pub(crate) fn play(arguments: &[String]) -> bool {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [ROLE, role, rest @ ..] = arguments.as_slice() else { return false };
    thread::spawn(end_with_parent);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let router = match (*role, rest) {
            ("echo", []) => echo::router(),
            ("baseline", [socket, connections]) => {
                baseline::router(Path::new(socket), connections.parse().unwrap()).await
            }
            _ => panic!("there is no such role: {arguments:?}"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, router).await.unwrap();
    });
    true
}

/// A parent that is killed closes its end of our standard input.
fn end_with_parent() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}
