use completeness::{delete_source, show_source};
use jiff::SignedDuration;
use local::standin::{Loss, Mode, RowChange};
use serde_json::{Value, json};
use shared::{
    egress::Egress,
    gate::{Gate, Role},
    http::Call,
    id::TenantId,
    testing::{nobody, person, person_with, stranger, told},
};

use crate::world::{PROJECT, World};

impl World {
    async fn show_source(&self, call: Call) -> (u16, Value) {
        let deps = show_source::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(show_source::handle(&deps, call).await)
    }

    async fn delete_source(&self, call: Call) -> (u16, Value) {
        let deps = delete_source::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(delete_source::handle(&deps, call).await)
    }

    async fn set_seen(&self, etag: &str, plan: &Value) -> (u16, Value) {
        self.set_by(self.owner().with_header("if-match", etag).posting(plan)).await
    }
}

fn faults(problem: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let faults = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem}"));
    faults.iter().map(|fault| (text(&fault["pointer"]), text(&fault["detail"]))).collect()
}

#[tokio::test]
async fn a_source_is_tried_sealed_and_shown_without_its_key() {
    let world = World::new().await;
    world.change(RowChange::insert("bookings", world.booking("b1", "pending"))).await;

    let (status, set) = world.set(&world.plan()).await;

    assert_eq!(status, 201, "{set}");
    assert_eq!(set["data"]["tried"][0]["table"], "bookings");
    assert!(set["data"]["tried"][0]["newest"].is_string());
    assert_eq!(set["data"]["tried"][1], json!({ "table": "booking_events", "newest": null }));
    let (status, shown) = world.show_source(world.owner()).await;
    assert_eq!(status, 200);
    assert_eq!(shown["data"]["base_url"], world.source.supabase_url(PROJECT));
    assert_eq!(shown["data"]["key_fingerprint"].as_str().unwrap().len(), 8);
    assert_eq!(
        shown["data"]["tables"],
        json!([
            { "table": "bookings", "cursor_column": "updated_at", "id_column": "id" },
            { "table": "booking_events", "cursor_column": "created_at", "id_column": "id" },
        ])
    );
    assert_eq!(shown["data"]["since"], json!(world.now));
    assert_eq!(shown["data"]["etag"], set["data"]["etag"]);
    let stored = format!("{:?}", world.stored_source().await);
    assert!(!stored.contains("sb_secret") && !set.to_string().contains("sb_secret"), "{stored}");
}

#[tokio::test]
async fn every_fault_of_the_form_is_told_at_once() {
    let world = World::new().await;
    let plan = json!({
        "base_url": "https://10.0.0.1", "key": "with a space", "since": world.now - SignedDuration::from_hours(24 * 91),
        "tables": [
            { "table": "users", "cursor_column": "a.b" }, { "table": "clients", "id_column": "" }, 7,
            { "table": "clients" }, { "table": "bookings", "cursor": "x" }, { "cursor_column": 5 },
        ],
        "schema": "private",
    });
    let (status, problem) = world.set(&plan).await;
    assert_eq!(status, 400);
    let pointers: Vec<String> = faults(&problem).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/base_url", "/key", "/since", "/schema", "/tables"], "{problem}");

    let mut plan = plan;
    plan["tables"].as_array_mut().unwrap().truncate(4);
    let (_, problem) = world.set(&plan).await;
    let pointers: Vec<String> = faults(&problem).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(
        pointers[4..],
        ["/tables/0/table", "/tables/0/cursor_column", "/tables/1/id_column", "/tables/2"],
        "{problem}"
    );

    for body in ["", "[]", "null", "{}"] {
        assert_eq!(world.set_by(world.owner().posting_bytes(body)).await.0, 400, "{body:?}");
    }
}

#[tokio::test]
async fn every_fault_of_the_source_is_told_by_name() {
    let world = World::new().await;
    let told = async |change: &dyn Fn(&mut Value)| {
        let mut plan = world.plan();
        change(&mut plan);
        let (status, problem) = world.set(&plan).await;
        assert_eq!(status, 400, "{problem}");
        let names = faults(&problem).into_iter().map(|(pointer, detail)| {
            (pointer, detail.split_once(':').map_or(detail.clone(), |(name, _)| name.to_owned()))
        });
        names.collect::<Vec<_>>()
    };
    let one = |pointer: &str, name: &str| vec![(pointer.to_owned(), name.to_owned())];

    assert_eq!(told(&|plan| plan["key"] = json!("wrong")).await, one("/key", "key_refused"));
    let table = |plan: &mut Value, table: Value| plan["tables"] = json!([table]);
    assert_eq!(told(&|plan| table(plan, json!({ "table": "clients" }))).await, one("/tables/0/table", "unknown_table"));
    assert_eq!(
        told(&|plan| table(plan, json!({ "table": "bookings", "cursor_column": "changed_at" }))).await,
        one("/tables/0/cursor_column", "unknown_column")
    );
    assert_eq!(
        told(&|plan| table(plan, json!({ "table": "bookings", "id_column": "uid" }))).await,
        one("/tables/0/id_column", "unknown_column")
    );
    let elsewhere = world.source.url("/supabase/nowhere");
    assert_eq!(told(&|plan| plan["base_url"] = json!(elsewhere)).await, one("/base_url", "no_rest_interface"));
    world.source.set_mode("/supabase/p1/rest/v1/*", Mode::Down).await.unwrap();
    assert_eq!(told(&|_| {}).await, one("/base_url", "unreachable"));

    assert_eq!(world.show_source(world.owner()).await.0, 404, "none of them was stored");
}

#[tokio::test]
async fn a_cursor_that_is_not_a_time_is_refused() {
    let world = World::new().await;
    world.change(RowChange::insert("bookings", world.booking("b1", "pending"))).await;
    let mut plan = world.plan();
    plan["tables"] = json!([{ "table": "bookings", "cursor_column": "status" }]);

    let (status, problem) = world.set(&plan).await;

    assert_eq!(status, 400);
    assert_eq!(faults(&problem)[0].0, "/tables/0/cursor_column");
}

#[tokio::test]
async fn an_address_is_taken_as_people_copy_it() {
    let world = World::new().await;
    let mut plan = world.plan();
    plan["base_url"] = json!(format!("{}/rest/v1/", world.source.supabase_url(PROJECT)));

    let (status, set) = world.set(&plan).await;

    assert_eq!(status, 201, "{set}");
    assert_eq!(set["data"]["base_url"], world.source.supabase_url(PROJECT));
    plan["base_url"] = json!(format!("{}?apikey=x", world.source.supabase_url(PROJECT)));
    assert_eq!(world.set_seen("*", &plan).await.0, 400);
}

#[tokio::test]
async fn who_changes_it_has_seen_it() {
    let mut world = World::new().await;
    assert_eq!(world.set_seen("\"1\"", &world.plan()).await.0, 412, "there is none yet");
    let (_, set) = world.set(&world.plan()).await;
    let etag = set["data"]["etag"].as_str().unwrap();
    world.pass(60);
    let mut plan = world.plan();
    plan["tables"] = json!([{ "table": "bookings" }]);
    plan.as_object_mut().unwrap().remove("key");

    assert_eq!(world.set(&plan).await.0, 428);
    assert_eq!(world.set_seen("\"1\"", &plan).await.0, 412);
    let (status, changed) = world.set_seen(etag, &plan).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(world.set_seen(etag, &plan).await.0, 412, "it has changed since");

    assert_eq!(changed["data"]["since"], set["data"]["since"], "the same source goes on");
    assert_eq!(changed["data"]["key_fingerprint"], set["data"]["key_fingerprint"], "with its key");
    assert_eq!(changed["data"]["tables"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_never_goes_to_another_address() {
    let world = World::comparing().await;
    world.source.set_project("p2", &local::standin::Project::default()).await.unwrap();
    let plan = json!({ "base_url": world.source.supabase_url("p2") });

    let (status, problem) = world.set_seen("*", &plan).await;

    assert_eq!(status, 400);
    assert_eq!(faults(&problem)[0].0, "/key");
    assert!(world.source.requests("/supabase/p2/rest/v1/bookings").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_source_that_is_deleted_is_not_read_again() {
    let mut world = World::comparing().await;
    let etag = world.stored_source().await.etag();

    assert_eq!(world.delete_source(world.owner()).await.0, 428);
    assert_eq!(world.delete_source(world.owner().with_header("if-match", "\"9\"")).await.0, 412);
    assert_eq!(world.delete_source(world.owner().with_header("if-match", &etag)).await.0, 200);
    assert_eq!(world.delete_source(world.owner().with_header("if-match", &etag)).await.0, 404);

    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    world.change(world.new_booking("b1")).await;
    world.pass(20);
    assert_eq!(world.run().await, completeness::reconcile::Told::default());
    assert_eq!(world.shown().await["source"]["status"], "not_configured");
}

#[tokio::test]
async fn only_an_owner_of_the_whole_tenant_gets_in_and_a_stranger_finds_nothing() {
    let world = World::comparing().await;
    let client = [("client", "cli_06dabr1bg1x010000000000008")];
    for (call, expected) in [
        (nobody as fn() -> Call, 401),
        (|| person(TenantId::new(), Role::Supervisor), 403),
        (|| person(TenantId::new(), Role::Agent), 403),
    ] {
        assert_eq!(world.show_source(call()).await.0, expected);
        assert_eq!(world.delete_source(call().with_header("if-match", "*")).await.0, expected);
        assert_eq!(world.set_by(call().posting(&world.plan())).await.0, expected);
    }
    let limited = || person_with(world.tenant, Role::Owner, &client).at(world.now);
    assert_eq!(world.show_source(limited()).await.0, 403);
    assert_eq!(world.set_by(limited().posting(&world.plan())).await.0, 403);
    assert_eq!(world.delete_source(limited()).await.0, 403);

    assert_eq!(world.show_source(stranger()).await.0, 404);
    assert_eq!(world.delete_source(stranger().with_header("if-match", "*")).await.0, 404);
    assert_eq!(world.show_source(world.owner()).await.0, 200, "and ours is untouched");
}

#[tokio::test]
async fn what_is_inside_is_out_of_reach() {
    let world = World::new().await;
    let deps = completeness::set_source::Deps {
        gate: Gate::new(world.table.clone()),
        table: world.table.clone(),
        vault: shared::testing::vault(),
        egress: Egress::new("", ""),
        limits: shared::limit::Limits::default(),
    };
    for url in [
        "http://example.com",
        "https://127.0.0.1",
        "https://localhost",
        "https://metadata.google.internal",
        "https://x.supabase.co:8443",
    ] {
        let plan = json!({ "base_url": url, "key": "k" });
        let (status, problem) = told(completeness::set_source::handle(&deps, world.owner().posting(&plan)).await);
        assert_eq!(status, 400, "{url}");
        assert_eq!(faults(&problem)[0].0, "/base_url");
    }
}

#[tokio::test]
async fn a_source_is_tried_ten_times_a_minute_at_most() {
    let mut world = World::new().await;
    let mut plan = world.plan();
    plan["key"] = json!("wrong");
    for _ in 0..10 {
        assert_eq!(world.set(&plan).await.0, 400);
    }

    let (status, problem) = world.set(&world.plan()).await;

    assert_eq!(status, 429, "{problem}");
    world.pass(1);
    assert_eq!(world.set(&world.plan()).await.0, 201);
}
