//! An hour's histogram: how large, and how wrong.

use shared::sketch::Sketch;

use crate::sample::quantile;

/// As many values as a busy hour has.
pub const VALUES: u32 = 5_000;

/// What was seen.
pub struct Hour {
    /// Bytes of it.
    pub bytes: usize,
    /// The largest error, in percent, of the quantiles up to p99.9.
    pub error: f64,
}

/// Response times in seconds, as long-tailed as they are in life: the middle is a minute and a half.
pub fn measure() -> Hour {
    let mut sketch = Sketch::default();
    let mut values = Vec::new();
    let mut noise = Noise(42);
    for _ in 0..VALUES {
        let value = (90.0 * (1.3 * noise.normal()).exp()).round();
        sketch.add(value as u64);
        values.push(value);
    }
    let error = |part: f64| {
        let right = quantile(&values, part);
        (sketch.quantile(part).unwrap_or(f64::NAN) - right).abs() / right * 100.0
    };
    Hour { bytes: sketch.to_bytes().len(), error: [0.5, 0.9, 0.99, 0.999].map(error).into_iter().fold(0.0, f64::max) }
}

/// The same numbers in every run (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's.
    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}
