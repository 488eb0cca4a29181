//! What was measured on: figures of two machines are not to be compared, their ratios may be.

use std::{fs, path::Path};

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
        Self {
            processor: said.join(", "),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (kib / f64::from(1 << 20)).round(),
            file_system: file_system(&read("/proc/self/mounts"), folder),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            fdatasync_p50_us: Syncs::measure(folder, 500).p50().round(),
        }
    }
}

/// The type of the file system whose place is the longest beginning of the folder's path.
fn file_system(mounts: &str, folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|fields| fields.get(1).is_some_and(|place| folder.starts_with(place)));
    let nearest = holding.max_by_key(|fields| fields[1].len());
    nearest.and_then(|fields| Some((*fields.get(2)?).to_owned())).unwrap_or_else(|| "unknown".to_owned())
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
