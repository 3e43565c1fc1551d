//! Days: how they are written, and which one it is for a tenant.

use jiff::{Timestamp, civil::Date};
use shared::tenant::Zone;

/// Nothing is asked for of a day before.
pub const FIRST: Date = jiff::civil::date(1970, 1, 1);
/// So many days back something may be told of a day: as far as runs are kept ([`shared::run::KEEP`]).
pub const BACK: i32 = 400;

/// Exactly `YYYY-MM-DD`, and a day that exists.
pub fn read(text: &str) -> Option<Date> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(n, c)| if matches!(n, 4 | 7) { c == b'-' } else { c.is_ascii_digit() });
    shape.then(|| text.parse().ok()).flatten()
}

/// Which day it is there.
pub fn today(zone: &Zone, now: Timestamp) -> Date {
    now.to_zoned(zone.rules().clone()).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_written_in_full() {
        assert!(read("2024-02-29").is_some());
        for wrong in [
            "2025-02-29",
            "2025-13-01",
            "2025-1-1",
            "20250101",
            "2025-01-01T10:00",
            "2025-W01-1",
            "22-01-2025",
            "",
            "２０２５-01-01",
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_day_is_cut_in_the_tenants_zone() {
        let now = "2026-11-21T23:30:00Z".parse().unwrap();
        assert_eq!(today(&Zone::UTC, now).to_string(), "2026-11-21");
        assert_eq!(today(&Zone::try_from("Asia/Tokyo".to_owned()).unwrap(), now).to_string(), "2026-11-22");
    }
}
