//! Who answers calls: the node in both its ways to sign, the floor, and the rival.

use std::{sync::Arc, thread};

use crate::{
    client::Requests,
    home::{Home, Receipts},
    postgres::Postgres,
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

/// All of them; the rival where there is a database.
pub(crate) fn contenders(world: &World, database: Option<&Postgres>) -> Vec<Contender> {
    let mut all = vec![own(world, Receipts::Batch), own(world, Receipts::Single)];
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

/// A running node with a log of its own.
pub(crate) fn own(world: &World, receipts: Receipts) -> Contender {
    let home = Home::make(world, receipts);
    let (name, of_echo) = match receipts {
        Receipts::Batch => ("receipts signed by batch", 0.4),
        Receipts::Single => ("each receipt signed", 0.2),
    };
    let requests = Arc::new(Requests::about(world, &home.token()));
    let server = Server::node(&home);
    Contender { name: name.to_owned(), kind: Kind::Own { of_echo }, server, requests, _home: Some(home) }
}
