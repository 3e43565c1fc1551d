//! Random activity, told late, twice and in any order, against a reckoning of its own over the raw events.

use std::collections::{BTreeMap, BTreeSet};

use dashboard::aggregate::Period;
use jiff::{SignedDuration, Timestamp};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use shared::gate::Role;

use crate::desk::{Desk, at};

const START: &str = "2026-11-18T00:00:00Z";
/// Three days of minutes.
const MINUTES: i64 = 3 * 24 * 60;

fn moment(minute: i64) -> Timestamp {
    at(START) + SignedDuration::from_mins(minute)
}

/// One event: which, of what thing, when, by whom.
type Seed = (u8, u8, i64, u8);

fn told((what, thing, minute, agent): Seed) -> Value {
    let agent_id = ["ana", "bo", "cy"][usize::from(agent % 3)];
    let team = ["north", "north", "south"][usize::from(agent % 3)];
    let priority = ["low", "urgent"][usize::from(agent % 2)];
    let by_agent = json!({ "agent_id": agent_id, "team": team });
    let (r#type, field, more) = match what % 16 {
        0 => ("conversation.opened", "conversation_id", json!({})),
        1 => ("conversation.assigned", "conversation_id", by_agent),
        2 => ("conversation.resolved", "conversation_id", json!({})),
        3 => ("conversation.reopened", "conversation_id", json!({})),
        4..=6 => ("message.inbound", "conversation_id", json!({})),
        7 | 8 => {
            ("message.outbound", "conversation_id", json!({ "author": "agent", "agent_id": agent_id, "team": team }))
        }
        9 => ("message.outbound", "conversation_id", json!({ "author": "bot" })),
        10 => ("delivery.sent", "message_id", by_agent),
        11 => ("delivery.delivered", "message_id", json!({})),
        12 => ("delivery.read", "message_id", json!({})),
        13 => ("delivery.failed", "message_id", json!({})),
        14 => ("ticket.opened", "ticket_id", json!({ "priority": priority, "agent_id": agent_id, "team": team })),
        _ => ("ticket.resolved", "ticket_id", json!({})),
    };
    let mut event = json!({
        "id": format!("{what}-{thing}-{minute}-{agent}"),
        "type": r#type,
        "occurred_at": moment(minute),
        "channel": "whatsapp",
        field: format!("{field}-{thing}"),
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// What the strip of somebody has to say of a window, from the raw events alone.
#[derive(Debug, Default, PartialEq)]
struct Reckoned {
    active: i64,
    waits: Vec<i64>,
    sent: i64,
    arrived: i64,
    tickets: i64,
    messages: i64,
}

/// Goes through each thing's events minute by minute, the way one would tell it aloud.
fn reckon(events: &[Value], sees: impl Fn(&Value, &Value) -> bool, from: Timestamp, to: Timestamp) -> Reckoned {
    let mut things: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for event in events {
        let thing =
            ["conversation_id", "message_id", "ticket_id"].iter().find_map(|field| event[field].as_str()).unwrap();
        things.entry(thing.into()).or_default().push(event);
    }
    let time = |event: &Value| at(event["occurred_at"].as_str().unwrap());
    let null = Value::Null;
    let mut sum = Reckoned::default();
    for (thing, mut told) in things {
        told.sort_by_key(|event| time(event));
        let in_window = |event: &Value| from <= time(event) && time(event) < to;
        if thing.starts_with("message_id") {
            let sent = told.iter().find(|event| event["type"] == "delivery.sent").unwrap_or(&told[0]);
            let named = |field: &str| {
                let all = std::iter::once(sent).chain(&told);
                all.map(|event| event[field].clone()).find(|value| !value.is_null()).unwrap_or_default()
            };
            if in_window(sent) && sees(&named("agent_id"), &named("team")) {
                sum.sent += 1;
                let has = |what: &str| told.iter().any(|event| event["type"] == what);
                sum.arrived += i64::from(has("delivery.delivered") || has("delivery.read"));
            }
            continue;
        }
        let (mut agent, mut team) = (null.clone(), null.clone());
        let (mut open, mut waiting) = (true, None);
        for event in told.iter().filter(|event| time(event) < to) {
            let what = event["type"].as_str().unwrap();
            if thing.starts_with("ticket_id") {
                if !event["agent_id"].is_null() {
                    (agent, team) = (event["agent_id"].clone(), event["team"].clone());
                }
                open &= what != "ticket.resolved";
                continue;
            }
            match what {
                "conversation.assigned" => (agent, team) = (event["agent_id"].clone(), event["team"].clone()),
                "conversation.reopened" => open = true,
                "conversation.resolved" => (open, waiting) = (false, None),
                "message.inbound" => {
                    open = true;
                    waiting.get_or_insert(time(event));
                    sum.messages += i64::from(in_window(event) && sees(&agent, &team));
                }
                "message.outbound" if event["author"] == "agent" => {
                    let is_seen = in_window(event) && sees(&event["agent_id"], &event["team"]);
                    sum.messages += i64::from(is_seen);
                    if let Some(since) = waiting.take()
                        && is_seen
                    {
                        sum.waits.push(time(event).duration_since(since).as_secs());
                    }
                }
                "message.outbound" => sum.messages += i64::from(in_window(event) && sees(&agent, &team)),
                _ => {}
            }
        }
        if open && told.iter().any(|event| time(event) < to) && sees(&agent, &team) {
            match thing.starts_with("ticket_id") {
                true => sum.tickets += 1,
                false => sum.active += 1,
            }
        }
    }
    sum
}

fn shown(strip: &Value) -> (i64, i64, Value, i64, Value, i64, i64) {
    (
        strip["active_conversations"]["value"].as_i64().unwrap(),
        strip["average_response_time"]["n"].as_i64().unwrap(),
        strip["average_response_time"]["value"].clone(),
        strip["whatsapp_delivery_rate"]["n"].as_i64().unwrap(),
        strip["whatsapp_delivery_rate"]["value"].clone(),
        strip["open_tickets"]["value"].as_i64().unwrap(),
        strip["messages_today"]["value"].as_i64().unwrap(),
    )
}

fn expected(sum: &Reckoned) -> (i64, i64, Value, i64, Value, i64, i64) {
    let n = sum.waits.len() as i64;
    let mean = match n {
        0 => Value::Null,
        n => json!((sum.waits.iter().sum::<i64>() as f64 / n as f64 * 10.0).round() / 10.0),
    };
    let rate = match sum.sent {
        0 => Value::Null,
        sent => json!((sum.arrived as f64 / sent as f64 * 10_000.0).round() / 10_000.0),
    };
    (sum.active, n, mean, sum.sent, rate, sum.tickets, sum.messages)
}

async fn holds(zone: &str, seeds: Vec<Seed>, cuts: (usize, usize), (from, to): (Timestamp, Timestamp)) {
    // Two things at the same minute have no order that a reckoning could know.
    let mut minutes = BTreeSet::new();
    let events: Vec<Value> = seeds.into_iter().filter(|seed| minutes.insert(seed.2)).map(told).collect();
    let desk = Desk::in_zone(zone).await;
    let cut = cuts.0 % (events.len() + 1);
    let again = cuts.1 % (events.len() + 1);
    // All is old by now, so that no message waits for its outcome any more; the runs in between see a part of it.
    for (nth, batch) in [&events[..cut], &events[again..], &events[cut..]].into_iter().enumerate() {
        if !batch.is_empty() {
            desk.report(batch, &format!("2026-11-23T0{nth}:00:00Z")).await;
        }
        desk.fold(Period::Weekly, &format!("2026-11-23T0{nth}:30:00Z")).await;
    }
    let now = "2026-11-24T12:00:00Z";
    desk.fold(Period::Weekly, now).await;

    for (who, role, claims, sees) in [
        (
            "the tenant",
            Role::Owner,
            vec![],
            Box::new(|_: &Value, _: &Value| true) as Box<dyn Fn(&Value, &Value) -> bool>,
        ),
        ("north", Role::Supervisor, vec![("team", "north")], Box::new(|_, team: &Value| team == "north")),
        ("ana", Role::Agent, vec![("sub", "ana")], Box::new(|agent, _| agent == "ana")),
        ("cy", Role::Agent, vec![("sub", "cy")], Box::new(|agent, _| agent == "cy")),
    ] {
        let call = desk.somebody(role, &claims);
        let (status, body) = desk.kpi(call, &format!("from={from}&to={to}"), now).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            shown(&body["data"]["kpis"]),
            expected(&reckon(&events, &sees, from, to)),
            "{who}, {from} to {to}, {events:#?}"
        );
    }
}

#[test]
fn random_activity_told_in_any_order_is_reckoned_right() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let seed = (0..16u8, 0..2u8, 0..MINUTES, 0..3u8);
    let seeds = prop::collection::vec(seed, 1..200);
    let days = (0..72i64, 0..72i64);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(16) });
    runner
        .run(&(seeds, (any::<usize>(), any::<usize>()), days, any::<bool>()), |(seeds, cuts, hours, plain)| {
            // In the second zone hours are cut at half past.
            let (zone, past) = if plain { ("Europe/Lisbon", 0) } else { ("Asia/Kolkata", 30) };
            let cut_at = |hour: i64| moment(hour * 60 + past);
            runtime.block_on(holds(
                zone,
                seeds,
                cuts,
                (cut_at(hours.0.min(hours.1)), cut_at(hours.0.max(hours.1) + 1)),
            ));
            Ok(())
        })
        .unwrap();
}
