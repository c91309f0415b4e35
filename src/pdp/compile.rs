//! Compiling off the runtime.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::Error;
use crate::policy::{self, Bundle, CompileError, Files};

/// Enough for Cedar's recursive parser and validator on the longest text that gets there.
const STACK: usize = 64 * 1024 * 1024;

/// Runs something that computes for long or recurses deep on a thread of its own.
pub async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let (send, receive) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("compile".to_owned()).stack_size(STACK);
    thread.spawn(move || drop(send.send(work()))).map_err(|_| Error::BrokenOff)?;
    receive.await.map_err(|_| Error::BrokenOff)
}

/// Compiles files into a bundle.
pub async fn compile(number: i32, files: Files) -> Result<Result<Arc<Bundle>, CompileError>, Error> {
    off_runtime(move || policy::compile(number, &files).map(Arc::new)).await
}

/// Bundles that were compiled lately, by number: activating one again, or after checking it, compiles nothing.
#[derive(Default)]
pub struct Recent(Mutex<HashMap<i32, Arc<Bundle>>>);

impl Recent {
    const MOST: usize = 4;

    /// The bundle, if it was compiled lately.
    pub fn get(&self, number: i32) -> Option<Arc<Bundle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Keeps a bundle.
    pub fn put(&self, bundle: Arc<Bundle>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= Self::MOST {
            kept.clear();
        }
        kept.insert(bundle.number, bundle);
    }
}
