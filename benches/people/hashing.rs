//! Bare Argon2id: what the threads can do when nothing else has to be done.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use thread_priority::{ThreadPriority, set_current_thread_priority};

use crate::server::{ITERATIONS, MEMORY_KIB, PASSWORD};

/// Threads with memory that is reused.
pub struct Bare(Vec<Vec<Block>>);

impl Bare {
    /// So many threads.
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| vec![Block::new(); MEMORY_KIB as usize]).collect())
    }

    /// Hashes a second. The threads have the priority of the server's: what yielding costs on a busy machine is a choice,
    /// not an overhead.
    pub fn hash(&mut self, count: usize) -> f64 {
        let params = Params::new(MEMORY_KIB, ITERATIONS, 1, Some(32)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let done = AtomicUsize::new(0);
        let start = Instant::now();
        thread::scope(|scope| {
            for memory in &mut self.0 {
                scope.spawn(|| {
                    set_current_thread_priority(ThreadPriority::Crossplatform(25.try_into().unwrap())).unwrap();
                    let mut tag = [0; 32];
                    while done.fetch_add(1, Ordering::Relaxed) < count {
                        let salt = [0; 16];
                        argon2
                            .hash_password_into_with_memory(PASSWORD.as_bytes(), &salt, &mut tag, &mut *memory)
                            .unwrap();
                    }
                });
            }
        });
        count as f64 / start.elapsed().as_secs_f64()
    }
}
