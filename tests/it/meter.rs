//! A wire to a database that counts round trips: how often something is sent after something was received.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

use crate::database::Database;

/// See the module.
pub struct Meter {
    /// What a server is to be given in place of the database's URL.
    pub url: Url,
    count: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Meter {
    /// One that has counted nothing yet.
    pub async fn to(database: &Database) -> Self {
        let target = (database.url.host_str().unwrap().to_owned(), database.url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut url = database.url.clone();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(target.clone()).await.unwrap();
                tokio::spawn(carry(near, far, Arc::clone(&counted)));
            }
        });
        Self { url, count, task }
    }

    /// The fewest round trips that something takes in several tries. In some of them the server also asks for something
    /// of its own, or a connection meets a statement for the first time.
    pub async fn fewest(&self, mut what: impl AsyncFnMut()) -> u64 {
        let mut fewest = u64::MAX;
        for _ in 0..20 {
            let before = self.count.load(Ordering::SeqCst);
            what().await;
            fewest = fewest.min(self.count.load(Ordering::SeqCst) - before);
        }
        fewest
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, count: Arc<AtomicU64>) {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut waiting = false;
    loop {
        tokio::select! {
            read = near.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                if !waiting {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                waiting = true;
                if far.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = far.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                waiting = false;
                if near.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
