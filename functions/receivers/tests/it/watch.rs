use jiff::SignedDuration;
use receivers::watch::{self, Watched};
use serde_json::json;
use shared::{
    boot::Tick,
    delivery::Job,
    endpoint::{Endpoint, Holder, State},
    key,
};

use crate::world::{World, ZONE};

#[tokio::test]
async fn a_receiver_that_works_leaves_its_endpoint_alone() {
    let mut world = World::watched().await;

    world.look_well().await;
    world.look_well().await;

    assert_eq!(world.stands().await, (State::Active, 100));
    let receiver = world.receiver().await;
    assert_eq!(receiver.hook.as_ref().map(|hook| hook.id), Some(world.customer.hook_id));
    assert_eq!(receiver.scenario.as_ref().map(|scenario| scenario.name.as_str()), Some("Booking intake"));
    assert_eq!(receiver.verdict(world.now), "working");
    assert_eq!(world.notices().await, Vec::<String>::new());
}

#[tokio::test]
async fn whatever_is_wrong_holds_the_endpoint_is_told_once_and_opens_it_when_it_is_over() {
    for (name, wrong, right) in [
        ("scenario_off", json!({ "isActive": false }), json!({ "isActive": true })),
        ("scenario_paused", json!({ "isPaused": true }), json!({ "isPaused": false })),
        // As Make leaves a scenario that an error has stopped.
        (
            "scenario_invalid",
            json!({ "isinvalid": true, "isActive": false }),
            json!({ "isinvalid": false, "isActive": true }),
        ),
        ("hook_disabled", json!({ "enabled": false }), json!({ "enabled": true })),
        ("hook_gone", json!({ "gone": true }), json!({ "gone": false })),
    ] {
        let mut world = World::watched().await;
        let set = async |world: &mut World, said| {
            if name.starts_with("scenario") {
                world.look_at_scenario(said).await
            } else {
                world.look_at_hook(said).await
            }
        };
        world.look_well().await;

        set(&mut world, wrong).await;
        let endpoint = world.endpoint().await;
        assert_eq!((endpoint.state, endpoint.held_by), (State::Held, Holder::Receiver), "{name}");
        assert!(endpoint.check_at.is_none(), "{name}: no probe opens it");
        assert_eq!(world.receiver().await.verdict(world.now), name);
        world.look_well().await;
        world.look_well().await;
        assert_eq!(world.notices().await, [name]);
        world.messages();

        set(&mut world, right).await;
        assert_eq!(world.stands().await, (State::Active, 100), "{name}");
        let check = Job::Check { tenant: world.tenant, endpoint: world.endpoint };
        assert_eq!(world.messages(), [check], "{name}: what waited is sent");
        world.look_well().await;
        assert_eq!(world.notices().await, [name.to_owned(), format!("{name}_ended")]);
    }
}

#[tokio::test]
async fn a_webhook_without_a_scenario_holds_before_it_is_gone() {
    let mut world = World::watched().await;
    world.look_well().await;

    world.look_at_scenario(json!({ "hookId": null })).await;
    assert_eq!(world.stands().await.0, State::Held);
    assert_eq!(world.receiver().await.verdict(world.now), "hook_unattached");

    // Five days later Make.com closes it; then somebody attaches it.
    world.now += SignedDuration::from_hours(121);
    world.look_at_hook(json!({ "gone": true })).await;
    assert_eq!(world.receiver().await.verdict(world.now), "hook_gone");
    world
        .standin
        .set_scenario(ZONE, world.customer.scenario_id, json!({ "hookId": world.customer.hook_id }))
        .await
        .unwrap();
    world.look_at_hook(json!({ "gone": false })).await;

    assert_eq!(world.stands().await, (State::Active, 100));
    assert_eq!(world.notices().await, ["hook_unattached", "hook_gone", "hook_gone_ended"]);
}

#[tokio::test]
async fn an_endpoint_that_is_closed_for_another_reason_stays_what_it_is() {
    for (state, held_by) in [(State::Disabled, Holder::Failures), (State::Held, Holder::Failures)] {
        let mut world = World::watched().await;
        world.look_well().await;
        let change = world.table.change::<Endpoint>(key::endpoint(world.tenant, world.endpoint));
        change.set("state", state).set("held_by", held_by).send().await.unwrap();

        world.look_at_scenario(json!({ "isActive": false })).await;
        let endpoint = world.endpoint().await;
        assert_eq!((endpoint.state, endpoint.held_by), (state, held_by));
        world.look_at_scenario(json!({ "isActive": true })).await;

        let endpoint = world.endpoint().await;
        assert_eq!((endpoint.state, endpoint.held_by), (state, held_by));
        assert_eq!(world.messages(), []);
        assert_eq!(
            world.notices().await,
            ["scenario_off", "scenario_off_ended"],
            "what Make.com says is told all the same"
        );
    }
}

#[tokio::test]
async fn a_degraded_endpoint_is_held_and_one_that_recovers_meanwhile_is_held_then() {
    let mut world = World::watched().await;
    world.look_well().await;
    let change = |state: State, opened| {
        let change = world.table.change::<Endpoint>(key::endpoint(world.tenant, world.endpoint));
        change.set("state", state).set("held_by", Holder::Failures).set_or_remove("opened_at", opened).send()
    };
    change(State::Held, None).await.unwrap();
    world.standin.set_scenario(ZONE, world.customer.scenario_id, json!({ "isActive": false })).await.unwrap();
    let mut looked = receivers::watch::run(&world.deps, world.now, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(looked.answered, 1);

    // A probe got its 200 from the queue of a scenario that is off.
    change(State::Active, Some(world.now + SignedDuration::from_mins(1))).await.unwrap();
    world.now += SignedDuration::from_mins(2);
    looked = world.look().await;

    assert_eq!(looked.answered, 1);
    assert_eq!(world.endpoint().await.held_by, Holder::Receiver);
    assert_eq!(world.notices().await, ["scenario_off"]);
}

#[tokio::test]
async fn a_person_who_opens_it_all_the_same_is_believed_until_something_changes() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    let change = world.table.change::<Endpoint>(key::endpoint(world.tenant, world.endpoint));
    change
        .set("state", State::Active)
        .set("held_by", Holder::Failures)
        .set("opened_at", world.now)
        .send()
        .await
        .unwrap();
    world.now += SignedDuration::from_secs(1);

    world.look_well().await;
    world.look_well().await;
    assert_eq!(world.stands().await.0, State::Active);

    world.look_at_scenario(json!({ "isActive": false, "isinvalid": true })).await;
    assert_eq!(world.stands().await.0, State::Held);
    assert_eq!(world.notices().await, ["scenario_off", "scenario_invalid"]);
}

#[tokio::test]
async fn incomplete_runs_are_told_when_they_become_more_and_never_in_a_flood() {
    let mut world = World::watched().await;
    world.look_at_scenario(json!({ "dlqCount": 3 })).await;
    assert_eq!(world.notices().await, Vec::<String>::new(), "what was there before is no news");

    for count in [4, 5, 9, 9, 30, 39] {
        world.look_at_scenario(json!({ "dlqCount": count })).await;
    }
    assert_eq!(world.notices().await, ["incomplete_runs"]);
    assert_eq!(world.receiver().await.verdict(world.now), "incomplete_runs");
    world.look_at_scenario(json!({ "dlqCount": 40 })).await;
    assert_eq!(world.notices().await, ["incomplete_runs", "incomplete_runs"], "ten times as many");

    world.look_at_scenario(json!({ "dlqCount": 0 })).await;
    assert_eq!(world.notices().await.last().unwrap(), "incomplete_runs_ended");
    assert_eq!(world.stands().await, (State::Active, 100), "it works all the while");
    world.look_at_scenario(json!({ "dlqCount": 1 })).await;
    assert_eq!(world.notices().await.len(), 4);
}

#[tokio::test]
async fn of_two_runs_at_once_one_looks() {
    let mut world = World::watched().await;
    world.standin.set_scenario(ZONE, world.customer.scenario_id, json!({ "isActive": false })).await.unwrap();
    let run = || receivers::watch::run(&world.deps, world.now, std::time::Duration::ZERO);

    let (a, b, c) = tokio::join!(run(), run(), run());

    let answered = [a, b, c].map(|watched| watched.unwrap().answered);
    assert_eq!(answered.iter().sum::<u32>(), 1, "{answered:?}");
    assert_eq!(world.notices().await, ["scenario_off"]);
    world.now += SignedDuration::from_secs(30);
    assert_eq!(world.look().await.answered, 0, "it is not due");
}

#[tokio::test]
async fn whoever_is_killed_between_the_row_and_the_endpoint_is_made_up_for() {
    let mut world = World::watched().await;
    world.look_well().await;
    // The look has written that the scenario is off, and was killed right after.
    let mut row = world.receiver().await;
    let seen = receivers::rules::Seen {
        team: row.team,
        hook: row.hook.clone(),
        scenario: row
            .scenario
            .clone()
            .map(|scenario| shared::receiver::Scenario { is_active: Some(false), ..scenario }),
        attached: true,
    };
    row = receivers::rules::judge("Bookings", &row, seen, world.now);
    row.held_at = Some(world.now);
    world.table.put(&row).await.unwrap();
    assert_eq!(world.stands().await.0, State::Active);

    world.now += SignedDuration::from_mins(2);
    world.look_at_scenario(json!({ "isActive": false })).await;
    assert_eq!(world.stands().await.0, State::Held);
    assert_eq!(world.notices().await, ["scenario_off"]);

    // The same when it is on again: the row knows, the endpoint does not.
    let mut row = world.receiver().await;
    row.trouble = None;
    row.held_at = None;
    world.table.put(&row).await.unwrap();
    world.look_at_scenario(json!({ "isActive": true })).await;
    assert_eq!(world.stands().await.0, State::Active);
}

#[tokio::test]
async fn a_receiver_whose_endpoint_is_deleted_goes_with_it() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.table.delete(key::endpoint(world.tenant, world.endpoint)).await.unwrap();

    world.look_well().await;

    assert!(world.table.find_now(key::receiver(world.tenant, world.endpoint)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_endpoint_that_moves_away_from_make_is_opened() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    let keyring = shared::testing::vault().keyring().await.unwrap();
    let (tenant, id) = (world.tenant.to_string(), world.endpoint.to_string());
    let url =
        keyring.seal(Endpoint::place(&tenant, &id, "url"), &"https://example.com/hook".to_owned().into()).unwrap();
    let change = world.table.change::<Endpoint>(key::endpoint(world.tenant, world.endpoint));
    change.set("url", url).send().await.unwrap();

    world.look_well().await;

    assert_eq!(world.stands().await, (State::Active, 100));
    assert!(world.table.find_now(key::receiver(world.tenant, world.endpoint)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_tenant_that_cannot_be_looked_at_keeps_no_other() {
    let mut world = World::watched().await;
    // Another tenant whose token does not open: sealed for somebody else.
    let mut broken = world.account().await.unwrap();
    broken.tenant = shared::id::TenantId::new();
    world.table.put(&broken).await.unwrap();

    let watched = world.look().await;

    assert_eq!((watched.answered, watched.failed), (1, 1));
    assert_eq!(world.look().await.failed, 1, "it is tried again, and still keeps nobody");
}

#[tokio::test]
async fn trouble_of_our_own_fails_the_run_once_all_looks_were_tried() {
    let world = World::watched().await;
    assert_eq!(watch::handle(&world.deps, Tick {}).await.unwrap().answered, 1);
    let mut broken = world.account().await.unwrap();
    broken.tenant = shared::id::TenantId::new();
    broken.next_at = world.now;
    world.table.put(&broken).await.unwrap();
    let given = world.given().await;
    assert_eq!(given["last_answer_at"], json!(null));

    let outcome = watch::handle(&world.deps, Tick {}).await;

    assert!(outcome.is_err_and(|error| error.is_transient()));
    assert_eq!(world.shown().await.1["status"], "working", "the other was looked at all the same");
}

#[tokio::test]
async fn a_keyring_that_opens_nothing_keeps_nothing_held_for_ever() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    let seen_at = world.receiver().await.seen_at;
    world.break_keyring();

    while world.now < seen_at + SignedDuration::from_mins(14) {
        assert_eq!(world.look().await, Watched { failed: 1, ..Watched::default() });
        assert_eq!(world.stands().await.0, State::Held, "what was seen is believed for a while");
    }
    world.messages();
    while world.now < seen_at + SignedDuration::from_mins(20) {
        assert_eq!(world.look().await.failed, 1);
    }
    assert_eq!(world.stands().await, (State::Active, 100));
    let check = Job::Check { tenant: world.tenant, endpoint: world.endpoint };
    assert_eq!(world.messages(), [check], "what waited is sent");
    assert_eq!(world.notices().await, ["scenario_off", "receiver_unknown"]);

    world.mend_keyring();
    world.look_well().await;
    assert_eq!(world.stands().await.0, State::Held);
    assert_eq!(world.notices().await, ["scenario_off", "receiver_unknown", "scenario_off"]);
}

#[tokio::test]
async fn a_hold_without_a_row_is_opened_where_nobody_can_be_asked() {
    let mut world = World::watched().await;
    let endpoint = world.endpoint().await;
    assert!(deliveries::turn::hold_for_receiver(&world.table, &endpoint, "its row is gone").await.unwrap());
    world.break_keyring();

    world.look().await;

    assert_eq!(world.stands().await.0, State::Active);
}
