//! What was measured on: figures of two machines are not to be compared, their ratios may be.

use std::{fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};

use crate::syncs::Syncs;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: f64,
    file_system: String,
    kernel: String,
    fdatasync_p50_us: f64,
}

impl Machine {
    /// This machine, with the file system under a folder.
    pub(crate) fn here(folder: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or("", |(_, value)| value.trim()).to_owned()
        };
        let (cpu, memory) = (read("/proc/cpuinfo"), after(&read("/proc/meminfo"), "MemTotal"));
        let kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let said = [after(&cpu, "model name"), format!("family {}", after(&cpu, "cpu family"))];
        let stat = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
        Self {
            processor: said.join(", "),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib / f64::from(1 << 20)).round(),
            file_system: stat.map_or_else(|_| "unknown".to_owned(), |said| text(&said.stdout)),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            fdatasync_p50_us: Syncs::measure(folder, 500).p50().round(),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_gib, file_system, kernel, fdatasync_p50_us } = self;
        write!(
            f,
            "{cores} cores ({processor}), {memory_gib} GiB, {file_system}, Linux {kernel}; \
             median of a serial fdatasync {fdatasync_p50_us} us"
        )
    }
}
