//! What a node has answered to calls that others forwarded, while a second try of the same call may come.
//!
//! The second try gets the first one's answer, or waits for it; it is never answered anew. Calls that were answered before
//! a restart are known from the audit log, without their answers: those are refused.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;

use crate::identifiers::{CallId, NodeId};

/// A forwarded call: who sent it, under which id.
pub type Key = (NodeId, CallId);

/// Answers kept at most; past that, the oldest go, and a second try of theirs is refused.
const KEPT_MAX: usize = 65_536;

#[derive(Debug)]
struct Entry<A> {
    request_sha256: [u8; 32],
    until: DateTime<Utc>,
    answer: Arc<OnceCell<A>>,
}

#[derive(Debug)]
struct Inner<A> {
    entries: HashMap<Key, Entry<A>>,
    /// In the order in which they came.
    order: std::collections::VecDeque<Key>,
    before: HashSet<Key>,
}

/// Answers by forwarded call.
#[derive(Debug)]
pub struct Repeats<A>(Mutex<Inner<A>>);

/// Why a call is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// The same id came with another body.
    OtherBody,
    /// It was answered before, and the answer is no longer here.
    Gone,
}

impl<A: Clone> Repeats<A> {
    /// `before`: calls that the log shows as answered before the start.
    pub fn new(before: impl IntoIterator<Item = Key>) -> Self {
        let before = before.into_iter().collect();
        Self(Mutex::new(Inner { entries: HashMap::new(), order: Default::default(), before }))
    }

    /// The answer to a call: that of the first time it came.
    pub async fn once<F: Future<Output = A>>(
        &self,
        key: Key,
        request_sha256: [u8; 32],
        (now, until): (DateTime<Utc>, DateTime<Utc>),
        answer: impl FnOnce() -> F,
    ) -> Result<A, Repeated> {
        let cell = self.cell(key, request_sha256, now, until)?;
        Ok(cell.get_or_init(answer).await.clone())
    }

    fn cell(
        &self,
        key: Key,
        request_sha256: [u8; 32],
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Arc<OnceCell<A>>, Repeated> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.before.contains(&key) {
            return Err(Repeated::Gone);
        }
        if let Some(entry) = inner.entries.get(&key) {
            return match entry.request_sha256 == request_sha256 {
                true => Ok(Arc::clone(&entry.answer)),
                false => Err(Repeated::OtherBody),
            };
        }
        inner.make_room(now);
        let answer = Arc::new(OnceCell::new());
        inner.entries.insert(key.clone(), Entry { request_sha256, until, answer: Arc::clone(&answer) });
        inner.order.push_back(key);
        Ok(answer)
    }
}

impl<A> Inner<A> {
    /// Forget what no token can ask for any longer. What is pushed out before its time is remembered by name.
    fn make_room(&mut self, now: DateTime<Utc>) {
        while let Some(oldest) = self.order.front() {
            let over = self.entries.get(oldest).is_none_or(|entry| entry.until < now);
            if !over && self.order.len() < KEPT_MAX {
                break;
            }
            let Some(oldest) = self.order.pop_front() else { break };
            self.entries.remove(&oldest);
            if !over && self.before.len() < KEPT_MAX {
                self.before.insert(oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use chrono::TimeDelta;

    use super::*;

    fn key(number: u128) -> Key {
        ("shenzhen".parse().unwrap(), CallId::new(uuid::Uuid::from_u128(number)))
    }

    #[tokio::test]
    async fn a_second_try_gets_the_answer_of_the_first_and_another_body_gets_none() {
        let (repeats, count) = (Repeats::new([key(9)]), AtomicU32::new(0));
        let now = Utc::now();
        let ask = |number, body| {
            repeats.once(key(number), [body; 32], (now, now + TimeDelta::seconds(30)), || async {
                tokio::task::yield_now().await;
                count.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(tokio::join!(ask(1, 1), ask(1, 1)), (Ok(0), Ok(0)));
        assert_eq!((ask(1, 1).await, ask(2, 1).await), (Ok(0), Ok(1)));
        assert_eq!((ask(1, 2).await, ask(9, 1).await), (Err(Repeated::OtherBody), Err(Repeated::Gone)));
    }

    #[tokio::test]
    async fn what_no_token_can_ask_for_is_forgotten() {
        let (repeats, start) = (Repeats::new([]), Utc::now());
        for number in 0..100 {
            let now = start + TimeDelta::seconds(number);
            let until = now + TimeDelta::seconds(30);
            let key = key(number.unsigned_abs().into());
            assert_eq!(repeats.once(key, [0; 32], (now, until), || async { number }).await, Ok(number));
        }
        assert_eq!(repeats.0.lock().unwrap().entries.len(), 31);
    }
}
