//! Six thousand terminals that keep their connection after a call: what each costs the node.

use std::sync::Arc;

use crate::{
    client::Connection,
    contenders::own,
    home::Receipts,
    load::{self, runtime},
    options::Scale,
    process,
    report::{Report, Target},
    world::World,
};

const CONNECTIONS: usize = 6_000;
/// Connections opened at once.
const TOGETHER: usize = 64;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let node = own(world, Receipts::Batch);
    let (address, requests) = (node.server.address, Arc::clone(&node.requests));
    load::closed(address, &requests, TOGETHER, scale.turn_ms); // Caches and pools are full before it is weighed.
    let weigh = || process::memory(node.server.pid()).anonymous;
    let before = weigh();
    let (held, after) = runtime().block_on(async {
        let mut held = Vec::with_capacity(CONNECTIONS);
        while held.len() < CONNECTIONS {
            let opening = (0..TOGETHER.min(CONNECTIONS - held.len())).map(|_| async {
                let mut connection = Connection::open(address).await.unwrap();
                let answer = connection.call(&requests, 0).await.unwrap();
                assert_eq!(answer.status, 200, "{}", connection.text());
                connection
            });
            held.extend(futures::future::join_all(opening).await);
        }
        let after = weigh();
        let mut answered = 0;
        for connection in &mut held {
            answered += usize::from(connection.call(&requests, 1).await.is_ok_and(|answer| answer.status == 200));
        }
        (answered, after)
    });
    let each = (after - before) / CONNECTIONS as f64;
    report.note("idle: memory of a kept connection, of 6,000", each, "KiB", Target::AtMost(30.0));
    report.note("idle: kept connections that answered again", held as f64, "", None);
}
