//! The machine's serial fdatasync: one writer, one record, one sync, again.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

/// Zero-filled beforehand, so that a sync writes data and no change of the file's map.
const FILE_BYTES: u64 = 16 << 20;
const BLOCK_BYTES: usize = 4096;

/// Seconds that each sync took, ascending.
#[derive(Debug)]
pub(crate) struct Syncs(Vec<f64>);

impl Syncs {
    pub(crate) fn measure(dir: &Path, turn_ms: u64) -> Self {
        let path = dir.join("serial-fdatasync");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
        file.write_all_at(&vec![0; FILE_BYTES as usize], 0).unwrap();
        file.sync_all().unwrap();
        let started = Instant::now();
        let mut times = Vec::new();
        while started.elapsed() < Duration::from_millis(turn_ms) {
            let began = Instant::now();
            let place = times.len() as u64 * BLOCK_BYTES as u64 % FILE_BYTES;
            file.write_all_at(&[1; BLOCK_BYTES], place).unwrap();
            file.sync_data().unwrap();
            times.push(began.elapsed().as_secs_f64());
        }
        fs::remove_file(path).unwrap();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.0.len() as f64 / self.0.iter().sum::<f64>()
    }

    /// Microseconds.
    pub(crate) fn p50(&self) -> f64 {
        self.0[self.0.len() / 2] * 1e6
    }
}
