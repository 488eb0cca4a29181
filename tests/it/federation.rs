//! Several nodes: each a real one, with its own register, keys, ledger and log, connected over mutual TLS.

mod calls;
mod catalogue;
mod door;
mod faults;
mod keys;
mod processes;
pub(crate) mod province;
mod rechecks;
mod returns;
mod schedules;
mod statistics;
mod witness;
