//! Who answers calls: the node in both its ways to sign, the floor, and the rival.

use std::{sync::Arc, thread};

use crate::{
    client::Requests,
    home::{Home, Receipts},
    postgres::Postgres,
    report::Report,
    roles::Server,
    world::World,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A node; at least so many times the echo's calls is its goal.
    Own {
        of_echo: f64,
    },
    Echo,
    Rival,
}

pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) server: Server,
    pub(crate) requests: Arc<Requests>,
    _home: Option<Home>,
}

/// All that can be had here; the report is told who is missing.
pub(crate) fn contenders(world: &World, database: Option<&Postgres>, report: &mut Report) -> Vec<Contender> {
    let mut all: Vec<_> = [Receipts::Batch, Receipts::Single].into_iter().filter_map(|way| own(world, way)).collect();
    if all.len() < 2 {
        report.skip("calls with receipts signed by batch", "this node signs each alone");
    }
    let requests = Arc::clone(&all[0].requests);
    let other = |name: &str, kind, server| Contender {
        name: name.to_owned(),
        kind,
        server,
        requests: Arc::clone(&requests),
        _home: None,
    };
    all.push(other("a bare echo", Kind::Echo, Server::echo()));
    if let Some(database) = database {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let rival = |connections| Server::baseline(&database.socket, database.pid(), connections);
        all.push(other("axum with PostgreSQL, one connection a core", Kind::Rival, rival(cores)));
        all.push(other("axum with PostgreSQL, 32 connections", Kind::Rival, rival(32)));
    }
    all
}

/// A running node, or `None` where it does not know this way to sign.
pub(crate) fn own(world: &World, receipts: Receipts) -> Option<Contender> {
    let home = Home::make(world, receipts)?;
    let (name, of_echo) = match receipts {
        Receipts::Batch => ("receipts signed by batch", 0.4),
        Receipts::Single => ("each receipt signed", 0.2),
    };
    let requests = Arc::new(Requests::about(world, &home.token()));
    let server = Server::node(&home);
    Some(Contender { name: name.to_owned(), kind: Kind::Own { of_echo }, server, requests, _home: Some(home) })
}
