//! Work that several threads do together, and that stops as soon as one of them fails.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::PublishError;

/// More do not help: the input is handed out by one at a time.
const WORKERS_MAX: usize = 16;

/// How many work at once.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

/// Tells workers that one of them has failed, or that nobody waits for them any more.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets the stop when it is dropped, as it is when the publication is given up.
struct StopAtEnd(Stop);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Let every worker do `work` once, side by side; what each returned, or the first error.
pub(super) async fn together<T: Send + 'static>(
    work: impl Fn(&Stop) -> Result<T, PublishError> + Send + Sync + 'static,
) -> Result<Vec<T>, PublishError> {
    let work = Arc::new(work);
    let stop = StopAtEnd(Stop::default());
    let spawn = |_| {
        let (work, stop) = (Arc::clone(&work), stop.0.clone());
        tokio::task::spawn_blocking(move || {
            let done = work(&stop);
            if done.is_err() {
                stop.0.store(true, Ordering::Relaxed);
            }
            done
        })
    };
    let tasks: Vec<_> = (0..workers()).map(spawn).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await);
    }
    done.into_iter().map(|done| done?).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn one_that_fails_stops_the_others_and_its_error_is_told() {
        let first = AtomicBool::new(true);
        let work = move |stop: &Stop| {
            if first.swap(false, Ordering::Relaxed) {
                return Err(PublishError::Input { path: "x.csv".into(), source: io::Error::other("torn") });
            }
            while !stop.is_set() {
                std::thread::yield_now();
            }
            Ok(())
        };
        let failed = together(work).await.unwrap_err();
        assert!(matches!(failed, PublishError::Input { .. }), "{failed}");
    }

    #[tokio::test]
    async fn everybody_works() {
        assert_eq!(together(|_| Ok(1)).await.unwrap().len(), workers());
    }
}
