//! Lines that add up: by what they are about, exactly.

use std::collections::BTreeMap;

use iso_currency::Currency;
use rust_decimal::{Decimal, RoundingStrategy};
use shared::statement::{Basis, Figures, Line, Matter, Money, Totals};

/// What a month comes to, by what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book(BTreeMap<Matter, (String, Figures)>);

impl Book {
    /// Adds to what is known of a matter. The latest name counts.
    pub fn add(&mut self, matter: Matter, name: &str, figures: Figures) {
        let (known, sum) = self.0.entry(matter).or_default();
        if known != name {
            name.clone_into(known);
        }
        *sum += figures;
    }

    /// Adds lines that were written.
    pub fn take(&mut self, lines: &[Line]) {
        lines.iter().for_each(|line| self.add(line.matter.clone(), &line.name, line.figures));
    }

    /// What this is more than another.
    pub fn less(&self, other: &Self) -> Self {
        let mut difference = other.clone();
        difference.0.values_mut().for_each(|(_, figures)| *figures = -*figures);
        for (matter, (name, figures)) in &self.0 {
            difference.add(matter.clone(), name, *figures);
        }
        difference
    }

    /// Its lines; what comes to nothing has none.
    pub fn lines(&self) -> Vec<Line> {
        let some = self.0.iter().filter(|(_, (_, figures))| *figures != Figures::default());
        some.map(|(matter, (name, figures))| Line {
            matter: matter.clone(),
            name: name.clone(),
            figures: Figures { cost: figures.cost.normalize(), ..*figures },
        })
        .collect()
    }

    /// What it comes to, rounded once.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut exact: BTreeMap<String, Decimal> = BTreeMap::new();
        for Line { matter, figures, .. } in self.lines() {
            *exact.entry(matter.basis.currency().into()).or_default() += figures.cost;
            totals.figures += Figures { cost: Decimal::ZERO, ..figures };
            totals.uncredited += u32::from(matter.basis == Basis::Stated && figures.operations != 0);
        }
        let money = exact.into_iter().filter(|(_, exact)| !exact.is_zero()).map(|(currency, exact)| {
            let amount = rounded(&currency, exact);
            (currency, Money { exact: exact.normalize(), amount })
        });
        totals.money = money.collect();
        totals
    }
}

/// The totals of lines that lead from one balance to another. Their amounts are those by which the rounded balance changes,
/// so that all amounts that were ever told add up to it.
pub fn step(lines: &Book, from: &Totals, to: &Totals) -> Totals {
    let mut totals = lines.totals();
    let amount =
        |totals: &Totals, currency: &str| totals.money.get(currency).map_or(Decimal::ZERO, |money| money.amount);
    for currency in from.money.keys().chain(to.money.keys()) {
        let change = amount(to, currency) - amount(from, currency);
        let money = totals.money.entry(currency.clone()).or_insert(Money { exact: Decimal::ZERO, amount: change });
        money.amount = change;
    }
    totals.money.retain(|_, money| !money.exact.is_zero() || !money.amount.is_zero());
    totals
}

/// Half to even, to the minor unit of the currency. One that has none (gold, a fund) stays as it is.
fn rounded(currency: &str, exact: Decimal) -> Decimal {
    match Currency::from_code(currency).and_then(|currency| currency.exponent()) {
        Some(decimals) => exact.round_dp_with_strategy(decimals.into(), RoundingStrategy::MidpointNearestEven),
        None => exact,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn matter(scenario: &str, currency: &str) -> Matter {
        Matter {
            from: date(2026, 10, 1),
            to: date(2026, 10, 31),
            by_id: true,
            scenario: scenario.into(),
            basis: Basis::Priced { currency: currency.into(), per_credit: Decimal::ONE },
        }
    }

    fn book(costs: &[(&str, &str, &str)]) -> Book {
        let mut book = Book::default();
        for (scenario, currency, cost) in costs {
            let figures = Figures { operations: 1, cost: cost.parse().unwrap(), ..Figures::default() };
            book.add(matter(scenario, currency), scenario, figures);
        }
        book
    }

    fn amounts(totals: &Totals) -> Vec<(&str, String)> {
        totals.money.iter().map(|(currency, money)| (currency.as_str(), money.amount.to_string())).collect()
    }

    #[test]
    fn a_total_is_rounded_once_half_to_even() {
        let half = book(&[("1", "USD", "0.0025"), ("2", "USD", "0.0025"), ("3", "JPY", "2.5"), ("4", "KWD", "0.0005")]);
        assert_eq!(amounts(&half.totals()), [("JPY", "2".into()), ("KWD", "0.000".into()), ("USD", "0.00".into())]);
        let more =
            book(&[("1", "USD", "0.0149"), ("2", "USD", "0.0001"), ("3", "JPY", "3.5"), ("4", "XAU", "0.12345")]);
        assert_eq!(amounts(&more.totals()), [("JPY", "4".into()), ("USD", "0.02".into()), ("XAU", "0.12345".into())]);
    }

    #[test]
    fn amounts_of_steps_add_up_to_the_rounded_balance() {
        let mut so_far = book(&[("1", "USD", "0.004")]);
        let mut told = so_far.totals().money["USD"].amount;
        for cost in ["0.008", "0.012", "0.016", "0.005", "0.0049"] {
            let now = book(&[("1", "USD", cost)]);
            let difference = now.less(&so_far);
            let totals = step(&difference, &so_far.totals(), &now.totals());
            told += totals.money["USD"].amount;
            so_far.take(&difference.lines());
            assert_eq!((told, &so_far), (now.totals().money["USD"].amount, &now));
        }
    }

    #[test]
    fn a_difference_is_a_line_for_what_came_and_one_for_what_went() {
        let (was, is) = (book(&[("1", "USD", "5"), ("2", "USD", "1")]), book(&[("2", "USD", "1"), ("3", "EUR", "5")]));
        let lines = is.less(&was).lines();
        let told: Vec<_> = lines.iter().map(|line| (line.matter.scenario.as_str(), line.figures.cost)).collect();
        assert_eq!(told, [("1", Decimal::from(-5)), ("3", Decimal::from(5))]);
        assert!(is.less(&is).lines().is_empty());
    }
}
