//! How long things took: a histogram that merges without losing anything.
//!
//! Values fall into buckets that grow by the factor γ = (1 + α) / (1 − α), so that a quantile read from it is at most
//! α wrong, however many values there were and however they came together (the idea of `DDSketch`). Sketches with the
//! same α merge by adding counts and part again by subtracting them, both exactly. Sketches with another α are refused.
//!
//! Stored as bytes: a format byte, α in hundredths of a percent, then for each bucket that is not empty its distance
//! from the one before and its count, both as varints.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One percent, in hundredths of a percent.
const ALPHA: u16 = 100;
/// What the bytes begin with. Another layout gets another number.
const FORMAT: u8 = 1;
/// Thirty days: whatever took longer counts as this. It bounds how many buckets there can be.
pub const LONGEST: u64 = 30 * 24 * 60 * 60;

/// What cannot be done with two sketches, or with some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// They were made with another α.
    #[error("sketches of another accuracy do not merge")]
    Alpha,
    /// The bytes are not a sketch of this format.
    #[error("not a sketch")]
    Bytes,
}

/// Counts of whole seconds (or any other whole number) by logarithmic bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Sketch {
    alpha: u16,
    /// Bucket 0 holds zeros; bucket i + 1 what lies above γ^(i−1), up to γ^i.
    buckets: BTreeMap<u32, u64>,
}

impl Default for Sketch {
    fn default() -> Self {
        Self::with_alpha(ALPHA)
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sketch(n = {}, p50 = {:?})", self.count(), self.quantile(0.5))
    }
}

impl Sketch {
    /// An empty one of this accuracy, in hundredths of a percent.
    fn with_alpha(alpha: u16) -> Self {
        Self { alpha, buckets: BTreeMap::new() }
    }

    fn ln_gamma(&self) -> f64 {
        let alpha = f64::from(self.alpha) / 10_000.0;
        ((1.0 + alpha) / (1.0 - alpha)).ln()
    }

    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        self.add_many(value, 1);
    }

    /// So many equal values more.
    pub fn add_many(&mut self, value: u64, times: u64) {
        let bucket = match value.min(LONGEST) {
            0 => 0,
            value => 1 + ((value as f64).ln() / self.ln_gamma()).ceil() as u32,
        };
        *self.buckets.entry(bucket).or_default() += times;
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The value that this part of all values does not exceed (nearest rank), within α.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let n = self.count();
        let rank = ((part * n as f64).ceil() as u64).clamp(1, n.max(1));
        let mut below = 0;
        for (&bucket, &count) in &self.buckets {
            below += count;
            if below >= rank {
                return Some(match bucket {
                    0 => 0.0,
                    // 2γ^i / (γ + 1) is equally far, in proportion, from both ends of the bucket.
                    i => 2.0 * (self.ln_gamma() * f64::from(i - 1)).exp() / (self.ln_gamma().exp() + 1.0),
                });
            }
        }
        None
    }

    /// Counts everything that the other holds.
    pub fn merge(&mut self, other: &Self) -> Result<(), Unfit> {
        self.same_alpha(other)?;
        for (&bucket, &count) in &other.buckets {
            *self.buckets.entry(bucket).or_default() += count;
        }
        Ok(())
    }

    /// Forgets what the other holds, as far as it is in here.
    pub fn part(&mut self, other: &Self) -> Result<(), Unfit> {
        self.same_alpha(other)?;
        for (bucket, &count) in &other.buckets {
            if let Some(have) = self.buckets.get_mut(bucket) {
                *have = have.saturating_sub(count);
            }
        }
        self.buckets.retain(|_, count| *count > 0);
        Ok(())
    }

    fn same_alpha(&self, other: &Self) -> Result<(), Unfit> {
        (self.alpha == other.alpha).then_some(()).ok_or(Unfit::Alpha)
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.alpha.to_le_bytes());
        let mut last = 0;
        for (&bucket, &count) in &self.buckets {
            varint(&mut bytes, u64::from(bucket - last));
            varint(&mut bytes, count);
            last = bucket;
        }
        bytes
    }

    /// What [`Sketch::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unfit> {
        let Some((&[FORMAT, low, high], mut rest)) = bytes.split_first_chunk::<3>() else {
            return Err(Unfit::Bytes);
        };
        let mut sketch = Self::with_alpha(u16::from_le_bytes([low, high]));
        let mut bucket = 0u32;
        while !rest.is_empty() {
            let distance = read_varint(&mut rest).and_then(|far| u32::try_from(far).ok()).ok_or(Unfit::Bytes)?;
            let count = read_varint(&mut rest).ok_or(Unfit::Bytes)?;
            bucket = bucket.checked_add(distance).ok_or(Unfit::Bytes)?;
            sketch.buckets.insert(bucket, count);
        }
        Ok(sketch)
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Sketch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a sketch")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Sketch, E> {
                Sketch::from_bytes(bytes).map_err(E::custom)
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch
    }

    fn exact(values: &mut [u64], part: f64) -> f64 {
        values.sort_unstable();
        values[((part * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1] as f64
    }

    /// Durations as they are in life: most are short, a few very long.
    fn skewed(n: u64) -> Vec<u64> {
        (1..=n).map(|i| (30.0 * (1.0 / (1.0 - (i as f64 / (n + 1) as f64))).powf(0.9)) as u64).collect()
    }

    proptest! {
        #[test]
        fn merged_parts_equal_the_whole(values in prop::collection::vec(0..LONGEST, 0..300), cut in 0..300usize) {
            let cut = cut.min(values.len());
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..])).unwrap();
            prop_assert_eq!(&merged, &of(&values));
            merged.part(&of(&values[..cut])).unwrap();
            prop_assert_eq!(merged, of(&values[cut..]));
        }

        #[test]
        fn a_quantile_is_at_most_one_percent_off(mut values in prop::collection::vec(0..LONGEST, 1..400)) {
            let sketch = of(&values);
            for part in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let (got, right) = (sketch.quantile(part).unwrap(), exact(&mut values, part));
                prop_assert!((got - right).abs() <= right * 0.010_000_1, "p{part}: {got} for {right}");
            }
        }

        #[test]
        fn it_survives_its_bytes(values in prop::collection::vec(0..LONGEST, 0..300)) {
            prop_assert_eq!(Sketch::from_bytes(&of(&values).to_bytes()).unwrap(), of(&values));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Sketch::from_bytes(&bytes);
        }
    }

    #[test]
    fn an_hour_of_five_thousand_values_is_less_than_a_kilobyte() {
        let mut values = skewed(5_000);
        let sketch = of(&values);
        assert!(sketch.to_bytes().len() <= 1024, "{} bytes", sketch.to_bytes().len());
        for part in [0.5, 0.9, 0.99, 0.999] {
            let (got, right) = (sketch.quantile(part).unwrap(), exact(&mut values, part));
            assert!((got - right).abs() <= right * 0.010_000_1, "p{part}: {got} for {right}");
        }
    }

    #[test]
    fn ten_million_values_are_no_more_than_four_kilobytes() {
        let mut sketch = Sketch::default();
        (0..=LONGEST).for_each(|value| sketch.add(value));
        sketch.buckets.values_mut().for_each(|count| *count = (*count).max(20_000));
        assert!(sketch.count() > 10_000_000);
        assert!(sketch.to_bytes().len() <= 3 * 1024, "{} bytes", sketch.to_bytes().len());
    }

    #[test]
    fn another_accuracy_is_refused() {
        let mut coarse = Sketch::with_alpha(200);
        coarse.add(7);
        assert_eq!(of(&[7]).merge(&coarse), Err(Unfit::Alpha));
        assert_eq!(of(&[7]).part(&coarse), Err(Unfit::Alpha));
    }

    #[test]
    fn an_empty_one_has_no_quantiles() {
        assert_eq!(Sketch::default().quantile(0.5), None);
        assert_eq!(of(&[0, 0]).quantile(0.5), Some(0.0));
    }
}
