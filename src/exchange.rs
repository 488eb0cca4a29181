//! The road of a call: nine steps, one function ([`Exchange::answer`]).
//!
//! Floor 4: introduces the machines to each other. Steps 3 to 5 and 7 take values and return values; the I/O is in
//! steps 1 (token cache), 6 (look-up) and 8 (log).
//!
//! ```text
//! door ─> 1 identify ─> 2 parse ─> 3 resolve ─> 4 limit ─> 5 decide ─> 6 look up ─> 7 shape ─┐
//!              └────────────┴───────────┴───────────┴──────────┴── refused ──────────────────┤
//! door <──────────────────────────────────── 9 sign <── 8 record, durable before it leaves ──┘
//! ```

mod answer;
mod body;
mod call;
mod caller;
mod counting;
mod decider;
mod defence;
mod demand;
mod elsewhere;
mod forward;
mod incoming;
mod limit;
mod probes;
mod recorded;
pub mod rehearsal;
pub mod replay;
mod return_probes;
mod returns;
pub mod review;
mod rights;
mod shape;
mod statistics;
pub mod trials;

pub use answer::{Answer, Exchange, Parts, Refusal, day_in_china};
pub use body::{AnswerBody, ClaimBody, ClaimVerdict, OutcomeWord};
pub use call::{Asked, Question};
pub use defence::Defence;
pub use elsewhere::NodeBody;
pub use incoming::{Credential, Incoming};
pub use probes::{ProbeFailed, prove_the_locks};
pub use recorded::{NotExplained, explain};
pub use returns::{HandedBack, Offer, OnItsWay, ReturnAsked};
pub use rights::Rights;
pub use statistics::{Statement, Statistics, StatisticsLimits};

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
