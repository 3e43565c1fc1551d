//! People ask for a pull, and how it goes.

use make_operations::pull::{ask, show};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    key,
    make::{Account, pull::Pull},
    testing::{nobody, person, person_with, stranger, told},
};

use super::{Scene, run};

impl Scene {
    async fn ask(&self, call: Call) -> (u16, Value) {
        let deps = ask::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(ask::handle(&deps, call.at(self.now)).await)
    }

    async fn show(&self, call: Call) -> (u16, Value) {
        let deps = show::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(show::handle(&deps, call.at(self.now)).await)
    }

    fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    async fn shown(&self) -> Value {
        let (status, answer) = self.show(self.owner()).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }
}

#[tokio::test]
async fn a_pull_is_asked_for_followed_and_done() {
    let mut scene = Scene::new().await;
    scene.ran(scene.customer.scenario_id, &[run("a", 30)]).await;
    assert_eq!((&scene.shown().await["state"], &scene.shown().await["progress"]), (&json!("running"), &Value::Null));
    scene.pull_a_page().await;
    let shown = scene.shown().await;
    assert_eq!((&shown["state"], &shown["progress"]["scenarios"]), (&json!("running"), &json!(1)));
    assert_eq!((&shown["progress"]["scenarios_done"], &shown["next_at"]), (&json!(0), &Value::Null));
    scene.pull_well().await;

    let shown = scene.shown().await;
    assert_eq!((&shown["state"], &shown["begun_at"], &shown["failure"]), (&json!("idle"), &Value::Null, &Value::Null));
    assert_eq!((&shown["last"]["runs_new"], &shown["last"]["requests"]), (&json!(1), &json!(3)));
    assert_eq!(shown["unmapped_scenarios"], 1);
    assert!(shown["last_success_at"].is_string() && shown["read_to"].is_string() && shown["next_at"].is_string());

    scene.later(600);
    let (status, asked) = scene.ask(scene.owner()).await;
    assert_eq!((status, &asked["data"]["state"]), (202, &json!("running")), "{asked}");
    let before = scene.state().await;
    scene.later(5);
    let (status, again) = scene.ask(scene.owner()).await;
    assert_eq!((status, &again["data"]), (202, &asked["data"]), "the same pull");
    assert_eq!(scene.state().await.due_at, before.due_at);
    scene.pull_well().await;
}

#[tokio::test]
async fn one_that_waits_for_make_is_told_and_not_hurried() {
    let scene = Scene::new().await;
    let busy = local::standin::Fault::too_many_requests();
    scene.standin.fail_next(&scene.log_of(scene.customer.scenario_id), [busy]).await.unwrap();
    scene.pull().await;
    let due_at = scene.state().await.due_at;

    let (status, answer) = scene.ask(scene.owner()).await;

    assert_eq!((status, &answer["data"]["state"]), (202, &json!("waiting")));
    assert_eq!((scene.state().await.due_at, &answer["data"]["next_at"]), (due_at, &json!(due_at)));
}

#[tokio::test]
async fn one_that_failed_is_tried_at_once_where_somebody_asks() {
    let scene = Scene::new().await;
    let list = "/eu1.make.com/api/v2/scenarios";
    scene.standin.fail_next(list, [local::standin::Fault::status(401)]).await.unwrap();
    scene.pull().await;
    assert_eq!(scene.shown().await["state"], "failed");

    assert_eq!(scene.ask(scene.owner()).await.0, 202);

    scene.pull_well().await;
}

#[tokio::test]
async fn the_same_idempotency_key_gets_the_same_answer() {
    let mut scene = Scene::new().await;
    scene.pull_well().await;
    let call = |scene: &Scene| scene.owner().with_header("idempotency-key", "k").posting(&json!({}));
    scene.later(60);
    let first = scene.ask(call(&scene)).await;
    scene.pull_well().await;
    scene.later(60);

    assert_eq!(scene.ask(call(&scene)).await, first);

    assert_eq!(scene.shown().await["state"], "idle", "no other pull has begun");
}

#[tokio::test]
async fn without_an_account_it_says_what_to_do() {
    let scene = Scene::new().await;
    let account: Account = scene.table.get(key::make_account(scene.tenant)).await.unwrap();
    for account in [None, Some(Account { ended_at: Some(scene.now), ..account })] {
        scene.table.delete(key::make_account(scene.tenant)).await.unwrap();
        if let Some(account) = account {
            scene.table.put(&account).await.unwrap();
        }
        let (status, answer) = scene.ask(scene.owner()).await;
        assert_eq!(status, 409);
        assert!(answer["detail"].as_str().unwrap().contains("PUT /api/v1/make/account"), "{answer}");
        let (status, answer) = scene.show(scene.owner()).await;
        assert_eq!(status, 404);
        assert!(answer["detail"].as_str().unwrap().contains("PUT /api/v1/make/account"), "{answer}");
    }
}

#[tokio::test]
async fn an_account_from_before_there_were_pulls_is_pulled_where_somebody_asks() {
    let scene = Scene::new().await;
    scene.table.delete(key::make_pull(scene.tenant)).await.unwrap();
    assert_eq!(scene.shown().await["state"], "idle");

    assert_eq!(scene.ask(scene.owner()).await.0, 202);

    let pull: Pull = scene.state().await;
    assert_eq!((pull.since, pull.due_at), (scene.now, scene.now));
    scene.pull_well().await;
}

#[tokio::test]
async fn only_those_who_may_ask_and_see() {
    let scene = Scene::new().await;
    let limited = || person_with(scene.tenant, Role::Owner, &[("client", &scene.world.inn.to_string())]);
    for (call, asked, shown) in [(nobody as fn() -> Call, 401, 401), (stranger, 409, 404)] {
        assert_eq!((scene.ask(call()).await.0, scene.show(call()).await.0), (asked, shown));
    }
    assert_eq!((scene.ask(limited()).await.0, scene.show(limited()).await.0), (403, 403));
    for (role, asked, shown) in
        [(Role::Agent, 403, 403), (Role::Supervisor, 403, 200), (Role::Owner, 202, 200), (Role::Admin, 202, 200)]
    {
        let call = || person(scene.tenant, role);
        assert_eq!((scene.ask(call()).await.0, scene.show(call()).await.0), (asked, shown), "{role:?}");
    }
}
