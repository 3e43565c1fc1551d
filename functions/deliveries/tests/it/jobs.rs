use deliveries::{clean_up, jobs, replay};
use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use serde_json::{Value, json};
use shared::{
    delivery::{Delivery, State},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::{EndpointId, JobId, TenantId},
    job::{self, Job},
    key,
    limit::Limits,
    testing::{Units, nobody, person, stranger, table, told},
};

use crate::world::{HOOK, World};

impl World {
    fn beginning(&self) -> jobs::Deps {
        jobs::Deps {
            gate: Gate::new(self.table.clone()),
            table: self.table.clone(),
            jobs: self.jobs.clone(),
            limits: Limits::default(),
        }
    }

    async fn replay(&self, call: Call) -> (u16, Value) {
        told(replay::handle(&self.beginning(), call).await)
    }

    /// A replay of everything since an hour ago.
    async fn replay_all(&self) -> (u16, Value) {
        let since = self.now - SignedDuration::from_hours(1);
        self.replay(self.owner().posting(&json!({ "since": since }))).await
    }

    async fn clean_up(&self, call: Call) -> (u16, Value) {
        told(clean_up::handle(&self.beginning(), call).await)
    }

    async fn job(&self) -> Job {
        let mut all = self.table.list_all(&key::jobs(self.tenant)).await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    async fn cancel_job(&self, call: Call) -> (u16, Value) {
        let deps = jobs::cancel::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(jobs::cancel::handle(&deps, call).await)
    }

    /// So many deliveries that were refused, a second apart.
    async fn refused(&mut self, many: usize) {
        for n in 0..many {
            self.accept(&format!("b{n:04}")).await;
            let delivery = self.deliveries().await.pop().unwrap();
            self.refuse(&delivery).await;
            self.now += SignedDuration::from_secs(1);
        }
        self.messages();
    }

    /// As if its one attempt had been refused.
    async fn refuse(&self, delivery: &Delivery) {
        let change = self.table.change(key::delivery(self.tenant, delivery.id)).set("state", State::Failed);
        let change = change.set("attempts", delivery.attempts + 1).set("ended_at", self.now).remove("due_at");
        change.index(None).send().await.unwrap();
    }

    async fn states(&self) -> Vec<State> {
        self.deliveries().await.iter().map(|delivery| delivery.state).collect()
    }
}

#[tokio::test]
async fn everything_that_failed_since_a_time_is_delivered_at_last() {
    let mut world = World::new().await;
    world.refused(120).await;

    let (status, body) = world.replay_all().await;
    assert_eq!((status, body["data"]["state"].as_str()), (202, Some("running")), "{body}");
    let began = world.now;
    world.run_for(SignedDuration::from_mins(2)).await;

    assert!(world.states().await.iter().all(|state| *state == State::Delivered));
    let job = world.job().await;
    assert_eq!((job.state, job.looked_at, job.done, job.passed_over), (job::State::Done, 120, 120, 0));
    let took = job.ended_at.unwrap().duration_since(began).as_secs();
    assert!((20..=40).contains(&took), "5 a second leave room for what happens meanwhile: {took} s");
    let sent = world.receiver.requests(HOOK).await.unwrap();
    let ids: Vec<_> = sent.iter().map(|sent| sent.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 120, "each once");
    assert!(ids.is_sorted(), "oldest first");
    assert_eq!(world.sweep().await, 0, "nothing is left to be looked after");
}

#[tokio::test]
async fn a_preview_counts_and_changes_nothing() {
    let mut world = World::new().await;
    world.refused(3).await;
    let since = world.now - SignedDuration::from_hours(1);
    let other = EndpointId::new();

    for (more, count) in [
        (json!({}), 3),
        (json!({ "endpoint_id": world.endpoint }), 3),
        (json!({ "most_attempts": 1 }), 3),
        (json!({ "until": world.now - SignedDuration::from_secs(2) }), 2),
    ] {
        let mut body = json!({ "since": since, "preview": true });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, told) = world.replay(world.owner().posting(&body)).await;
        assert_eq!((status, &told["data"]), (200, &json!({ "count": count, "counted_all": true })), "{body}");
    }
    let body = json!({ "since": since, "endpoint_id": other, "preview": true });
    assert_eq!(world.replay(world.owner().posting(&body)).await.0, 404);
    assert!(world.states().await.iter().all(|state| *state == State::Failed));
    assert_eq!((world.pages().len(), world.messages().len()), (0, 0));
}

#[tokio::test]
async fn previews_are_counted_so_that_nobody_reads_the_log_all_day() {
    let world = World::new().await;
    let replay = json!({ "since": world.now, "preview": true });
    let clean_up = json!({ "older_than_days": 1, "preview": true });
    for _ in 0..3 {
        assert_eq!(world.replay(world.owner().posting(&replay)).await.0, 200);
    }
    for _ in 0..2 {
        assert_eq!(world.clean_up(world.owner().posting(&clean_up)).await.0, 200);
    }

    let deps = world.beginning();
    for body in [&replay, &clean_up] {
        let refused = match body.get("since") {
            Some(_) => replay::handle(&deps, world.owner().posting(body)).await,
            None => clean_up::handle(&deps, world.owner().posting(body)).await,
        };
        let reply = Reply::from(&refused.map(drop).expect_err("it is refused"));
        assert_eq!((reply.status.as_u16(), reply.headers["retry-after"].to_str().unwrap()), (429, "12"));
    }
    assert_eq!(world.replay_all().await.0, 202, "a job may begin all the same");
    let other = person(TenantId::new(), Role::Owner).at(world.now).posting(&replay);
    assert_eq!(world.replay(other).await.0, 200, "and others look");
    let later = world.owner().at(world.now + SignedDuration::from_secs(12)).posting(&replay);
    assert_eq!(world.replay(later).await.0, 200);
}

#[tokio::test]
async fn only_what_was_asked_for_is_started() {
    let mut world = World::new().await;
    world.refused(3).await;
    let all = world.deliveries().await;
    world.refuse(&all[0]).await;
    let dead = world.table.change(key::delivery(world.tenant, all[2].id)).set("state", State::Dead);
    dead.send().await.unwrap();
    let body = json!({ "since": all[0].accepted_at, "most_attempts": 1, "endpoint_id": world.endpoint });

    assert_eq!(world.replay(world.owner().posting(&body)).await.0, 202);
    world.run_for(SignedDuration::from_mins(1)).await;

    assert_eq!(world.states().await, [State::Failed, State::Delivered, State::Delivered]);
    assert_eq!(world.job().await.done, 2);
}

#[tokio::test]
async fn a_page_that_comes_twice_or_after_a_kill_starts_nothing_twice() {
    let mut world = World::new().await;
    world.refused(60).await;
    world.replay_all().await;
    let page = world.pages().remove(0);
    world.turn(page.clone()).await.unwrap();
    let first = world.messages();
    let started = first.len();
    // Killed before it was written down, and what it had started was refused again at once.
    let job = world.job().await;
    let undone = world.table.change(key::job(world.tenant, job.id)).remove("after").set("looked_at", 0).set("done", 0);
    undone.send().await.unwrap();
    world.pages();
    for delivery in world.deliveries().await.iter().take(started) {
        world.refuse(delivery).await;
    }

    world.turn(page.clone()).await.unwrap();
    world.turn(page).await.unwrap();

    assert_eq!(world.messages(), [], "none of them again");
    let job = world.job().await;
    assert_eq!((job.done, job.looked_at), (50, 50));
    assert_eq!(world.pages().len(), 1, "the next page has one message");
    assert_eq!(started, 50);
}

#[tokio::test]
async fn two_workers_on_one_page_share_it() {
    let mut world = World::new().await;
    world.refused(30).await;
    world.replay_all().await;
    let page = world.pages().remove(0);

    let (one, other) = tokio::join!(world.turn(page.clone()), world.turn(page));

    one.unwrap();
    other.unwrap();
    let mut started: Vec<String> = world.messages().iter().map(|job| format!("{job:?}")).collect();
    started.sort();
    started.dedup();
    assert_eq!(started.len(), 30);
    let job = world.job().await;
    assert_eq!((job.state, job.done, job.passed_over), (job::State::Done, 30, 0));
}

#[tokio::test]
async fn a_job_that_lost_its_message_is_brought_back() {
    let mut world = World::new().await;
    world.refused(60).await;
    world.replay_all().await;
    world.pages();
    world.run_for(SignedDuration::from_mins(7)).await;
    assert_eq!(world.job().await.state, job::State::Done, "its first message was lost");

    let mut world = World::new().await;
    world.refused(60).await;
    world.replay_all().await;
    let page = world.pages().remove(0);
    world.turn(page).await.unwrap();
    world.pages();
    world.run_for(SignedDuration::from_mins(8)).await;
    let job = world.job().await;
    assert_eq!((job.state, job.done), (job::State::Done, 60), "its second one was lost");
}

#[tokio::test]
async fn a_job_that_does_not_go_on_shows_since_when_and_when_it_is_brought_back() {
    let mut world = World::new().await;
    world.refused(60).await;
    let (_, begun) = world.replay_all().await;
    let began = world.now;
    let at = |seconds: i64| json!(began + SignedDuration::from_secs(seconds));
    assert_eq!((&begun["data"]["progressed_at"], &begun["data"]["due_at"]), (&at(0), &at(300)));
    let get = jobs::get::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    let shown = async |world: &World| {
        let call = world.owner().with_part("id", world.job().await.id);
        told(jobs::get::handle(&get, call).await).1["data"].clone()
    };

    // A page is done; the message of the next one is lost in trouble of ours, and so is the one that the sweep sends.
    world.now += SignedDuration::from_secs(1);
    let page = world.pages().remove(0);
    world.turn(page).await.unwrap();
    world.pages();
    let waiting = shown(&world).await;
    assert_eq!((&waiting["progressed_at"], &waiting["due_at"]), (&at(1), &at(1 + 10 + 300)));
    world.now += SignedDuration::from_secs(320);
    world.messages();
    assert!(world.sweep().await >= 1);
    let brought = shown(&world).await;
    assert_eq!(
        (&brought["progressed_at"], &brought["due_at"]),
        (&at(1), &at(321 + 900)),
        "it is not taken for progress"
    );

    world.run_for(SignedDuration::from_mins(30)).await;
    let done = shown(&world).await;
    assert_eq!((&done["state"], &done["due_at"]), (&json!("done"), &Value::Null));
    assert_eq!(done["progressed_at"], done["ended_at"]);
}

#[tokio::test]
async fn one_replay_of_a_tenant_at_a_time() {
    let mut world = World::new().await;
    world.refused(2).await;
    let (one, other) = tokio::join!(world.replay_all(), world.replay_all());
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    // Of two at the same moment one may be told that the table was busy.
    assert_eq!(statuses[0], 202);
    assert!([409, 503].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(world.replay_all().await.0, 409);
    let (cleaned, body) = world.clean_up(world.owner().posting(&json!({ "older_than_days": 1 }))).await;
    assert_eq!(cleaned, 202, "work of another kind is not kept waiting: {body}");

    world.run_for(SignedDuration::from_mins(1)).await;

    assert_eq!(world.replay_all().await.0, 202, "it has ended");
}

#[tokio::test]
async fn the_same_request_twice_begins_one() {
    let mut world = World::new().await;
    world.refused(1).await;
    let body = json!({ "since": world.now - SignedDuration::from_hours(1) });
    let call = || world.owner().with_header("idempotency-key", "k1").posting(&body);
    let (first, again) = (world.replay(call()).await, world.replay(call()).await);
    assert_eq!((first.0, again.0), (202, 202));
    assert_eq!(first.1, again.1);
    world.job().await;
}

#[tokio::test]
async fn a_cancelled_job_goes_no_further() {
    let mut world = World::new().await;
    world.refused(60).await;
    let (_, begun) = world.replay_all().await;
    let id = begun["data"]["id"].as_str().unwrap().to_owned();
    let page = world.pages().remove(0);
    world.turn(page).await.unwrap();

    let (status, body) = world.cancel_job(world.owner().with_part("id", &id)).await;

    assert_eq!((status, body["data"]["state"].as_str()), (200, Some("cancelled")), "{body}");
    assert_eq!(world.cancel_job(world.owner().with_part("id", &id)).await.0, 409);
    world.run_for(SignedDuration::from_mins(10)).await;
    let done = world.states().await.iter().filter(|state| **state == State::Delivered).count();
    assert_eq!((done, world.job().await.done), (50, 50));
    assert_eq!(world.replay_all().await.0, 202, "its place is free");
}

#[tokio::test]
async fn cancelled_while_a_page_is_in_hand_the_page_is_counted() {
    let mut world = World::new().await;
    world.refused(20).await;
    let (_, begun) = world.replay_all().await;
    let id = begun["data"]["id"].as_str().unwrap().to_owned();
    let page = world.pages().remove(0);

    let (turned, (status, _)) = tokio::join!(world.turn(page), async {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        world.cancel_job(world.owner().with_part("id", &id)).await
    });

    turned.unwrap();
    let started = world.states().await.iter().filter(|state| **state == State::Pending).count() as u64;
    let job = world.job().await;
    match status {
        200 => assert_eq!((job.state, job.done), (job::State::Cancelled, started)),
        // The page was the quicker one, and the last.
        other => assert_eq!((other, job.state, job.done), (409, job::State::Done, 20)),
    }
}

#[tokio::test]
async fn what_changes_meanwhile_or_has_nowhere_to_go_is_passed_over() {
    let mut world = World::new().await;
    world.refused(3).await;
    world.replay_all().await;
    world.table.delete(key::endpoint(world.tenant, world.endpoint)).await.unwrap();

    world.run_for(SignedDuration::from_mins(1)).await;

    let job = world.job().await;
    assert_eq!((job.state, job.done, job.passed_over), (job::State::Done, 0, 3));
    assert!(world.states().await.iter().all(|state| *state == State::Failed));
}

#[tokio::test]
async fn a_job_ends_at_ten_thousand_and_says_so() {
    let mut world = World::new().await;
    world.refused(3).await;
    world.replay_all().await;
    let nearly = world.table.change(key::job(world.tenant, world.job().await.id)).set("done", jobs::MOST - 1);
    nearly.send().await.unwrap();

    world.run_for(SignedDuration::from_mins(1)).await;

    let deps = jobs::get::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    let id = world.job().await.id;
    let (_, body) = told(jobs::get::handle(&deps, world.owner().with_part("id", id)).await);
    assert_eq!((&body["data"]["state"], &body["data"]["most_reached"]), (&json!("done"), &json!(true)));
    assert_eq!(world.states().await, [State::Delivered, State::Failed, State::Failed]);
}

#[tokio::test]
async fn a_slowed_endpoint_is_given_less_at_a_time() {
    let mut world = World::new().await;
    world.refused(40).await;
    world.table.change(key::endpoint(world.tenant, world.endpoint)).set("pace", 2).send().await.unwrap();
    world.replay_all().await;
    let page = world.pages().remove(0);

    world.turn(page).await.unwrap();

    let (page, wait) = world.kept_pages.lock().unwrap()[0].clone();
    assert_eq!(wait.as_secs(), 300, "30 at one in ten seconds: {page}");
    assert_eq!(world.messages().len(), 30);
}

#[tokio::test]
async fn old_deliveries_are_forgotten_with_their_attempts_and_what_is_open_stays() {
    let mut world = World::new().await;
    world.now -= SignedDuration::from_hours(72);
    for name in ["old", "older"] {
        world.accept(name).await;
        world.run_until(world.now).await;
    }
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();
    world.accept("open").await;
    world.run_until(world.now).await;
    let old = world.deliveries().await;
    world.messages();
    world.receiver.heal(HOOK).await.unwrap();
    world.now += SignedDuration::from_hours(72);
    world.accept("new").await;
    let ask = |body: Value| world.owner().posting(&body);

    for wrong in [json!({}), json!({ "older_than_days": 0 }), json!({ "older_than_days": 4000 }), json!({ "days": 1 })]
    {
        assert_eq!(world.clean_up(ask(wrong.clone())).await.0, 400, "{wrong}");
    }
    let (_, preview) = world.clean_up(ask(json!({ "older_than_days": 2, "preview": true }))).await;
    assert_eq!(preview["data"], json!({ "count": 2, "counted_all": true }));
    let (status, body) = world.clean_up(ask(json!({ "older_than_days": 2 }))).await;
    assert_eq!((status, &body["data"]["work"]["kind"]), (202, &json!("clean_up")));
    let page = world.pages().remove(0);
    world.turn(page.clone()).await.unwrap();
    world.turn(page).await.unwrap();

    assert_eq!(world.deliveries().await.len(), 2, "the one that is open, and the new one");
    assert_eq!((world.job().await.state, world.job().await.done), (job::State::Done, 2));
    for delivery in old {
        let attempts = world.table.list_all(&key::attempts(world.tenant, delivery.id)).await.unwrap();
        assert_eq!(attempts.is_empty(), delivery.state == State::Delivered);
    }
}

#[tokio::test]
async fn killed_between_the_attempts_and_the_delivery_a_clean_up_finishes() {
    let mut world = World::new().await;
    world.now -= SignedDuration::from_hours(72);
    world.accept("old").await;
    world.run_until(world.now).await;
    world.now += SignedDuration::from_hours(72);
    let id = world.delivery().await.id;
    world.table.delete(key::attempt(world.tenant, id, 1)).await.unwrap();

    world.clean_up(world.owner().posting(&json!({ "older_than_days": 1 }))).await;
    world.run_for(SignedDuration::from_mins(1)).await;

    assert_eq!(world.deliveries().await.len(), 0);
}

#[tokio::test]
async fn all_faults_of_a_request_are_told_at_once() {
    let world = World::new().await;
    let body = json!({ "since": world.now - SignedDuration::from_hours(15 * 24), "until": "2020-01-01T00:00:00Z",
        "most_attempts": 0, "endpoint_id": "end_1", "colour": "red" });
    let (status, problem) = world.replay(world.owner().posting(&body)).await;
    assert_eq!(status, 400);
    let mut pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/colour", "/endpoint_id", "/most_attempts", "/since", "/until"]);
    assert_eq!(world.replay(world.owner().posting(&json!({}))).await.0, 400);
    assert_eq!(world.replay(world.owner().posting_bytes("nonsense")).await.0, 400);
}

#[tokio::test]
async fn jobs_are_shown_to_their_tenant_and_to_no_other() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    world.replay_all().await;
    world.run_for(SignedDuration::from_mins(1)).await;
    let id = world.job().await.id;
    let get = jobs::get::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    let got = async |call: Call| told(jobs::get::handle(&get, call.with_part("id", id)).await);
    let listed = async |call: Call| told(jobs::list::handle(&world.reading(), call).await);

    let (_, one) = got(person(world.tenant, Role::Supervisor)).await;
    let (_, all) = listed(person(world.tenant, Role::Supervisor)).await;
    assert_eq!((&one["data"]["done"], &one["data"]["work"]["kind"]), (&json!(1), &json!("replay")));
    assert_eq!(all["data"]["jobs"][0], one["data"]);
    assert_eq!((got(stranger()).await.0, got(nobody()).await.0), (404, 401));
    assert_eq!(got(person(world.tenant, Role::Agent)).await.0, 403);
    assert_eq!(listed(stranger()).await.1["data"]["jobs"], json!([]));
    assert_eq!(world.cancel_job(stranger().with_part("id", id)).await.0, 404);
    assert_eq!(world.cancel_job(world.owner().with_part("id", JobId::new())).await.0, 404);
    assert_eq!(world.cancel_job(person(world.tenant, Role::Supervisor).with_part("id", id)).await.0, 403);
    let since = json!({ "since": world.now });
    assert_eq!(world.replay(person(world.tenant, Role::Supervisor).posting(&since)).await.0, 403);
    let days = json!({ "older_than_days": 1 });
    assert_eq!(world.clean_up(person(world.tenant, Role::Supervisor).posting(&days)).await.0, 403);
    let mine = json!({ "since": world.now - SignedDuration::from_hours(1), "endpoint_id": world.endpoint });
    assert_eq!(world.replay(stranger().posting(&mine)).await.0, 404);
}

#[tokio::test]
async fn a_page_costs_little_more_than_what_it_starts() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    world.refused(100).await;
    world.replay_all().await;
    let page = world.pages().remove(0);
    units.take();

    world.turn(page).await.unwrap();

    let (writes, reads) = units.take();
    assert_eq!(writes, 50.0 * 2.0 + 3.0, "two for each that is started, three to write the page down");
    assert!(reads <= 16.0, "{reads} read units");
}
