//! Several nodes: each a real one, with its own register, keys, ledger and log, connected over mutual TLS.

mod calls;
mod door;
mod keys;
mod province;
mod statistics;
