//! One line for each invocation, for the person who watches.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::emulator::Invocation;

/// Shows invocations under the names that people know.
pub struct Watch {
    /// Binary names by physical function name.
    names: BTreeMap<String, String>,
    zone: TimeZone,
}

impl Watch {
    /// `names` maps physical function names to those of the binaries.
    pub fn new(names: BTreeMap<String, String>) -> Self {
        Self { names, zone: TimeZone::system() }
    }

    /// Prints until the emulator ends.
    pub async fn follow(&self, mut invocations: Receiver<Invocation>) {
        loop {
            match invocations.recv().await {
                Ok(invocation) => println!("{}", self.line(&invocation)),
                Err(RecvError::Lagged(missed)) => println!("… {missed} invocations not shown"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn line(&self, invocation: &Invocation) -> String {
        let name = self.names.get(&invocation.function).unwrap_or(&invocation.function);
        let outcome = match (&invocation.error, invocation.status, invocation.failed_items) {
            (Some(error), ..) => format!("FAILED {}", error.lines().next().unwrap_or_default()),
            (None, Some(status), _) => status.to_string(),
            (None, None, 0) => "ok".to_owned(),
            (None, None, failed) => format!("{failed} failed"),
        };
        format!(
            "{}  {name:<28} {:<44} {:>6} ms  {outcome}",
            self.time(invocation.started_at),
            invocation.trigger,
            invocation.duration_ms,
        )
    }

    fn time(&self, seconds: f64) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit")]
        let milliseconds = (seconds * 1000.0) as i64;
        Timestamp::from_millisecond(milliseconds)
            .map(|time| {
                let time = time.to_zoned(self.zone.clone());
                time.strftime("%H:%M:%S").to_string()
            })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation() -> Invocation {
        Invocation {
            function: "crossdock-KpiQuery-1".into(),
            request_id: "1".into(),
            trigger: "GET /api/dashboard/kpi".into(),
            started_at: 1_700_000_000.5,
            duration_ms: 12,
            status: Some(200),
            failed_items: 0,
            error: None,
            log: String::new(),
        }
    }

    fn watch() -> Watch {
        Watch { names: BTreeMap::from([("crossdock-KpiQuery-1".into(), "kpi-query".into())]), zone: TimeZone::UTC }
    }

    #[test]
    fn a_line_names_the_binary_what_started_it_and_how_it_ended() {
        let line = watch().line(&invocation());
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["22:13:20", "kpi-query", "GET", "/api/dashboard/kpi", "12", "ms", "200"]);
    }

    #[test]
    fn a_failure_shows_the_first_line_of_its_reason() {
        let failed = Invocation { error: Some("Task timed out\nand more".into()), ..invocation() };
        assert!(watch().line(&failed).ends_with("FAILED Task timed out"));
    }

    #[test]
    fn a_batch_with_failed_items_says_how_many() {
        let partly = Invocation { status: None, failed_items: 2, ..invocation() };
        assert!(watch().line(&partly).ends_with("2 failed"));
    }
}
