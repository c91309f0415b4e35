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
    time::{Duration, Instant},
};

use cpu_time::ThreadTime;
use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::timeout,
};

use super::{PasswordError, line::Line};
use crate::crypto::CryptoError;

/// What a worker does with its own `S`, which it keeps between jobs.
type Job<S> = Box<dyn FnOnce(&mut S) + Send>;
type Jobs<S> = Arc<Mutex<mpsc::Receiver<Job<S>>>>;

/// The pool. Its workers end when the last clone is gone.
pub(super) struct Pool<S> {
    jobs: mpsc::Sender<Job<S>>,
    line: Arc<Line>,
    patience: Duration,
}

impl<S> Clone for Pool<S> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), line: Arc::clone(&self.line), patience: self.patience }
    }
}

impl<S: 'static> Pool<S> {
    /// Starts the workers. Each makes its state before its first job. Nobody waits for one longer than `patience`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn new(
        threads: usize,
        queue: usize,
        patience: Duration,
        state: impl Fn() -> S + Clone + Send + 'static,
    ) -> Result<Self, CryptoError> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let (jobs, line) = (Arc::new(Mutex::new(receiver)), Arc::new(Line::new(threads)));
        for _ in 0..threads.max(1) {
            let (jobs, line, state) = (Arc::clone(&jobs), Arc::clone(&line), state.clone());
            let worker = thread::Builder::new().name("passwords".to_owned());
            worker
                .spawn(move || serve(&jobs, &line, state))
                .map_err(|_| CryptoError("starting a thread for passwords"))?;
        }
        Ok(Self { jobs: sender, line, patience })
    }

    /// Refuses work if there is no room for it, or if it would wait in vain.
    ///
    /// # Errors
    /// `Busy`.
    pub(super) fn ensure_room(&self) -> Result<(), PasswordError> {
        let waiting = self.jobs.max_capacity() - self.jobs.capacity();
        let full = self.jobs.capacity() == 0 || self.line.takes(waiting) > self.patience;
        if full { Err(self.busy()) } else { Ok(()) }
    }

    fn busy(&self) -> PasswordError {
        PasswordError::Busy { wait: self.line.place() }
    }

    /// Waits for a worker to do `work`. Work that nobody waits for any more is skipped.
    ///
    /// # Errors
    /// `Busy` at once when the queue is full, and later when it was too long; `Failed` when the work panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        self.ensure_room()?;
        let (answer, done) = oneshot::channel();
        let job = move |state: &mut S| {
            if !answer.is_closed() {
                // It may have gone away meanwhile, which is its own business.
                let _ = answer.send(work(state));
            }
        };
        let failed = PasswordError::Failed(CryptoError("a thread for passwords ended"));
        match self.jobs.try_send(Box::new(job)) {
            Ok(()) => match timeout(self.patience, done).await {
                Ok(done) => done.map_err(|_| failed),
                Err(_) => Err(self.busy()),
            },
            Err(TrySendError::Full(_)) => Err(self.busy()),
            Err(TrySendError::Closed(_)) => Err(failed),
        }
    }
}

fn serve<S>(jobs: &Jobs<S>, line: &Line, state: impl Fn() -> S) {
    yield_to_others();
    let mut kept = None;
    while let Some(job) = next(jobs) {
        let (started, processor) = (Instant::now(), ThreadTime::now());
        // A worker outlives a panic, or each would leave the pool smaller. What the job leaves half done in the state is
        // thrown away with it.
        let worked = catch_unwind(AssertUnwindSafe(|| job(kept.get_or_insert_with(&state))));
        line.worked(started.elapsed(), processor.elapsed());
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

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::Pin,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc as blocking,
        },
    };

    use futures_util::{FutureExt, future::join_all};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(600);

    fn pool(threads: usize, queue: usize) -> Pool<()> {
        Pool::new(threads, queue, PATIENCE, || ()).unwrap()
    }

    /// Occupies a worker until the answer is sent to or dropped.
    async fn occupy(pool: &Pool<()>) -> blocking::Sender<()> {
        let (open, gate) = blocking::channel::<()>();
        let (started, running) = oneshot::channel();
        let pool = pool.clone();
        tokio::spawn(async move {
            pool.run(move |()| {
                started.send(()).unwrap();
                let _ = gate.recv();
            })
            .await
        });
        running.await.unwrap();
        open
    }

    /// Puts work into the queue without waiting for it.
    fn queued<F: Future>(work: F) -> Pin<Box<F>> {
        let mut work = Box::pin(work);
        assert!((&mut work).now_or_never().is_none());
        work
    }

    /// V-064. The runtime has one thread here, so anything that blocked it would hang the test.
    #[tokio::test]
    async fn what_exceeds_the_queue_is_refused_at_once() {
        let pool = pool(1, 2);
        let gate = occupy(&pool).await;
        let waiting = [1, 2].map(|n| queued(pool.run(move |()| n)));
        assert!(pool.ensure_room().is_err());
        assert!(matches!(pool.run(|()| 3).now_or_never(), Some(Err(PasswordError::Busy { .. }))));
        drop(gate);
        let done: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(done, [1, 2]);
        assert_eq!(pool.run(|()| 4).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_skipped() {
        let pool = pool(1, 8);
        let gate = occupy(&pool).await;
        let done = Arc::new(AtomicUsize::new(0));
        let count = |by: usize| {
            let done = Arc::clone(&done);
            queued(pool.run(move |()| done.fetch_add(by, Ordering::SeqCst)))
        };
        let (left, waited_for) = (count(1), count(10));
        drop(left);
        drop(gate);
        waited_for.await.unwrap();
        assert_eq!(done.load(Ordering::SeqCst), 10);
    }

    /// V-064. Whoever waits in vain is told so while there is still somebody to tell, and is not worked for.
    #[tokio::test]
    async fn nobody_waits_longer_than_their_patience() {
        let pool = Pool::new(1, 8, Duration::from_millis(500), || ()).unwrap();
        let gate = occupy(&pool).await;
        let done = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&done);
        let refused = pool.run(move |()| count.fetch_add(1, Ordering::SeqCst)).await;
        assert!(matches!(refused, Err(PasswordError::Busy { .. })));
        drop(gate);
        while !matches!(pool.run(|()| ()).await, Ok(())) {}
        assert_eq!(done.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_costs_no_worker() {
        let pool = Pool::new(1, 8, PATIENCE, || 0).unwrap();
        assert_eq!(pool.run(|state: &mut i32| std::mem::replace(state, 7)).await.unwrap(), 0);
        let panicked = pool.run(|_: &mut i32| assert!(std::hint::black_box(false), "on purpose")).await;
        assert!(matches!(panicked, Err(PasswordError::Failed(_))));
        assert_eq!(pool.run(|state| *state).await.unwrap(), 0, "the state of the panic is thrown away");
    }

    /// V-064.
    #[tokio::test]
    async fn no_more_work_at_once_than_threads() {
        let pool = pool(2, 64);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            pool.run(move |()| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let (one, other) = (occupy(&pool).await, occupy(&pool).await);
        let waiting = queued(join_all((0..32).map(|_| work())));
        drop((one, other));
        waiting.await.into_iter().for_each(Result::unwrap);
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[tokio::test]
    async fn workers_end_with_the_pool() {
        struct Gone(blocking::Sender<()>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.send(()).unwrap();
            }
        }
        let (sender, gone) = blocking::channel();
        let pool = Pool::new(1, 1, PATIENCE, move || Gone(sender.clone())).unwrap();
        let clone = pool.clone();
        pool.run(|_| ()).await.unwrap();
        drop(pool);
        clone.run(|_| ()).await.unwrap();
        assert!(gone.try_recv().is_err());
        drop(clone);
        gone.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn workers_yield_to_other_threads() {
        /// Field 19 of `/proc/…/stat`, counted from behind the name.
        fn niceness() -> i32 {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()
        }
        let own = niceness();
        let theirs = pool(1, 1).run(|()| niceness()).await.unwrap();
        assert!(theirs > own || own >= 10, "{theirs} > {own}");
    }
}
