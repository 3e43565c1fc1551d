//! What goes wrong with a delivery on its way into the receiver.

use std::collections::BTreeSet;

use crate::dice::Dice;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Taken: 200.
    Taken,
    /// Taken, but the connection breaks before the answer is through.
    AnswerLost,
    /// 500.
    Broken,
    /// 429.
    TooMany,
    /// The connection is cut.
    Cut,
    /// No answer, for longer than anybody waits.
    Silent,
    /// Nobody is there.
    Down,
    /// 410: closed for good.
    Closed,
}

impl Fate {
    /// Whether the receiver has it now, whatever the sender learns of it.
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Taken | Self::AnswerLost)
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken => "200",
            Self::AnswerLost => "taken, answer lost",
            Self::Broken => "500",
            Self::TooMany => "429",
            Self::Cut => "connection cut",
            Self::Silent => "no answer",
            Self::Down => "down",
            Self::Closed => "410",
        }
    }
}

/// How the receiver is at the moment.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// How many requests fail, from 0 to 1.
    pub fails: f64,
    /// Nobody is there at all.
    pub down: bool,
    /// The endpoints that are closed for good.
    pub closed: BTreeSet<String>,
}

/// Of those that fail: these shares, and the rest is cut.
const BROKEN: f64 = 0.50;
const TOO_MANY: f64 = 0.12;
const ANSWER_LOST: f64 = 0.08;
const SILENT: f64 = 0.03;

impl Weather {
    /// What becomes of the `tries`th request with that change for that endpoint: the same in every run with the seed.
    pub fn fate(&self, seed: u64, endpoint: &str, change: usize, tries: usize) -> Fate {
        if self.down {
            return Fate::Down;
        }
        if self.closed.contains(endpoint) {
            return Fate::Closed;
        }
        let place = endpoint.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let mut dice = Dice::of(seed, &[2, place, change as u64, tries as u64]);
        if !dice.comes(self.fails) {
            return Fate::Taken;
        }
        let kind = dice.part();
        let mut up_to = 0.0;
        for (share, fate) in
            [(BROKEN, Fate::Broken), (TOO_MANY, Fate::TooMany), (ANSWER_LOST, Fate::AnswerLost), (SILENT, Fate::Silent)]
        {
            up_to += share;
            if kind < up_to {
                return fate;
            }
        }
        Fate::Cut
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn three_of_ten_fail_each_in_its_way_and_few_in_silence() {
        let weather = Weather { fails: 0.3, ..Weather::default() };
        let mut counted: BTreeMap<Fate, usize> = BTreeMap::new();
        for change in 0..10_000 {
            *counted.entry(weather.fate(1, "updates", change, 1)).or_default() += 1;
        }
        let failed = 10_000 - counted[&Fate::Taken];
        assert!((2_850..3_150).contains(&failed), "{counted:?}");
        assert!(counted[&Fate::Silent] < 150 && counted.len() == 6, "{counted:?}");
    }

    #[test]
    fn a_try_meets_the_same_fate_in_every_run_and_the_next_try_its_own() {
        let weather = Weather { fails: 0.5, ..Weather::default() };
        let fates = |change| (0..8).map(|tries| weather.fate(9, "updates", change, tries)).collect::<Vec<_>>();
        assert_eq!(fates(4), fates(4));
        assert_ne!(fates(4), fates(5));
    }

    #[test]
    fn who_is_down_takes_nothing_and_who_is_closed_says_so() {
        let down = Weather { down: true, ..Weather::default() };
        assert_eq!(down.fate(1, "updates", 1, 1), Fate::Down);
        let closed = Weather { closed: BTreeSet::from(["updates".to_owned()]), ..Weather::default() };
        assert_eq!(closed.fate(1, "updates", 1, 1), Fate::Closed);
        assert_eq!(closed.fate(1, "others", 1, 1), Fate::Taken);
    }
}
