//! A moment, as the days of a tenant count it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Date};
use make_operations::ledger;
use shared::tenant::Zone;

/// A moment, and the 24 hours that end with it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The tenant's day.
    pub date: Date,
    /// Hours since that day began: 0 to 24.
    pub hour: u8,
    /// What a clock shows there.
    pub clock: u8,
    /// The hours of the last 24, by day; the present one is not over.
    pub window: BTreeSet<(Date, u8)>,
}

impl Moment {
    /// That moment in a zone.
    pub fn of(zone: &Zone, at: Timestamp) -> Self {
        let (date, hour) = ledger::place(zone, at);
        let window = (0..24).map(|ago| ledger::place(zone, at - SignedDuration::from_hours(ago))).collect();
        Self { at, date, hour, clock: clock(zone, at), window }
    }

    /// The day that a moment falls into, and the hours since that day began.
    pub fn place(zone: &Zone, at: Timestamp) -> (Date, u8) {
        ledger::place(zone, at)
    }
}

/// When an hour of a day begins. One behind its last is in the next day.
pub fn begin(zone: &Zone, date: Date, hour: u8) -> Timestamp {
    let day = date.to_zoned(zone.rules().clone()).map_or(Timestamp::UNIX_EPOCH, |start| start.timestamp());
    day + SignedDuration::from_hours(i64::from(hour))
}

/// What a clock shows there.
fn clock(zone: &Zone, at: Timestamp) -> u8 {
    u8::try_from(at.to_zoned(zone.rules().clone()).hour()).unwrap_or_default()
}

/// The hours of a day: 24 mostly, 23 or 25 where clocks are changed.
#[derive(Clone, Debug)]
pub struct Hours {
    /// When the first one begins.
    begin: Timestamp,
    /// What a clock shows at the beginning of each.
    shown: Vec<u8>,
}

impl Hours {
    /// Those of a day in a zone.
    pub fn of(zone: &Zone, date: Date) -> Self {
        let begin = begin(zone, date, 0);
        let starts = (0..25).map(|hour| begin + SignedDuration::from_hours(hour));
        let of_day = starts.take_while(|at| ledger::place(zone, *at).0 == date);
        Self { begin, shown: of_day.map(|at| clock(zone, at)).collect() }
    }

    /// When each begins, and what a clock shows then.
    pub fn starts(&self) -> impl Iterator<Item = (Timestamp, u8)> {
        (0..).zip(&self.shown).map(|(hour, shown)| (self.begin + SignedDuration::from_hours(hour), *shown))
    }

    /// Those in which a clock shows this: one mostly, two or none where clocks are changed.
    pub fn at(&self, shown: u8) -> impl Iterator<Item = u8> {
        (0..).zip(&self.shown).filter(move |(_, has)| **has == shown).map(|(hour, _)| hour)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_of_23_and_25_hours_have_no_hour_or_two_that_a_clock_shows() {
        let lisbon = Zone::try_from("Europe/Lisbon".to_owned()).unwrap();
        // 29 March 2026 loses the hour from one to two, 25 October has it twice.
        let [march, may, october] =
            [(3, 29), (5, 1), (10, 25)].map(|(month, day)| Hours::of(&lisbon, date(2026, month, day)));
        assert_eq!([&march, &may, &october].map(|day| day.starts().count()), [23, 24, 25]);
        let at = |day: &Hours, shown| day.at(shown).collect::<Vec<_>>();
        assert_eq!((at(&march, 1), at(&march, 2), at(&may, 2)), (vec![], vec![1], vec![2]));
        assert_eq!((at(&october, 1), at(&october, 23)), (vec![1, 2], vec![24]));
    }

    #[test]
    fn the_last_24_hours_are_24_across_a_change_of_clocks() {
        let lisbon = Zone::try_from("Europe/Lisbon".to_owned()).unwrap();
        for at in ["2026-10-25T12:30:00Z", "2026-03-29T12:30:00Z", "2026-07-21T23:20:00Z"] {
            let moment = Moment::of(&lisbon, at.parse().unwrap());
            assert_eq!(moment.window.len(), 24);
            assert!(moment.window.contains(&(moment.date, moment.hour)));
        }
    }
}
