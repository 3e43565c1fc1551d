//! Which time a question is about, and the equally long time before it.

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    activity::Channel,
    http::Call,
    snapshot::{day_of, hour_of},
    tenant::Zone,
};

/// The longest window. The answer costs the same for any; a year is what the trend still finds something before.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// The most that a reply may take on average, unless the caller says otherwise.
const SLA_TARGET_S: u32 = 300;

/// A window that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Today,
    Day,
    Week,
    Month,
}

impl Range {
    const ALL: [Self; 4] = [Self::Today, Self::Day, Self::Week, Self::Month];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }
}

impl std::str::FromStr for Range {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        Self::ALL.into_iter().find(|range| range.word() == word).ok_or("one of today, 24h, 7d, 30d")
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) when: When,
    pub(crate) channel: Option<Channel>,
    pub(crate) sla_target_s: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Ending(Range),
    Between(Timestamp, Timestamp),
}

/// From here to there, cut to full hours; and the equally long window before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) before: Timestamp,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Question {
    pub(crate) fn read(call: &Call) -> Result<Self> {
        let mut asked = call.parameters();
        let range: Option<Range> = asked.parsed("range");
        let from: Option<Timestamp> = asked.parsed("from");
        let to: Option<Timestamp> = asked.parsed("to");
        let channel: Option<Channel> = asked.parsed("channel");
        let sla_target_s: Option<u32> = asked.parsed("sla_target_s");
        if sla_target_s.is_some_and(|target| !(1..=86_400).contains(&target)) {
            asked.fault("sla_target_s", "must be 1 to 86400 seconds");
        }
        if asked.is_faultless() {
            match (range, from, to) {
                (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                    asked.fault("range", "give either range, or from and to")
                }
                (None, Some(_), None) => asked.fault("to", "is missing beside from"),
                (None, None, Some(_)) => asked.fault("from", "is missing beside to"),
                (None, Some(from), Some(to)) if from >= to => asked.fault("to", "must be later than from"),
                (None, Some(from), Some(to)) if to.duration_since(from) > LONGEST => {
                    asked.fault("to", "must be at most 366 days after from");
                }
                (None, Some(from), Some(_)) if !within_reason(from) => {
                    asked.fault("from", "is not a time of this business")
                }
                (None, Some(_), Some(to)) if !within_reason(to) => asked.fault("to", "is not a time of this business"),
                _ => {}
            }
        }
        asked.build(|| {
            Some(Self {
                when: match (from, to) {
                    (Some(from), Some(to)) => When::Between(from, to),
                    _ => When::Ending(range.unwrap_or(Range::Today)),
                },
                channel,
                sla_target_s: sla_target_s.unwrap_or(SLA_TARGET_S),
            })
        })
    }

    /// The question in one word: what the same answer may be given to, beside the series.
    pub(crate) fn word(&self) -> String {
        match self.when {
            When::Ending(range) => format!("{}/{}", range.word(), self.sla_target_s),
            When::Between(from, to) => format!("{from}..{to}/{}", self.sla_target_s),
        }
    }

    pub(crate) fn window(&self, zone: &Zone, now: Timestamp) -> Window {
        let days_back = |days: i64| {
            let first = day_of(zone, now).saturating_sub(SignedDuration::from_hours(24 * days));
            first.to_zoned(zone.rules().clone()).map_or(now, |midnight| midnight.timestamp())
        };
        let (from, to) = match self.when {
            When::Ending(Range::Today) => (days_back(0), now),
            When::Ending(Range::Day) => (now - SignedDuration::from_hours(24), now),
            When::Ending(Range::Week) => (days_back(6), now),
            When::Ending(Range::Month) => (days_back(29), now),
            When::Between(from, to) => (from, to),
        };
        let from = hour_of(zone, from);
        Window { before: hour_of(zone, from - to.duration_since(from)), from, to }
    }
}

/// Far from the ends of what a timestamp can say, so that no reckoning with it overflows.
fn within_reason(at: Timestamp) -> bool {
    (0..=253_402_300_800 / 2).contains(&at.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(range: Range, zone: &str, now: &str) -> [String; 3] {
        let asked = Question { when: When::Ending(range), channel: None, sla_target_s: SLA_TARGET_S };
        let Window { before, from, to } = asked.window(&zone.to_owned().try_into().unwrap(), now.parse().unwrap());
        [before, from, to].map(|at| at.to_string())
    }

    #[test]
    fn today_begins_at_midnight_of_the_tenant() {
        assert_eq!(
            window(Range::Today, "Asia/Jakarta", "2026-11-21T10:20:00Z"),
            // 17 h 20 min long, so the window before begins at 23:40, cut to the hour.
            ["2026-11-19T23:00:00Z", "2026-11-20T17:00:00Z", "2026-11-21T10:20:00Z"]
        );
    }

    #[test]
    fn a_week_is_today_and_the_six_days_before_even_when_the_clocks_change() {
        let [_, from, _] = window(Range::Week, "Europe/Lisbon", "2026-10-27T12:00:00Z");
        assert_eq!(from, "2026-10-20T23:00:00Z");
    }

    #[test]
    fn a_zone_that_is_half_an_hour_off_is_cut_at_half_past() {
        let [_, from, _] = window(Range::Day, "Asia/Kolkata", "2026-11-21T10:20:00Z");
        assert_eq!(from, "2026-11-20T09:30:00Z");
    }
}
