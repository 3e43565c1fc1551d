//! Supabase: rows read as PostgREST shows them, webhooks as `pg_net` sends them, or not.

use serde_json::{Value, json};

use super::super::{
    Control, DatabaseHook, Fault, Loss, Mode, Project, RowChange,
    testing::{Reply, Scene},
};

const ROWS: &str = "/supabase/p1/rest/v1/bookings";
const KEY: [(&str, &str); 2] = [("apikey", "sb_secret_p1"), ("authorization", "Bearer sb_secret_p1")];
const RECEIVER: &str = "/hook.eu1.make.com/supabase";

fn row(id: &str, updated_at: &str) -> RowChange {
    RowChange::insert("bookings", json!({ "id": id, "status": "pending", "updated_at": updated_at }))
}

async fn get(scene: &Scene, query: &str) -> Reply {
    scene.ask(&format!("{ROWS}{query}"), &KEY).await
}

/// The ids that a query finds, in their order.
async fn ids(scene: &Scene, query: &str) -> Vec<String> {
    let reply = get(scene, query).await;
    assert!(matches!(reply.status, 200 | 206), "{query}: {}", reply.text);
    reply.json().as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

async fn three(control: &Control) {
    let rows = [
        row("a", "2026-12-01T09:30:00.1Z"),
        row("b", "2026-12-01T09:30:00.100001+00:00"),
        row("c", "2026-12-01T11:30:00.100001+02:00"),
    ];
    control.change_rows("p1", &rows).await.unwrap();
}

async fn tell_receiver(control: &Control, hook: impl FnOnce(DatabaseHook) -> DatabaseHook) {
    let hook = hook(DatabaseHook::to(control.url(RECEIVER)).header("Authorization", "Bearer shared"));
    control.set_project("p1", &Project { webhooks: Some(vec![hook]), ..Project::default() }).await.unwrap();
}

#[tokio::test]
async fn a_cursor_of_time_and_id_reads_every_row_once() {
    let scene = Scene::open().await;
    three(&scene.control).await;
    let order = "order=updated_at.asc,id.asc";

    assert_eq!(ids(&scene, &format!("?select=*&{order}&limit=2")).await, ["a", "b"]);
    let mark = "2026-12-01T09:30:00.100001%2B00:00";
    let after = format!("or=(updated_at.gt.{mark},and(updated_at.eq.{mark},id.gt.b))");
    assert_eq!(ids(&scene, &format!("?{after}&{order}&limit=2")).await, ["c"]);
    assert_eq!(ids(&scene, &format!("?updated_at=gte.{mark}&{order}")).await, ["b", "c"]);
    assert_eq!(ids(&scene, &format!("?updated_at=lt.{mark}&{order}")).await, ["a"]);
    assert_eq!(ids(&scene, "?id=gt.a&id=lte.c&order=id.desc").await, ["c", "b"]);
    assert_eq!(ids(&scene, "?id=in.(a,c)&status=is.null").await, Vec::<String>::new());
    assert_eq!(ids(&scene, "?id=not.in.(a,c)&status=eq.pending").await, ["b"]);
    assert_eq!(ids(&scene, "?order=id.asc&limit=1&offset=1").await, ["b"]);
}

#[tokio::test]
async fn rows_are_shown_as_postgresql_prints_them() {
    let scene = Scene::open().await;
    let column = |kind: &str| kind.to_owned();
    let columns = [("id", "bigint"), ("at", "timestamptz"), ("price", "numeric"), ("tags", "jsonb"), ("note", "text")];
    let bookings = columns.map(|(name, kind)| (name.to_owned(), column(kind))).into();
    let project = Project { tables: Some([("bookings".to_owned(), bookings)].into()), ..Project::default() };
    scene.control.set_project("p1", &project).await.unwrap();
    let record = json!({ "id": 7, "at": "2026-12-01T09:30:00.120Z", "price": "120.50", "tags": [1, { "a": 1 }] });
    scene.control.change_row("p1", RowChange::insert("bookings", record)).await.unwrap();

    let reply = get(&scene, "").await;

    assert_eq!(
        reply.text,
        r#"[{"at":"2026-12-01T09:30:00.12+00:00","id":7,"note":null,"price":120.50,"tags":[1, {"a": 1}]}]"#
    );
    assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(get(&scene, "?select=id,price&price=eq.120.5").await.text, r#"[{"id":7,"price":120.50}]"#);
}

#[tokio::test]
async fn a_page_is_cut_by_the_server_and_says_its_range() {
    let scene = Scene::open().await;
    three(&scene.control).await;
    scene.control.set_project("p1", &Project { max_rows: Some(2), ..Project::default() }).await.unwrap();
    let counted = [KEY[0], KEY[1], ("prefer", "count=exact")];

    let capped = get(&scene, "?limit=100").await;
    assert_eq!((capped.status, capped.header("content-range")), (200, "0-1/*"));
    assert_eq!(capped.json().as_array().unwrap().len(), 2);
    assert_eq!(get(&scene, "?offset=2").await.header("content-range"), "2-2/*");
    assert_eq!(get(&scene, "?offset=9").await.header("content-range"), "*/*");
    let counting = scene.ask(ROWS, &counted).await;
    assert_eq!((counting.status, counting.header("content-range")), (206, "0-1/3"));
    let beyond = scene.ask(&format!("{ROWS}?offset=9"), &counted).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "*/3"));
    assert_eq!(beyond.json()["code"], "PGRST103");
}

#[tokio::test]
async fn row_level_security_hides_rows_and_does_not_count_them() {
    let scene = Scene::open().await;
    three(&scene.control).await;
    let all = get(&scene, "?select=id&order=id.asc").await.json();
    let first = all[0]["id"].as_str().unwrap().to_owned();
    let hide = async |shown: Vec<String>| {
        let row_security = Some([("bookings".to_owned(), shown)].into());
        scene.control.set_project("p1", &Project { row_security, ..Project::default() }).await.unwrap();
    };

    hide(vec![first.clone()]).await;
    assert_eq!(get(&scene, "?select=id").await.json(), json!([{ "id": first }]));
    hide(vec![]).await;
    let counting = scene.ask(ROWS, &[KEY[0], KEY[1], ("prefer", "count=exact")]).await;
    assert_eq!((counting.status, counting.header("content-range"), counting.json()), (200, "*/0", json!([])));
    let ended = Project { row_security: Some([].into()), ..Project::default() };
    scene.control.set_project("p1", &ended).await.unwrap();
    assert_eq!(get(&scene, "?select=id&order=id.asc").await.json(), all);
}

#[tokio::test]
async fn who_shows_no_key_or_a_wrong_one_is_refused() {
    let scene = Scene::open().await;
    three(&scene.control).await;
    let [apikey, bearer] = KEY;

    let none = scene.ask(ROWS, &[bearer]).await;
    assert_eq!((none.status, &none.json()["message"]), (401, &json!("No API key found in request")));
    let wrong = scene.ask(ROWS, &[("apikey", "x"), bearer]).await;
    assert_eq!((wrong.status, &wrong.json()["message"]), (401, &json!("Invalid API key")));
    let anonymous = scene.ask(ROWS, &[apikey]).await;
    assert_eq!((anonymous.status, &anonymous.json()["code"]), (401, &json!("PGRST302")));
    let stranger = scene.ask(ROWS, &[apikey, ("authorization", "Bearer x")]).await;
    assert_eq!(
        (stranger.status, stranger.json()),
        (
            401,
            json!({ "code": "PGRST301", "details": null, "hint": null, "message": "Expected 3 parts in JWT; got 1" })
        )
    );
    scene
        .control
        .set_project("p1", &Project { api_keys: Some(vec!["new".into()]), ..Project::default() })
        .await
        .unwrap();
    assert_eq!(get(&scene, "").await.status, 401);
    assert_eq!(scene.ask(ROWS, &[("apikey", "new"), ("authorization", "Bearer new")]).await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_has_its_code() {
    let scene = Scene::open().await;
    three(&scene.control).await;

    for (query, status, code) in [
        ("?nothing=eq.1", 400, "42703"),
        ("?order=nothing.asc", 400, "42703"),
        ("?select=nothing", 400, "42703"),
        ("?or=(updated_at.gt.1,nothing.eq.1)", 400, "22007"),
        ("?updated_at=gt.2026-12-01T09:30:00.1+00:00", 400, "22007"),
        ("?updated_at=gt.yesterday", 400, "22007"),
        ("?status=pending", 400, "PGRST100"),
        ("?or=(status.eq.a,b)", 400, "PGRST100"),
        ("?limit=-1", 416, "PGRST103"),
    ] {
        let reply = get(&scene, query).await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (status, Some(code)), "{query}");
    }
    let table = scene.ask("/supabase/p1/rest/v1/nothing", &KEY).await;
    assert_eq!(
        (table.status, table.json()),
        (
            404,
            json!({
                "code": "PGRST205", "details": null, "hint": null,
                "message": "Could not find the table 'public.nothing' in the schema cache",
            })
        )
    );
    assert_eq!(scene.ask("/supabase/p2/rest/v1/bookings", &KEY).await.status, 404);
    assert_eq!(scene.send(ROWS, "{}", &KEY).await.status, 405);
}

#[tokio::test]
async fn every_change_is_told_to_the_byte() {
    let scene = Scene::open().await;
    let control = &scene.control;
    tell_receiver(control, |hook| hook).await;
    let at = "2026-12-01T09:30:00Z";

    control.change_row("p1", row("b1", at)).await.unwrap();
    control.webhooks_settled("p1").await.unwrap();
    let confirmed = json!({ "id": "b1", "status": "confirmed", "updated_at": at });
    control.change_row("p1", RowChange::update("bookings", confirmed)).await.unwrap();
    control.webhooks_settled("p1").await.unwrap();
    control.change_row("p1", RowChange::delete("bookings", "b1")).await.unwrap();
    control.webhooks_settled("p1").await.unwrap();

    let requests = control.requests(RECEIVER).await.unwrap();
    let bodies: Vec<_> = requests.iter().map(|request| request.body.as_deref().unwrap()).collect();
    let printed =
        |status| format!(r#"{{"id": "b1", "status": "{status}", "updated_at": "2026-12-01T09:30:00+00:00"}}"#);
    let body = |kind, new: &str, old: &str| {
        format!(
            r#"{{"type": "{kind}", "table": "bookings", "record": {new}, "schema": "public", "old_record": {old}}}"#
        )
    };
    let [pending, confirmed] = ["pending", "confirmed"].map(printed);
    assert_eq!(
        bodies,
        [body("INSERT", &pending, "null"), body("UPDATE", &confirmed, &pending), body("DELETE", "null", &confirmed)]
    );
    let first = &requests[0];
    assert_eq!(first.header("user-agent"), Some("pg_net/0.19.5"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("authorization"), Some("Bearer shared"));
    assert_eq!(ids(&scene, "").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_transaction_has_one_time_and_a_webhook_for_each_row() {
    let scene = Scene::open().await;
    tell_receiver(&scene.control, |hook| hook).await;
    let rows: Vec<_> = (0..300).map(|n| RowChange::insert("bookings", json!({ "number": n }))).collect();

    let changed = scene.control.change_rows("p1", &rows).await.unwrap();

    let first = &changed[0].record;
    assert_eq!(first["id"].as_str().unwrap().len(), 36);
    assert!(changed.iter().all(|row| row.record["updated_at"] == first["updated_at"]));
    assert_eq!(scene.control.wait_for(RECEIVER, 300).await.unwrap().len(), 300);
    let state = scene.control.webhooks_settled("p1").await.unwrap();
    assert_eq!((state.sent, state.dropped, state.rows["bookings"]), (300, 0, 300));
}

#[tokio::test]
async fn webhooks_are_lost_on_order_and_the_rows_are_there() {
    let scene = Scene::open().await;
    let control = &scene.control;
    tell_receiver(control, |hook| hook).await;
    let insert = async |id: &str| control.change_row("p1", row(id, "2026-12-01T09:30:00Z")).await.unwrap().dropped;

    control.lose_webhooks("p1", Loss::Next(1)).await.unwrap();
    assert_eq!([insert("a").await, insert("b").await], [1, 0]);
    control.lose_webhooks("p1", Loss::All).await.unwrap();
    assert_eq!([insert("c").await, insert("d").await], [1, 1]);
    control.lose_webhooks("p1", Loss::None).await.unwrap();
    assert_eq!(insert("e").await, 0);

    let state = control.webhooks_settled("p1").await.unwrap();
    assert_eq!((state.sent, state.dropped), (2, 3));
    let told: Vec<Value> =
        control.requests(RECEIVER).await.unwrap().iter().map(|told| told.json()["record"]["id"].clone()).collect();
    assert_eq!(told, ["b", "e"]);
    assert_eq!(ids(&scene, "?order=id").await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_webhook_is_sent_once_whatever_becomes_of_it() {
    let scene = Scene::open().await;
    let control = &scene.control;
    tell_receiver(control, |mut hook| {
        hook.timeout_ms = 700;
        hook.table("bookings").event("INSERT")
    })
    .await;
    control.fail_next(RECEIVER, [Fault::status(500), Fault::down(), Fault::slow(30_000)]).await.unwrap();

    for id in ["a", "b", "c"] {
        control.change_row("p1", row(id, "2026-12-01T09:30:00Z")).await.unwrap();
        control.webhooks_settled("p1").await.unwrap();
    }
    control.change_row("p1", RowChange::delete("bookings", "a")).await.unwrap();

    let state = control.webhooks_settled("p1").await.unwrap();
    let ended: Vec<_> = state.responses.iter().map(|it| (it.id, it.status_code, it.timed_out)).collect();
    assert_eq!(ended, [(1, Some(500), false), (2, None, false), (3, None, true)]);
    assert_eq!(state.responses[2].error_msg.as_deref(), Some("Timeout of 700 ms reached"));
    assert_eq!(control.requests(RECEIVER).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_late_webhook_comes_after_the_row_can_be_read() {
    let scene = Scene::open().await;
    tell_receiver(&scene.control, |hook| hook.late(200)).await;

    scene.control.change_row("p1", row("a", "2026-12-01T09:30:00Z")).await.unwrap();

    assert_eq!(ids(&scene, "").await, ["a"]);
    assert!(scene.control.requests(RECEIVER).await.unwrap().is_empty());
    assert_eq!(scene.control.wait_for(RECEIVER, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn faults_hold_for_the_rest_interface_too() {
    let scene = Scene::open().await;
    three(&scene.control).await;
    let path = "/supabase/p1/rest/v1/*";

    scene.control.fail_next(path, [Fault::status(500)]).await.unwrap();
    assert_eq!(get(&scene, "").await.status, 500);
    scene.control.set_mode(path, Mode::Down).await.unwrap();
    assert!(scene.try_send(ROWS).await.unwrap_err().is_request());
    scene.control.heal(path).await.unwrap();
    assert_eq!(get(&scene, "").await.status, 200);
}

#[tokio::test]
async fn changes_that_cannot_be_made_are_refused_with_a_reason() {
    let scene = Scene::open().await;
    three(&scene.control).await;

    for (change, why) in [
        (RowChange::insert("bookings", json!({ "id": "a" })), "already"),
        (RowChange::update("bookings", json!({ "id": "x" })), "no row"),
        (RowChange::delete("bookings", "x"), "no row"),
        (RowChange::update("bookings", json!({ "status": "x" })), "`id`"),
    ] {
        let refused = scene.control.change_row("p1", change).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let loss = Loss::Share { share: 3.0, seed: 1 };
    assert!(scene.control.lose_webhooks("p1", loss).await.is_err());
    assert!(scene.control.project("p2").await.is_err());
    scene.control.forget_project("p1").await.unwrap();
    assert!(scene.control.project("p1").await.is_err());
}
