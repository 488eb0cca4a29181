//! Durable audit records, beside the machine's serial fdatasync.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use shuqiao::audit::{Log, LogOptions};

use crate::{Scale, look_up::closed_loop, pairs::Report};

const RECORD_BYTES: usize = 400;

pub(crate) async fn run(scale: Scale, report: &mut Report) {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { queue_max: 65_536, ..LogOptions::default() };
    let (log, _) = Log::open(&dir.path().join("audit"), options).unwrap();
    let log = Arc::new(log);
    for callers in [1, 64, 4096] {
        let mut turns = Vec::new();
        for _ in 0..scale.rounds {
            let log = Arc::clone(&log);
            let ours = closed_loop(callers, scale.turn_ms, move |_| {
                let log = Arc::clone(&log);
                async move {
                    log.append(vec![b'x'; RECORD_BYTES]).await.unwrap();
                }
            })
            .await;
            turns.push((ours, serial_syncs(dir.path(), scale.turn_ms)));
        }
        report.pair(&format!("durable audit records, {callers} waiting, beside serial fdatasync"), "a second", &turns);
    }
}

/// Write 4 KiB, sync, again: how many a second.
fn serial_syncs(dir: &Path, turn_ms: u64) -> f64 {
    const FILE_BYTES: u64 = 16 << 20;
    let file = File::options().create(true).truncate(true).read(true).write(true).open(dir.join("raw")).unwrap();
    file.write_all_at(&vec![0; FILE_BYTES as usize], 0).unwrap();
    file.sync_all().unwrap();
    let started = Instant::now();
    let mut done = 0_u64;
    while started.elapsed() < Duration::from_millis(turn_ms) {
        file.write_all_at(&[1; 4096], done * 4096 % FILE_BYTES).unwrap();
        file.sync_data().unwrap();
        done += 1;
    }
    done as f64 / started.elapsed().as_secs_f64()
}
