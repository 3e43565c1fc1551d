//! The table at the end: what, budget, measured, yardstick, verdict.

use serde::Serialize;

/// One line of it.
#[derive(Serialize)]
pub struct Line {
    what: String,
    budget: String,
    measured: String,
    yardstick: String,
    /// Whether the budget is kept; nothing where there is none.
    kept: Option<bool>,
}

/// All of it.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

/// A limit, and what it is a limit of.
pub struct Budget {
    limit: f64,
    unit: &'static str,
    digits: usize,
    at_least: bool,
}

/// At most so much.
pub fn at_most(limit: f64, unit: &'static str, digits: usize) -> Budget {
    Budget { limit, unit, digits, at_least: false }
}

/// At least so much.
pub fn at_least(limit: f64, unit: &'static str, digits: usize) -> Budget {
    Budget { limit, unit, digits, at_least: true }
}

impl Report {
    /// Compares with a budget.
    pub fn judge(&mut self, what: impl Into<String>, budget: &Budget, measured: f64, yardstick: impl Into<String>) {
        let Budget { limit, unit, digits, at_least } = *budget;
        self.lines.push(Line {
            what: what.into(),
            budget: format!("{} {limit} {unit}", if at_least { "≥" } else { "≤" }),
            measured: format!("{measured:.digits$} {unit}"),
            yardstick: yardstick.into(),
            // A number that is not one keeps no budget.
            kept: Some(if at_least { measured >= limit } else { measured <= limit }),
        });
    }

    /// Says whether something is as it must be.
    pub fn check(&mut self, what: impl Into<String>, must: &str, is: impl Into<String>, kept: bool) {
        self.lines.push(Line {
            what: what.into(),
            budget: must.into(),
            measured: is.into(),
            yardstick: String::new(),
            kept: Some(kept),
        });
    }

    /// Something worth knowing that has no budget.
    pub fn tell(&mut self, what: impl Into<String>, measured: impl Into<String>, yardstick: impl Into<String>) {
        self.lines.push(Line {
            what: what.into(),
            budget: String::new(),
            measured: measured.into(),
            yardstick: yardstick.into(),
            kept: None,
        });
    }

    /// Whether every budget is kept.
    pub fn is_kept(&self) -> bool {
        self.lines.iter().all(|line| line.kept != Some(false))
    }

    /// For machines.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.lines)
    }

    /// For people.
    pub fn text(&self) -> String {
        let heads = ["what", "budget", "measured", "yardstick"];
        let rows: Vec<[&str; 4]> =
            self.lines.iter().map(|line| [&*line.what, &*line.budget, &*line.measured, &*line.yardstick]).collect();
        let wide = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..4)
            .map(|column| rows.iter().map(|row| wide(row[column])).chain([wide(heads[column])]).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        let mut put = |cells: [&str; 4], verdict: &str| {
            for (cell, width) in cells.iter().zip(&widths) {
                text.push_str(&format!("{cell:<width$}  "));
            }
            text.push_str(verdict);
            text.truncate(text.trim_end().len());
            text.push('\n');
        };
        put(heads, "verdict");
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        put([&rules[0], &rules[1], &rules[2], &rules[3]], "───────");
        for (row, line) in rows.iter().zip(&self.lines) {
            put(
                *row,
                match line.kept {
                    Some(true) => "✓",
                    Some(false) => "✗",
                    None => "",
                },
            );
        }
        text
    }
}
