use dashboard::{aggregate::Period, kpi};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::{
    activity::Channel,
    gate::Role,
    snapshot::{Cell, Metric, Progress, Scope, Series, Snapshot, Span},
    testing::{self, Units, nobody, person_with, stranger, told},
};

use crate::desk::{Desk, at, event, inbound, reply, status};

const NOW: &str = "2026-11-21T10:00:00Z";

async fn busy() -> Desk {
    let desk = Desk::in_zone("UTC").await;
    let on = |agent: &str, team: &str, conversation: &str| {
        let more = json!({ "conversation_id": conversation, "agent_id": agent, "team": team });
        event("conversation.assigned", "2026-11-21T08:00:00Z", more)
    };
    let mut all = vec![on("ana", "north", "c1"), on("bo", "south", "c2")];
    all.extend([inbound("c1", "2026-11-21T08:10:00Z"), reply("c1", "2026-11-21T08:14:00Z", "ana")]);
    all.extend([inbound("c2", "2026-11-21T09:10:00Z"), inbound("c2", "2026-11-21T09:11:00Z")]);
    all.extend([status("sent", "w1", "2026-11-21T08:14:00Z"), status("read", "w1", "2026-11-21T09:15:00Z")]);
    all.extend([status("failed", "w2", "2026-11-21T09:15:01Z"), status("sent", "w2", "2026-11-21T09:15:00Z")]);
    all.push(event(
        "ticket.opened",
        "2026-11-21T07:00:00Z",
        json!({ "ticket_id": "t1", "priority": "urgent", "agent_id": "bo" }),
    ));
    desk.report(&all, NOW).await;
    desk.fold(Period::Hourly, NOW).await;
    desk
}

fn values(strip: &Value) -> [Value; 5] {
    ["active_conversations", "average_response_time", "whatsapp_delivery_rate", "open_tickets", "messages_today"]
        .map(|kpi| strip[kpi]["value"].clone())
}

#[tokio::test]
async fn the_strip_of_a_busy_morning() {
    let desk = busy().await;

    let (status, body) = desk.kpi(desk.owner(), "", NOW).await;

    assert_eq!(status, 200);
    insta::assert_json_snapshot!(body["data"]["kpis"]["average_response_time"], @r#"
    {
      "as_of": "2026-11-21T10:00:00Z",
      "complete": true,
      "definition": "Mean time from a customer's first unanswered message to a person's reply, by the clock; credited to whoever replied, when they did. Bots do not answer. p50 and p90 are within 1 %.",
      "definition_version": 1,
      "excluded_n": 0,
      "n": 1,
      "p50": 242.3,
      "p90": 242.3,
      "sla": {
        "state": "good",
        "target_s": 300
      },
      "trend": {
        "change": null,
        "change_percent": null,
        "direction": "unknown",
        "previous": null
      },
      "unit": "seconds",
      "value": 240.0
    }
    "#);
    assert_eq!(values(&body["data"]["kpis"]), [json!(2), json!(240.0), json!(0.5), json!(1), json!(4)]);
    assert_eq!(
        body["data"]["kpis"]["open_tickets"]["by_priority"],
        json!({ "urgent": 1, "high": 0, "normal": 0, "low": 0 })
    );
    assert_eq!(body["data"]["previous_from"], "2026-11-20T14:00:00Z");
}

#[tokio::test]
async fn everybody_sees_what_is_theirs() {
    let desk = busy().await;
    let see = async |role, claims: &[(&str, &str)]| {
        let (status, body) = desk.kpi(desk.somebody(role, claims), "", NOW).await;
        assert_eq!(status, 200, "{body}");
        (body["data"]["scope"].clone(), values(&body["data"]["kpis"]))
    };

    let ana = see(Role::Agent, &[("sub", "ana")]).await;
    let bo = see(Role::Agent, &[("sub", "bo")]).await;
    let north = see(Role::Supervisor, &[("team", "north")]).await;

    let null = Value::Null;
    assert_eq!(
        ana,
        (json!({ "kind": "agent", "agent_id": "ana" }), [json!(1), json!(240.0), null.clone(), json!(0), json!(2)])
    );
    assert_eq!(
        bo,
        (json!({ "kind": "agent", "agent_id": "bo" }), [json!(1), null.clone(), null.clone(), json!(1), json!(2)])
    );
    assert_eq!(north, (json!({ "kind": "team", "team": "north" }), [json!(1), json!(240.0), null, json!(0), json!(2)]));
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_it() {
    let desk = busy().await;
    let deps = kpi::Deps::new(desk.table.clone());
    // Also right after somebody of the tenant has filled the cache of the same process.
    assert_eq!(told(kpi::handle(&deps, desk.owner().at(at(NOW))).await).0, 200);

    let (status, body) = told(kpi::handle(&deps, stranger().at(at(NOW))).await);

    assert_eq!(status, 200);
    assert_eq!(values(&body["data"]["kpis"]), [json!(0), Value::Null, Value::Null, json!(0), json!(0)]);
}

#[tokio::test]
async fn without_a_token_or_a_place_in_the_tenant_there_is_no_strip() {
    let desk = Desk::in_zone("UTC").await;
    let client = shared::id::ClientId::new().to_string();
    assert_eq!(desk.kpi(nobody(), "", NOW).await.0, 401);
    assert_eq!(desk.kpi(desk.somebody(Role::Supervisor, &[]), "", NOW).await.0, 403);
    assert_eq!(desk.kpi(desk.somebody(Role::Owner, &[("client", &client)]), "", NOW).await.0, 403);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_by_name() {
    let desk = Desk::in_zone("UTC").await;
    for (query, pointer) in [
        ("range=1y", "?range"),
        ("from=2026-11-21T00:00:00Z", "?to"),
        ("to=2026-11-21T00:00:00Z", "?from"),
        ("from=x&to=2026-11-21T00:00:00Z", "?from"),
        ("from=2026-11-21T00:00:00Z&to=2026-11-21T00:00:00Z", "?to"),
        ("from=2024-11-21T00:00:00Z&to=2026-11-21T00:00:00Z", "?to"),
        ("from=-009999-01-02T01:59:59Z&to=-009999-01-03T01:59:59Z", "?from"),
        ("from=9999-12-30T00:00:00Z&to=9999-12-30T21:59:59Z", "?from"),
        ("range=today&from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z", "?range"),
        ("channel=pigeon", "?channel"),
        ("sla_target_s=0", "?sla_target_s"),
        ("sla_target_s=-1", "?sla_target_s"),
        ("agent=ana", "?agent"),
    ] {
        let (status, body) = desk.kpi(desk.owner(), query, NOW).await;
        assert_eq!((status, &body["errors"][0]["pointer"]), (400, &json!(pointer)), "{query}: {body}");
    }
}

#[tokio::test]
async fn one_channel_alone() {
    let desk = busy().await;
    let chat = json!({ "conversation_id": "c9" });
    let mut message = event("message.inbound", "2026-11-21T09:30:00Z", chat);
    message["channel"] = json!("webchat");
    desk.report(&[message], NOW).await;
    desk.fold(Period::Hourly, NOW).await;

    assert_eq!(desk.strip("channel=webchat", NOW).await["messages_today"]["value"], 1);
    assert_eq!(desk.strip("channel=whatsapp", NOW).await["messages_today"]["value"], 4);
    assert_eq!(desk.strip("channel=sms", NOW).await["active_conversations"]["value"], 0);
    assert_eq!(desk.strip("range=24h", NOW).await["messages_today"]["value"], 5);
}

#[tokio::test]
async fn a_window_is_compared_with_the_one_before() {
    let desk = busy().await;
    let strip = desk.strip("from=2026-11-21T09:00:00Z&to=2026-11-21T10:00:00Z", NOW).await;
    assert_eq!(
        strip["messages_today"]["trend"],
        json!({ "previous": 2, "change": 0, "change_percent": 0.0, "direction": "flat" })
    );
    assert_eq!(strip["average_response_time"]["trend"]["previous"], 240.0);
    assert_eq!(strip["active_conversations"]["value"], 2);
}

#[tokio::test]
async fn an_answer_is_good_for_thirty_seconds_and_tagged() {
    let desk = busy().await;
    let deps = kpi::Deps::new(desk.table.clone());
    let ask = async |seconds: i64, tag: &str| {
        let call = desk.owner().with_header("if-none-match", tag).at(now() + SignedDuration::from_secs(seconds));
        kpi::handle(&deps, call).await.unwrap()
    };

    let first = ask(0, "\"none\"").await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();

    assert_eq!(first.headers["cache-control"], "private, max-age=30");
    assert_eq!(ask(29, &tag).await.status, 304);
    assert_eq!(ask(31, &tag).await.status, 200, "the window has moved");
}

/// Rows that have run out in real time are passed over, so what is cached has to be asked now.
fn now() -> Timestamp {
    Timestamp::now()
}

#[tokio::test]
async fn it_costs_the_same_for_any_number_of_events_and_any_window() {
    let units = Units::default();
    let table = testing::table().await.metered(units.meter());
    for (times, label) in [(0, "10⁵"), (8, "10⁷")] {
        let desk = Desk::at_table(table.clone(), "UTC").await;
        history(&desk, times).await;
        for query in ["range=today", "range=24h", "range=7d", "range=30d", "channel=whatsapp"] {
            units.take();
            let (status, body) = desk.kpi(desk.owner(), query, &now().to_string()).await;
            let (_, cold) = units.take();
            assert_eq!(status, 200, "{body}");
            assert!(body.to_string().len() < 4_000, "{} bytes", body.to_string().len());
            desk.kpi(desk.owner(), query, &now().to_string()).await;
            let (_, cached) = units.take();
            println!(
                "{label} {query}: cold {cold}, cached {cached} RCU, n = {}",
                body["data"]["kpis"]["average_response_time"]["n"]
            );
            assert!(cold <= 4.0, "{label} {query}: {cold} RCU cold");
            assert!(cached <= 1.0, "{label} {query}: {cached} RCU cached");
        }
    }
}

/// Waits of the first hour.
const WAITS: i64 = 400;

/// Two months of snapshots as they would stand there: each hour the same, doubled so many times.
async fn history(desk: &Desk, doubled: u32) {
    let mut hour = Cell::default();
    for n in 1..=WAITS {
        // Spread over everything from a second to ten days, so that nearly every bucket is in use.
        hour.responses.add((13.66 * n as f64 / WAITS as f64).exp() as u64);
    }
    for metric in
        [Metric::Inbound, Metric::ByAgent, Metric::WaSent, Metric::WaDelivered, Metric::Responses, Metric::Opened]
    {
        hour.add(metric, WAITS);
    }
    hour.add(Metric::ResponseSeconds, 90_000 * WAITS);
    for _ in 0..doubled {
        hour.merge(&hour.clone()).unwrap();
    }
    let day_of = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    for channel in [None, Some(Channel::Whatsapp)] {
        let series = Series { scope: Scope::Tenant, channel };
        let put = async |span, cell: &Cell, so_far: Option<&Cell>| {
            desk.table
                .put(&Snapshot {
                    tenant: desk.tenant,
                    series: series.clone(),
                    span,
                    revision: 1,
                    cell: cell.clone(),
                    so_far: so_far.cloned(),
                })
                .await
                .unwrap();
        };
        let mut all = Cell::default();
        let today = now().as_second() / 86_400;
        for day in today - 62..=today {
            let mut so_far = Cell::default();
            let midnight = Timestamp::from_second(day * 86_400).unwrap();
            for n in 0..24 {
                so_far.merge(&hour).unwrap();
                if day > today - 3 || day < today - 58 || day % 30 < 4 {
                    put(Span::Hour(day_of(midnight), midnight + SignedDuration::from_hours(n)), &hour, Some(&so_far))
                        .await;
                }
            }
            all.merge(&so_far).unwrap();
            put(Span::AllUntil(day_of(midnight)), &all, None).await;
        }
    }
    desk.table
        .put(&Progress {
            tenant: desk.tenant,
            time_zone: shared::tenant::Zone::UTC,
            as_of: Some(now()),
            busy_until: 0,
            begun: 0,
            failing: false,
        })
        .await
        .unwrap();
    // The first call of a person leases its calls; that is not what is measured.
    let warm = person_with(desk.tenant, Role::Owner, &[]);
    desk.kpi(warm, "channel=other", &now().to_string()).await;
}
