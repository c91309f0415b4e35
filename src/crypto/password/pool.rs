//! A bounded pool of own threads for work that keeps a core busy.
//!
//! Why not the runtime's blocking threads: there are hundreds of them, so a rush of sign-ins would hold a password's
//! memory hundreds of times over and starve everything else of the processor. Here as many work as there are cores, at
//! a lower priority than the threads that answer checks, and what exceeds the queue is refused at once (V-064).
//!
//! The queue is lock-free for those who send. A lock could be held by a worker that its low priority keeps off the
//! processor, and the runtime would wait for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::PasswordError;
use crate::crypto::CryptoError;

/// What a worker does with its own `S`, which it keeps between jobs.
type Job<S> = Box<dyn FnOnce(&mut S) + Send>;
type Jobs<S> = Arc<Mutex<mpsc::Receiver<Job<S>>>>;

/// The pool. Its workers end when the last clone is gone.
pub(super) struct Pool<S>(mpsc::Sender<Job<S>>);

impl<S> Clone for Pool<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: 'static> Pool<S> {
    /// Starts the workers. Each makes its state before its first job.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn new(
        threads: usize,
        queue: usize,
        state: impl Fn() -> S + Clone + Send + 'static,
    ) -> Result<Self, CryptoError> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let jobs = Arc::new(Mutex::new(receiver));
        for _ in 0..threads.max(1) {
            let (jobs, state) = (Arc::clone(&jobs), state.clone());
            let worker = thread::Builder::new().name("passwords".to_owned());
            worker.spawn(move || serve(&jobs, state)).map_err(|_| CryptoError("starting a thread for passwords"))?;
        }
        Ok(Self(sender))
    }

    /// Waits for a worker to do `work`. Work that nobody waits for any more is skipped.
    ///
    /// # Errors
    /// `Busy` at once when the queue is full; `Failed` when the work panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (answer, done) = oneshot::channel();
        let job = move |state: &mut S| {
            if !answer.is_closed() {
                // It may have gone away meanwhile, which is its own business.
                let _ = answer.send(work(state));
            }
        };
        let failed = PasswordError::Failed(CryptoError("a thread for passwords ended"));
        match self.0.try_send(Box::new(job)) {
            Ok(()) => done.await.map_err(|_| failed),
            Err(TrySendError::Full(_)) => Err(PasswordError::Busy),
            Err(TrySendError::Closed(_)) => Err(failed),
        }
    }
}

fn serve<S>(jobs: &Jobs<S>, state: impl Fn() -> S) {
    yield_to_others();
    let mut kept = None;
    while let Some(job) = next(jobs) {
        // A worker outlives a panic, or each would leave the pool smaller. What the job leaves half done in the state is
        // thrown away with it.
        let worked = catch_unwind(AssertUnwindSafe(|| job(kept.get_or_insert_with(&state))));
        if worked.is_err() {
            tracing::error!("work on a password panicked; its thread goes on");
            kept = None;
        }
    }
}

/// One idle worker waits for the next job, the others wait for its place.
fn next<S>(jobs: &Jobs<S>) -> Option<Job<S>> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

/// To about nice 10 on Linux: a tenth of the share of a thread that answers checks, where both want the processor.
fn yield_to_others() {
    const LOW: u8 = 25;
    let set = |low| set_current_thread_priority(ThreadPriority::Crossplatform(low)).map_err(|error| error.to_string());
    if let Err(error) = ThreadPriorityValue::try_from(LOW).and_then(set) {
        tracing::warn!(error, "a thread for passwords keeps its priority");
    }
}
