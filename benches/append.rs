//! Durable audit records, beside the machine's serial fdatasync on the same file system.

use std::sync::Arc;

use shuqiao::audit::{Log, LogOptions};

use crate::{
    look_up::closed_loop,
    options::Scale,
    report::{Report, Target},
    syncs::Syncs,
    world::World,
};

const RECORD_BYTES: usize = 400;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let dir = world.scratch("append");
    let options = LogOptions { queue_max: 65_536, ..LogOptions::default() };
    let (log, _) = Log::open(&dir.path().join("audit"), options).unwrap();
    let log = Arc::new(log);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for callers in [1, 64, 4096] {
        let turn = |_| {
            let log = Arc::clone(&log);
            let ours = closed_loop(&runtime, callers, scale.turn_ms, move |_| {
                let log = Arc::clone(&log);
                async move {
                    log.append(vec![b'x'; RECORD_BYTES]).await.unwrap();
                }
            });
            (ours, Syncs::measure(dir.path(), scale.turn_ms).per_second())
        };
        let turns: Vec<_> = (0..scale.rounds).map(turn).collect();
        let target = (callers == 4096).then_some(Target::RatioAtLeast(60.0));
        let name = format!("audit: durable records of 400 bytes, {callers} waiting, beside serial fdatasync");
        report.pair(&name, "a second", &turns, target);
    }
}
