//! Questions that come at the same time, asked in one statement.
//!
//! While a statement is under way, whatever comes meanwhile waits and goes with the next one. So a lone caller waits for
//! nobody, and a crowd shares one round trip and one commit, as databases commit in groups. Each is as durable and as
//! conditional as if it were alone: it is answered after the commit.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::{Error, Pool, within};

/// Answers all of them in one statement, in their order.
pub type Statement<Q, A> = for<'a> fn(&'a Pool, &'a [Q]) -> BoxFuture<'a, Result<Vec<A>, Error>>;

/// Most questions in a statement.
const MOST: usize = 64;
/// When so many wait for each statement that is under way, another sets out beside them: by then sharing gains little more,
/// and the database can work on several at once.
const ENOUGH: usize = 16;
/// Most statements of a kind at a time.
const LANES: usize = 4;

/// See the module.
pub struct Batch<Q, A>(Arc<Inner<Q, A>>);

struct Inner<Q, A> {
    pool: Pool,
    statement: Statement<Q, A>,
    waiting: Mutex<Waiting<Q, A>>,
}

struct Waiting<Q, A> {
    questions: VecDeque<(Q, Caller<A>)>,
    lanes: usize,
}

type Caller<A> = oneshot::Sender<Result<A, Error>>;

/// The right to send a statement. Given back when nothing waits.
struct Lane<Q, A> {
    inner: Arc<Inner<Q, A>>,
    given_back: bool,
}

impl<Q: Send + Sync + 'static, A: Send + 'static> Batch<Q, A> {
    /// Questions that this statement answers.
    pub fn new(pool: Pool, statement: Statement<Q, A>) -> Self {
        let waiting = Mutex::new(Waiting { questions: VecDeque::new(), lanes: 0 });
        Self(Arc::new(Inner { pool, statement, waiting }))
    }

    /// Asks, together with whoever asks at the same time. Whoever gives up before the statement is sent did not ask.
    pub async fn ask(&self, question: Q) -> Result<A, Error> {
        let (sender, answer) = oneshot::channel();
        if let Some(lane) = self.0.enter((question, sender)) {
            tokio::spawn(lane.run());
        }
        within(async { answer.await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into())) }).await
    }
}

impl<Q, A> Inner<Q, A> {
    /// Takes a place among those who wait, and a lane if it is time for one.
    fn enter(self: &Arc<Self>, asked: (Q, Caller<A>)) -> Option<Lane<Q, A>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.questions.push_back(asked);
        let opens = waiting.lanes < LANES && waiting.questions.len() >= (waiting.lanes * ENOUGH).max(1);
        waiting.lanes += usize::from(opens);
        opens.then(|| Lane { inner: Arc::clone(self), given_back: false })
    }

    /// Not for ever: nobody may stand behind a connection that fell silent.
    async fn answer(&self, questions: &[Q]) -> Result<Vec<A>, Error> {
        within((self.statement)(&self.pool, questions)).await
    }
}

impl<Q: Send + Sync, A: Send> Lane<Q, A> {
    async fn run(mut self) {
        loop {
            // Whoever is about to ask shall ask now.
            tokio::task::yield_now().await;
            let Some((questions, callers)) = self.take() else { return };
            match self.inner.answer(&questions).await {
                Ok(answers) => {
                    for (caller, answer) in callers.into_iter().zip(answers) {
                        let _gave_up = caller.send(Ok(answer));
                    }
                }
                // Nobody knows what the database did of it.
                Err(Error::Unavailable(error)) => {
                    for caller in callers {
                        let _gave_up = caller.send(Err(Error::Unavailable(Arc::clone(&error))));
                    }
                }
                // Nothing was done. Whoever is to blame shall fail alone.
                Err(_) => self.one_by_one(questions, callers).await,
            }
        }
    }

    async fn one_by_one(&self, questions: Vec<Q>, callers: Vec<Caller<A>>) {
        for (question, caller) in questions.into_iter().zip(callers) {
            let answer = self.inner.answer(std::slice::from_ref(&question)).await;
            let answer = answer.and_then(|mut answers| answers.pop().ok_or(sqlx::Error::RowNotFound.into()));
            let _gave_up = caller.send(answer);
        }
    }

    /// Those who wait and have not given up; `None` when there is nobody, and then the lane is given back.
    fn take(&mut self) -> Option<(Vec<Q>, Vec<Caller<A>>)> {
        let mut waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.questions.retain(|(_, caller)| !caller.is_closed());
        if waiting.questions.is_empty() {
            waiting.lanes -= 1;
            self.given_back = true;
            return None;
        }
        let most = waiting.questions.len().min(MOST);
        Some(waiting.questions.drain(..most).unzip())
    }
}

impl<Q, A> Drop for Lane<Q, A> {
    fn drop(&mut self) {
        if !self.given_back {
            self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).lanes -= 1;
        }
    }
}
