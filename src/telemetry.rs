//! Logs and metrics.
//!
//! Logs go to standard output, one JSON object a line outside a terminal, with the fields of an event at the top level
//! and the current span (which carries the request id) beside them. Metrics are kept in this process; whoever scrapes
//! them gets the text of [`metrics_handle`].

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{LazyLock, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use metrics::Histogram;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Histogram: seconds from a request's arrival to its answer.
pub const REQUEST_SECONDS: &str = "deodar_http_request_seconds";

/// Counter: mails by `outcome`: `sent`, `failed` (tried again later) or `dropped`.
pub const MAILS: &str = "deodar_mails_total";
/// Counter.
pub const FAREWELLS: &str = "deodar_backchannel_logouts_total";

/// From a cached check to the longest timeout. A password hash lies near 50 ms.
const REQUEST_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts logging to standard output. Later calls change nothing, so every test may call it.
///
/// `filter` is a filter of the `tracing` crate; the configuration has checked it, and what it cannot read is left out.
pub fn init(filter: &str, json_lines: bool) {
    let logs = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter));
    // An error means that another subscriber is there already, which is what a second call finds.
    let _already_there = if json_lines {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else if std::io::stdout().is_terminal() {
        logs.try_init()
    } else {
        logs.with_ansi(false).try_init()
    };
}

/// Starts logging for a command that prints its result on standard output: warnings, as text, to standard error.
pub fn init_command() {
    let logs = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("warn")).with_writer(std::io::stderr);
    let _already_there = logs.with_ansi(std::io::stderr().is_terminal()).without_time().try_init();
}

/// The metrics of this process; the first call starts collecting them. `render()` gives the text for Prometheus.
///
/// Call `run_upkeep()` every few seconds: until then, or until the next `render()`, every observation of a histogram
/// is kept one by one.
#[must_use]
pub fn metrics_handle() -> PrometheusHandle {
    HANDLE.get_or_init(install).clone()
}

/// A request for a route was answered. Does nothing until metrics are collected.
pub fn answered(route: &str, status: u16, took: Duration) {
    /// By status and route. To find one here makes no texts, as naming it anew does.
    static REQUESTS: LazyLock<RwLock<HashMap<u16, HashMap<String, Histogram>>>> = LazyLock::new(RwLock::default);
    if HANDLE.get().is_none() {
        return;
    }
    let (seconds, known) = (took.as_secs_f64(), REQUESTS.read().unwrap_or_else(PoisonError::into_inner));
    if let Some(histogram) = known.get(&status).and_then(|routes| routes.get(route)) {
        return histogram.record(seconds);
    }
    drop(known);
    let labels = [("route", route.to_owned()), ("status", status.to_string())];
    let histogram = metrics::histogram!(REQUEST_SECONDS, &labels);
    histogram.record(seconds);
    let mut known = REQUESTS.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(status).or_default().insert(route.to_owned(), histogram);
}

fn install() -> PrometheusHandle {
    let recorder = with_buckets(PrometheusBuilder::new()).unwrap_or_else(|error| {
        tracing::error!(%error, "histograms have no buckets of their own");
        PrometheusBuilder::new()
    });
    let recorder = recorder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::error!("another recorder of metrics is installed, so none are collected here");
    }
    metrics::describe_histogram!(REQUEST_SECONDS, "Seconds from a request's arrival to its answer");
    metrics::describe_counter!(MAILS, "Mails by outcome: sent, failed (tried again later), dropped");
    metrics::describe_counter!(
        FAREWELLS,
        "Logouts told to clients by outcome: sent, failed (tried again later), dropped"
    );
    handle
}

fn with_buckets(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &REQUEST_BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_can_be_started_twice() {
        init("info", true);
        init("debug,deodar=[", false);
        init_command();
    }

    #[test]
    fn histograms_have_buckets_of_their_own() {
        let handle = metrics_handle();
        for millis in [20, 20, 2] {
            answered("/a", 200, Duration::from_millis(millis));
        }
        let text = metrics_handle().render();
        for (most, count) in [("0.01", 1), ("0.025", 3)] {
            let line = format!(r#"deodar_http_request_seconds_bucket{{route="/a",status="200",le="{most}"}} {count}"#);
            assert!(text.contains(&line), "{text}");
        }
        assert_eq!(handle.render(), text);
    }
}
