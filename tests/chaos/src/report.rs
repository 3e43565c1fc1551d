//! What a person reads at the end, and a machine, if it wants to.

use serde_json::{Value, json};
use shared::{delivery::State, id::EventId};

use crate::{Options, judge::Judgement, run::Outcome, way::Way, weather::Fate};

/// One figure: what, and how much.
type Line = (String, String);

/// All that is printed.
pub struct Report {
    parts: Vec<(&'static str, Vec<Line>)>,
    judgements: Vec<Judgement>,
}

impl Report {
    /// Of a run.
    pub fn of(options: &Options, outcome: &Outcome, way: &Way, judgements: Vec<Judgement>) -> Self {
        let parts = vec![
            ("what was done", done(options, outcome)),
            ("how it stood before anybody mended it", states(outcome)),
            ("figures", figures(outcome, way)),
        ];
        Self { parts, judgements }
    }

    /// Whether everything is as it must be.
    pub fn holds(&self) -> bool {
        self.judgements.iter().all(|judgement| judgement.against.is_none())
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let wide = |text: &str| text.chars().count();
        for (name, lines) in &self.parts {
            text.push_str(&format!("\n{name}\n"));
            let width = lines.iter().map(|(what, _)| wide(what)).max().unwrap_or(0);
            for (what, figure) in lines {
                text.push_str(&format!("  {what}{}  {figure}\n", " ".repeat(width - wide(what))));
            }
        }
        text.push_str("\njudgement\n");
        let width = self.judgements.iter().map(|judgement| wide(judgement.must)).max().unwrap_or(0);
        for Judgement { must, told, against } in &self.judgements {
            let pad = " ".repeat(width - wide(must));
            match against {
                None => text.push_str(&format!("  ✓ {must}{pad}  {told}\n")),
                Some(against) => text.push_str(&format!("  ✗ {must}{pad}  {told}: {against}\n")),
            }
        }
        text
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let judgements: Vec<Value> = self
            .judgements
            .iter()
            .map(|it| json!({ "must": it.must, "told": it.told, "against": it.against }))
            .collect();
        let parts = self.parts.iter().map(|(name, lines)| {
            let lines: serde_json::Map<String, Value> =
                lines.iter().map(|(what, figure)| (what.clone(), json!(figure))).collect();
            ((*name).to_owned(), Value::Object(lines))
        });
        let mut all: serde_json::Map<String, Value> = parts.collect();
        all.insert("judgement".into(), json!(judgements));
        Value::Object(all)
    }
}

fn line(what: impl Into<String>, figure: impl Into<String>) -> Line {
    (what.into(), figure.into())
}

fn done(options: &Options, outcome: &Outcome) -> Vec<Line> {
    let Outcome { sent, kills, evidence, .. } = outcome;
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(std::sync::atomic::Ordering::Relaxed);
    let failed = evidence.seen.fates().into_iter().filter(|(fate, _)| *fate != Fate::Taken);
    let failed: Vec<String> = failed.map(|(fate, times)| format!("{times} × {}", fate.word())).collect();
    let killed: Vec<String> = kills.iter().map(|(binary, times)| format!("{times} × {binary}")).collect();
    let forward: Vec<String> =
        outcome.forward.iter().map(|(attempts, count)| format!("{count} after {attempts}")).collect();
    let (ids, again) = evidence.seen.taken();
    vec![
        line("seed", options.seed.to_string()),
        line("changes accepted", format!("{}, of which {} in the calm", evidence.accepted.len(), outcome.calm.len())),
        line("posts that were not answered 202", format!("{}: each was posted again", count(&sent.refused))),
        line("  of which stored, and the answer lost", count(&sent.answers_lost).to_string()),
        line(
            "sent twice on purpose",
            format!(
                "{} posts, {} records of the stream, {} messages of the queue",
                count(&sent.posted_twice),
                count(&sent.recorded_twice),
                count(&sent.queued_twice)
            ),
        ),
        line("functions killed", format!("{}: {}", kills.values().sum::<usize>(), killed.join(", "))),
        line("the receiver failed", failed.join(", ")),
        line("  was down for", format!("{} s; then: {}", outcome.down.as_secs(), outcome.endpoints.join(", "))),
        line("  took", format!("{ids} deliveries, and {again} of them once more")),
        line("  saw under one webhook-id another body", evidence.seen.rewritten.to_string()),
        line(
            "tries brought forward, by the attempts before",
            if forward.is_empty() { "none".into() } else { forward.join(", ") },
        ),
        line(
            "changed for the run",
            format!("a message of a killed worker comes back after {} s", crate::stage::HIDDEN_S),
        ),
    ]
}

fn states(outcome: &Outcome) -> Vec<Line> {
    outcome.unmended.iter().map(|(state, count)| line(state.clone(), count.to_string())).collect()
}

fn figures(outcome: &Outcome, way: &Way) -> Vec<Line> {
    let evidence = &outcome.evidence;
    let is_calm = |event: &EventId| outcome.calm.contains(event);
    let delivered = |calm: bool, first_try: bool| {
        evidence.delivered_ms(|delivery| {
            delivery.state == State::Delivered
                && is_calm(&delivery.event) == calm
                && (!first_try || delivery.attempts == 1)
        })
    };
    let attempts: u32 = evidence.deliveries.iter().map(|delivery| delivery.attempts).sum();
    let tries = f64::from(attempts) / evidence.deliveries.len().max(1) as f64;
    let mut figures = vec![
        line("accepted in the storm", format!("{:.1} /s, {} at a time", outcome.accepted_per_s, crate::run::AT_ONCE)),
        line("accepted to delivered, in the calm", spread(&delivered(true, false))),
        line("  in the storm, at the first try", spread(&delivered(false, true))),
        line("  in the storm, all (waits cut short)", spread(&delivered(false, false))),
    ];
    match &evidence.heard {
        Some(heard) => {
            figures
                .push(line("accepted to live subscriber, in the calm", spread(&evidence.heard_ms(|it| is_calm(&it)))));
            figures.push(line("  in the storm", spread(&evidence.heard_ms(|it| !is_calm(&it)))));
            figures.push(line(
                "  its connections, doubles dropped, gaps asked for",
                format!("{}, {}, {}", heard.connections, heard.doubles, heard.gaps),
            ));
        }
        None => figures.push(line("accepted to live subscriber", "the stack has no live API")),
    }
    figures.push(line("tries a delivery", format!("{tries:.2}, {attempts} in all")));
    figures.push(line(
        "an event from door to log, undisturbed",
        format!(
            "{} (door {}, route {}, numbers {}, send {})",
            used(way.whole()),
            used(way.door),
            used(way.routed),
            used(way.numbered),
            used(way.sent)
        ),
    ));
    figures.push(line("  and for each who follows it", used(way.pushed)));
    figures
}

fn used((writes, reads): (f64, f64)) -> String {
    format!("{writes:.1} WCU + {reads:.1} RCU")
}

/// The middle, and what one of a hundred exceeds.
fn spread(ms: &[f64]) -> String {
    let mut sorted = ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| sorted.get(((part * sorted.len() as f64).ceil() as usize).max(1) - 1).copied();
    match (at(0.5), at(0.99)) {
        (Some(middle), Some(most)) => format!("p50 {}, p99 {} (n = {})", time(middle), time(most), sorted.len()),
        _ => "nothing to measure".into(),
    }
}

fn time(ms: f64) -> String {
    match ms {
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_hundredth_are_of_what_was_measured() {
        let ms: Vec<f64> = (1..=1_000).map(f64::from).collect();
        assert_eq!(spread(&ms), "p50 500 ms, p99 990 ms (n = 1000)");
        assert_eq!(spread(&[12_345.0]), "p50 12.3 s, p99 12.3 s (n = 1)");
        assert_eq!(spread(&[]), "nothing to measure");
    }
}
