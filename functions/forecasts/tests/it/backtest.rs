//! The method held against last week's mean, on made series: `cargo test -p forecasts backtest -- --nocapture`.
//!
//! Each series is the year 2026, eight times over with other dice; on six days of each month from March to December the rest
//! of the month is forecast from the eight weeks before, and from as few as two. WAPE is the sum of all errors over the sum of all values: it is
//! defined for days without usage, and a large month counts as much as it costs.

use forecasts::model::{Days, interval};

/// So many days are known.
const BACK: [usize; 3] = [56, 28, 14];
/// The rest of the month is no worse on any series than last week's mean by more than noise, and better by this of all.
const NOISE: f64 = 1.02;
const BETTER: f64 = 0.9;
/// What the README says holds by so many percentage points: `exp` is not the same to the last digit everywhere.
const AS_TOLD: f64 = 0.6;
/// Days of the months of 2026, which begins on a Thursday.
const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const THURSDAY: usize = 3;
/// On these days of a month a forecast is made, and that day is the first to come.
const ORIGINS: [usize; 6] = [1, 6, 11, 16, 21, 26];
/// Each series so many times.
const SEEDS: u64 = 8;

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

    /// A value, more or less.
    fn about(&mut self, value: f64, deviation: f64) -> f64 {
        value * (deviation * self.normal()).exp()
    }
}

/// A day of the year, what its weekday has, and a level that may wander.
struct Day<'d> {
    nth: usize,
    week: f64,
    level: &'d mut f64,
}

type Make = fn(day: Day, dice: &mut Dice) -> f64;

/// A thousand operations a day, more or less, in many ways.
const SERIES: [(&str, Make); 15] = [
    ("flat", |_, dice| dice.about(1.0, 0.08)),
    ("weekdays", |day, dice| dice.about(day.week, 0.08)),
    ("much noise", |day, dice| dice.about(day.week, 0.25)),
    ("growing", |day, dice| dice.about(day.week * (0.003 * day.nth as f64).exp(), 0.08)),
    ("shrinking", |day, dice| dice.about(day.week * (-0.003 * day.nth as f64).exp(), 0.08)),
    ("wandering", |day, dice| {
        *day.level *= (0.03 * dice.normal()).exp();
        dice.about(day.week * *day.level, 0.08)
    }),
    ("a step up", |day, dice| dice.about(day.week * if day.nth < 165 { 1.0 } else { 1.8 }, 0.08)),
    ("a step down", |day, dice| dice.about(day.week * if day.nth < 165 { 1.0 } else { 0.45 }, 0.08)),
    ("outages", |day, dice| {
        let out = dice.uniform() < 0.05;
        dice.about(day.week * if out { 0.05 } else { 1.0 }, 0.08)
    }),
    ("bursts", |day, dice| {
        let burst = if dice.uniform() < 0.03 { 3.0 + 5.0 * dice.uniform() } else { 1.0 };
        dice.about(day.week * burst, 0.08)
    }),
    ("holidays", |day, dice| {
        let off = [92, 95, 120, 144, 187, 249, 314, 330].contains(&day.nth);
        dice.about(day.week * if off { 0.2 } else { 1.0 }, 0.08)
    }),
    ("holiday weeks", |day, dice| {
        let off = matches!(day.nth, 88..95 | 221..235 | 356..);
        dice.about(day.week * if off { 0.2 } else { 1.0 }, 0.08)
    }),
    ("Mondays alone", |day, dice| if day.week == WEEK[0] { dice.about(7.0, 0.15) } else { 0.0 }),
    ("one day in three", |_, dice| if dice.uniform() < 0.33 { dice.about(3.0, 0.5) } else { 0.0 }),
    ("hardly anything", |_, dice| if dice.uniform() < 0.1 { (30.0 * dice.uniform()).ceil() / 1_000.0 } else { 0.0 }),
];

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

impl Score {
    fn take(&mut self, expected: f64, naive: f64, value: f64) {
        self.error += (expected - value).abs();
        self.naive += (naive - value).abs();
        self.of += value;
    }

    fn of(&self, error: f64) -> f64 {
        100.0 * error / self.of
    }

    fn held(&self) -> f64 {
        100.0 * f64::from(self.held) / f64::from(self.tried)
    }
}

/// Of single days, and of the rest of the month.
fn score(make: Make, back: usize) -> (Score, Score) {
    let (mut days, mut rest) = (Score::default(), Score::default());
    for seed in 1..=SEEDS {
        let (mut level, mut dice) = (1.0, Dice(seed * 0x9e37_79b9));
        let mut made = |nth: usize| {
            let day = Day { nth, week: WEEK[(THURSDAY + nth) % 7], level: &mut level };
            (1_000.0 * make(day, &mut dice)).round()
        };
        let series: Vec<f64> = (0..365).map(&mut made).collect();
        for month in 2..12 {
            let first: usize = MONTHS[..month].iter().sum();
            for origin in ORIGINS.map(|day| first + day - 1) {
                let (past, future) = (&series[origin - back..origin], &series[origin..first + MONTHS[month]]);
                let Some(fit) = (Days { weekday: (THURSDAY + origin - back) % 7, values: past.into() }).fit() else {
                    continue;
                };
                let naive = past[back - 7..].iter().sum::<f64>() / 7.0;
                let (sum, count) = (future.iter().sum::<f64>(), future.len());
                future.iter().enumerate().for_each(|(day, value)| days.take(fit.expected(day), naive, *value));
                rest.take((0..count).map(|day| fit.expected(day)).sum(), naive * count as f64, sum);
                let (low, high) = interval(fit.paths(count).iter().map(|path| path.iter().sum()).collect());
                rest.held += u32::from((low..=high).contains(&sum));
                rest.tried += 1;
            }
        }
    }
    (days, rest)
}

/// Of all series with so many days known; each line is told.
fn told(back: usize, mut line: impl FnMut(&str, &Score, &Score)) {
    let (mut all_days, mut all) = (Score::default(), Score::default());
    for (name, make) in SERIES {
        let (days, rest) = score(make, back);
        line(name, &days, &rest);
        all_days += days;
        all += rest;
    }
    line(&format!("all, of {back} days"), &all_days, &all);
}

/// The percentages of a line of the README.
fn published(name: &str) -> Vec<f64> {
    let line = include_str!("../../README.md").lines().find(|line| line.starts_with(&format!("| {name} |")));
    let cells = line.unwrap_or_else(|| panic!("the README has nothing of `{name}`")).split('|').skip(2);
    cells.filter_map(|cell| cell.trim().strip_suffix(" %")?.parse().ok()).collect()
}

#[test]
fn backtest_no_series_is_worse_than_last_weeks_mean_and_all_together_are_better() {
    println!("| series | days: method | last week | rest of the month: method | last week | held by the interval |");
    println!("|---|---|---|---|---|---|");
    let mut faults = Vec::new();
    for back in BACK {
        told(back, |name, days, rest| {
            let is_all = name.starts_with("all");
            let told =
                [days.of(days.error), days.of(days.naive), rest.of(rest.error), rest.of(rest.naive), rest.held()];
            let line = format!(
                "| {name} | {:.1} % | {:.1} % | {:.1} % | {:.1} % | {:.0} % |",
                told[0], told[1], told[2], told[3], told[4]
            );
            if is_all || back == BACK[0] {
                println!("{line}");
                let known = published(name);
                let is_as_told = std::iter::zip(&known, told).all(|(known, told)| (known - told).abs() < AS_TOLD);
                if known.len() != told.len() || !is_as_told {
                    faults.push(format!("the README says {known:?}: {line}"));
                }
            }
            let (worse, held) = if is_all { (BETTER, 77.0..=84.0) } else { (NOISE, 50.0..=97.0) };
            if rest.error > worse * rest.naive || !held.contains(&rest.held()) {
                faults.push(format!("with {back} days: {line}"));
            }
            if is_all && days.error > 0.5 * days.naive {
                faults.push(format!("single days, with {back} known: {line}"));
            }
        });
    }
    assert!(faults.is_empty(), "{faults:#?}");

    let all = published("all, of 56 days");
    let document = include_str!("../../src/forecast.rs").replace("\n/// ", " ");
    let said = format!(
        "of the rest of a month {} % beside {} %, of single days {} % beside {} %, and {} % of the months",
        all[2], all[3], all[0], all[1], all[4]
    );
    assert!(document.contains(&said), "the document does not say: {said}");
}
