//! Listening until told to stop.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum_server::{Handle, accept::NoDelayAcceptor, tls_rustls::RustlsConfig};

use super::Failure;
use crate::{app::App, routes};

/// A client that sends nothing for so long is not waited for.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT: then not ready at once, requests in flight finish, and it returns.
pub async fn serve(
    app: &App,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    extra: axum::Router,
) -> Result<(), Failure> {
    listener.set_nonblocking(true)?;
    let handle = Handle::<SocketAddr>::new();
    tokio::spawn(leave(app.clone(), handle.clone()));
    let service = routes::router(app).merge(extra).into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        None => {
            let server = axum_server::from_tcp(listener)?.acceptor(NoDelayAcceptor::new());
            server.first_request_timeout(FIRST_REQUEST).handle(handle).serve(service).await?;
        }
        Some(config) => {
            let server = axum_server::from_tcp_rustls(listener, config)?;
            server.first_request_timeout(FIRST_REQUEST).handle(handle).serve(service).await?;
        }
    }
    app.stop().await;
    Ok(())
}

async fn leave(app: App, handle: Handle<SocketAddr>) {
    stop_signal().await;
    tracing::info!("stopping: requests in flight finish first");
    app.leave();
    tokio::time::sleep(app.config.shutdown_delay).await;
    handle.graceful_shutdown(Some(app.config.shutdown_grace));
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

/// Keeps the histograms of the metrics from growing while nobody reads them.
pub fn keep_metrics() {
    let metrics = crate::telemetry::metrics_handle();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            metrics.run_upkeep();
        }
    });
}
