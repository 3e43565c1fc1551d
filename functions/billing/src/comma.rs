//! A month as comma-separated values.

use shared::{
    Result,
    csv::{self, harmless},
    http::Reply,
    money::Amount,
};

use crate::{
    get::MonthView,
    shown::{FiguresView, LineView, MoneyView, TotalsView},
};

/// What stands in the first line. `record` is `line`, `total` or `balance`; `correction` is the number of a correction, and
/// empty in the statement itself.
const HEADINGS: [&str; 20] = [
    "record",
    "correction",
    "month",
    "final",
    "client_id",
    "client_slug",
    "scenario_id",
    "scenario_name",
    "from",
    "to",
    "operations_count",
    "credits",
    "price_per_credit",
    "currency",
    "cost",
    "minutes_saved",
    "success_count",
    "warning_count",
    "error_count",
    "empty_count",
];

/// The month, for a person to keep.
pub fn reply(view: &MonthView) -> Result<Reply> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(view.lines.iter().map(|line| row(view, None, line)));
    rows.extend(totals(view, "total", None, &view.totals));
    for correction in &view.corrections {
        let number = Some(correction.head.number);
        rows.extend(correction.lines.iter().map(|line| row(view, number, line)));
        rows.extend(totals(view, "total", number, &correction.head.totals));
    }
    rows.extend(totals(view, "balance", None, &view.balance));

    let body = csv::lines(rows)?;
    let whose = view.client_slug.as_deref().unwrap_or("company");
    Ok(Reply::csv(&format!("billing-{whose}-{}.csv", view.month), body))
}

fn row(view: &MonthView, correction: Option<u32>, line: &LineView) -> [String; 20] {
    let mut row = beginning(view, "line", correction);
    row[6] = harmless(line.scenario_id.clone().unwrap_or_default());
    row[7] = harmless(line.scenario_name.clone());
    row[8] = line.from.to_string();
    row[9] = line.to.to_string();
    row[12] = text(line.price_per_credit);
    row[13].clone_from(&line.currency);
    row[14] = line.cost.to_string();
    figures(&mut row, &line.figures);
    row
}

/// A line for each currency, and one without any where there is none. The counts stand in the first.
fn totals(view: &MonthView, record: &str, correction: Option<u32>, totals: &TotalsView) -> Vec<[String; 20]> {
    let mut costs = totals.costs.iter();
    let mut first = beginning(view, record, correction);
    figures(&mut first, &totals.figures);
    let amount = |mut row: [String; 20], cost: Option<&MoneyView>| {
        if let Some(cost) = cost {
            row[13].clone_from(&cost.currency);
            row[14] = cost.amount.to_string();
        }
        row
    };
    let mut rows = vec![amount(first, costs.next())];
    rows.extend(costs.map(|cost| amount(beginning(view, record, correction), Some(cost))));
    rows
}

fn beginning(view: &MonthView, record: &str, correction: Option<u32>) -> [String; 20] {
    let mut row = [const { String::new() }; 20];
    row[0] = record.into();
    row[1] = correction.map(|number| number.to_string()).unwrap_or_default();
    row[2].clone_from(&view.month);
    row[3] = view.is_final.to_string();
    row[4] = view.client_id.map(|client| client.to_string()).unwrap_or_default();
    row[5] = harmless(view.client_slug.clone().unwrap_or_default());
    row
}

fn figures(row: &mut [String; 20], figures: &FiguresView) {
    row[10] = figures.operations_count.to_string();
    row[11] = text(figures.credits);
    row[15] = figures.minutes_saved.to_string();
    row[16] = figures.success_count.to_string();
    row[17] = figures.warning_count.to_string();
    row[18] = figures.error_count.to_string();
    row[19] = figures.empty_count.to_string();
}

fn text(amount: Option<Amount>) -> String {
    amount.map(|amount| amount.to_string()).unwrap_or_default()
}
