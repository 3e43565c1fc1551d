//! Make's API, and the queue that its hooks share with the webhooks of the same address.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{
    Control, Fault, MakeAccount, MakeOrder, MakeRun,
    testing::{Reply, Scene},
};

const ZONE: &str = "eu1.make.com";

struct Customer {
    scene: Scene,
    account: MakeAccount,
}

impl Customer {
    async fn new() -> Self {
        Self::of(MakeOrder::for_hook("bookings-1")).await
    }

    async fn of(order: MakeOrder) -> Self {
        let scene = Scene::open().await;
        let account = scene.control.make_account(ZONE, &order).await.unwrap();
        Self { scene, account }
    }

    fn control(&self) -> &Control {
        &self.scene.control
    }

    async fn ask(&self, path: &str) -> Reply {
        let token = format!("Token {}", self.account.token);
        self.scene.get(&format!("/{ZONE}/api/v2{path}"), &token).await
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.ask(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json()
    }

    async fn hook(&self) -> Value {
        self.get(&format!("/hooks/{}", self.account.hook_id)).await["hook"].clone()
    }

    async fn switch(&self, said: Value) {
        self.control().set_scenario(ZONE, self.account.scenario_id, said).await.unwrap();
    }

    /// What the hook answers to a delivery.
    async fn deliver(&self) -> (u16, String) {
        let reply = self.scene.send(&self.account.hook_path, "{}", &[]).await;
        (reply.status, reply.text)
    }
}

fn accepted() -> (u16, String) {
    (200, "Accepted".into())
}

fn run(at: &str) -> MakeRun {
    MakeRun { timestamp: at.parse().unwrap(), ..MakeRun::default() }
}

#[tokio::test]
async fn a_token_tells_what_it_may_do() {
    let customer = Customer::new().await;

    let told = customer.get("/users/me/current-authorization").await;

    let scopes = ["organizations:read", "teams:read", "scenarios:read", "hooks:read", "dlqs:read"];
    assert_eq!(told, json!({ "authorization": { "authUsed": "token", "scope": scopes } }));
}

#[tokio::test]
async fn a_hook_and_its_scenario_are_found_by_their_address() {
    let customer = Customer::new().await;
    let MakeAccount { team_id, scenario_id, hook_id, hook_path, .. } = &customer.account;

    let listed = customer.get(&format!("/hooks?teamId={team_id}&typeName=gateway-webhook")).await["hooks"].clone();

    let hook = customer.hook().await;
    assert_eq!(listed, json!([hook]));
    assert_eq!(hook["url"], customer.control().url(hook_path));
    assert_eq!((&hook["id"], &hook["scenarioId"]), (&json!(hook_id), &json!(scenario_id)));
    assert_eq!(
        [&hook["queueCount"], &hook["queueLimit"], &hook["enabled"], &hook["gone"], &hook["scenarioIsActive"]],
        [&json!(0), &json!(667), &json!(true), &json!(false), &json!(true)]
    );
    assert!(hook.get("drainPerSecond").is_none());
    let ping = customer.get(&format!("/hooks/{hook_id}/ping")).await;
    assert_eq!(ping, json!({ "address": hook["url"], "attached": true, "learning": false, "gone": false }));
    let scenario = customer.get(&format!("/scenarios/{scenario_id}")).await["scenario"].clone();
    assert_eq!(
        ["isActive", "isPaused", "isinvalid", "dlqCount"].map(|name| scenario[name].clone()),
        [json!(true), json!(false), json!(false), json!(0)]
    );
    assert_eq!(scenario["hookId"], *hook_id);
    assert_eq!(customer.get(&format!("/scenarios/{scenario_id}/triggers")).await["queueLimit"], 667);
}

#[tokio::test]
async fn an_organisation_counts_in_strings_and_has_a_licence_in_numbers() {
    let customer = Customer::new().await;
    let id = customer.account.organization_id;

    let sparse = customer.get("/organizations").await;
    let chosen = customer.get("/organizations?cols%5B%5D=id&cols%5B%5D=zone").await;
    let whole = customer.get(&format!("/organizations/{id}")).await["organization"].clone();

    let name = format!("Organization {id}");
    assert_eq!(sparse["organizations"], json!([{ "id": id, "name": name, "timezoneId": 113 }]));
    assert_eq!(sparse["pg"], json!({ "sortBy": "name", "sortDir": "asc", "limit": 10_000, "offset": 0 }));
    assert_eq!(chosen["organizations"], json!([{ "id": id, "zone": ZONE }]));
    assert_eq!((&whole["operations"], &whole["license"]["apiLimit"]), (&json!("0"), &json!(60)));
    assert_eq!(whole["activeScenarios"], 1);
    assert!(whole.get("timezone").is_none());
    let teams = customer.get(&format!("/teams?organizationId={id}")).await;
    assert_eq!(teams["teams"][0]["id"], customer.account.team_id);
}

#[tokio::test]
async fn scenarios_are_of_a_team_or_of_an_organisation_and_come_by_the_page() {
    let customer = Customer::new().await;
    let MakeAccount { team_id, organization_id, .. } = customer.account;
    for n in 0..14 {
        let said = json!({ "teamId": team_id, "name": format!("Extra {n}"), "isActive": false });
        customer.control().make_put(ZONE, "scenarios", said).await.unwrap();
    }

    let first = customer.get(&format!("/scenarios?teamId={team_id}&pg%5BreturnTotalCount%5D=true")).await;
    let query = format!("/scenarios?organizationId={organization_id}&pg%5Blimit%5D=10&pg%5Boffset%5D=10");
    let rest = customer.get(&query).await;
    let active = customer.get(&format!("/scenarios?teamId={team_id}&isActive=true")).await;

    assert_eq!(first["scenarios"].as_array().unwrap().len(), 10);
    assert_eq!(first["pg"]["totalCount"], 15);
    assert_eq!(rest["scenarios"].as_array().unwrap().len(), 5);
    assert!(rest["pg"].get("next").is_none());
    assert_eq!(active["scenarios"].as_array().unwrap().len(), 1);
    for (query, why) in [
        (
            format!("teamId={team_id}&organizationId={organization_id}"),
            "teamId and organizationId cannot be used together",
        ),
        (String::new(), "Missing required parameter teamId or organizationId"),
        ("teamId=x".into(), "Invalid key, not parsable to integer"),
        (format!("teamId={team_id}&pg[limit]=1"), "Brackets must be percent-encoded"),
    ] {
        let reply = customer.ask(&format!("/scenarios?{query}")).await;
        assert_eq!((reply.status, reply.json()["detail"].as_str()), (400, Some(why)), "{query}");
    }
    let unnamed = customer.ask("/hooks").await;
    assert_eq!(unnamed.json()["suberrors"], json!([{ "message": "teamId is required" }]));
}

#[tokio::test]
async fn a_token_sees_its_own_and_does_what_its_scopes_say() {
    let customer = Customer::new().await;
    let narrow = MakeOrder { scopes: Some(vec!["hooks:read".into()]), ..MakeOrder::for_hook("bookings-2") };
    let other = customer.control().make_account(ZONE, &narrow).await.unwrap();
    let with = async |token: &str, path: &str| {
        let reply = customer.scene.get(&format!("/{ZONE}/api/v2{path}"), token).await;
        (reply.status, reply.json()["code"].clone())
    };
    let token = format!("Token {}", other.token);

    let own = customer.account.hook_id;
    assert_eq!(with(&token, &format!("/hooks/{own}")).await, (404, json!("SC404")));
    assert_eq!(with(&token, &format!("/hooks/{}", other.hook_id)).await.0, 200);
    assert_eq!(with(&token, "/organizations").await, (403, json!("SC403")));
    assert_eq!(with(&token, &format!("/scenarios/{}", other.scenario_id)).await, (403, json!("SC403")));
    assert_eq!(with("Token 00000000-0000-4000-8000-000000000000", "/organizations").await.0, 401);
    assert_eq!(with(&format!("Bearer {}", other.token), "/organizations").await.0, 401);
    assert_eq!(with(&token, "/Hooks").await.0, 404);
}

#[tokio::test]
async fn an_organisation_has_so_many_calls_a_minute() {
    let customer = Customer::of(MakeOrder { api_limit: Some(3), ..MakeOrder::for_hook("bookings-1") }).await;
    let other = customer.control().make_account(ZONE, &MakeOrder::for_hook("bookings-2")).await.unwrap();
    let path = format!("/hooks/{}", customer.account.hook_id);

    for _ in 0..3 {
        assert_eq!(customer.ask(&path).await.status, 200);
    }
    let over = customer.ask(&path).await;

    assert_eq!(over.status, 429);
    assert_eq!(over.json()["message"], "Requests limit for organization exceeded, please try again later.");
    assert_eq!(over.header("retry-after"), "");
    let theirs = customer.scene.get(&format!("/{ZONE}/api/v2/organizations"), &format!("Token {}", other.token)).await;
    assert_eq!(theirs.status, 200);
}

#[tokio::test]
async fn a_scenario_that_is_off_lets_its_queue_fill_and_one_that_is_on_empties_it() {
    for off in [json!({ "isActive": false }), json!({ "isPaused": true }), json!({ "isinvalid": true })] {
        let customer = Customer::of(MakeOrder { queue_limit: Some(3), ..MakeOrder::for_hook("bookings-1") }).await;
        customer.switch(off.clone()).await;

        for _ in 0..3 {
            assert_eq!(customer.deliver().await, accepted());
        }
        assert_eq!(customer.hook().await["queueCount"], 3, "{off}");
        assert_eq!(customer.deliver().await, (400, "Queue is full".into()));
        assert_eq!(customer.hook().await["queueCount"], 3);

        customer.switch(json!({ "isActive": true, "isPaused": false, "isinvalid": false })).await;
        assert_eq!(customer.hook().await["queueCount"], 0);
        assert_eq!(customer.deliver().await, accepted());
        assert_eq!(customer.hook().await["queueCount"], 0);
    }
}

#[tokio::test]
async fn a_count_that_is_set_holds_and_a_rate_drains_it() {
    let customer = Customer::new().await;
    let id = customer.account.hook_id;

    customer.control().set_make_hook(ZONE, id, json!({ "queueCount": 666 })).await.unwrap();
    assert_eq!(customer.hook().await["queueCount"], 666);
    assert_eq!(customer.deliver().await, accepted());
    assert_eq!(customer.hook().await["queueCount"], 667);
    assert_eq!(customer.deliver().await.0, 400);

    customer.control().set_make_hook(ZONE, id, json!({ "drainPerSecond": 50 })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let left = customer.hook().await["queueCount"].as_u64().unwrap();
    assert!(left <= 652, "{left}");
    customer.control().set_make_hook(ZONE, id, json!({ "drainPerSecond": null })).await.unwrap();
    assert_eq!(customer.hook().await["queueCount"], 0);
}

#[tokio::test]
async fn a_hook_that_is_gone_or_disabled_takes_nothing() {
    let customer = Customer::new().await;
    let id = customer.account.hook_id;

    for (said, status) in [(json!({ "gone": true }), 410), (json!({ "gone": false, "enabled": false }), 410)] {
        customer.control().set_make_hook(ZONE, id, said).await.unwrap();
        assert_eq!(customer.deliver().await, (status, String::new()));
    }
    customer.control().set_make_hook(ZONE, id, json!({ "enabled": true })).await.unwrap();
    assert_eq!(customer.deliver().await, accepted());
    customer.switch(json!({ "hookId": null })).await;
    assert!(customer.hook().await.get("scenarioId").is_none());
    assert_eq!(customer.get(&format!("/hooks/{id}/ping")).await["attached"], false);
}

#[tokio::test]
async fn incomplete_executions_are_counted_and_listed() {
    let customer = Customer::new().await;
    let id = customer.account.scenario_id;

    customer.control().add_dlqs(ZONE, id, &["IP address is not valid."]).await.unwrap();
    let count = async || customer.get(&format!("/scenarios/{id}")).await["scenario"]["dlqCount"].clone();
    assert_eq!(count().await, 1);
    customer.switch(json!({ "dlqCount": 3 })).await;
    assert_eq!(count().await, 3);

    let dlqs = customer.get(&format!("/dlqs?scenarioId={id}")).await["dlqs"].clone();
    assert_eq!(dlqs.as_array().unwrap().len(), 3);
    assert_eq!(dlqs[0]["reason"], "IP address is not valid.");
    let one = customer.get(&format!("/dlqs/{}", dlqs[0]["id"].as_str().unwrap())).await["dlq"].clone();
    assert_eq!((&one["scenarioId"], &one["companyId"]), (&json!(id), &json!(customer.account.team_id)));
    customer.switch(json!({ "dlqCount": 0 })).await;
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn a_log_is_read_backwards_from_the_last_row_seen() {
    let customer = Customer::new().await;
    let id = customer.account.scenario_id;
    let runs: Vec<_> = (0..120).map(|n| run(&format!("2026-11-20T0{}:{:02}:00.5Z", n / 60, n % 60))).collect();
    customer.control().add_runs(ZONE, id, &runs).await.unwrap();
    let logs = async |query: &str| customer.get(&format!("/scenarios/{id}/logs{query}")).await;

    let mut read = Vec::new();
    let mut query = "?pg%5Blimit%5D=50".to_owned();
    loop {
        let page = logs(&query).await["scenarioLogs"].as_array().unwrap().clone();
        read.extend(page.iter().map(|row| row["imtId"].as_str().unwrap().to_owned()));
        if page.len() < 50 {
            break;
        }
        query = format!("?pg%5Blimit%5D=50&pg%5Blast%5D={}", read.last().unwrap());
    }
    assert_eq!(read.len(), 120);
    assert!(read.is_sorted_by(|a, b| a > b));

    let usual = logs("").await;
    assert_eq!(usual["pg"], json!({ "sortBy": "imtId", "sortDir": "desc", "showLast": false, "limit": 50 }));
    let newest = &usual["scenarioLogs"][0];
    assert_eq!(newest["timestamp"], "2026-11-20T01:59:00.500Z");
    assert_eq!((&newest["status"], &newest["teamId"]), (&json!(1), &json!(customer.account.team_id)));
    let execution = newest["id"].as_str().unwrap();
    let at = "2026-11-20T01:59:00.5Z".parse::<Timestamp>().unwrap().as_millisecond();
    assert_eq!(newest["imtId"], format!("{at}_scenario.{id}.auto.{execution}"));
    assert_eq!(customer.get(&format!("/scenarios/{id}/logs/{execution}")).await["scenarioLog"], *newest);

    let shown = logs(&format!("?pg%5Blast%5D={}&pg%5BshowLast%5D=true&pg%5Blimit%5D=1", read[7])).await;
    assert_eq!(shown["scenarioLogs"][0]["imtId"], read[7]);
    let [from, to] = ["2026-11-20T00:10:00Z", "2026-11-20T00:12:00Z"]
        .map(|time| time.parse::<Timestamp>().unwrap().as_millisecond());
    let between = logs(&format!("?from={from}&to={to}&pg%5BsortDir%5D=asc")).await["scenarioLogs"].clone();
    assert_eq!(between.as_array().unwrap().len(), 2);
    assert_eq!(between[0]["timestamp"], "2026-11-20T00:10:00.500Z");
}

#[tokio::test]
async fn a_log_has_the_quirks_that_are_ordered() {
    let customer = Customer::new().await;
    let id = customer.account.scenario_id;
    let runs: Vec<_> = (0..30).map(|n| run(&format!("2026-11-20T00:{n:02}:00Z"))).collect();
    customer.control().add_runs(ZONE, id, &runs).await.unwrap();
    let rows = async |query: &str| {
        let page = customer.get(&format!("/scenarios/{id}/logs?pg%5Blimit%5D=100&{query}")).await;
        (page["scenarioLogs"].as_array().unwrap().clone(), page["pg"]["limit"].clone())
    };
    let [from, to] = ["2026-11-20T00:10:00Z", "2026-11-20T00:12:00Z"]
        .map(|time| time.parse::<Timestamp>().unwrap().as_millisecond());
    let between = format!("from={from}&to={to}");

    assert_eq!(rows(&between).await.0.len(), 3);
    customer.switch(json!({ "logBounds": "seconds" })).await;
    assert_eq!(rows(&between).await.0.len(), 0);
    assert_eq!(rows(&format!("from={}&to={}", from / 1_000, to / 1_000)).await.0.len(), 3);
    customer.switch(json!({ "logBounds": "ignored", "logPage": 10 })).await;
    let (first, limit) = rows(&between).await;
    assert_eq!((first.len(), limit), (10, json!(10)));
    let behind = format!("pg%5Blast%5D={}", first[9]["imtId"].as_str().unwrap());
    assert_ne!(rows(&behind).await.0, first);
    customer.switch(json!({ "logRepeats": true })).await;
    assert_eq!(rows(&behind).await.0, first);
    customer.switch(json!({ "countersAsText": true })).await;
    let row = rows("").await.0[0].clone();
    assert_eq!((&row["operations"], &row["status"], &row["teamId"]), (&json!("1"), &json!("1"), &first[0]["teamId"]));
    assert!(customer.get(&format!("/scenarios/{id}")).await["scenario"].get("logBounds").is_none());
}

#[tokio::test]
async fn a_run_is_corrected_and_a_scenario_deleted() {
    let customer = Customer::new().await;
    let id = customer.account.scenario_id;
    let first = MakeRun { id: Some("a1".into()), operations: 2, ..run("2026-11-20T00:10:00Z") };
    let second = MakeRun { status: 3, operations: 5, ..first.clone() };
    customer.control().add_runs(ZONE, id, &[first]).await.unwrap();
    customer.control().add_runs(ZONE, id, &[second]).await.unwrap();

    let log = customer.get(&format!("/scenarios/{id}/logs")).await["scenarioLogs"].clone();
    assert_eq!((log.as_array().unwrap().len(), &log[0]["status"]), (1, &json!(3)));
    assert_eq!(customer.get(&format!("/scenarios/{id}")).await["scenario"]["operations"], 5);

    customer.control().delete_scenario(ZONE, id).await.unwrap();
    for path in [format!("/scenarios/{id}"), format!("/scenarios/{id}/logs"), format!("/scenarios/{id}/usage")] {
        assert_eq!(customer.ask(&path).await.status, 404);
    }
    assert!(customer.hook().await.get("scenarioId").is_none());
    assert!(customer.control().delete_scenario(ZONE, id).await.is_err());
}

#[tokio::test]
async fn usage_is_cut_in_the_users_days_unless_the_organisations_are_asked_for() {
    let customer = Customer::new().await;
    let MakeAccount { scenario_id, organization_id, team_id, .. } = customer.account;
    let control = customer.control();
    control.set_organization(ZONE, organization_id, json!({ "timezone": "Asia/Tokyo" })).await.unwrap();
    let yesterday = Timestamp::now().to_string()[..10].parse::<jiff::civil::Date>().unwrap().yesterday().unwrap();
    let evening = run(&format!("{yesterday}T20:00:00Z"));
    let evening = MakeRun { operations: 10, centicredits: 1_000, transfer: 3_942, ..evening };
    control.add_runs(ZONE, scenario_id, &[evening]).await.unwrap();

    let users = customer.get(&format!("/scenarios/{scenario_id}/usage")).await["data"].clone();
    let query = format!("/organizations/{organization_id}/usage?organizationTimezone=true");
    let theirs = customer.get(&query).await["data"].clone();
    let team = customer.get(&format!("/teams/{team_id}/usage")).await["data"].clone();

    let used = |day: &Value| json!({ "date": day, "operations": 10, "dataTransfer": 3_942, "centicredits": 1_000 });
    let day = |rows: &Value| {
        rows.as_array().unwrap().iter().find(|row| row["operations"] != 0).map(|row| (row.clone(), row["date"].clone()))
    };
    assert_eq!(users.as_array().unwrap().len(), 30);
    assert_eq!(day(&users), Some((used(&json!(yesterday)), json!(yesterday))));
    assert_eq!(day(&theirs).unwrap().1, json!(yesterday.tomorrow().unwrap()));
    assert_eq!(day(&team), day(&users));
    let scenario = customer.get(&format!("/scenarios/{scenario_id}")).await["scenario"].clone();
    assert_eq!((&scenario["operations"], &scenario["transfer"]), (&json!(10), &json!(3_942)));
    let organization = customer.get(&format!("/organizations/{organization_id}")).await["organization"].clone();
    assert_eq!((&organization["operations"], &organization["transfer"]), (&json!("10"), &json!("3942")));
}

#[tokio::test]
async fn consumptions_leave_out_what_used_less_than_a_credit() {
    let customer = Customer::new().await;
    let MakeAccount { team_id, scenario_id, .. } = customer.account;
    let control = customer.control();
    let small = control.make_put(ZONE, "scenarios", json!({ "teamId": team_id })).await.unwrap();
    let little = MakeRun { centicredits: 99, ..MakeRun::default() };
    control.add_runs(ZONE, small["id"].as_u64().unwrap(), &[little]).await.unwrap();
    control.add_runs(ZONE, scenario_id, &[MakeRun::default(), run("2020-01-01T00:00:00Z")]).await.unwrap();

    let told = customer.get(&format!("/scenarios/consumptions?teamId={team_id}")).await;

    assert_eq!(
        told["scenarioConsumptions"],
        json!([{ "scenarioId": scenario_id, "operations": 1, "centicredits": 100, "transfer": 1_000 }])
    );
    assert!(told["lastReset"].is_string());
    assert_eq!(customer.ask("/scenarios/consumptions").await.status, 400);
}

#[tokio::test]
async fn what_make_does_not_know_is_refused_with_a_reason() {
    let customer = Customer::new().await;
    let control = customer.control();
    let id = customer.account.scenario_id;

    for (what, said, why) in [
        ("scenarios", json!({ "id": id, "isInvalid": true }), "`isInvalid`"),
        ("scenarios", json!({ "teamId": 1_000_000 }), "`teamId`"),
        ("scenarios", json!({ "id": id, "hookId": 1_000_000 }), "`hookId`"),
        ("hooks", json!({ "teamId": customer.account.team_id, "udid": "bookings-1" }), "bookings-1"),
        ("organizations", json!({ "timezone": "Mars/Olympus" }), "Mars/Olympus"),
        ("planets", json!({}), "scenarios"),
    ] {
        let refused = control.make_put(ZONE, what, said).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(control.make_account("eu9.make.com", &MakeOrder::for_hook("x")).await.is_err());
    assert!(control.add_runs(ZONE, 1_000_000, &[MakeRun::default()]).await.is_err());
    assert!(control.add_dlqs(ZONE, 1_000_000, &["x"]).await.is_err());
}

#[tokio::test]
async fn faults_hold_for_the_api_and_a_reset_forgets_what_was_set_up() {
    let customer = Customer::new().await;
    let path = format!("/hooks/{}", customer.account.hook_id);
    let fault = Fault::status(503).body("<html>unavailable</html>");
    customer.control().fail_next("/eu1.make.com/api/v2/*", [fault]).await.unwrap();

    assert_eq!(customer.ask(&path).await.status, 503);
    assert_eq!(customer.ask(&path).await.status, 200);
    customer.control().reset().await.unwrap();
    assert_eq!(customer.ask(&path).await.status, 401);
    assert_eq!(customer.deliver().await, accepted());
}
