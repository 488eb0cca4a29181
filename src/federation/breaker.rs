//! Circuit breakers: a peer that does not answer is left alone for a while, then tried with one call.
//!
//! So calls that need it are told at once that it is away, and those that do not never wait behind them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::identifiers::NodeId;

/// Failures in a row after which a peer is left alone.
const FAILURES_MAX: u32 = 5;
/// How long it is left alone at first; twice as long each time that the trial fails.
const PAUSE: Duration = Duration::from_millis(250);
/// And at most: what has healed is in full service again well within five seconds.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How a peer has been answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls go out.
    Closed,
    /// It is left alone.
    Open,
    /// One call is out to see whether it answers.
    HalfOpen,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Circuit {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    HalfOpen { since: Instant, pause: Duration },
}

/// One breaker a peer.
#[derive(Debug, Default)]
pub struct Breakers(Mutex<HashMap<NodeId, Circuit>>);

impl Breakers {
    /// May a call go out to that peer now? Whoever is told yes must tell how it went.
    pub fn admit(&self, node: &NodeId, now: Instant) -> bool {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(circuit) = circuits.get_mut(node) else { return true };
        match *circuit {
            Circuit::Closed { .. } => true,
            Circuit::Open { until, .. } if now < until => false,
            // The trial of somebody who hung up tells nothing: after its pause there is another.
            Circuit::HalfOpen { since, pause } if now < since + pause => false,
            Circuit::Open { pause, .. } | Circuit::HalfOpen { pause, .. } => {
                *circuit = Circuit::HalfOpen { since: now, pause };
                true
            }
        }
    }

    /// It answered, whatever it said.
    pub fn answered(&self, node: &NodeId) {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        circuits.remove(node);
    }

    /// It did not.
    pub fn failed(&self, node: &NodeId, now: Instant) {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.entry(node.clone()).or_insert(Circuit::Closed { failures: 0 });
        *circuit = match *circuit {
            Circuit::Closed { failures } if failures + 1 < FAILURES_MAX => Circuit::Closed { failures: failures + 1 },
            Circuit::Closed { .. } => Circuit::Open { until: now + PAUSE, pause: PAUSE },
            // Calls that were out when it opened come back late: they are not trials.
            Circuit::Open { until, pause } => Circuit::Open { until, pause },
            Circuit::HalfOpen { pause, .. } => {
                let pause = (pause * 2).min(PAUSE_MAX);
                Circuit::Open { until: now + pause, pause }
            }
        };
    }

    pub fn state(&self, node: &NodeId) -> State {
        let circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match circuits.get(node) {
            None | Some(Circuit::Closed { .. }) => State::Closed,
            Some(Circuit::Open { .. }) => State::Open,
            Some(Circuit::HalfOpen { .. }) => State::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_five_failures_in_a_row_and_closes_when_its_one_trial_is_answered() {
        let (breakers, node, start) = (Breakers::default(), "shenzhen".parse().unwrap(), Instant::now());
        for _ in 0..2 {
            for _ in 1..FAILURES_MAX {
                assert!(breakers.admit(&node, start));
                breakers.failed(&node, start);
            }
            breakers.answered(&node);
        }
        for _ in 0..FAILURES_MAX {
            breakers.failed(&node, start);
        }
        assert_eq!(breakers.state(&node), State::Open);
        assert!(!breakers.admit(&node, start) && breakers.admit(&"guangzhou".parse().unwrap(), start));

        let later = start + PAUSE;
        assert!(breakers.admit(&node, later) && !breakers.admit(&node, later));
        assert_eq!(breakers.state(&node), State::HalfOpen);
        breakers.failed(&node, later);
        assert!(!breakers.admit(&node, later + PAUSE) && breakers.admit(&node, later + PAUSE * 2));
        breakers.answered(&node);
        assert_eq!(breakers.state(&node), State::Closed);
    }

    #[test]
    fn a_pause_is_never_longer_than_two_seconds_and_a_lost_trial_holds_nobody_up() {
        let (breakers, node, mut now) = (Breakers::default(), "shenzhen".parse().unwrap(), Instant::now());
        for _ in 0..100 {
            breakers.failed(&node, now);
            now += PAUSE_MAX;
            assert!(breakers.admit(&node, now));
        }
        assert!(breakers.admit(&node, now + PAUSE_MAX));
    }
}
