//! How sure a share is that was seen in few runs.

/// The quantile of the normal distribution for 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The lower bound of the 95 % Wilson score interval of a share: `hits` of `all`; 0 of nothing.
///
/// ```text
/// (p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)
/// ```
///
/// E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, Journal of the American Statistical
/// Association 22 (1927), 209–212. One failure of five runs is a share of 20 %, and above 3.6 % for sure.
pub fn lower(hits: u64, all: u64) -> f64 {
    if all == 0 {
        return 0.0;
    }
    let (n, z2) = (float(all), Z * Z);
    let p = share(hits, all);
    let middle = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - spread) / (1.0 + z2 / n)).clamp(0.0, 1.0)
}

/// A share; 0 of nothing.
pub fn share(hits: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { (float(hits) / float(all)).min(1.0) }
}

#[expect(clippy::cast_precision_loss, reason = "no scenario runs 2^52 times")]
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (hits, all, bound) in [
            (0, 0, 0.0),
            (0, 10, 0.0),
            (1, 5, 0.0362),
            (5, 10, 0.2366),
            (10, 10, 0.7225),
            (10, 100, 0.0552),
            (15, 100, 0.0931),
            (16, 100, 0.1010),
        ] {
            assert!((lower(hits, all) - bound).abs() < 0.0001, "{hits} of {all}: {}", lower(hits, all));
        }
    }
}
