//! PostgreSQL with the same register: found or installed, loaded once, kept between runs, on a Unix socket only.
//!
//! Tuned as for a server of its own: buffers for the whole register, analysed, warmed; durability as it comes.

use std::{
    fs,
    os::unix::{fs::MetadataExt, fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio_postgres::{Client, Config, NoTls};

use crate::world::{World, people_digest};

/// The question of both rivals.
pub(crate) const SELECT: &str = "select name from natural_person where resident_id = $1";

/// PostgreSQL refuses to run as root; this is `nobody` on every Linux.
const NOBODY: u32 = 65_534;
const START_MAX: Duration = Duration::from_secs(120);
/// Heap, index and room: about what a person takes, so that nothing is read from disk.
const BUFFER_BYTES_A_PERSON: u64 = 320;

const TABLES: &str = "
    create table natural_person (
        resident_id text not null, name text not null, former_name text, sex text, ethnicity text, birth_date date,
        division text, address text, phone text, marital_status text, status text, status_date date);
    create table audit (id bigserial primary key, at timestamptz not null default now(), record text not null);
    create extension if not exists pg_prewarm;";
const INDEX: &str = "alter table natural_person add primary key (resident_id);";
const WARM: &str = "select pg_prewarm('natural_person'), pg_prewarm('natural_person_pkey');";

/// A running server; it ends when this is dropped.
pub(crate) struct Postgres {
    child: Child,
    /// Folder of its Unix socket.
    pub(crate) socket: PathBuf,
}

impl Postgres {
    /// The server over the world's register, or why there is none.
    pub(crate) fn over(world: &World, may_install: bool) -> Result<Self, String> {
        let programs = programs(may_install)?;
        let folder = world.kept(&format!("postgres-{}", world.persons));
        let loaded = folder.join("loaded");
        let people = people_digest();
        let is_new = fs::read_to_string(&loaded).ok().as_ref() != Some(&people);
        if is_new {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            if is_root() {
                chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            println!("loading {} persons into PostgreSQL in {}", world.persons, folder.display());
            initialise(&programs, &folder)?;
        }
        let server = Self::start(&programs, &folder, world.persons)?;
        if is_new {
            server.load(world, &folder);
            fs::write(loaded, people).unwrap();
        }
        server.run("truncate audit");
        server.run(WARM);
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start(programs: &Path, folder: &Path, persons: u64) -> Result<Self, String> {
        // A server that was killed leaves this behind; the benchmark's lock says that none is running.
        let _ = fs::remove_file(folder.join("data/postmaster.pid"));
        let buffers = ((persons * BUFFER_BYTES_A_PERSON) >> 20).max(128);
        let mut command = as_nobody(&programs.join("postgres"));
        command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-c", "listen_addresses="]);
        for setting in [
            format!("shared_buffers={buffers}MB"),
            "max_connections=200".to_owned(),
            "synchronous_commit=on".to_owned(),
            "max_wal_size=8GB".to_owned(),
            "checkpoint_timeout=30min".to_owned(),
            "wal_buffers=64MB".to_owned(),
            "jit=off".to_owned(),
            "autovacuum=off".to_owned(), // Vacuumed once when it was loaded; nothing is updated.
        ] {
            command.args(["-c", &setting]);
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.map_err(|error| format!("postgres does not start: {error}"))?;
        let mut server = Self { child, socket: folder.to_owned() };
        let started = Instant::now();
        while !server.answers() {
            let ended = server.child.try_wait().unwrap();
            if ended.is_some() || started.elapsed() > START_MAX {
                return Err(format!("postgres does not start; see {}", folder.join("log").display()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    fn answers(&self) -> bool {
        runtime().block_on(async { config(&self.socket).connect(NoTls).await.is_ok() })
    }

    fn load(&self, world: &World, folder: &Path) {
        let csv = folder.join("persons.csv");
        world.csv(&csv);
        fs::set_permissions(&csv, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        self.run(TABLES);
        self.run(&format!("copy natural_person from '{}' (format csv, header)", csv.display()));
        fs::remove_file(csv).unwrap();
        self.run(INDEX);
        self.run("vacuum (analyze, freeze) natural_person");
        self.run("checkpoint");
    }

    fn run(&self, statements: &str) {
        runtime().block_on(async { connect(&self.socket).await.batch_execute(statements).await }).unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown: open transactions are rolled back, buffers written.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// A connection over the Unix socket, driven by a task of this runtime.
pub(crate) async fn connect(socket: &Path) -> Client {
    let (client, connection) = config(socket).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn config(socket: &Path) -> Config {
    let mut config = Config::new();
    config.host_path(socket).user("bench").dbname("postgres");
    config
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn initialise(programs: &Path, folder: &Path) -> Result<(), String> {
    let mut command = as_nobody(&programs.join("initdb"));
    command.args(["-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"]).arg(folder.join("data"));
    let made = command.output().map_err(|error| format!("initdb does not start: {error}"))?;
    match made.status.success() {
        true => Ok(()),
        false => Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim())),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|of_us| of_us.uid() == 0)
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The folder of `postgres` and `initdb`: of the newest version that is installed, else of one that is installed now.
fn programs(may_install: bool) -> Result<PathBuf, String> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    if !may_install || !is_root() {
        return Err(
            "PostgreSQL is not installed; `apt-get install postgresql` (as root, a full run does it)".to_owned()
        );
    }
    println!("installing PostgreSQL (apt-get install postgresql)");
    let install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql";
    let _ = Command::new("sh").args(["-c", install]).stdout(Stdio::null()).status();
    installed().ok_or_else(|| "PostgreSQL could not be installed by apt-get".to_owned())
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = folders.into_iter().rev().chain(std::env::split_paths(&path));
    places.find(|folder| folder.join("postgres").exists() && folder.join("initdb").exists())
}
