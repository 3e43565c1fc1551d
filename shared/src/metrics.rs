//! Embedded metrics: one line of the log that CloudWatch turns into a metric (its Embedded Metric Format).
//!
//! Dimensions are few on purpose: every combination of them is billed.

use std::sync::OnceLock;

use serde_json::json;

/// All metrics stand here.
const NAMESPACE: &str = "Crossdock";
/// Set where the log is CloudWatch's.
static WANTED: OnceLock<()> = OnceLock::new();

/// From here on metrics are written: a process that is no function, such as a test or a benchmark, has nobody to read them.
pub(crate) fn begin() {
    WANTED.get_or_init(|| ());
}

/// So many of something happened.
pub fn count(name: &str, n: u64) {
    emit(name, "Count", n as f64);
}

/// Something took so long.
pub fn milliseconds(name: &str, ms: i64) {
    emit(name, "Milliseconds", ms as f64);
}

/// So much of a hundred.
pub fn percent(name: &str, value: f64) {
    emit(name, "Percent", value);
}

fn emit(name: &str, unit: &str, value: f64) {
    if WANTED.get().is_none() {
        return;
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let line = json!({
        "_aws": {
            "Timestamp": now,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [[]],
                "Metrics": [{ "Name": name, "Unit": unit }],
            }],
        },
        name: value,
    });
    println!("{line}");
}
