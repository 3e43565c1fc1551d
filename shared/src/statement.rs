//! The statement of a month: what was done for a client, or for the company, and what it cost; written once.
//!
//! ```text
//! sheets of the month × prices ─► lines ─► parts, named by their digest ─► the statement that names them   closing
//!                                     less what was stated already ─► parts ─► the next correction         later
//! ```
//!
//! Nothing of it is ever changed: parts are named by what they hold, so a closing that is killed half-way leaves parts
//! that nobody names, and the next one begins anew; the statement itself is created in one transaction with its entry in
//! the register. What is told later makes corrections, which are numbered and as final as the statement.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{Timestamp, ToSpan, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    id::{ClientId, TenantId},
    key::{self, Key},
    scenario::Owner,
    table::{Page, Row, Table},
};

/// A month, `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(Date);

impl Month {
    /// The month that a day lies in.
    pub fn of(date: Date) -> Self {
        Self(date.first_of_month())
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.0
    }

    /// Its last day.
    pub fn last(self) -> Date {
        self.0.last_of_month()
    }

    /// Each of its days.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.first().series(1.day()).take_while(move |date| *date <= self.last())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl FromStr for Month {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be a month as YYYY-MM";
        let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        match text.split_once('-') {
            Some((year, month)) if year.len() == 4 && month.len() == 2 && digits(year) && digits(month) => {
                let (year, month) = (year.parse().map_err(|_| FORM)?, month.parse().map_err(|_| FORM)?);
                Date::new(year, month, 1).map(Self).map_err(|_| FORM)
            }
            _ => Err(FORM),
        }
    }
}

impl TryFrom<String> for Month {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

/// How a line comes to its cost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Credits at a price.
    Priced {
        /// ISO 4217.
        currency: String,
        /// What one credit costs.
        #[serde(with = "rust_decimal::serde::str")]
        per_credit: Decimal,
    },
    /// Credits are known, and no price held: the cost is what was stated, in US dollars.
    Unpriced,
    /// Credits are not known: likewise.
    Stated,
}

impl Basis {
    /// In what money its cost is.
    pub fn currency(&self) -> &str {
        match self {
            Self::Priced { currency, .. } => currency,
            Self::Unpriced | Self::Stated => "USD",
        }
    }
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Matter {
    /// The first day of the month on which its price held.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// Whether `scenario` is Make.com's id, and not a name.
    pub by_id: bool,
    /// The scenario.
    pub scenario: String,
    /// How it comes to its cost.
    pub basis: Basis,
}

/// What something came to. Differences may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Operations.
    pub operations: i64,
    /// Hundredths of a credit, where they are known.
    pub centicredits: i64,
    /// Exactly.
    #[serde(with = "rust_decimal::serde::str")]
    pub cost: Decimal,
    /// Seconds of somebody's work.
    pub seconds_saved: i64,
    /// Runs that ended well.
    pub succeeded: i64,
    /// With a warning.
    pub warned: i64,
    /// Runs that failed.
    pub failed: i64,
    /// Of those that ended well, those that did nothing.
    pub empty: i64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, more: Self) {
        self.operations += more.operations;
        self.centicredits += more.centicredits;
        self.cost += more.cost;
        self.seconds_saved += more.seconds_saved;
        self.succeeded += more.succeeded;
        self.warned += more.warned;
        self.failed += more.failed;
        self.empty += more.empty;
    }
}

impl std::ops::Neg for Figures {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            operations: -self.operations,
            centicredits: -self.centicredits,
            cost: -self.cost,
            seconds_saved: -self.seconds_saved,
            succeeded: -self.succeeded,
            warned: -self.warned,
            failed: -self.failed,
            empty: -self.empty,
        }
    }
}

/// A line of a statement, or of a correction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    #[serde(flatten)]
    pub matter: Matter,
    /// What people called the scenario when it was written.
    pub name: String,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
}

/// An amount of some money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The sum of the lines.
    #[serde(with = "rust_decimal::serde::str")]
    pub exact: Decimal,
    /// What is billed: rounded half to even to the currency's minor unit, once.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

/// What lines come to together. Costs are in `money`, by currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All but the costs.
    pub figures: Figures,
    /// Lines whose credits are not known.
    pub uncredited: u32,
    /// The costs.
    pub money: BTreeMap<String, Money>,
}

/// What a statement was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Days with anything on them.
    pub days: u32,
    /// What scenarios did on them: one for each scenario, type and day.
    pub cells: u64,
    /// SHA-256 of them and of the prices that held.
    pub sha256: String,
}

/// A month that is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Whose.
    pub tenant: TenantId,
    /// For whom.
    pub owner: Owner,
    /// Which month.
    pub month: Month,
    /// The zone that its days were cut in.
    pub time_zone: String,
    /// What it comes to.
    pub totals: Totals,
    /// How many lines it has.
    pub lines: u32,
    /// SHA-256 of the lines, which names their parts.
    pub sha256: String,
    /// What it was made of.
    pub source: Source,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// By whom.
    pub closed_by: String,
}

impl Row for Statement {
    const KIND: &'static str = "statement";

    fn key(&self) -> Key<Self> {
        key::statement(self.tenant, self.owner, self.month)
    }
}

/// What a closed month is more, or less, than was stated so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Whose.
    pub tenant: TenantId,
    /// For whom.
    pub owner: Owner,
    /// Of which month.
    pub month: Month,
    /// The first is 1.
    pub number: u32,
    /// Why, in somebody's words.
    pub reason: String,
    /// What it comes to. Its amounts are those by which the rounded balance changes, so that all of them add up to it.
    pub totals: Totals,
    /// How many lines it has.
    pub lines: u32,
    /// SHA-256 of the lines, which names their parts.
    pub sha256: String,
    /// What the month was made of by then.
    pub source: Source,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom.
    pub made_by: String,
    /// The request that asked for it, where that had a name.
    pub request: Option<String>,
}

impl Row for Correction {
    const KIND: &'static str = "correction";

    fn key(&self) -> Key<Self> {
        key::correction(self.tenant, self.owner, self.month, self.number)
    }
}

/// Lines, as the text that they were written as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Whose.
    pub tenant: TenantId,
    /// For whom.
    pub owner: Owner,
    /// Of which month.
    pub month: Month,
    /// SHA-256 of all parts together.
    pub sha256: String,
    /// Which one.
    pub nth: u32,
    /// A [`Line`] a line, in JSON.
    pub text: String,
}

impl Row for Part {
    const KIND: &'static str = "statement_part";

    fn key(&self) -> Key<Self> {
        key::statement_part(self.tenant, self.owner, self.month, &self.sha256, self.nth)
    }
}

/// The entry of a closed month in the tenant's register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Whose.
    pub tenant: TenantId,
    /// For whom.
    pub owner: Owner,
    /// Which month.
    pub month: Month,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// By whom.
    pub closed_by: String,
    /// How many corrections there are.
    pub corrections: u32,
    /// What statement and corrections come to.
    pub balance: Totals,
}

impl Row for Closed {
    const KIND: &'static str = "closed_month";

    fn key(&self) -> Key<Self> {
        key::closed(self.tenant, self.month, self.owner)
    }
}

/// The last day that is in a closed month: of a client, or of anybody where none is given. What holds from a day up to this
/// one is not changed any more.
pub async fn closed_until(table: &Table, tenant: TenantId, client: Option<ClientId>) -> Result<Option<Date>> {
    let page = Page { newest_first: true, ..Page::first(1) };
    let month = match client {
        Some(client) => {
            let range = key::statements(tenant, Owner::Client(client));
            table.list(&range, page).await?.rows.first().map(|latest| latest.month)
        }
        None => table.list(&key::all_closed(tenant), page).await?.rows.first().map(|latest| latest.month),
    };
    Ok(month.map(Month::last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_written_in_full() {
        let month: Month = "2026-02".parse().unwrap();
        assert_eq!((month.to_string().as_str(), month.days().count()), ("2026-02", 28));
        assert_eq!(Month::of(month.last()), month);
        for wrong in ["2026-2", "2026-13", "2026-00", "26-02", "2026-02-01", "+026-02", "", "２０２６-02"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = Line {
            matter: Matter {
                from: Date::constant(2026, 10, 1),
                to: Date::constant(2026, 10, 14),
                by_id: true,
                scenario: "418339".into(),
                basis: Basis::Priced { currency: "EUR".into(), per_credit: "0.00106".parse().unwrap() },
            },
            name: "Intake".into(),
            figures: Figures { operations: -3, cost: "-0.000318".parse().unwrap(), ..Figures::default() },
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
