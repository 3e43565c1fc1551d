//! Runs come by webhook, in two forms, twice and late, and count once.

use jiff::civil::date;
use make_operations::ledger;
use serde_json::{Value, json};
use shared::{
    apikey::{ApiKey, Scope},
    gate::Role,
    key,
    run::{Origin, Run, RunDay, RunStatus},
    scenario::{MOST, Owner, ScenarioCount},
    testing::{Units, machine, nobody, person, table},
    usage::OperationType,
};

use crate::{
    World,
    desk::{body, execution, later, record},
    pointers, row,
    world::now,
};

const NOON: &str = "2026-07-21T10:30:00Z";

async fn day(world: &World, scenario: &str, day: i8) -> RunDay {
    world.table.get(key::run_day(world.tenant, date(2026, 7, day), scenario)).await.unwrap()
}

#[tokio::test]
async fn the_body_of_the_source_document_is_taken_word_for_word() {
    let world = World::new().await;
    let webhook = json!({
        "scenario_id": "12345",
        "scenario_name": "Lead Processing",
        "executions": [
            { "status": "success", "operations_consumed": 5, "cost_usd": 0.25, "timestamp": "2026-07-21T10:30:00Z" }
        ]
    });

    let (status, answer) = world.tell(&webhook).await;

    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer,
        json!({ "success": true, "message": "Recorded 1 run", "data": {
            "recorded": 1, "corrected": 0, "repeated": 0, "ignored": 0,
            "operations": [{
                "scenario_name": "Lead Processing", "scenario_id": "12345", "operation_type": "general",
                "date": "2026-07-21", "operations_count": 5, "cost_usd": 0.25, "success_count": 1, "error_count": 0,
                "status": "active",
            }],
        } })
    );
}

#[tokio::test]
async fn the_same_body_again_counts_nothing_twice_and_equals_in_it_count_each() {
    let world = World::new().await;
    let runs = || {
        body(json!([
            execution(NOON, json!({})),
            execution(NOON, json!({})),
            execution(NOON, json!({ "status": "error" }))
        ]))
    };
    assert_eq!(world.hear(runs()).await["recorded"], 3);

    let again = world.hear(runs()).await;

    assert_eq!((&again["recorded"], &again["repeated"]), (&json!(0), &json!(3)));
    let row = &again["operations"][0];
    assert_eq!(
        (&row["operations_count"], &row["success_count"], &row["error_count"]),
        (&json!(15), &json!(2), &json!(1))
    );
    assert_eq!(day(&world, "12345", 21).await.tally().runs(), 3);
}

#[tokio::test]
async fn makes_own_records_come_alone_in_a_list_or_as_its_log_and_are_one() {
    let world = World::new().await;
    let run = || record("da51", "2026-07-21T04:35:44.497Z", json!({ "aFieldOfTomorrow": {} }));
    let mut named = run();
    named["scenario_name"] = json!("Booking intake");
    assert_eq!(world.hear(named).await["recorded"], 1);
    let forms = [json!([run()]), json!({ "scenarioLogs": [run()], "pg": { "limit": 50 } })];
    for form in forms {
        let told = world.hear(form).await;
        assert_eq!((&told["recorded"], &told["repeated"]), (&json!(0), &json!(1)));
    }
    let reported = body(json!([execution(
        "2026-07-21T04:35:44.497Z",
        json!({ "execution_id": "da51", "operations_consumed": 10,
        "centicredits": 1000, "duration": 19979, "transfer": 3942, "cost_usd": null })
    )]));
    let mut reported = reported;
    reported["scenario_id"] = json!(418_339);
    let told = world.hear(reported).await;
    assert_eq!((&told["repeated"], &told["operations"][0]["scenario_name"]), (&json!(1), &json!("Lead Processing")));

    let cell = day(&world, "418339", 21).await.cell(&Default::default());
    assert_eq!((cell.succeeded, cell.operations, cell.centicredits, cell.transfer), (1, 10, Some(1_000), 3_942));
}

#[tokio::test]
async fn a_run_that_says_something_else_now_is_corrected() {
    let world = World::new().await;
    world.hear(json!([record("a", NOON, json!({}))])).await;
    let told = world.hear(json!([record("a", NOON, json!({ "status": 3, "operations": 12 }))])).await;
    assert_eq!(told["corrected"], 1);
    let day = day(&world, "418339", 21).await;
    assert_eq!((day.tally().succeeded, day.tally().failed, day.cell(&Default::default()).operations), (0, 1, 12));
}

#[tokio::test]
async fn who_says_less_takes_nothing_back() {
    let world = World::new().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let full = execution(NOON, json!({ "id": "a", "credits": 5, "duration": 900, "trace_id": trace }));
    let less = json!({ "id": "a", "status": "success", "operations_consumed": 5, "timestamp": NOON });
    for both in [[&full, &less], [&less, &full]] {
        let world = World::over(world.table.clone()).await;
        for run in both {
            world.hear(body(json!([run]))).await;
        }
        let run = world.table.get(key::run(world.tenant, "12345", "a")).await.unwrap();
        assert_eq!(
            (run.centicredits, run.duration_ms, run.trace.map(|trace| trace.to_string())),
            (Some(500), Some(900), Some(trace.into()))
        );
        assert_eq!(run.cost.map(|cost| cost.ten_thousandths()), Some(2_500));
        let cell = day(&world, "12345", 21).await.cell(&Default::default());
        assert_eq!((cell.succeeded, cell.centicredits, cell.cost.ten_thousandths()), (1, Some(500), 2_500));
    }
}

#[tokio::test]
async fn what_only_a_webhook_knows_is_kept_beside_makes_own_log() {
    let world = World::new().await;
    let table = world.table.clone().consistent();
    let told = execution(NOON, json!({ "id": "a", "status": "error", "operations_consumed": 9 }));
    for webhook_first in [true, false] {
        let world = World::over(world.table.clone()).await;
        if webhook_first {
            world.hear(body(json!([told]))).await;
        }
        let started_at = NOON.parse().unwrap();
        let pulled = Run {
            tenant: world.tenant,
            scenario: "12345".into(),
            id: "a".into(),
            started_at,
            date: date(2026, 7, 21),
            hour: 11,
            status: RunStatus::Warning,
            operations: 5,
            centicredits: Some(700),
            transfer: 1,
            duration_ms: Some(9),
            cost: None,
            origin: Origin::Pulled,
            trace: None,
            revision: 0,
            told_at: now(),
        };
        ledger::record(&table, world.tenant, vec![pulled], now()).await.unwrap();
        if !webhook_first {
            assert_eq!(world.hear(body(json!([told]))).await["corrected"], 1);
        }
        assert_eq!(world.hear(body(json!([told]))).await["repeated"], 1);
        let cell = day(&world, "12345", 21).await.cell(&Default::default());
        assert_eq!((cell.warned, cell.failed, cell.operations, cell.centicredits), (1, 0, 5, Some(700)));
        assert_eq!(cell.cost.ten_thousandths(), 2_500);
    }
}

#[tokio::test]
async fn a_pending_run_is_ignored_and_counts_when_it_has_ended() {
    let world = World::new().await;
    let pending = world.hear(json!([record("a", NOON, json!({ "status": 0, "operations": null }))])).await;
    assert_eq!((&pending["ignored"], &pending["recorded"], &pending["operations"]), (&json!(1), &json!(0), &json!([])));
    assert!(world.stored_scenario("418339").await.mapping.is_empty(), "it is listed all the same");
    assert_eq!(world.hear(json!([record("a", NOON, json!({ "status": 2 }))])).await["recorded"], 1);
    assert_eq!(day(&world, "418339", 21).await.tally().warned, 1);
}

#[tokio::test]
async fn an_end_has_many_words() {
    let world = World::new().await;
    let words = [
        (
            "succeeded",
            [json!("success"), json!("SUCCESS"), json!("Succeeded"), json!(1), json!("1"), json!(" completed ")],
        ),
        (
            "warned",
            [json!("warning"), json!("WARNING"), json!(2), json!("2"), json!("warn"), json!("success with warnings")],
        ),
        ("failed", [json!("error"), json!("Failed"), json!(3), json!("3"), json!("failure"), json!("ERROR")]),
    ];
    for (n, (_, words)) in words.iter().enumerate() {
        let runs: Value =
            words.iter().map(|word| execution(&format!("2026-07-1{n}T10:00:00Z"), json!({ "status": word }))).collect();
        world.hear(body(runs)).await;
    }
    let tally = async |n| day(&world, "12345", n).await.tally();
    assert_eq!((tally(10).await.succeeded, tally(11).await.warned, tally(12).await.failed), (6, 6, 6));
}

#[tokio::test]
async fn days_are_the_tenants() {
    let world = World::new().await;
    // Half past midnight in Lisbon.
    let told = world.hear(body(json!([execution("2026-07-20T23:30:00Z", json!({}))]))).await;
    assert_eq!(told["operations"][0]["date"], "2026-07-21");
    assert_eq!(day(&world, "12345", 21).await.tally_of(0).succeeded, 1);
}

#[tokio::test]
async fn all_faults_are_told_at_once_and_nothing_is_stored() {
    let world = World::new().await;
    let mut faulty = body(json!([
        execution(NOON, json!({})),
        { "status": "asleep", "operations_consumed": -1, "cost_usd": 0.00001, "timestamp": "yesterday", "credits": 0.001 },
        "nothing",
        execution("2026-07-23T10:00:00Z", json!({ "colour": "red", "id": {} })),
        execution("2025-06-01T10:00:00Z", json!({ "id": "a", "run_id": "b", "credits": 1, "centicredits": 100, "operations": 5 })),
        execution(NOON, json!({ "scenario_id": "777", "trace_id": "no", "duration": 1.5, "transfer": "9" })),
        execution(NOON, json!({ "imtId": "1_scenario.777.auto.a" })),
        {},
    ]));
    faulty["client_id"] = json!("cli_nobody");
    faulty["client_slug"] = json!("nobody");
    faulty["operation_type"] = json!("gossip");
    faulty["limit"] = json!(1);

    let (status, answer) = world.tell(&faulty).await;

    assert_eq!(status, 400);
    assert_eq!(
        pointers(&answer),
        [
            "/operation_type",
            "/limit",
            "/client_id",
            "/client_slug",
            "/executions/1/status",
            "/executions/1/operations_consumed",
            "/executions/1/cost_usd",
            "/executions/1/timestamp",
            "/executions/1/credits",
            "/executions/2",
            "/executions/3/id",
            "/executions/3/timestamp",
            "/executions/3/colour",
            "/executions/4/run_id",
            "/executions/4/operations",
            "/executions/4/timestamp",
            "/executions/4/centicredits",
            "/executions/5/scenario_id",
            "/executions/5/duration",
            "/executions/5/transfer",
            "/executions/5/trace_id",
            "/executions/6/scenario_id",
            "/executions/7/status",
            "/executions/7/operations_consumed",
            "/executions/7/timestamp",
        ]
    );
    assert!(world.table.find(key::scenario(world.tenant, "12345")).await.unwrap().is_none());
    assert!(world.noted().await.is_empty());
}

#[tokio::test]
async fn whose_runs_they_are_has_to_be_known() {
    let world = World::new().await;
    for (wrong, pointer) in [
        (json!({ "executions": [execution(NOON, json!({}))] }), "/scenario_id"),
        (json!({ "scenario_id": "", "executions": [execution(NOON, json!({}))] }), "/scenario_id"),
        (json!([record("a", NOON, json!({ "imtId": "1_dlq.5.auto.a" }))]), "/0/scenario_id"),
        (json!({ "scenarioLogs": [record("a", NOON, json!({ "imtId": null }))] }), "/scenarioLogs/0/scenario_id"),
        (
            json!([record("a", NOON, json!({ "imtId": format!("1_scenario.{}.auto.a", "1".repeat(2_000)) }))]),
            "/0/scenario_id",
        ),
        (record("a", NOON, json!({ "scenario_id": "1" })), "/imtId"),
        (json!({ "scenario_id": "1", "executions": [], "operation_type": "call" }), "/operation_type"),
    ] {
        let (status, answer) = world.tell(&wrong).await;
        assert_eq!((status, pointers(&answer)), (400, vec![pointer]), "{wrong}");
    }
    let own = json!({ "executions": [execution(NOON, json!({ "scenario_id": 1 })), execution(NOON, json!({ "scenario_id": "2" }))] });
    assert_eq!(world.hear(own).await["operations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nonsense_is_refused_and_never_our_mistake() {
    let world = World::new().await;
    let deep = "[".repeat(200_000);
    let send = async |text: String| world.tell_by(machine(&world.key).posting_bytes(text).at(now())).await.0;
    for text in [
        "",
        "{",
        "null",
        "7",
        "{}",
        "[null]",
        "[[]]",
        r#"{"executions":null}"#,
        r#"{"scenario_id":"1","executions":{}}"#,
        r#"{"executions":[],"scenarioLogs":[]}"#,
        r#"{"scenarioLogs":7}"#,
        r#"{"imtId":7}"#,
        r#"{"status":{}}"#,
        deep.as_str(),
    ] {
        assert_eq!(send(text.into()).await, 400, "{text:.40}");
    }
    assert_eq!(send(format!(r#"{{"executions":"{}"}}"#, "x".repeat(1024 * 1024))).await, 413);
    let whole = body(json!([execution(
        NOON,
        json!({ "id": "a", "credits": 1, "duration": 1, "transfer": 1, "trace_id": "0".repeat(31) + "1" })
    )]));
    for field in whole["executions"][0].as_object().unwrap().keys() {
        for wrong in [json!({}), json!([]), json!(true), json!(-1.5), json!(""), json!("\u{0}"), json!(u64::MAX)] {
            let mut changed = whole.clone();
            changed["executions"][0][field] = wrong.clone();
            let (status, answer) = world.tell(&changed).await;
            assert!(status == 400 || field == "id" && status == 200, "{field} = {wrong}: {status} {answer}");
        }
    }
}

#[tokio::test]
async fn up_to_a_thousand_runs() {
    let world = World::new().await;
    let runs = |n: usize| -> Value { (0..n).map(|n| execution(NOON, json!({ "id": format!("r{n}") }))).collect() };
    for (n, expected) in [(0, 200), (1_000, 200), (1_001, 400)] {
        let (status, answer) = world.tell(&body(runs(n))).await;
        assert_eq!(status, expected, "{n}: {answer}");
        if expected == 400 {
            assert_eq!(pointers(&answer), ["/executions"]);
        }
    }
    assert_eq!(day(&world, "12345", 21).await.tally().runs(), 1_000);
    let (status, answer) =
        world.tell(&json!((0..1_001).map(|n| record(&n.to_string(), NOON, json!({}))).collect::<Vec<_>>())).await;
    assert_eq!((status, pointers(&answer)), (400, vec![""]));
}

#[tokio::test]
async fn no_digit_is_lost() {
    let world = World::new().await;
    let text = format!(
        r#"{{"scenario_id":"12345","executions":[
            {{"status":1,"operations_consumed":1,"timestamp":"{NOON}","id":"a","cost_usd":0.1,"credits":0.29}},
            {{"status":1,"operations_consumed":1,"timestamp":"{NOON}","id":"b","cost_usd":"0.2001","credits":"1e1"}}]}}"#
    );
    let (status, answer) = world.tell_by(machine(&world.key).posting_bytes(text).at(now())).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["operations"][0]["cost_usd"].to_string(), "0.3001");
    let cell = day(&world, "12345", 21).await.cell(&Default::default());
    assert_eq!((cell.centicredits, cell.cost.ten_thousandths()), (Some(1_029), 3_001));
}

#[tokio::test]
async fn a_scenario_that_nobody_knew_is_listed_and_its_name_kept_current() {
    let world = World::new().await;
    world.hear(json!([record("a", NOON, json!({}))])).await;
    assert_eq!(world.stored_scenario("418339").await.name, "418339");
    world.hear(json!([record("a", NOON, json!({ "scenario_name": " Booking intake " }))])).await;
    let scenario = world.stored_scenario("418339").await;
    assert_eq!((scenario.name.as_str(), scenario.mapping.len(), scenario.revision), ("Booking intake", 0, 0));
    world.hear(json!([record("b", NOON, json!({}))])).await;
    assert_eq!(world.stored_scenario("418339").await.name, "Booking intake", "who says no name changes none");
}

#[tokio::test]
async fn a_clients_own_webhook_maps_what_nobody_has_mapped_from_the_start() {
    let world = World::new().await;
    world.hear(body(json!([execution("2026-07-01T10:00:00Z", json!({}))]))).await;
    world.refold(later()).await;
    assert!(world.noted().await.is_empty());
    let own = |slug: &str, at: &str| {
        let mut own = body(json!([execution(at, json!({}))]));
        (own["client_slug"], own["operation_type"]) = (json!(slug), json!("call"));
        own
    };

    let told = world.hear(own("inn", NOON)).await;

    let row = &told["operations"][0];
    assert_eq!((&row["client_id"], &row["operation_type"]), (&json!(world.inn), &json!("call")));
    let mapping = world.stored_scenario("12345").await.mapping;
    assert_eq!((mapping[0].from, mapping[0].owner), (None, Owner::Client(world.inn)));
    assert_eq!(world.noted().await, [date(2026, 7, 1), date(2026, 7, 21)], "its earlier day is the client's, too");
    world.refold(later()).await;
    let owners: Vec<_> = world
        .cells()
        .await
        .into_keys()
        .map(|(owner, date, subject)| (owner, date.day(), subject.operation_type))
        .collect();
    let inn = Owner::Client(world.inn);
    assert_eq!(owners, [(inn, 1, OperationType::Call), (inn, 21, OperationType::Call)]);

    let (status, answer) = world.tell(&own("spa", NOON)).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/client_slug"]));
    let mut other = own("inn", NOON);
    other["operation_type"] = json!("admin");
    let (status, answer) = world.tell(&other).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/operation_type"]));
    other.as_object_mut().unwrap().remove("operation_type");
    assert_eq!(world.hear(other).await["operations"][0]["operation_type"], "call");

    // From the 20th on it is the other client's; what is late of before is still the first one's.
    assert_eq!(
        world.map("12345", json!({ "client_slug": "spa", "operation_type": "call", "from": "2026-07-20" })).await.0,
        200
    );
    assert_eq!(world.tell(&own("spa", NOON)).await.0, 200);
    assert_eq!(world.tell(&own("inn", "2026-07-19T10:00:00Z")).await.0, 200);
    assert_eq!(world.tell(&own("inn", NOON)).await.0, 400);
}

#[tokio::test]
async fn two_clients_that_claim_a_new_scenario_at_once_do_not_both_get_it() {
    let world = World::new().await;
    let own = |slug: &str| {
        let mut own = body(json!([execution(NOON, json!({}))]));
        own["client_slug"] = json!(slug);
        own
    };
    let (inn, spa) = (own("inn"), own("spa"));
    let (one, two) = tokio::join!(world.tell(&inn), world.tell(&spa));
    let mut answers = [one.0, two.0];
    answers.sort_unstable();
    assert!(answers[0] == 200 && [400, 503].contains(&answers[1]), "{one:?} {two:?}");
    assert_eq!(day(&world, "12345", 21).await.tally().runs(), 1);
}

#[tokio::test]
async fn what_it_answers_is_what_sync_takes_and_counts_nothing_twice() {
    let world = World::new().await;
    let mut own = body(json!([
        execution(NOON, json!({})),
        execution(NOON, json!({ "status": "error", "operations_consumed": 1 }))
    ]));
    own["client_id"] = json!(world.inn);
    let rows = world.hear(own).await["operations"].clone();
    world.refold(later()).await;
    let before = world.cells().await;

    let (status, answer) = world.send(world.posting(rows)).await;

    assert_eq!(status, 200, "{answer}");
    world.refold(later()).await;
    assert_eq!(world.cells().await, before);
}

#[tokio::test]
async fn what_was_stated_of_the_same_day_gives_way_to_the_runs() {
    let world = World::new().await;
    let (status, _) = world.send(world.posting(json!([row("2026-07-21", json!({}))]))).await;
    assert_eq!(status, 200);
    world.hear(body(json!([execution(NOON, json!({}))]))).await;
    world.refold(later()).await;
    let cells: Vec<_> = world.cells().await.into_values().collect();
    assert_eq!((cells.len(), cells[0].operations, cells[0].succeeded), (1, 5, 1));
}

#[tokio::test]
async fn five_at_once_count_as_one() {
    let world = World::new().await;
    let runs = body((0..30).map(|n| execution(NOON, json!({ "id": format!("r{n}") }))).collect());
    let tell = || world.tell(&runs);
    let (a, b, c, d, e) = tokio::join!(tell(), tell(), tell(), tell(), tell());
    assert!([&a, &b, &c, &d, &e].iter().all(|(status, _)| *status == 200), "{a:?} {b:?}");
    let recorded: u64 = [a, b, c, d, e].iter().map(|(_, answer)| answer["data"]["recorded"].as_u64().unwrap()).sum();
    assert_eq!((recorded, day(&world, "12345", 21).await.tally().runs()), (30, 30));
}

#[tokio::test]
async fn what_was_told_half_way_is_completed_by_telling_it_again() {
    let world = World::new().await;
    let runs = |n: usize| body((0..n).map(|_| execution(NOON, json!({}))).collect());
    world.hear(runs(70)).await;
    let told = world.hear(runs(200)).await;
    assert_eq!((&told["recorded"], &told["repeated"]), (&json!(130), &json!(70)));
    assert_eq!(day(&world, "12345", 21).await.tally().runs(), 200);
}

#[tokio::test]
async fn the_same_idempotency_key_gets_the_same_answer() {
    let world = World::new().await;
    let call = |n: u64| {
        let run = execution(NOON, json!({ "operations_consumed": n }));
        machine(&world.key).posting(&body(json!([run]))).at(now()).with_header("idempotency-key", "k")
    };
    let first = world.tell_by(call(5)).await;
    assert_eq!((first.0, &first), (200, &world.tell_by(call(5)).await));
    assert_eq!(world.tell_by(call(6)).await.0, 422);
}

#[tokio::test]
async fn a_stranger_touches_nothing_and_only_a_key_of_this_scope_may() {
    let world = World::new().await;
    world.hear(body(json!([execution(NOON, json!({ "id": "a" }))]))).await;
    let stranger = World::over(world.table.clone()).await;
    assert_eq!(
        stranger.hear(body(json!([execution(NOON, json!({ "id": "a", "status": "error" }))]))).await["recorded"],
        1
    );
    let mut foreign = body(json!([execution(NOON, json!({ "id": "b" }))]));
    foreign["client_id"] = json!(world.inn);
    let (status, answer) = stranger.tell(&foreign).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/client_id"]));
    assert_eq!(day(&world, "12345", 21).await.tally().failed, 0);

    let (other, shown) = ApiKey::issue(world.tenant, "other".into(), vec![Scope::Activity], now(), None);
    world.table.put(&other).await.unwrap();
    for (call, expected) in [
        (nobody(), 401),
        (nobody().with_header("authorization", "Bearer cdk_nonsense"), 401),
        (person(world.tenant, Role::Owner), 401),
        (machine(&shown), 403),
    ] {
        assert_eq!(world.tell_by(call.posting(&foreign).at(now())).await.0, expected);
    }
}

#[tokio::test]
async fn every_run_counts_against_the_limit() {
    let world = World::new().await;
    let runs = body((0..1_000).map(|n| execution(NOON, json!({ "id": format!("r{n}") }))).collect());
    for _ in 0..12 {
        world.hear(runs.clone()).await;
    }
    assert_eq!(world.tell(&body(json!([execution(NOON, json!({}))]))).await.0, 429);
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    world.hear(body(json!([execution("2026-07-20T10:00:00Z", json!({}))]))).await;
    let runs = |n: usize| body((0..n).map(|n| execution(NOON, json!({ "id": format!("r{n}") }))).collect());
    units.take();
    world.hear(runs(1)).await;
    let one = units.take();
    world.hear(runs(40)).await;
    let more = units.take();
    assert_eq!((one, more), ((6.0, 4.0), (120.0, 43.0)));
}

fn of_many(ids: impl Iterator<Item = usize>, client: bool) -> Value {
    let runs: Value = ids.map(|n| execution(NOON, json!({ "scenario_id": n.to_string() }))).collect();
    if client { json!({ "executions": runs, "client_slug": "inn" }) } else { json!({ "executions": runs }) }
}

#[tokio::test]
async fn one_body_maps_twenty_scenarios_that_were_known() {
    let world = World::new().await;
    world.hear(of_many(0..21, false)).await;

    let (status, answer) = world.tell(&of_many(0..21, true)).await;

    assert_eq!(status, 409, "{answer}");
    world.hear(of_many(0..20, true)).await;
    world.hear(of_many(0..21, true)).await;
    // Those that are new have no days that have to be read.
    world.hear(of_many(100..200, true)).await;
    assert_eq!(world.stored_scenario("199").await.on(date(2026, 7, 21)).owner, Owner::Client(world.inn));
}

#[tokio::test]
async fn a_tenant_has_twenty_thousand_scenarios_at_most() {
    let world = World::new().await;
    world.hear(of_many(0..3, false)).await;
    let counted = async || world.table.get(key::scenario_count(world.tenant)).await.unwrap().scenarios;
    assert_eq!(counted().await, 3);
    world.table.put(&ScenarioCount { tenant: world.tenant, scenarios: MOST - 1 }).await.unwrap();

    let (status, answer) = world.tell(&of_many(2..5, false)).await;

    assert_eq!(status, 409, "{answer}");
    assert!(world.table.find(key::scenario(world.tenant, "3")).await.unwrap().is_none(), "all or none");
    world.hear(of_many(2..4, false)).await;
    assert_eq!((counted().await, world.tell(&of_many(4..5, false)).await.0), (MOST, 409));
    world.hear(of_many(0..4, false)).await;
}

#[tokio::test]
async fn scenarios_that_many_tell_of_at_once_are_counted_once() {
    let world = World::new().await;
    let bodies: Vec<_> = (0..6).map(|n| of_many(n * 20..n * 20 + 120, false)).collect();
    let told = futures::future::join_all(bodies.iter().map(|body| world.tell(body))).await;
    assert!(told.iter().all(|(status, _)| *status == 200), "{told:?}");
    let scenarios = world.table.list_all(&key::scenarios(world.tenant)).await.unwrap().len();
    let counted = world.table.get(key::scenario_count(world.tenant)).await.unwrap().scenarios;
    assert_eq!((scenarios, counted), (220, 220));
}
