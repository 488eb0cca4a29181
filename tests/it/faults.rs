//! What must hold when things go wrong: real processes that are killed, real files that are damaged.

mod crowd;
mod damage;
mod kill;
mod laws;
mod log_full;
mod probes;
mod publication;
mod publication_kills;
mod reload;
mod slow;
mod stop;
mod switch;
