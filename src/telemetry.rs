//! Logs and metrics.
//!
//! Logs go to standard output, one JSON object a line outside a terminal, with the fields of an event at the top level
//! and the current span (which carries the request id) beside them. Metrics are kept in this process; whoever scrapes
//! them gets the text of [`metrics_handle`].

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Histogram: seconds from a request's arrival to its answer.
pub const REQUEST_SECONDS: &str = "deodar_http_request_seconds";
/// Histogram: seconds that one permission check takes, without HTTP.
pub const CHECK_SECONDS: &str = "deodar_check_seconds";

/// Counter: mails by `outcome`: `sent`, `failed` (tried again later) or `dropped`.
pub const MAILS: &str = "deodar_mails_total";
/// Counter.
pub const FAREWELLS: &str = "deodar_backchannel_logouts_total";

/// From a cached check to the longest timeout. A password hash lies near 50 ms.
const REQUEST_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// A check takes microseconds; one that waits for a revision up to a second.
const CHECK_BUCKETS: [f64; 14] =
    [0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 5.0];

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
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
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
    metrics::describe_histogram!(CHECK_SECONDS, "Seconds that one permission check takes, without HTTP");
    metrics::describe_counter!(MAILS, "Mails by outcome: sent, failed (tried again later), dropped");
    metrics::describe_counter!(
        FAREWELLS,
        "Logouts told to clients by outcome: sent, failed (tried again later), dropped"
    );
    handle
}

fn with_buckets(builder: PrometheusBuilder) -> Result<PrometheusBuilder, BuildError> {
    builder
        .set_buckets_for_metric(Matcher::Full(CHECK_SECONDS.to_owned()), &CHECK_BUCKETS)?
        // Every other histogram of seconds; `Full` goes before `Suffix`.
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &REQUEST_BUCKETS)
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
        metrics::histogram!(CHECK_SECONDS).record(0.000_02);
        metrics::histogram!(REQUEST_SECONDS).record(0.02);
        let text = metrics_handle().render();
        assert!(text.contains("deodar_check_seconds_bucket{le=\"0.000025\"} 1"), "{text}");
        assert!(text.contains("deodar_http_request_seconds_bucket{le=\"0.01\"} 0"), "{text}");
        assert!(text.contains("deodar_http_request_seconds_bucket{le=\"0.025\"} 1"), "{text}");
        assert_eq!(handle.render(), text);
    }
}
