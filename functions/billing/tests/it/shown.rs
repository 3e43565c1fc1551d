//! Who sees what of months, and in which form.

use jiff::civil::date;
use serde_json::{Value, json};
use shared::{
    gate::Role,
    id::ClientId,
    key,
    scenario::{Mapped, Owner, Scenario},
    testing::person,
};

use crate::world::{World, at};

const OCTOBER: &str = "2026-10";

async fn two_closed() -> World {
    let world = World::new().await;
    world.price(Some(world.spa), date(2026, 10, 3), "EUR", "0.00106").await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-05T12:00:00Z"))).await;
    world.fold().await;
    for client in [world.inn, world.spa] {
        assert_eq!(world.close(client, OCTOBER).await.0, 201);
    }
    world
}

#[tokio::test]
async fn a_draft_is_what_the_statement_becomes() {
    let world = World::new().await;
    world.price(None, date(2026, 10, 3), "USD", "0.00106").await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-05T12:00:00Z"))).await;
    assert_eq!(world.see(world.inn, OCTOBER).await["pending_days"].as_array().unwrap().len(), 5);
    world.fold().await;
    let draft = world.see(world.inn, OCTOBER).await;
    assert_eq!((&draft["final"], &draft["pending_days"]), (&json!(false), &json!([])));

    assert_eq!(world.close(world.inn, OCTOBER).await.0, 201);

    let seen = world.see(world.inn, OCTOBER).await;
    assert_eq!((&seen["lines"], &seen["totals"], &seen["final"]), (&draft["lines"], &draft["totals"], &json!(true)));
    // A later price changes nothing of it.
    world.price(Some(world.inn), date(2026, 10, 1), "USD", "9").await;
    assert_eq!(world.see(world.inn, OCTOBER).await, seen);
}

#[tokio::test]
async fn json_and_csv_say_the_same() {
    let world = two_closed().await;
    world
        .record(vec![
            world.run(3, "late", at("2026-10-02T12:00:00Z"), 6),
            world.run(3, "2", at("2026-10-02T12:00:00Z"), 1),
        ])
        .await;
    world.fold().await;
    assert_eq!(world.correct(world.spa, OCTOBER).await.0, 201);
    let seen = world.see(world.spa, OCTOBER).await;

    let reply = world.ask(world.owner(), world.spa, OCTOBER, "format=csv").await.unwrap();

    let mut reader = csv::Reader::from_reader(reply.body.as_ref());
    let headings = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell =
        |row: &csv::StringRecord, name: &str| row[headings.iter().position(|one| one == name).unwrap()].to_owned();
    let same = |row: &csv::StringRecord, line: &Value| {
        for (name, value) in line.as_object().unwrap() {
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) if text.starts_with('=') => format!("'{text}"),
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            let shown = cell(row, name);
            let as_numbers = shown.parse::<f64>().ok().zip(text.parse::<f64>().ok());
            assert!(shown == text || as_numbers.is_some_and(|(one, other)| one == other), "{name}: {shown} {text}");
        }
    };
    let of = |record: &str, correction: &str| {
        rows.iter()
            .filter(|row| cell(row, "record") == record && cell(row, "correction") == correction)
            .collect::<Vec<_>>()
    };
    for (lines, correction) in [(&seen["lines"], ""), (&seen["corrections"][0]["lines"], "1")] {
        let (lines, rows) = (lines.as_array().unwrap(), of("line", correction));
        assert_eq!(lines.len(), rows.len());
        std::iter::zip(rows, lines).for_each(|(row, line)| same(row, line));
    }
    for (record, correction, totals) in [
        ("total", "", &seen["totals"]),
        ("total", "1", &seen["corrections"][0]["totals"]),
        ("balance", "", &seen["balance"]),
    ] {
        let rows = of(record, correction);
        let costs = totals["costs"].as_array().unwrap();
        assert_eq!(rows.len(), costs.len().max(1));
        assert_eq!(cell(rows[0], "operations_count"), totals["operations_count"].to_string());
        for (row, cost) in std::iter::zip(rows, costs) {
            assert_eq!(cell(row, "currency"), cost["currency"].as_str().unwrap());
            assert_eq!(cell(row, "cost").parse::<f64>().unwrap(), cost["amount"].as_f64().unwrap());
        }
    }
    let name = reply.headers["content-disposition"].to_str().unwrap();
    assert_eq!(name, "attachment; filename=\"billing-spa-2026-10.csv\"");
    assert!(rows.iter().all(|row| !cell(row, "scenario_name").starts_with('=')), "no formula");
}

#[tokio::test]
async fn names_are_no_formulas_and_break_no_line_of_the_csv() {
    let world = World::new().await;
    let names = ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "\rx", "a,b", "say \"so\"", "two\r\nlines", "Straße"];
    let mut runs = Vec::new();
    for (n, name) in (10..).zip(names) {
        world.map(n, Owner::Client(world.inn)).await;
        let scenario: Scenario = world.table.get(key::scenario(world.tenant, &n.to_string())).await.unwrap();
        world.table.put(&Scenario { name: name.into(), ..scenario }).await.unwrap();
        runs.push(world.run(n, "1", at("2026-10-02T12:00:00Z"), 1));
    }
    world.record(runs).await;
    world.fold().await;
    assert_eq!(world.close(world.inn, OCTOBER).await.0, 201);

    let reply = world.ask(world.owner(), world.inn, OCTOBER, "format=csv").await.unwrap();

    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8; header=present");
    let text = std::str::from_utf8(&reply.body).unwrap();
    assert!(text.starts_with("record,correction,month,") && text.ends_with("\r\n"), "{text}");
    // RFC 4180: lines end with CR LF, a field with one of these, a comma or a quote is quoted, and quotes are doubled.
    let quoted = ["\"a,b\"", "\"say \"\"so\"\"\"", "\"two\r\nlines\""];
    assert!(quoted.iter().all(|field| text.contains(field)), "{text}");
    let lines = text.replace("two\r\nlines", "").replace("'\rx", "").matches("\r\n").count();
    assert_eq!((lines, text.replace("\r\n", "").contains('\n')), (1 + names.len() + 2, false));
    let mut reader = csv::Reader::from_reader(reply.body.as_ref());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let shown: Vec<&str> = rows.iter().take(names.len()).map(|row| &row[7]).collect();
    assert_eq!(
        shown,
        ["'=1+1", "'+1", "'-2", "'@SUM(A1)", "'\tx", "'\rx", "a,b", "say \"so\"", "two\r\nlines", "Straße"]
    );
    let formula = |field: &str| field.starts_with(['=', '+', '@', '\t', '\r']);
    assert!(!rows.iter().any(|row| row.iter().any(formula)));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_what_is_not_there_is_not_found() {
    let world = two_closed().await;
    let status = async |whose: String, month: &str, query: &str| {
        shared::testing::told(world.ask(world.owner(), whose, month, query).await).0
    };
    let inn = world.inn.to_string();
    assert_eq!(status(inn.clone(), OCTOBER, "format=xml&colour=red").await, 400);
    for month in ["2026-13", "0000-00", "2026-10-01", "99999-01", "%00", "", "9999-12x"] {
        assert_eq!(status(inn.clone(), month, "").await, 404, "{month:?}");
    }
    for whose in [ClientId::new().to_string(), "unmapped".into(), "COMPANY".into(), "../company".into()] {
        assert_eq!(status(whose.clone(), OCTOBER, "").await, 404, "{whose:?}");
    }
    for month in ["0000-01", "0001-01", "9999-12"] {
        assert_eq!(status(inn.clone(), month, "").await, 200, "{month}: a draft of nothing");
        assert_eq!(world.close(&inn, month).await.0, if month == "9999-12" { 409 } else { 201 }, "{month}");
    }
}

#[tokio::test]
async fn a_clients_people_see_their_own_and_strangers_nothing() {
    let world = two_closed().await;
    assert_eq!(world.close("company", OCTOBER).await.0, 201);
    let status = async |call, whose: String| shared::testing::told(world.ask(call, whose, OCTOBER, "").await).0;
    let (inn, spa) = (world.inn.to_string(), world.spa.to_string());
    assert_eq!(status(world.limited_to(world.inn), inn.clone()).await, 200);
    assert_eq!(status(world.limited_to(world.inn), spa).await, 404);
    assert_eq!(status(world.limited_to(world.inn), "company".into()).await, 404);
    assert_eq!(status(person(world.tenant, Role::Agent), inn.clone()).await, 403);
    assert_eq!(status(person(world.tenant, Role::Supervisor), "company".into()).await, 200);
    assert_eq!(status(shared::testing::stranger(), inn).await, 404);

    let months = async |call, query: &str| {
        let (status, answer) = world.list(call, query).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["months"].as_array().unwrap().iter().map(|one| one["client_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(months(world.owner(), "").await.len(), 3);
    assert_eq!(months(world.owner(), "month=2026-10").await.len(), 3);
    assert_eq!(months(world.owner(), "month=2026-09").await.len(), 0);
    assert_eq!(months(world.owner(), "client_id=company").await, [json!(null)]);
    assert_eq!(months(world.owner(), &format!("client_id={}", world.spa)).await, [json!(world.spa)]);
    for query in ["", "month=2026-10"] {
        assert_eq!(months(world.limited_to(world.inn), query).await, [json!(world.inn)]);
    }
    let foreign = format!("client_id={}", world.spa);
    assert_eq!(world.list(world.limited_to(world.inn), &foreign).await.0, 404);
    assert_eq!(world.list(shared::testing::stranger(), &foreign).await.0, 404);
    assert_eq!(months(shared::testing::stranger(), "").await.len(), 0);
    for query in ["month=2026-13", "month=2026-10&client_id=company", "colour=red"] {
        assert_eq!(world.list(world.owner(), query).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_scenario_that_is_somebody_elses_by_now_has_no_name_that_is_theirs() {
    let world = World::new().await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-05T12:00:00Z"))).await;
    world.fold().await;
    let (inn, spa) = (Owner::Client(world.inn), Owner::Client(world.spa));
    let scenario: Scenario = world.table.get(key::scenario(world.tenant, "1")).await.unwrap();
    let is = |from, owner| Mapped { from, owner, ..scenario.mapping[0].clone() };
    let mapping = vec![is(None, inn), is(Some(date(2026, 11, 1)), spa)];
    world.table.put(&Scenario { mapping, name: "Secret".into(), ..scenario.clone() }).await.unwrap();

    let names = async || {
        let seen = world.see(world.inn, OCTOBER).await;
        let names = seen["lines"].as_array().unwrap().iter().map(|line| line["scenario_name"].clone());
        (names.collect::<Vec<_>>(), seen["final"].clone())
    };
    assert_eq!(names().await, (vec![json!("1"), json!("=Scenario 2")], json!(false)));
    assert_eq!(world.close(world.inn, OCTOBER).await.0, 201);
    assert_eq!(names().await, (vec![json!("1"), json!("=Scenario 2")], json!(true)));
}
