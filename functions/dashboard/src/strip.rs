//! The KPI strip: five measures, each with what it means, what it rests on, and how it compares with before.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    snapshot::{Cell, Metric},
};

/// Raised whenever a definition below changes.
const VERSION: u32 = 1;

/// All there is to reckon with: what all time amounts to at three moments.
pub(crate) struct Readings {
    pub(crate) before: Cell,
    pub(crate) from: Cell,
    pub(crate) to: Cell,
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) complete: bool,
    pub(crate) sla_target_s: u32,
}

/// The strip.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = KpiStrip)]
pub(crate) struct Strip {
    /// Conversations that are open.
    active_conversations: Kpi,
    /// How long customers wait for a person, in seconds.
    average_response_time: Kpi,
    /// Which part of the WhatsApp messages arrived, from 0 to 1.
    whatsapp_delivery_rate: Kpi,
    /// Tickets that are open.
    open_tickets: Kpi,
    /// Messages in and out.
    messages_today: Kpi,
}

/// One measure.
#[derive(Serialize, utoipa::ToSchema)]
struct Kpi {
    /// The figure; null where there is nothing to measure.
    #[schema(value_type = Option<f64>)]
    value: Option<Figure>,
    /// What it is counted in: `conversations`, `seconds`, `ratio`, `tickets` or `messages`.
    unit: &'static str,
    /// How it compares.
    trend: Trend,
    /// How many things it rests on.
    n: i64,
    /// How many were left out, as the definition says.
    excluded_n: i64,
    /// What it means.
    definition: &'static str,
    /// Which version of that meaning.
    definition_version: u32,
    /// Everything that was stored before this is counted; null before the first aggregation.
    #[schema(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// Whether the window had ended by then.
    complete: bool,
    /// For response times: half of the waits were no longer, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<f64>,
    /// For response times: nine of ten waits were no longer, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    p90: Option<f64>,
    /// For response times.
    #[serde(skip_serializing_if = "Option::is_none")]
    sla: Option<Sla>,
    /// For tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_priority: Option<ByPriority>,
}

/// A whole number, or one with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Figure {
    Whole(i64),
    Fraction(f64),
}

impl Figure {
    fn size(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Fraction(x) => x,
        }
    }
}

/// A measure beside that of the equally long window before.
#[derive(Serialize, utoipa::ToSchema)]
struct Trend {
    /// The figure then.
    #[schema(value_type = Option<f64>)]
    previous: Option<Figure>,
    /// How much more it is now.
    #[schema(value_type = Option<f64>)]
    change: Option<Figure>,
    /// The same in percent of the figure then; null where that was nothing.
    change_percent: Option<f64>,
    /// `up`, `down`, `flat`, or `unknown` where one of the two is missing.
    direction: &'static str,
}

/// Whether customers wait as long as was promised.
#[derive(Serialize, utoipa::ToSchema)]
struct Sla {
    /// The promise, in seconds.
    target_s: u32,
    /// `good` up to the target, `warning` up to twice that, `breached` above; null where nobody waited.
    state: Option<&'static str>,
}

/// Open tickets by how urgent they are.
#[derive(Serialize, utoipa::ToSchema)]
struct ByPriority {
    urgent: i64,
    high: i64,
    normal: i64,
    low: i64,
}

impl Strip {
    pub(crate) fn of(readings: &Readings) -> Result<Self> {
        let now = readings.to.clone().since(&readings.from)?;
        let then = readings.from.clone().since(&readings.before)?;
        Ok(Self {
            active_conversations: readings.active(),
            average_response_time: readings.response(&now, &then),
            whatsapp_delivery_rate: readings.delivery(&now, &then),
            open_tickets: readings.tickets(),
            messages_today: readings.messages(&now, &then),
        })
    }
}

impl Readings {
    fn kpi(
        &self,
        unit: &'static str,
        n: i64,
        value: Option<Figure>,
        previous: Option<Figure>,
        definition: &'static str,
    ) -> Kpi {
        Kpi {
            value,
            unit,
            trend: trend(value, previous),
            n,
            excluded_n: 0,
            definition,
            definition_version: VERSION,
            as_of: self.as_of,
            complete: self.complete,
            p50: None,
            p90: None,
            sla: None,
            by_priority: None,
        }
    }

    fn active(&self) -> Kpi {
        let now = self.to.count(Metric::Open);
        let value = Some(Figure::Whole(now));
        let previous = Some(Figure::Whole(self.from.count(Metric::Open)));
        self.kpi(
            "conversations",
            now,
            value,
            previous,
            "Conversations open at the end of the window, with whoever has them then; the trend compares with its beginning.",
        )
    }

    fn response(&self, now: &Cell, then: &Cell) -> Kpi {
        let value = mean(now);
        let state = value.map(|mean| match mean.size() / f64::from(self.sla_target_s) {
            ..=1.0 => "good",
            ..=2.0 => "warning",
            _ => "breached",
        });
        Kpi {
            p50: now.responses.quantile(0.5).map(tenth),
            p90: now.responses.quantile(0.9).map(tenth),
            sla: Some(Sla {
                target_s: self.sla_target_s,
                state,
            }),
            ..self.kpi(
                "seconds",
                now.count(Metric::Responses),
                value,
                mean(then),
                "Mean time from a customer's first unanswered message to a person's reply, by the clock; credited to whoever \
                 replied, when they did. Bots do not answer. p50 and p90 are within 1 %.",
            )
        }
    }

    fn delivery(&self, now: &Cell, then: &Cell) -> Kpi {
        Kpi {
            excluded_n: now.count(Metric::WaAwaiting) + now.count(Metric::WaSkipped),
            ..self.kpi(
                "ratio",
                settled(now),
                arrived(now),
                arrived(then),
                "Delivered or read, of the WhatsApp messages sent in the window, without those skipped and those that \
                 wait for an outcome for less than 24 hours.",
            )
        }
    }

    fn tickets(&self) -> Kpi {
        let by = by_priority(&self.to);
        let [now, then] = [&by, &by_priority(&self.from)].map(|by| by.urgent + by.high + by.normal + by.low);
        Kpi {
            by_priority: Some(by),
            ..self.kpi(
                "tickets",
                now,
                Some(Figure::Whole(now)),
                Some(Figure::Whole(then)),
                "Tickets open at the end of the window; the trend compares with its beginning.",
            )
        }
    }

    fn messages(&self, now: &Cell, then: &Cell) -> Kpi {
        let [now, then] = [now, then].map(|cell| {
            [Metric::Inbound, Metric::ByAgent, Metric::ByBot, Metric::ByAutomation]
                .into_iter()
                .map(|metric| cell.count(metric))
                .sum()
        });
        self.kpi(
            "messages",
            now,
            Some(Figure::Whole(now)),
            Some(Figure::Whole(then)),
            "Messages of customers, agents, bots and automations in the window, which is today unless asked otherwise.",
        )
    }
}

fn by_priority(at: &Cell) -> ByPriority {
    ByPriority {
        urgent: at.count(Metric::TicketsUrgent),
        high: at.count(Metric::TicketsHigh),
        normal: at.count(Metric::TicketsNormal),
        low: at.count(Metric::TicketsLow),
    }
}

fn mean(cell: &Cell) -> Option<Figure> {
    let n = cell.count(Metric::Responses);
    (n > 0).then(|| Figure::Fraction(tenth(cell.count(Metric::ResponseSeconds) as f64 / n as f64)))
}

/// Sent, less those skipped and those still awaited.
fn settled(cell: &Cell) -> i64 {
    cell.count(Metric::WaSent) - cell.count(Metric::WaSkipped) - cell.count(Metric::WaAwaiting)
}

fn arrived(cell: &Cell) -> Option<Figure> {
    let of = settled(cell);
    (of > 0).then(|| Figure::Fraction(rounded(cell.count(Metric::WaDelivered) as f64 / of as f64, 10_000.0)))
}

fn trend(value: Option<Figure>, previous: Option<Figure>) -> Trend {
    let change = match (value, previous) {
        (Some(Figure::Whole(now)), Some(Figure::Whole(then))) => Some(Figure::Whole(now - then)),
        (Some(now), Some(then)) => Some(Figure::Fraction(rounded(now.size() - then.size(), 10_000.0))),
        _ => None,
    };
    Trend {
        previous,
        change,
        change_percent: change.zip(previous).and_then(|(change, previous)| {
            (previous.size() != 0.0).then(|| tenth(100.0 * change.size() / previous.size()))
        }),
        direction: match change.map(Figure::size) {
            None => "unknown",
            Some(more) if more > 0.0 => "up",
            Some(less) if less < 0.0 => "down",
            Some(_) => "flat",
        },
    }
}

fn tenth(x: f64) -> f64 {
    rounded(x, 10.0)
}

fn rounded(x: f64, parts: f64) -> f64 {
    (x * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cell(counts: &[(Metric, i64)], waits: &[u64]) -> Cell {
        let mut cell = Cell::default();
        counts.iter().for_each(|(metric, count)| cell.add(*metric, *count));
        waits.iter().for_each(|wait| {
            cell.add(Metric::Responses, 1);
            cell.add(Metric::ResponseSeconds, *wait as i64);
            cell.responses.add(*wait);
        });
        cell
    }

    fn strip(from: Cell, to: Cell) -> Value {
        let readings = Readings { before: Cell::default(), from, to, as_of: None, complete: false, sla_target_s: 300 };
        serde_json::to_value(Strip::of(&readings).unwrap()).unwrap()
    }

    #[test]
    fn nothing_at_all_is_null_and_not_a_failure() {
        let strip = strip(Cell::default(), Cell::default());
        assert_eq!(strip["average_response_time"]["value"], Value::Null);
        assert_eq!(strip["average_response_time"]["sla"], json!({ "target_s": 300, "state": null }));
        assert_eq!(strip["whatsapp_delivery_rate"]["value"], Value::Null);
        assert_eq!(strip["active_conversations"]["value"], 0);
        assert_eq!(strip["messages_today"]["trend"]["direction"], "flat");
    }

    #[test]
    fn the_promise_is_kept_strained_or_broken() {
        for (wait, state) in [(300, "good"), (301, "warning"), (600, "warning"), (601, "breached")] {
            assert_eq!(strip(Cell::default(), cell(&[], &[wait]))["average_response_time"]["sla"]["state"], state);
        }
    }

    #[test]
    fn skipped_and_awaited_messages_neither_help_nor_harm_the_delivery_rate() {
        let sent = [
            (Metric::WaSent, 10),
            (Metric::WaSkipped, 1),
            (Metric::WaAwaiting, 1),
            (Metric::WaUnknown, 1),
            (Metric::WaFailed, 1),
            (Metric::WaDelivered, 6),
        ];
        let rate = &strip(Cell::default(), cell(&sent, &[]))["whatsapp_delivery_rate"];
        assert_eq!((&rate["value"], &rate["n"], &rate["excluded_n"]), (&json!(0.75), &json!(8), &json!(2)));
    }

    #[test]
    fn a_trend_is_the_difference_to_the_window_before() {
        let from = cell(&[(Metric::Inbound, 4)], &[]);
        let to = cell(&[(Metric::Inbound, 10)], &[]);
        assert_eq!(
            strip(from, to)["messages_today"]["trend"],
            json!({ "previous": 4, "change": 2, "change_percent": 50.0, "direction": "up" })
        );
    }
}
