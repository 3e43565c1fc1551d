//! What an endpoint did in one hour: counters that each settled attempt adds to with one write.
//!
//! The answer times are a histogram of such counters, one attribute a bucket, so that it grows by `ADD` and needs no
//! reading. The row stays below a kilobyte whatever happens in the hour: its write costs one unit.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::{
    id::{EndpointId, TenantId},
    key::{self, Key},
    table::Row,
};

/// How long an hour is kept: longer than the log, for it holds nothing but counts.
pub const KEEP: SignedDuration = SignedDuration::from_hours(92 * 24);

/// What an endpoint did in one hour.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hour {
    /// Whose.
    pub tenant: TenantId,
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// A moment in the hour.
    pub hour: Timestamp,
    /// Attempts that succeeded; those of deliveries that a person had started again stand under `replays` alone.
    #[serde(default)]
    pub succeeded: u64,
    /// Attempts that failed.
    #[serde(default)]
    pub failed: u64,
    /// Milliseconds of all these attempts together.
    #[serde(default)]
    pub took_ms: u64,
    /// Deliveries that were settled by these attempts.
    #[serde(default)]
    pub settled: u64,
    /// Attempts that those deliveries took, whenever they were made.
    #[serde(default)]
    pub tries: u64,
    /// Attempts of deliveries that a person had started again.
    #[serde(default)]
    pub replays: u64,
    /// The last success in it.
    pub last_success_at: Option<Timestamp>,
    /// How long each attempt took.
    #[serde(flatten)]
    pub times: Times,
}

impl Row for Hour {
    const KIND: &'static str = "endpoint_hour";

    fn key(&self) -> Key<Self> {
        key::hour(self.tenant, self.endpoint, self.hour)
    }
}

/// Each bucket ends at 1.1 times the end of the one before: what is read from it is at most 5 % off.
const GAMMA: f64 = 1.1;
/// Up to so many milliseconds there is a bucket for each.
const EXACT: u8 = 10;
/// What took longer counts as this: an attempt is given up after 15 seconds.
const LONGEST_MS: u64 = 15_000;
/// The last bucket: the one of [`LONGEST_MS`].
const LAST: u8 = 87;

/// Counts of answer times by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(BTreeMap<u8, u64>);

impl Times {
    /// The attribute that counts attempts which took so long.
    pub fn field(took_ms: u64) -> String {
        name(bucket(took_ms))
    }

    /// Counts everything that the other holds.
    pub fn merge(&mut self, other: &Self) {
        for (&bucket, &count) in &other.0 {
            *self.0.entry(bucket).or_default() += count;
        }
    }

    /// The milliseconds that this part of all attempts did not exceed (nearest rank), at most 5 % off.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let n: u64 = self.0.values().sum();
        let rank = ((part * n as f64).ceil() as u64).clamp(1, n.max(1));
        let mut below = 0;
        self.0.iter().find_map(|(&bucket, &count)| {
            below += count;
            (below >= rank).then(|| middle(bucket))
        })
    }
}

fn name(bucket: u8) -> String {
    format!("t{bucket}")
}

fn bucket(took_ms: u64) -> u8 {
    match took_ms.clamp(1, LONGEST_MS) {
        exact if exact <= u64::from(EXACT) => exact as u8,
        longer => EXACT + ((longer as f64 / f64::from(EXACT)).ln() / GAMMA.ln()).ceil() as u8,
    }
}

/// Equally far, in proportion, from both ends of the bucket.
fn middle(bucket: u8) -> u64 {
    match bucket.checked_sub(EXACT) {
        None | Some(0) => bucket.into(),
        Some(power) => {
            let end = f64::from(EXACT) * GAMMA.powi(power.into());
            (2.0 * end / (GAMMA + 1.0)).round() as u64
        }
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(bucket, count)| (name(*bucket), count)))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counters;
        impl<'de> Visitor<'de> for Counters {
            type Value = Times;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the attributes of an hour")
            }

            /// The row has other attributes, too, which are none of ours.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Times, A::Error> {
                let mut times = Times::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.strip_prefix('t').and_then(|bucket| bucket.parse().ok()) {
                        Some(bucket) if bucket <= LAST => {
                            times.0.insert(bucket, map.next_value()?);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(times)
            }
        }
        deserializer.deserialize_map(Counters)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Times {
        let mut times = Times::default();
        values.iter().for_each(|value| *times.0.entry(bucket(*value)).or_default() += 1);
        times
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_five_percent_off(mut values in prop::collection::vec(1..=LONGEST_MS, 1..300)) {
            let times = of(&values);
            values.sort_unstable();
            for part in [0.5, 0.95, 0.99, 1.0] {
                let right = values[((part * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1] as f64;
                let got = times.quantile(part).unwrap() as f64;
                // Whole milliseconds are told: half of one may come on top.
                prop_assert!((got - right).abs() <= right * 0.05 + 0.5, "p{part}: {got} for {right}");
            }
        }

        #[test]
        fn hours_add_up(values in prop::collection::vec(0..20_000_u64, 0..100), cut in 0..100_usize) {
            let cut = cut.min(values.len());
            let mut sum = of(&values[..cut]);
            sum.merge(&of(&values[cut..]));
            prop_assert_eq!(sum, of(&values));
        }
    }

    #[test]
    fn every_time_has_its_bucket() {
        assert_eq!([0, 1, 2, 10, 11, 12].map(bucket), [1, 1, 2, 10, 11, 12]);
        assert_eq!([LONGEST_MS - 1, LONGEST_MS, u64::MAX].map(bucket), [LAST; 3]);
        assert_eq!(Times::default().quantile(0.5), None);
    }
}
