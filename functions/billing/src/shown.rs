//! Statements, as they are shown.

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::Serialize;
use shared::{
    id::ClientId,
    money::Amount,
    statement::{Basis, Correction, Figures, Line, Statement, Totals},
};
use utoipa::ToSchema;

/// What lines come to. In corrections all of it may be negative.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingFigures)]
pub struct FiguresView {
    pub(crate) operations_count: i64,
    /// Exact; of a line null where they are not known.
    #[schema(value_type = Option<f64>, example = 150.25)]
    pub(crate) credits: Option<Amount>,
    /// Minutes of somebody's work, to the hundredth.
    #[schema(value_type = f64, example = 725.5)]
    pub(crate) minutes_saved: Amount,
    pub(crate) success_count: i64,
    /// Runs that ended with a warning.
    pub(crate) warning_count: i64,
    pub(crate) error_count: i64,
    /// Of the successes, those that did nothing.
    pub(crate) empty_count: i64,
}

impl FiguresView {
    fn of(figures: &Figures, is_credited: bool) -> Self {
        let minutes = Decimal::from(figures.seconds_saved) / Decimal::from(60);
        Self {
            operations_count: figures.operations,
            credits: is_credited.then(|| Amount::hundredths(figures.centicredits)),
            minutes_saved: Amount(minutes.round_dp(2)),
            success_count: figures.succeeded,
            warning_count: figures.warned,
            error_count: figures.failed,
            empty_count: figures.empty,
        }
    }
}

/// A line: a scenario at one price.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingLine)]
pub struct LineView {
    /// Null where only its name is known.
    pub(crate) scenario_id: Option<String>,
    /// What it was called when the line was written.
    pub(crate) scenario_name: String,
    /// The first day of the month on which the price held.
    #[schema(value_type = String, format = Date)]
    pub(crate) from: Date,
    /// The last one.
    #[schema(value_type = String, format = Date)]
    pub(crate) to: Date,
    /// What a credit cost; null where the cost is what was stated: credits or price are not known.
    #[schema(value_type = Option<f64>, example = 0.00106)]
    pub(crate) price_per_credit: Option<Amount>,
    /// ISO 4217.
    #[schema(example = "USD")]
    pub(crate) currency: String,
    /// Exact.
    #[schema(value_type = f64, example = 12.345678)]
    pub(crate) cost: Amount,
    #[serde(flatten)]
    pub(crate) figures: FiguresView,
}

impl From<&Line> for LineView {
    fn from(line: &Line) -> Self {
        let matter = &line.matter;
        let price_per_credit = match &matter.basis {
            Basis::Priced { per_credit, .. } => Some(Amount(*per_credit)),
            Basis::Unpriced | Basis::Stated => None,
        };
        Self {
            scenario_id: matter.by_id.then(|| matter.scenario.clone()),
            scenario_name: line.name.clone(),
            from: matter.from,
            to: matter.to,
            price_per_credit,
            currency: matter.basis.currency().into(),
            cost: Amount(line.figures.cost),
            figures: FiguresView::of(&line.figures, matter.basis != Basis::Stated),
        }
    }
}

/// An amount of some money.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingAmount)]
pub struct MoneyView {
    /// ISO 4217.
    #[schema(example = "USD")]
    pub(crate) currency: String,
    /// What is billed: the sum of the lines, rounded half to even to the currency's minor unit. Of a correction, by how
    /// much that changes.
    #[schema(value_type = f64, example = 12.35)]
    pub(crate) amount: Amount,
    /// The sum of the lines.
    #[schema(value_type = f64, example = 12.345678)]
    pub(crate) exact: Amount,
}

/// What lines come to together.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingTotals)]
pub struct TotalsView {
    #[serde(flatten)]
    pub(crate) figures: FiguresView,
    /// Whether credits are known of all lines.
    pub(crate) credits_complete: bool,
    /// By currency.
    pub(crate) costs: Vec<MoneyView>,
}

impl From<&Totals> for TotalsView {
    fn from(totals: &Totals) -> Self {
        let money = totals.money.iter().map(|(currency, money)| MoneyView {
            currency: currency.clone(),
            amount: Amount(money.amount),
            exact: Amount(money.exact),
        });
        Self {
            figures: FiguresView::of(&totals.figures, true),
            credits_complete: totals.uncredited == 0,
            costs: money.collect(),
        }
    }
}

/// A statement without its lines.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingStatement)]
pub struct StatementHead {
    /// Null for the company.
    client_id: Option<ClientId>,
    #[schema(example = "2026-10")]
    month: String,
    /// The zone that its days were cut in.
    #[schema(example = "Europe/Lisbon")]
    time_zone: String,
    totals: TotalsView,
    line_count: u32,
    /// SHA-256 of the lines as they are stored.
    sha256: String,
    made_of: SourceView,
    #[schema(value_type = String, format = DateTime)]
    closed_at: Timestamp,
    /// Who closed it.
    closed_by: String,
}

/// What a statement was made of.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingSource)]
pub struct SourceView {
    /// Days with anything on them.
    days: u32,
    /// What was done on them: one for each scenario, type of operation and day.
    cells: u64,
    /// SHA-256 of these and of the prices that held.
    sha256: String,
}

impl From<&shared::statement::Source> for SourceView {
    fn from(source: &shared::statement::Source) -> Self {
        Self { days: source.days, cells: source.cells, sha256: source.sha256.clone() }
    }
}

impl From<&Statement> for StatementHead {
    fn from(statement: &Statement) -> Self {
        Self {
            client_id: statement.owner.client(),
            month: statement.month.to_string(),
            time_zone: statement.time_zone.clone(),
            totals: (&statement.totals).into(),
            line_count: statement.lines,
            sha256: statement.sha256.clone(),
            made_of: (&statement.source).into(),
            closed_at: statement.closed_at,
            closed_by: statement.closed_by.clone(),
        }
    }
}

/// A correction without its lines.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingCorrection)]
pub struct CorrectionHead {
    /// The first is 1.
    pub(crate) number: u32,
    /// Why.
    reason: String,
    pub(crate) totals: TotalsView,
    line_count: u32,
    /// SHA-256 of the lines as they are stored.
    sha256: String,
    /// What the month was made of by then.
    made_of: SourceView,
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
    /// Who made it.
    made_by: String,
}

impl From<&Correction> for CorrectionHead {
    fn from(correction: &Correction) -> Self {
        Self {
            number: correction.number,
            reason: correction.reason.clone(),
            totals: (&correction.totals).into(),
            line_count: correction.lines,
            sha256: correction.sha256.clone(),
            made_of: (&correction.source).into(),
            made_at: correction.made_at,
            made_by: correction.made_by.clone(),
        }
    }
}
