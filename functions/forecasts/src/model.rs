//! The method: a weekday profile times a level.
//!
//! ```text
//! profile  of a weekday: the median over the weeks of day / mean of the seven days around it, made to mean 1, and drawn
//!          towards 1 by as much of its spread as noise explains (James and Stein's positive part)
//! level    simple exponential smoothing: level += 0.15 · (day − level · profile)
//! forecast of a day: level · profile
//! interval 400 paths of the same recursion, fed with blocks of its own errors, as shares of the level, each block with
//!          either sign; the 10th and the 90th of 100
//! ```
//!
//! A block has seven errors, fewer where eight weeks are not known yet. Either sign, for whatever drift the errors have is
//! not in the forecast: it may go on, or turn. Errors are widened by 1 + 3 / their number: level and profile were made of
//! the same few days.
//!
//! Sources: R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 8.1 (simple
//! exponential smoothing), 5.5 and 8.7 (intervals from bootstrapped errors), 11.4 (blocks); C. F. J. Wu, Jackknife, bootstrap
//! and other resampling methods in regression analysis, 1986 (signs). The smoothing is the one that the back-test
//! (`tests/it/backtest.rs`) likes best: with 0.12 some series are worse than last week's mean, with 0.2 others are.

/// Fewer days tell nothing: two weeks have each weekday twice.
pub const FEWEST: usize = 14;
/// So much of a day's error moves the level.
const SMOOTHING: f64 = 0.15;
/// Paths of the interval.
pub const PATHS: usize = 400;
/// Days of a week, and of a block at most.
const WEEK: usize = 7;
/// Errors are wider by this over their number.
const WIDENED: f64 = 3.0;
/// The share of paths below the interval, and above it.
const TAIL: f64 = 0.1;

/// Days in a row.
#[derive(Clone, Debug)]
pub struct Days {
    /// The weekday of the first one: 0 to 6.
    pub weekday: usize,
    /// What each of them came to.
    pub values: Vec<f64>,
}

/// What the days tell of those to come.
#[derive(Clone, Debug)]
pub struct Fit {
    profile: [f64; 7],
    level: f64,
    /// What came after the forecast of each day less the forecast, as a share of the level.
    errors: Vec<f64>,
    /// The weekday of the first day to come.
    next: usize,
}

/// What may come: for each path, each day.
pub type Paths = Vec<Vec<f64>>;

impl Days {
    /// Without the days before the first that came to anything.
    fn begun(&self) -> Self {
        let begun = self.values.iter().position(|value| *value > 0.0).unwrap_or(self.values.len());
        Self { weekday: (self.weekday + begun) % 7, values: self.values[begun..].into() }
    }

    /// What they tell; nothing where they are too few.
    pub fn fit(&self) -> Option<Fit> {
        let days = self.begun();
        (days.values.len() >= FEWEST).then(|| Fit::of(&days))
    }

    /// How many there are since the first that came to anything.
    pub fn known(&self) -> usize {
        self.begun().values.len()
    }
}

impl Fit {
    fn of(days: &Days) -> Self {
        let profile = profile(days);
        let (first, rest) = days.values.split_at(WEEK);
        let mut level = mean(first);
        let mut errors = Vec::with_capacity(rest.len());
        for (n, value) in rest.iter().enumerate() {
            let error = value - level * profile[(days.weekday + WEEK + n) % 7];
            errors.push(if level > 0.0 { error / level } else { 0.0 });
            level = (level + SMOOTHING * error).max(0.0);
            if level <= 0.0 {
                level = *value;
            }
        }
        Self { profile, level, errors, next: (days.weekday + days.values.len()) % 7 }
    }

    /// What a day is expected to come to; the first one to come is 0.
    pub fn expected(&self, day: usize) -> f64 {
        self.level * self.weight(day)
    }

    fn weight(&self, day: usize) -> f64 {
        self.profile[(self.next + day) % 7]
    }

    /// What so many days may come to. The same days make the same paths.
    pub fn paths(&self, days: usize) -> Paths {
        let mut dice = Dice(0x5eed);
        let count = self.errors.len();
        let length = (count / WEEK).clamp(1, WEEK);
        let widened = 1.0 + WIDENED / count as f64;
        let path = |_| {
            let mut level = self.level;
            let mut path = Vec::with_capacity(days);
            let (mut block, mut sign) = (0, 1.0);
            for day in 0..days {
                if day % length == 0 {
                    block = dice.below(count);
                    sign = if dice.below(2) == 0 { 1.0 } else { -1.0 };
                }
                let error = sign * widened * level * self.errors[(block + day % length) % count];
                path.push((level * self.weight(day) + error).max(0.0));
                level = (level + SMOOTHING * error).max(0.0);
            }
            path
        };
        (0..PATHS).map(path).collect()
    }
}

/// Where four of five values lie, those at both ends left out alike.
pub fn interval(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (quantile(&values, TAIL), quantile(&values, 1.0 - TAIL))
}

/// A quantile of sorted values.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

/// How the weekdays differ, as shares of their mean.
fn profile(days: &Days) -> [f64; 7] {
    let mut shares: [Vec<f64>; 7] = Default::default();
    let last = days.values.len() - WEEK;
    for (n, value) in days.values.iter().enumerate() {
        // At both ends the week that is there.
        let begins = n.saturating_sub(WEEK / 2).min(last);
        let mean = mean(&days.values[begins..begins + WEEK]);
        if mean > 0.0 {
            shares[(days.weekday + n) % 7].push(value / mean);
        }
    }
    if shares.iter().any(|shares| shares.len() < 2) {
        return [1.0; 7];
    }
    let medians = shares.each_ref().map(|shares| median(shares));
    let sum = mean(&medians);
    if sum <= 0.0 {
        return [1.0; 7];
    }
    let raw = medians.map(|median| median / sum);
    let spread = mean(&raw.map(|share| (share - 1.0).powi(2)));
    let noise = mean(&std::array::from_fn::<f64, 7, _>(|weekday| variance_of_median(&shares[weekday])));
    let kept = if spread > 0.0 { (1.0 - noise / spread).max(0.0) } else { 0.0 };
    raw.map(|share| 1.0 + kept * (share - 1.0))
}

/// π/2 · σ²/n, with σ from the middle half of them: single days that are quite different do not move it.
fn variance_of_median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let deviation = (quantile(&values, 0.75) - quantile(&values, 0.25)) / 1.349;
    std::f64::consts::FRAC_PI_2 * deviation * deviation / values.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    }
}

/// Dice that fall alike each time (S. Vigna's splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(values: impl IntoIterator<Item = f64>) -> Days {
        Days { weekday: 0, values: values.into_iter().collect() }
    }

    #[test]
    fn what_repeats_each_week_goes_on() {
        let week = [120.0, 110.0, 100.0, 100.0, 90.0, 40.0, 0.0];
        let fit = days(week.into_iter().cycle().take(56)).fit().unwrap();
        for (day, value) in week.into_iter().cycle().take(20).enumerate() {
            assert!((fit.expected(day) - value).abs() < 1.0, "{day}: {} {value}", fit.expected(day));
        }
        let totals: Vec<f64> = fit.paths(7).iter().map(|path| path.iter().sum()).collect();
        let (low, high) = interval(totals);
        assert!(low > 540.0 && high < 580.0, "{low} {high}");
    }

    #[test]
    fn too_few_days_tell_nothing_and_zeros_before_the_first_do_not_count() {
        assert!(days([5.0; 13]).fit().is_none());
        assert!(days([0.0; 56]).fit().is_none());
        let late = days(std::iter::repeat_n(0.0, 42).chain([5.0; 14]));
        assert_eq!((late.known(), late.fit().unwrap().expected(0)), (14, 5.0));
    }

    #[test]
    fn the_same_days_make_the_same_paths() {
        let fit = days((0..56).map(|n| f64::from(n * 7919 % 101))).fit().unwrap();
        assert_eq!(fit.paths(30), fit.paths(30));
    }
}
