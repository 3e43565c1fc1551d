use insta::assert_json_snapshot;
use make_operations::metrics;
use serde_json::{Value, json};
use shared::{
    gate::Role,
    http::Call,
    id::ClientId,
    scenario::Owner,
    sheet::{Cell, Sheet, Stated, Subject},
    testing::{Units, nobody, person, person_with, table},
    usage::{OperationType, ScenarioStatus},
};

use crate::{
    World,
    desk::{body, execution},
    pointers, row,
    world::{now, today},
};

/// Two days of the company and of a client.
async fn busy() -> World {
    let world = World::new().await;
    world
        .store(json!([
            row("2026-07-20", json!({})),
            row("2026-07-21", json!({ "operations_count": 50, "cost_usd": 0.0125, "success_count": 40, "error_count": 10, "status": "error" })),
            row("2026-07-21", json!({ "client_slug": "inn", "operation_type": "call", "scenario_id": "777", "scenario_name": "Calls",
                "operations_count": 10, "cost_usd": "1.10", "success_count": 10, "error_count": 0 })),
        ]))
        .await;
    world
}

fn dates(data: &Value) -> Vec<&str> {
    data["by_day"].as_array().unwrap().iter().map(|day| day["date"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everything_is_told_at_once() {
    let world = busy().await;

    let mut data = world.see("start_date=2026-07-19&end_date=2026-07-21").await;

    let types: Vec<Value> = data["by_operation_type"]
        .take()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["operation_type"], one["operations_count"]]))
        .collect();
    assert_eq!(
        json!(types),
        json!([["call", 10], ["admin", 0], ["marketing", 0], ["notification", 0], ["evaluation", 0], ["general", 200]])
    );
    let data = data.to_string().replace(&world.inn.to_string(), "[inn]").replace(&world.spa.to_string(), "[spa]");
    assert_json_snapshot!(serde_json::from_str::<Value>(&data).unwrap(), @r#"
    {
      "achieved": [],
      "by_client": [
        {
          "client_id": null,
          "client_name": null,
          "client_slug": null,
          "cost_usd": 7.5125,
          "credits": 0.0,
          "credits_complete": false,
          "empty_count": 0,
          "error_count": 15,
          "error_rate": 7.5,
          "mapped": true,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 200,
          "success_count": 185,
          "success_rate": 92.5,
          "transfer_bytes": 0,
          "unhealthy_rate": 7.5,
          "warning_count": 0
        },
        {
          "client_id": "[inn]",
          "client_name": "INN",
          "client_slug": "inn",
          "cost_usd": 1.1,
          "credits": 0.0,
          "credits_complete": false,
          "empty_count": 0,
          "error_count": 0,
          "error_rate": 0.0,
          "mapped": true,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 10,
          "success_count": 10,
          "success_rate": 100.0,
          "transfer_bytes": 0,
          "unhealthy_rate": 0.0,
          "warning_count": 0
        },
        {
          "client_id": "[spa]",
          "client_name": "SPA",
          "client_slug": "spa",
          "cost_usd": 0.0,
          "credits": 0.0,
          "credits_complete": true,
          "empty_count": 0,
          "error_count": 0,
          "error_rate": null,
          "mapped": true,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 0,
          "success_count": 0,
          "success_rate": null,
          "transfer_bytes": 0,
          "unhealthy_rate": null,
          "warning_count": 0
        }
      ],
      "by_day": [
        {
          "cost_usd": 0.0,
          "credits": 0.0,
          "credits_complete": true,
          "date": "2026-07-19",
          "empty_count": 0,
          "error_count": 0,
          "error_rate": null,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 0,
          "success_count": 0,
          "success_rate": null,
          "transfer_bytes": 0,
          "unhealthy_rate": null,
          "warning_count": 0
        },
        {
          "cost_usd": 7.5,
          "credits": 0.0,
          "credits_complete": false,
          "date": "2026-07-20",
          "empty_count": 0,
          "error_count": 5,
          "error_rate": 3.33,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 150,
          "success_count": 145,
          "success_rate": 96.67,
          "transfer_bytes": 0,
          "unhealthy_rate": 3.33,
          "warning_count": 0
        },
        {
          "cost_usd": 1.1125,
          "credits": 0.0,
          "credits_complete": false,
          "date": "2026-07-21",
          "empty_count": 0,
          "error_count": 10,
          "error_rate": 16.67,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 60,
          "success_count": 50,
          "success_rate": 83.33,
          "transfer_bytes": 0,
          "unhealthy_rate": 16.67,
          "warning_count": 0
        }
      ],
      "by_operation_type": null,
      "by_scenario": [
        {
          "client_id": null,
          "cost_usd": 7.5125,
          "credits": 0.0,
          "credits_complete": false,
          "daily_average": 66.67,
          "empty_count": 0,
          "error_count": 15,
          "error_rate": 7.5,
          "last_date": "2026-07-21",
          "mapped": true,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 200,
          "operations_limit": 1000,
          "scenario_id": "12345",
          "scenario_name": "Lead Processing",
          "status": "error",
          "success_count": 185,
          "success_rate": 92.5,
          "transfer_bytes": 0,
          "unhealthy_rate": 7.5,
          "warning_count": 0
        },
        {
          "client_id": "[inn]",
          "cost_usd": 1.1,
          "credits": 0.0,
          "credits_complete": false,
          "daily_average": 3.33,
          "empty_count": 0,
          "error_count": 0,
          "error_rate": 0.0,
          "last_date": "2026-07-21",
          "mapped": true,
          "mean_duration_ms": null,
          "minutes_saved": 0.0,
          "operations_count": 10,
          "operations_limit": 1000,
          "scenario_id": "777",
          "scenario_name": "Calls",
          "status": "active",
          "success_count": 10,
          "success_rate": 100.0,
          "transfer_bytes": 0,
          "unhealthy_rate": 0.0,
          "warning_count": 0
        }
      ],
      "call_operations": {
        "cost_usd": 1.1,
        "credits": 0.0,
        "credits_complete": false,
        "empty_count": 0,
        "error_count": 0,
        "error_rate": 0.0,
        "mean_duration_ms": null,
        "minutes_saved": 0.0,
        "operations_count": 10,
        "success_count": 10,
        "success_rate": 100.0,
        "transfer_bytes": 0,
        "unhealthy_rate": 0.0,
        "warning_count": 0
      },
      "non_call_operations": {
        "cost_usd": 7.5125,
        "credits": 0.0,
        "credits_complete": false,
        "empty_count": 0,
        "error_count": 15,
        "error_rate": 7.5,
        "mean_duration_ms": null,
        "minutes_saved": 0.0,
        "operations_count": 200,
        "success_count": 185,
        "success_rate": 92.5,
        "transfer_bytes": 0,
        "unhealthy_rate": 7.5,
        "warning_count": 0
      },
      "pending_days": [],
      "previous": {
        "cost_change": null,
        "cost_usd": 0.0,
        "credits": 0.0,
        "credits_complete": true,
        "daily_average": 0.0,
        "empty_count": 0,
        "end_date": "2026-07-18",
        "error_count": 0,
        "error_rate": null,
        "mean_duration_ms": null,
        "minutes_saved": 0.0,
        "operations_change": null,
        "operations_count": 0,
        "start_date": "2026-07-16",
        "success_count": 0,
        "success_rate": null,
        "success_rate_change": null,
        "transfer_bytes": 0,
        "unhealthy_rate": null,
        "warning_count": 0
      },
      "range": {
        "days": 3,
        "end_date": "2026-07-21",
        "start_date": "2026-07-19",
        "time_zone": "Europe/Lisbon"
      },
      "totals": {
        "cost_usd": 8.6125,
        "credits": 0.0,
        "credits_complete": false,
        "daily_average": 70.0,
        "empty_count": 0,
        "error_count": 15,
        "error_rate": 7.14,
        "last_sync_at": "2026-07-21T23:20:00Z",
        "mean_duration_ms": null,
        "minutes_saved": 0.0,
        "operations_count": 210,
        "scenario_count": 2,
        "success_count": 195,
        "success_rate": 92.86,
        "transfer_bytes": 0,
        "unhealthy_rate": 7.14,
        "warning_count": 0
      }
    }
    "#);
}

#[tokio::test]
async fn money_leaves_as_it_came() {
    let world = busy().await;
    let call = person(world.tenant, Role::Owner).with_query("start_date=2026-07-20&end_date=2026-07-21").at(now());

    let reply = metrics::handle(&world.metrics, call).await.unwrap();

    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(text.contains(r#""credits_complete":false,"cost_usd":8.6125,"#), "{text}");
    assert!(
        text.contains(
            r#""call_operations":{"operations_count":10,"credits":0.00,"credits_complete":false,"cost_usd":1.10,"#
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_client_is_asked_for_by_id_or_slug() {
    let world = busy().await;
    for query in [format!("client_id={}", world.inn), "client_slug=inn".into()] {
        let data = world.see(&query).await;
        assert_eq!(data["totals"]["operations_count"], 10, "{query}");
        assert_eq!(data["by_client"].as_array().unwrap().len(), 1);
    }
    assert_eq!(world.see("client_slug=spa").await["totals"]["operations_count"], 0);
}

#[tokio::test]
async fn type_and_scenario_narrow_it_down() {
    let world = busy().await;
    let calls = world.see("operation_type=call").await;
    assert_eq!(
        (&calls["totals"]["operations_count"], &calls["non_call_operations"]["operations_count"]),
        (&json!(10), &json!(0))
    );
    assert_eq!(calls["by_operation_type"].as_array().unwrap().len(), 1);
    let scenario = world.see("scenario_id=12345").await;
    assert_eq!(
        (&scenario["totals"]["operations_count"], &scenario["totals"]["scenario_count"]),
        (&json!(200), &json!(1))
    );
}

#[tokio::test]
async fn a_preset_ends_today_in_the_tenants_zone() {
    let world = World::new().await;
    for (query, first, days) in [
        ("preset=24h", "2026-07-21", 2),
        ("preset=7d", "2026-07-16", 7),
        ("preset=30d", "2026-06-23", 30),
        ("preset=90d", "2026-04-24", 90),
        ("", "2026-06-23", 30),
        ("end_date=2026-03-31", "2026-03-02", 30),
        ("start_date=2026-07-01", "2026-07-01", 22),
        ("start_date=2025-07-22", "2025-07-22", 366),
    ] {
        let data = world.see(query).await;
        let dates = dates(&data);
        assert_eq!((dates[0], dates.len(), &data["range"]["days"]), (first, days, &json!(days)), "{query}");
        assert_eq!(data["range"]["time_zone"], "Europe/Lisbon");
    }
}

#[tokio::test]
async fn the_average_is_over_all_days_of_the_range() {
    let world = busy().await;
    let data = world.see("preset=7d").await;
    assert_eq!(data["totals"]["daily_average"], 30.0);
    assert_eq!(data["by_scenario"][0]["daily_average"], 28.57);
}

#[tokio::test]
async fn without_usage_there_is_no_rate() {
    let world = World::new().await;
    let data = world.see("").await;
    assert_eq!((&data["totals"]["success_rate"], &data["totals"]["operations_count"]), (&json!(null), &json!(0)));
    assert_eq!(data["by_scenario"], json!([]));
}

#[tokio::test]
async fn one_name_at_two_clients_is_two_scenarios() {
    let world = World::new().await;
    world
        .store(json!([
            row("2026-07-21", json!({ "client_slug": "inn" })),
            row("2026-07-21", json!({ "client_slug": "spa" }))
        ]))
        .await;
    assert_eq!(world.see("").await["totals"]["scenario_count"], 2);
}

#[tokio::test]
async fn a_range_of_many_pages_is_folded_whole() {
    let world = World::new().await;
    for day in 1..=3 {
        let rows: Value = (0..1_000)
            .map(|n| row(&format!("2026-07-{day:02}"), json!({ "scenario_id": n, "description": "d".repeat(400) })))
            .collect();
        world.store(rows).await;
    }
    let data = world.see("").await;
    assert_eq!(
        (&data["totals"]["operations_count"], &data["totals"]["scenario_count"]),
        (&json!(450_000), &json!(1_000))
    );
}

#[tokio::test]
async fn the_company_is_for_supervisors_and_above() {
    let world = busy().await;
    for (role, operations, sources) in [(Role::Agent, 10, 2), (Role::Supervisor, 210, 3), (Role::Owner, 210, 3)] {
        let (status, answer) = world.ask(person(world.tenant, role), "").await;
        assert_eq!(status, 200);
        assert_eq!(answer["data"]["totals"]["operations_count"], operations, "{role:?}");
        assert_eq!(answer["data"]["by_client"].as_array().unwrap().len(), sources, "{role:?}");
    }
}

#[tokio::test]
async fn who_is_limited_to_a_client_sees_that_client_alone() {
    let world = busy().await;
    let limited = |client: ClientId| person_with(world.tenant, Role::Owner, &[("client", &client.to_string())]);

    let (_, inn) = world.ask(limited(world.inn), "").await;
    assert_eq!(inn["data"]["totals"]["operations_count"], 10);
    assert_eq!(inn["data"]["by_client"].as_array().unwrap().len(), 1);

    let own = format!("client_id={}", world.inn);
    assert_eq!(world.ask(limited(world.inn), &own).await.0, 200);
    for query in [own.as_str(), "client_slug=inn"] {
        assert_eq!(world.ask(limited(world.spa), query).await.0, 404, "{query}");
    }
}

#[tokio::test]
async fn a_strangers_client_looks_like_none() {
    let world = busy().await;
    let stranger = World::over(world.table.clone()).await;
    let foreign = stranger.ask(person(stranger.tenant, Role::Owner), &format!("client_id={}", world.inn)).await;
    let missing = stranger.ask(person(stranger.tenant, Role::Owner), &format!("client_id={}", ClientId::new())).await;
    let nonsense = stranger.ask(person(stranger.tenant, Role::Owner), "client_id=nonsense").await;
    let slug = stranger.ask(person(stranger.tenant, Role::Owner), &format!("client_slug={}", "x".repeat(3_000))).await;

    assert_eq!(foreign.0, 404);
    assert!([missing, nonsense, slug].iter().all(|answer| *answer == foreign));
    assert_eq!(stranger.see("").await["totals"]["operations_count"], 0);
    assert_eq!(world.ask(nobody(), "").await.0, 401);
}

#[tokio::test]
async fn nonsense_is_refused_all_at_once() {
    let world = World::new().await;
    for (query, at) in [
        ("preset=1y", vec!["?preset"]),
        ("preset=7d&start_date=2026-07-01", vec!["?preset"]),
        (
            "start_date=yesterday&end_date=2026-02-30&operation_type=gossip&colour=red",
            vec!["?start_date", "?end_date", "?operation_type", "?colour"],
        ),
        ("start_date=2026-07-02&end_date=2026-07-01", vec!["?start_date"]),
        ("start_date=2025-07-21", vec!["?start_date"]),
        ("start_date=0000-01-01&end_date=9999-12-31", vec!["?start_date"]),
        ("start_date=0000-01-01&end_date=0000-01-02", vec!["?start_date"]),
        ("start_date=1969-12-31&end_date=1970-01-02", vec!["?start_date"]),
        ("client_id=a&client_slug=b", vec!["?client_slug"]),
    ] {
        let (status, answer) = world.ask(person(world.tenant, Role::Owner), query).await;
        assert_eq!((status, pointers(&answer)), (400, at), "{query}");
    }
}

#[tokio::test]
async fn who_has_it_already_is_told_so() {
    let world = busy().await;
    let call = || person(world.tenant, Role::Owner).at(now());
    let first = metrics::handle(&world.metrics, call()).await.unwrap();
    assert_eq!(first.headers["cache-control"], "private, max-age=30");
    let tag = first.headers["etag"].to_str().unwrap();

    assert_eq!(world.ask(call().with_header("if-none-match", tag), "").await.0, 304);
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    for day in 1..=20 {
        let rows: Value = (0..20)
            .map(|n| row(&format!("2026-07-{day:02}"), json!({ "scenario_id": n, "client_slug": "inn" })))
            .collect();
        world.store(rows).await;
    }
    world.see("client_slug=inn").await;
    units.take();

    world.see("client_slug=inn").await;

    let (write, read) = units.take();
    assert!(write <= 0.0 && read <= 30.0, "{write} WCU, {read} RCU for 400 rows");
}

#[tokio::test]
async fn a_day_of_very_many_scenarios_is_told_whole() {
    let world = World::new().await;
    for hundred in 0..6 {
        let name = "ü".repeat(200);
        let rows: Value = (0..100)
            .map(|n| row("2026-07-20", json!({ "scenario_id": format!("{hundred}-{n}"), "scenario_name": name })))
            .collect();
        world.store(rows).await;
    }
    let data = world.see("").await;
    assert_eq!((&data["totals"]["operations_count"], &data["totals"]["scenario_count"]), (&json!(90_000), &json!(600)));
    assert_eq!(data["by_scenario"].as_array().unwrap().len(), 600);
}

#[tokio::test]
async fn the_window_before_is_as_long_and_told_beside() {
    let world = busy().await;
    let data = world.see("start_date=2026-07-21&end_date=2026-07-21").await;
    let previous = &data["previous"];
    assert_eq!((&previous["start_date"], &previous["end_date"]), (&json!("2026-07-20"), &json!("2026-07-20")));
    assert_eq!((&previous["operations_count"], &previous["operations_change"]), (&json!(150), &json!(-60.0)));
    let one = world.see("start_date=2026-07-21&end_date=2026-07-21&scenario_id=12345").await;
    assert_eq!((&one["previous"]["operations_count"], &one["previous"]["cost_change"]), (&json!(150), &json!(-99.83)));
    let calls = world.see("start_date=2026-07-21&end_date=2026-07-21&operation_type=call").await;
    assert_eq!(
        (&calls["previous"]["operations_count"], &calls["previous"]["operations_change"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(world.see("compare=false").await["previous"], Value::Null);
}

#[tokio::test]
async fn a_table_for_spreadsheets_holds_no_formula() {
    let world = World::new().await;
    world
        .store(json!([
            row("2026-07-20", json!({ "scenario_name": "=HYPERLINK(\"x\")", "client_slug": "inn" })),
            row("2026-07-21", json!({ "scenario_name": "Leads, \"hot\"" })),
        ]))
        .await;
    let call = person(world.tenant, Role::Owner).with_query("format=csv").at(now());
    let reply = metrics::handle(&world.metrics, call).await.unwrap();
    assert_eq!(
        reply.headers["content-disposition"],
        "attachment; filename=\"make-operations-2026-06-23-2026-07-22.csv\""
    );
    let text = String::from_utf8(reply.body.to_vec()).unwrap().replace(&world.inn.to_string(), "[inn]");
    assert_eq!((text.matches("\r\n").count(), text.matches('\n').count()), (3, 3), "lines end as RFC 4180 says");
    let text = text.replace("\r\n", "\n");
    insta::assert_snapshot!(text, @r#"
    date,client_id,client_slug,scenario_id,scenario_name,operation_type,operations_count,credits,cost,currency,success_count,warning_count,error_count,empty_count,minutes_saved,transfer_bytes,mapped
    2026-07-20,[inn],inn,12345,"'=HYPERLINK(""x"")",general,150,,7.50,USD,145,0,5,0,0,0,true
    2026-07-21,,,12345,"Leads, ""hot""",general,150,,7.50,USD,145,0,5,0,0,0,true
    "#);
}

/// Cells of the company on a day, as the fold stores them.
async fn sheet_of(world: &World, cells: usize, name: &str) {
    let stated = Stated { name: name.into(), status: ScenarioStatus::Active, limit: None };
    let cell = Cell { operations: 1, stated: Some(stated), ..Cell::default() };
    let subject = |n| Subject { operation_type: OperationType::General, by_id: true, scenario: format!("{n}") };
    let (tenant, owner, date) = (world.tenant, Owner::Company, today());
    let cells = (0..cells).map(|n| (subject(n), cell.clone())).collect();
    for sheet in (Sheet { tenant, owner, date, nth: 0, cells, told_at: None }).rows() {
        world.table.put(&sheet).await.unwrap();
    }
}

#[tokio::test]
async fn what_no_answer_holds_is_refused_in_both_forms() {
    let world = World::new().await;
    let ask = async |query| world.ask(person(world.tenant, Role::Owner), query).await;
    sheet_of(&world, 13_001, "n").await;
    let (status, answer) = ask("").await;
    assert_eq!((status, pointers(&answer)), (400, vec!["?start_date"]));
    let call = person(world.tenant, Role::Owner).with_query("format=csv").at(now());
    assert!(metrics::handle(&world.metrics, call).await.is_ok(), "a line of it is short");

    let other = World::over(world.table.clone()).await;
    sheet_of(&other, 12_999, &"ü".repeat(200)).await;
    for query in ["", "format=csv"] {
        let (status, answer) = other.ask(person(other.tenant, Role::Owner), query).await;
        assert_eq!((status, pointers(&answer)), (400, vec!["?start_date"]), "{query}");
    }
}

fn limited_to(world: &World, client: ClientId) -> Call {
    person_with(world.tenant, Role::Owner, &[("client", &client.to_string())])
}

#[tokio::test]
async fn a_scenario_of_somebody_else_is_called_as_it_was_stated_or_by_its_id() {
    let world = World::new().await;
    world.hear(body(json!([execution("2026-07-20T10:00:00Z", json!({}))]))).await;
    world.map("12345", json!({ "client_slug": "inn", "operations_limit": 7 })).await;
    world
        .store(json!([row("2026-07-19", json!({ "scenario_id": "6", "scenario_name": "Then", "client_slug": "inn" }))]))
        .await;
    world.hear(json!({ "scenario_id": "6", "scenario_name": "Now", "client_slug": "inn", "executions": [] })).await;
    let named = async |client: ClientId| {
        let (_, answer) = world.ask(limited_to(&world, client), "").await;
        let of = |one: &Value| (one["scenario_name"].clone(), one["operations_limit"].clone());
        answer["data"]["by_scenario"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let mine = [(json!("Now"), json!(1000)), (json!("Lead Processing"), json!(7))];
    assert_eq!(named(world.inn).await, mine);

    for (id, name) in [("12345", "Secret 1"), ("6", "Secret 2")] {
        assert_eq!(world.map(id, json!({ "client_slug": "spa", "operations_limit": 9 })).await.0, 200);
        let run = execution("2026-07-22T10:00:00Z", json!({}));
        world.hear(json!({ "scenario_id": id, "scenario_name": name, "executions": [run] })).await;
    }
    world.fold().await;

    assert_eq!(named(world.inn).await, [(json!("Then"), json!(1000)), (json!("12345"), Value::Null)]);
    assert_eq!(named(world.spa).await, [(json!("Secret 1"), json!(9)), (json!("Secret 2"), json!(9))]);
    let call = limited_to(&world, world.inn).with_query("format=csv").at(now());
    let text = String::from_utf8(metrics::handle(&world.metrics, call).await.unwrap().body.to_vec()).unwrap();
    assert!(text.contains(",Then,") && !text.contains("Secret"), "{text}");
}

#[tokio::test]
async fn what_others_stated_is_not_read_for_one_client() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    let mine = json!([row("2026-07-21", json!({ "client_slug": "inn" }))]);
    assert_eq!(world.send(world.posting(mine)).await.0, 200);
    let theirs = (0..500).map(|n| row("2026-07-21", json!({ "scenario_id": n, "client_slug": "spa" })));
    assert_eq!(world.send(world.posting(theirs.collect())).await.0, 200);
    world.ask(limited_to(&world, world.inn), "").await;
    units.take();

    let (_, answer) = world.ask(limited_to(&world, world.inn), "").await;

    let (_, read) = units.take();
    assert_eq!(answer["data"]["totals"]["operations_count"], 150);
    assert!(read <= 10.0, "{read} RCU");
    assert_eq!(world.see("").await["totals"]["operations_count"], 501 * 150);
}
