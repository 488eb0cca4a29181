//! What the kernel says about a process: processor time and memory.

use std::{
    fs,
    os::unix::process::CommandExt,
    process::Command,
    time::{Duration, Instant},
};

/// Of `/proc/PID/stat`, fixed by the kernel's interface for user space.
const TICKS_A_SECOND: u64 = 100;

/// Files that six thousand connections need, at both ends.
const FILES: u64 = 16_384;

/// Start this program again with as many open files as it may have, where it has few now; servers inherit it.
pub(crate) fn have_files() {
    const DONE: &str = "SHUQIAO_BENCH_FILES";
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let soft = line.split_whitespace().nth(3).and_then(|files| files.parse().ok()).unwrap_or(u64::MAX);
    if soft < FILES && std::env::var_os(DONE).is_none() {
        let raise = "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"";
        let mut again = Command::new("sh");
        again.args(["-c", raise]).arg(std::env::current_exe().unwrap()).args(std::env::args_os().skip(1));
        let error = again.env(DONE, "1").exec();
        panic!("`sh` does not start: {error}");
    }
}

/// Processor time that the machine spent on others than this program and those below it, since this was made.
pub(crate) struct Others {
    began: Instant,
    machine: u64,
    own: Duration,
}

impl Others {
    pub(crate) fn watch() -> Self {
        Self { began: Instant::now(), machine: busy_ticks(), own: cpu(std::process::id()) }
    }

    /// Share of one core, in percent: more than a few, and the figures are not to be trusted.
    pub(crate) fn percent(&self) -> f64 {
        let machine = duration(busy_ticks() - self.machine);
        let own = cpu(std::process::id()).saturating_sub(self.own);
        machine.saturating_sub(own).as_secs_f64() / self.began.elapsed().as_secs_f64() * 100.0
    }
}

/// What all processors did for user space and for system calls.
fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|ticks| ticks.parse().ok()).collect();
    fields.iter().take(3).sum() // user, nice, system
}

/// Kibibytes of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is resident, mapped files included.
    pub(crate) resident: f64,
    /// The part that is the process's own: heap and stacks.
    pub(crate) anonymous: f64,
    /// The most that was ever resident.
    pub(crate) peak: f64,
}

/// Processor time of a process and of all below it, those that ended included.
pub(crate) fn cpu(pid: u32) -> Duration {
    let all = all();
    let mut family = vec![pid];
    // A child's number may be lower than its parent's, so look until nobody is added.
    loop {
        let added: Vec<_> = all
            .iter()
            .filter(|stat| family.contains(&stat.parent) && !family.contains(&stat.pid))
            .map(|stat| stat.pid)
            .collect();
        if added.is_empty() {
            break;
        }
        family.extend(added);
    }
    let ticks: u64 = all.iter().filter(|stat| family.contains(&stat.pid)).map(|stat| stat.ticks).sum();
    duration(ticks)
}

fn duration(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
}

/// Processor time of a process without those that it started.
pub(crate) fn cpu_alone(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |stat| duration(stat.own_ticks))
}

pub(crate) fn memory(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    Memory { resident: of("VmRSS:"), anonymous: of("RssAnon:"), peak: of("VmHWM:") }
}

struct Stat {
    pid: u32,
    parent: u32,
    /// Its own and its ended children's.
    ticks: u64,
    own_ticks: u64,
}

fn all() -> Vec<Stat> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold blanks; the state comes after it.
    let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let own_ticks = number(11)? + number(12)?; // utime, stime
    let ticks = own_ticks + number(13)? + number(14)?; // cutime, cstime
    Some(Stat { pid, parent: number(1)? as u32, ticks, own_ticks })
}
