use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::{
    endpoint::{self, State},
    key,
    make::{
        Zone,
        api::{Api, Caller},
    },
};

use crate::world::{World, ZONE};

/// Gives the whole organisation, which has so many teams besides the one with the webhook.
async fn organization(teams: usize) -> World {
    let world = World::new().await;
    for _ in 0..teams {
        team(&world).await;
    }
    let (status, body) = world.give(json!({ "organization_id": world.customer.organization_id })).await;
    assert_eq!(status, 201, "{body}");
    world
}

async fn team(world: &World) -> u64 {
    let said = json!({ "organizationId": world.customer.organization_id });
    world.standin.make_put(ZONE, "teams", said).await.unwrap()["id"].as_u64().unwrap()
}

async fn hook(world: &World, team: u64, udid: &str, active: bool) -> (u64, u64) {
    let put = |what, said: Value| world.standin.make_put(ZONE, what, said);
    let hook = put("hooks", json!({ "teamId": team, "udid": udid })).await.unwrap()["id"].as_u64().unwrap();
    let scenario = json!({ "teamId": team, "hookId": hook, "isActive": active });
    (hook, put("scenarios", scenario).await.unwrap()["id"].as_u64().unwrap())
}

#[tokio::test]
async fn webhooks_of_two_teams_are_found() {
    let mut world = organization(0).await;
    let other = team(&world).await;
    let (_, scenario) = hook(&world, other, "leads", false).await;
    let leads = world.endpoint_to("/hook.eu1.make.com/leads", endpoint::target()).await;

    world.look_well().await;

    assert_eq!(world.stands().await.0, State::Active);
    assert_eq!(world.table.get(key::endpoint(world.tenant, leads)).await.unwrap().state, State::Held);
    let receiver = world.table.get(key::receiver(world.tenant, leads)).await.unwrap();
    assert_eq!((receiver.team, receiver.scenario.map(|it| it.id)), (Some(other), Some(scenario)));
}

#[tokio::test]
async fn an_organisation_of_many_teams_is_searched_a_few_at_a_look_and_then_left_alone() {
    let mut world = organization(24).await;
    world.standin.forget("/*").await.unwrap();

    let mut found_after = None;
    for look in 1..=3 {
        world.look_well().await;
        let receiver = world.table.find_now(key::receiver(world.tenant, world.endpoint)).await.unwrap();
        if receiver.is_some_and(|receiver| receiver.hook.is_some()) {
            found_after.get_or_insert(look);
        }
    }
    assert!(found_after.is_some());
    let searched = world.requests().await.iter().filter(|path| *path == "/hooks").count();
    assert!((25..=28).contains(&searched), "{searched}");

    world.standin.forget("/*").await.unwrap();
    for _ in 0..10 {
        world.look_well().await;
    }
    assert_eq!(world.requests().await.len(), 20, "the webhooks and the scenarios of the one team");
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let world = World::new().await;
    for _ in 0..100 {
        team(&world).await;
    }
    let caller = Caller::new(world.tenant, Zone::Eu1, world.customer.token.clone().into(), Some(100_000));
    let api = Api::new(world.egress.clone(), world.table.clone());

    let teams = api.teams(&caller, world.customer.organization_id).await.unwrap();

    assert_eq!((teams.len(), caller.asked()), (101, 2));
    let queries: Vec<String> = world
        .standin
        .requests("/eu1.make.com/api/v2/teams")
        .await
        .unwrap()
        .into_iter()
        .map(|request| request.query)
        .collect();
    assert!(queries[1].ends_with("pg%5Boffset%5D=100&pg%5Blimit%5D=100"), "{queries:?}");
    assert!(!queries.concat().contains('['), "{queries:?}");
}

#[tokio::test]
async fn an_endpoint_without_a_webhook_in_the_account_is_left_alone_and_searched_for_now_and_then() {
    let mut world = organization(2).await;
    let elsewhere = world.endpoint_at("https://hook.eu2.make.com/elsewhere", endpoint::subscriber()).await;
    let foreign = world.endpoint_at("https://example.com/hook", endpoint::subscriber()).await;
    world.standin.forget("/*").await.unwrap();

    for _ in 0..15 {
        world.look_well().await;
    }

    for id in [elsewhere, foreign] {
        assert_eq!(world.table.get(key::endpoint(world.tenant, id)).await.unwrap().state, State::Active);
    }
    let receiver = world.table.get(key::receiver(world.tenant, elsewhere)).await.unwrap();
    assert_eq!(receiver.verdict(world.now), "no_hook");
    assert!(world.table.find_now(key::receiver(world.tenant, foreign)).await.unwrap().is_none());
    let searches = world.requests().await.iter().filter(|path| *path == "/teams").count();
    assert_eq!(searches, 3, "at first, and every ten minutes");
    assert_eq!(world.notices().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_webhook_that_was_deleted_is_gone_and_one_that_was_made_anew_is_found() {
    let mut world = organization(1).await;
    world.look_well().await;

    // Under another name, which for us is the same as deleted.
    world.look_at_hook(json!({ "udid": "renamed" })).await;
    assert_eq!(world.stands().await.0, State::Held);
    let receiver = world.receiver().await;
    assert_eq!(receiver.verdict(world.now), "hook_gone");
    assert!(receiver.findings(world.now)[0].detail.contains("was deleted"), "{:?}", receiver.findings(world.now));
    world.look_well().await;

    let another = team(&world).await;
    hook(&world, another, "bookings", true).await;
    for _ in 0..7 {
        world.look_well().await;
    }
    assert_eq!(world.stands().await.0, State::Active);
    assert_eq!(world.receiver().await.team, Some(another));
    assert_eq!(world.notices().await, ["hook_gone", "hook_gone_ended"]);
}

#[tokio::test]
async fn a_team_that_the_token_no_longer_sees_is_unknown_and_not_gone() {
    let mut world = organization(0).await;
    let other = team(&world).await;
    hook(&world, other, "leads", true).await;
    let leads = world.endpoint_to("/hook.eu1.make.com/leads", endpoint::subscriber()).await;
    world.look_well().await;
    let hidden = local::standin::Fault::status(403);

    // Every request for the webhooks of this team is refused; the other team answers.
    for _ in 0..12 {
        let mine = world.customer.team_id;
        let order = if mine < other { [hidden.clone()].to_vec() } else { vec![] };
        world.standin.fail_next("/eu1.make.com/api/v2/hooks", order).await.unwrap();
        world.look().await;
    }

    assert_ne!(world.receiver().await.verdict(world.now), "hook_gone");
    assert_eq!(world.stands().await, (State::Active, 100));
    let told = world.table.get(key::receiver(world.tenant, leads)).await.unwrap();
    assert_eq!(told.verdict(world.now), "working");
    assert_eq!(world.notices().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_organisation_whose_only_known_team_is_hidden_has_a_token_that_works() {
    let mut world = organization(1).await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    assert_eq!(world.stands().await.0, State::Held);
    let elsewhere = world.standin.make_put(ZONE, "organizations", json!({})).await.unwrap()["id"].clone();
    let team = json!({ "id": world.customer.team_id, "organizationId": elsewhere });
    world.standin.make_put(ZONE, "teams", team).await.unwrap();

    for _ in 0..9 {
        world.look_well().await;
    }
    assert_eq!(world.notices().await, ["scenario_off", "receiver_unknown"]);
    assert_eq!(world.stands().await.0, State::Active);

    for _ in 0..6 {
        world.look_well().await;
    }
    assert_eq!(world.receiver().await.verdict(world.now), "no_hook", "hidden is not gone");
    assert_eq!(world.notices().await, ["scenario_off", "receiver_unknown"]);
    world.standin.forget("/*").await.unwrap();
    world.look_well().await;
    let asked = world.requests().await.len();
    assert!(asked <= 2, "it is not asked for ever: {asked}");
}

#[tokio::test]
async fn another_account_knows_nothing_of_what_the_former_has_seen() {
    let mut world = organization(0).await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    assert_eq!(world.stands().await.0, State::Held);
    let other = world.standin.make_account(ZONE, &local::standin::MakeOrder::for_hook("other")).await.unwrap();

    let (status, body) = world.give(json!({ "organization_id": other.organization_id, "token": other.token })).await;
    assert_eq!(status, 200, "{body}");
    world.look_well().await;

    assert_eq!(world.stands().await.0, State::Active, "it is not gone, it is not of this account");
    assert_eq!(world.receiver().await.verdict(world.now), "no_hook");
    world.now += SignedDuration::from_mins(1);
}
