//! A network between processes of this machine: a TCP proxy before each, which cuts, holds, delays and breaks.
//!
//! Who has made a connection is found by the socket's inode, so that what goes from one process to another is one link,
//! whoever of the two has connected.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::dice::Dice;

/// How often a link that is cut is looked at.
const LOOK: Duration = Duration::from_millis(5);
const CHUNK: usize = 16 << 10;

/// What goes from one process to another.
#[derive(Default)]
pub(crate) struct Link {
    /// Nothing arrives; what was sent meanwhile arrives later, as TCP sends it again.
    pub(crate) cut: AtomicBool,
    /// What goes over connections that are there at this time is lost for good, and nobody is told.
    pub(crate) swallow: AtomicBool,
    pub(crate) delay_ms: AtomicU64,
    /// Of a thousand chunks, those that break their connection.
    pub(crate) loss: AtomicU64,
}

/// The links between `n` processes, and one more for whoever else connects.
pub(crate) struct Network {
    links: Vec<Vec<Link>>,
    processes: Vec<AtomicU32>,
    dice: Mutex<Dice>,
}

impl Network {
    pub(crate) fn new(n: usize, seed: u64) -> Arc<Self> {
        let links = (0..=n).map(|_| (0..=n).map(|_| Link::default()).collect()).collect();
        let processes = (0..n).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { links, processes, dice: Mutex::new(Dice(seed)) })
    }

    pub(crate) fn link(&self, from: usize, to: usize) -> &Link {
        &self.links[from][to]
    }

    /// From now on that one is this process.
    pub(crate) fn is_process(&self, n: usize, id: u32) {
        self.processes[n].store(id, Relaxed);
    }

    pub(crate) fn heal(&self) {
        for link in self.links.iter().flatten() {
            link.cut.store(false, Relaxed);
            link.swallow.store(false, Relaxed);
            link.delay_ms.store(0, Relaxed);
            link.loss.store(0, Relaxed);
        }
    }

    /// Stand at `address` for process `to`, which listens at `target`.
    pub(crate) async fn stand_before(self: &Arc<Self>, to: usize, address: SocketAddr, target: SocketAddr) {
        let listener = TcpListener::bind(address).await.unwrap();
        let network = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((near, from)) = listener.accept().await {
                let network = Arc::clone(&network);
                tokio::spawn(async move {
                    let from = network.who(from.port());
                    network.carry(near, target, from, to).await;
                });
            }
        });
    }

    async fn carry(&self, near: TcpStream, target: SocketAddr, from: usize, to: usize) {
        let Ok(far) = TcpStream::connect(target).await else { return };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        // Either end breaks both.
        tokio::select! {
            () = self.pump(near_in, far_out, &self.links[from][to]) => {}
            () = self.pump(far_in, near_out, &self.links[to][from]) => {}
        }
    }

    async fn pump(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, link: &Link) {
        let (mut chunk, mut lost) = (vec![0; CHUNK], false);
        loop {
            let got = match from.read(&mut chunk).await {
                Ok(got) if got > 0 => got,
                _ => return,
            };
            lost |= link.swallow.load(Relaxed);
            if lost {
                continue;
            }
            if self.dice.lock().unwrap().within(0..1000) < link.loss.load(Relaxed) {
                return;
            }
            sleep(Duration::from_millis(link.delay_ms.load(Relaxed))).await;
            while link.cut.load(Relaxed) {
                sleep(LOOK).await;
            }
            if to.write_all(&chunk[..got]).await.is_err() {
                return;
            }
        }
    }

    /// The process that has a connection's end at this port; one past the last if it is none of them.
    fn who(&self, port: u16) -> usize {
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let near = format!("0100007F:{port:04X}");
        let inode = sockets.lines().find_map(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            (columns.get(1) == Some(&near.as_str())).then(|| format!("socket:[{}]", columns[9]))
        });
        let has = |id: u32| {
            let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
            inode.as_ref().is_some_and(|inode| {
                files.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|to| to == Path::new(inode)))
            })
        };
        self.processes.iter().position(|id| has(id.load(Relaxed))).unwrap_or(self.processes.len())
    }
}
