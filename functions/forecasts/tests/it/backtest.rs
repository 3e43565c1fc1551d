//! The method held against last week's mean, on made series: `cargo test -p forecasts backtest -- --nocapture`.
//!
//! WAPE is the sum of all errors over the sum of all values: it is defined for days without usage, and a large month counts as
//! much as it costs.

use forecasts::model::{Days, interval};

/// So many days make a forecast.
const BACK: usize = 56;
/// Days of a series.
const LONG: usize = 200;
/// No series may be worse than last week's mean by more than this, and all together have to be better by this.
const WORSE: f64 = 1.05;
const BETTER: f64 = 0.9;

/// A pattern of a week, by weekday.
const WEEK: [f64; 7] = [1.2, 1.15, 1.1, 1.1, 1.05, 0.35, 0.25];

/// Dice that fall alike each time.
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

type Make = fn(day: usize, level: &mut f64, dice: &mut Dice) -> f64;

/// A thousand operations a day, more or less, in eleven ways.
const SERIES: [(&str, Make); 11] = [
    ("flat", |_, _, dice| noisy(1.0, 0.08, dice)),
    ("weekdays", |day, _, dice| noisy(WEEK[day % 7], 0.08, dice)),
    ("much noise", |day, _, dice| noisy(WEEK[day % 7], 0.25, dice)),
    ("growing", |day, _, dice| noisy(WEEK[day % 7] * (1.0 + 0.004 * day as f64), 0.08, dice)),
    ("shrinking", |day, _, dice| noisy(WEEK[day % 7] * (1.0 - 0.003 * day as f64), 0.08, dice)),
    ("wandering", |day, level, dice| {
        *level *= (0.03 * dice.normal()).exp();
        noisy(WEEK[day % 7] * *level, 0.08, dice)
    }),
    ("a step up", |day, _, dice| noisy(WEEK[day % 7] * if day < 110 { 1.0 } else { 1.8 }, 0.08, dice)),
    ("a step down", |day, _, dice| noisy(WEEK[day % 7] * if day < 110 { 1.0 } else { 0.45 }, 0.08, dice)),
    ("outages", |day, _, dice| {
        let out = [80, 81, 105, 130, 131, 132, 160, 161, 175].contains(&day);
        noisy(WEEK[day % 7] * if out { 0.05 } else { 1.0 }, 0.08, dice)
    }),
    ("holidays", |day, _, dice| {
        let off = [70, 91, 112, 125, 139, 150, 171, 172].contains(&day);
        noisy(WEEK[day % 7] * if off { 0.2 } else { 1.0 }, 0.08, dice)
    }),
    ("mostly nothing", |_, _, dice| [0.0, 0.0, 0.0, 0.0, 0.05, 0.2][(dice.uniform() * 6.0) as usize]),
];

fn noisy(value: f64, deviation: f64, dice: &mut Dice) -> f64 {
    value * (deviation * dice.normal()).exp()
}

/// Errors, and what they are errors of.
#[derive(Clone, Copy, Default)]
struct Score {
    error: f64,
    naive: f64,
    of: f64,
    held: u32,
    tried: u32,
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, more: Self) {
        self.error += more.error;
        self.naive += more.naive;
        self.of += more.of;
        self.held += more.held;
        self.tried += more.tried;
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |part: f64, whole: f64| 100.0 * part / whole;
        write!(f, "{:7.1} % | {:7.1} %", percent(self.error, self.of), percent(self.naive, self.of))
    }
}

/// Of single days, and of the rest of the month, from each third day on.
fn score(make: Make) -> (Score, Score) {
    let (mut days, mut rest) = (Score::default(), Score::default());
    for seed in 1..=4 {
        let (mut level, mut dice) = (1.0, Dice(seed * 0x9e37_79b9));
        let series: Vec<f64> = (0..LONG).map(|day| (1_000.0 * make(day, &mut level, &mut dice)).round()).collect();
        for origin in (BACK..LONG - 31).step_by(3) {
            let past = &series[origin - BACK..origin];
            let ahead = 1 + origin * 7 % 30;
            let future = &series[origin..origin + ahead];
            let fit = Days { weekday: (origin - BACK) % 7, values: past.into() }.fit().unwrap();
            let naive = past[BACK - 7..].iter().sum::<f64>() / 7.0;
            let (sum, mut expected) = (future.iter().sum::<f64>(), 0.0);
            for (day, value) in future.iter().enumerate() {
                expected += fit.expected(day);
                days.error += (fit.expected(day) - value).abs();
                days.naive += (naive - value).abs();
                days.of += value;
            }
            let (low, high) = interval(fit.paths(ahead).iter().map(|path| path.iter().sum()).collect());
            rest.error += (expected - sum).abs();
            rest.naive += (naive * ahead as f64 - sum).abs();
            rest.of += sum;
            rest.held += u32::from((low..=high).contains(&sum));
            rest.tried += 1;
        }
    }
    (days, rest)
}

#[test]
fn backtest_no_series_is_worse_than_last_weeks_mean_and_all_together_are_better() {
    println!("| series | days: method | last week | rest of the month: method | last week | held by the interval |");
    println!("|---|---|---|---|---|---|");
    let (mut all_days, mut all) = (Score::default(), Score::default());
    let mut worst = Vec::new();
    let line = |name: &str, days: &Score, rest: &Score| {
        println!("| {name} | {days} | {rest} | {:5.1} % |", 100.0 * f64::from(rest.held) / f64::from(rest.tried));
    };
    for (name, make) in SERIES {
        let (days, rest) = score(make);
        line(name, &days, &rest);
        if rest.error > WORSE * rest.naive {
            worst.push(format!("{name}: {rest}"));
        }
        all_days += days;
        all += rest;
    }
    line("all", &all_days, &all);
    assert!(worst.is_empty(), "worse than last week's mean: {worst:?}");
    assert!(all.error < BETTER * all.naive && all_days.error < BETTER * all_days.naive);
    let held = f64::from(all.held) / f64::from(all.tried);
    assert!((0.7..0.9).contains(&held), "an interval of 80 % holds {held}");
}
