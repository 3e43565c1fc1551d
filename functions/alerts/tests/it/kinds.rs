//! Each kind of alert opens when it should, and ends.

use alerts::{
    alerts::act,
    book::{Book, Reach},
    engine,
    moment::Moment,
};
use jiff::ToSpan;
use shared::{
    alert::{Kind, Scope, Severity, State, Subject, Thresholds, Which},
    key,
    make::pull::Pull,
    scenario::{Owner, Pulled},
    sheet::{Cell, Stated},
    tenant,
    usage::ScenarioStatus,
};

use crate::{
    World, at,
    world::{cell, day, hours, says},
};

/// Half past one in the afternoon of a Tuesday, in Lisbon.
const NOW: &str = "2037-07-21T12:30:00Z";

#[tokio::test]
async fn failed_runs_count_when_they_are_many_for_sure() {
    let world = World::new().await;
    for id in ["few", "some", "many"] {
        world.scenario(id, |_| ()).await;
    }
    world.runs("few", "2037-07-21", 10, (4, 4, 0)).await;
    world.runs("some", "2037-07-21", 10, (17, 3, 0)).await;
    world.runs("many", "2037-07-20", 14, (6, 4, 0)).await;
    world.runs("many", "2037-07-21", 13, (6, 4, 0)).await;

    assert_eq!(world.evaluate(at(NOW)).await.told, 1);

    let alert = world.alert(Kind::ErrorRate, "many").await.unwrap();
    assert_eq!((alert.state, alert.opened_at), (State::Open, at("2037-07-21T12:00:00Z")));
    assert_eq!((&alert.breach.evidence["runs"], &alert.breach.evidence["failed"]), (&20.into(), &8.into()));
    assert_eq!(alert.name, "Scenario many");
    assert_eq!(world.event(&alert).await.unwrap().event_type, "alert.opened");
    for id in ["few", "some"] {
        assert_eq!(world.alert(Kind::ErrorRate, id).await, None, "{id}");
    }
    // The first ten are out of the window two hours later: too few are left.
    world.evaluate(at(NOW) + hours(2)).await;
    assert_eq!(world.alert(Kind::ErrorRate, "many").await.unwrap().state, State::Open);
    assert_eq!(world.evaluate(at(NOW) + hours(3)).await.told, 1);
    let over = world.alert(Kind::ErrorRate, "many").await.unwrap();
    assert_eq!((over.state, over.resolved_at), (State::Resolved, Some(at("2037-07-21T15:00:00Z"))));
    assert_eq!(world.event(&over).await.unwrap().event_type, "alert.resolved");
}

#[tokio::test]
async fn what_a_sync_stated_of_the_day_before_counts_too() {
    let world = World::new().await;
    world.state("Intake", "2037-07-20", cell(85, 60, 25)).await;
    world.evaluate(at("2037-07-21T06:30:00Z")).await;
    let intake = || Some(Which { by_id: false, scenario: "Intake".into() });
    assert!(world.about(Kind::ErrorRate, intake()).await.is_some());
    assert_eq!(world.about(Kind::Limit, intake()).await.unwrap().breach.level, 80);
    let broken = Stated { name: "Intake".into(), status: ScenarioStatus::Error, limit: None };
    world.state("Intake", "2037-07-20", Cell { stated: Some(broken), ..cell(1, 1, 0) }).await;
    world.evaluate(at("2037-07-21T06:40:00Z")).await;
    assert!(world.about(Kind::ScenarioStatus, intake()).await.is_some());
}

#[tokio::test]
async fn a_share_of_a_limit_that_somebody_has_resolved_is_not_told_again_but_the_next_one_is() {
    let world = World::new().await;
    world.scenario("1", |scenario| scenario.daily_limit = Some(100)).await;
    world.runs("1", "2037-07-21", 12, (55, 0, 0)).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1);
    let alert = world.alert(Kind::Limit, "1").await.unwrap();
    let call = world.owner().with_part("id", alert.id).posting(&serde_json::json!({})).at(at(NOW));
    assert_eq!(act::resolve(&world.alerts, call).await.unwrap().status, 200);
    for hour in 1..4 {
        assert_eq!(world.evaluate(at(NOW) + hours(hour)).await.told, 0);
    }
    assert_eq!(world.alert(Kind::Limit, "1").await.unwrap().state, State::Open);
    world.runs("1", "2037-07-21", 16, (30, 0, 0)).await;
    assert_eq!(world.evaluate(at("2037-07-21T16:30:00Z")).await.told, 1);
}

#[tokio::test]
async fn a_limit_is_told_share_by_share_and_ends_with_its_day() {
    let world = World::new().await;
    world.scenario("1", |scenario| scenario.daily_limit = Some(100)).await;
    let mut told = Vec::new();
    for (hour, more) in [(8, 49), (9, 1), (10, 5), (11, 27), (12, 17), (13, 3)] {
        world.runs("1", "2037-07-21", hour, (more, 0, 0)).await;
        let now = at("2037-07-21T00:05:00Z") + hours(i64::from(hour) - 1);
        told.push((
            world.evaluate(now).await.told,
            world.alert(Kind::Limit, "1").await.map(|alert| alert.breach.level),
        ));
    }
    assert_eq!(told, [(0, None), (1, Some(50)), (0, Some(50)), (1, Some(80)), (1, Some(90)), (1, Some(100))]);
    let alert = world.alert(Kind::Limit, "1").await.unwrap();
    assert_eq!((alert.breach.severity, alert.told), (Severity::Critical, true));

    assert_eq!(world.evaluate(at("2037-07-21T22:05:00Z")).await.told, 0, "nor is it told again that day");
    assert_eq!(world.evaluate(at("2037-07-21T23:05:00Z")).await.told, 0);
    assert_eq!(world.evaluate(at("2037-07-22T00:05:00Z")).await.told, 1);
    assert_eq!(world.alert(Kind::Limit, "1").await.unwrap().state, State::Resolved);
    world.runs("1", "2037-07-22", 2, (80, 0, 0)).await;
    assert_eq!(world.evaluate(at("2037-07-22T01:35:00Z")).await.told, 1);
    assert_eq!(world.alert(Kind::Limit, "1").await.unwrap().breach.level, 80);
}

#[tokio::test]
async fn a_limit_of_yesterday_ends_where_that_of_today_begins() {
    let world = World::new().await;
    world.state("Intake", "2037-07-20", cell(55, 55, 0)).await;
    world.evaluate(at(NOW)).await;
    world.state("Intake", "2037-07-21", cell(95, 95, 0)).await;
    let turn = world.evaluate(at(NOW) + hours(1)).await;
    assert_eq!((turn.changed, turn.told), (2, 2));
    let alert = world.about(Kind::Limit, Some(Which { by_id: false, scenario: "Intake".into() })).await.unwrap();
    assert_eq!((alert.breach.level, alert.breach.day), (90, Some(day("2037-07-21"))));
}

#[tokio::test]
async fn a_scenario_in_error_is_told_and_one_that_was_switched_off_while_in_use() {
    let world = World::new().await;
    let told = |status| {
        move |scenario: &mut shared::scenario::Scenario| scenario.told = Some(says(status, "2037-07-21T08:00:00Z"))
    };
    world.scenario("broken", told(ScenarioStatus::Error)).await;
    world.scenario("off", told(ScenarioStatus::Disabled)).await;
    world.scenario("unused", told(ScenarioStatus::Disabled)).await;
    world.scenario("well", told(ScenarioStatus::Active)).await;
    world.runs("off", "2037-07-18", 9, (1, 0, 0)).await;

    assert_eq!(world.evaluate(at(NOW)).await.told, 2);

    assert_eq!(world.alert(Kind::ScenarioStatus, "broken").await.unwrap().breach.severity, Severity::Critical);
    assert_eq!(world.alert(Kind::ScenarioStatus, "off").await.unwrap().breach.severity, Severity::Warning);
    for id in ["unused", "well"] {
        assert_eq!(world.alert(Kind::ScenarioStatus, id).await, None, "{id}");
    }
    world.scenario("broken", told(ScenarioStatus::Active)).await;
    assert_eq!((world.evaluate(at(NOW) + hours(1)).await.told, world.evaluate(at(NOW) + hours(2)).await.told), (0, 1));
}

#[tokio::test]
async fn a_day_that_costs_twice_what_this_weekday_does() {
    let world = World::new().await;
    let (today, tuesdays) = (day("2037-07-21"), [10, 8, 9, 40, 11]);
    for (week, dollars) in (1_i32..).zip(tuesdays) {
        world.cost(today - (7 * week).days(), dollars).await;
        world.cost(today - (7 * week + 1).days(), 500).await;
    }
    world.cost(today, 20).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 0, "twice the median is not above twice");
    world.cost(today, 21).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1);
    let alert = world.about(Kind::CostSpike, None).await.unwrap();
    assert_eq!((&alert.breach.evidence["median"], &alert.breach.evidence["cost"]), (&"10".into(), &"21".into()));
    assert_eq!(alert.name, "Harbour Inn");
    world.cost(today, 12).await;
    assert_eq!((world.evaluate(at(NOW) + hours(1)).await.told, world.evaluate(at(NOW) + hours(2)).await.told), (0, 1));
}

#[tokio::test]
async fn cheap_days_and_short_histories_are_no_spikes() {
    let world = World::new().await;
    let today = day("2037-07-21");
    world.cost(today, 1_000).await;
    for week in 1..=3_i32 {
        world.cost(today - (7 * week).days(), 1).await;
    }
    assert_eq!(world.evaluate(at(NOW)).await.told, 0, "three weeks are too few");
    world.cost(today - 28.days(), 1).await;
    world.cost(today, 4).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 0, "four dollars are below the floor");
}

#[tokio::test]
async fn a_sync_that_is_usual_and_missing() {
    let world = World::new().await;
    for date in ["2037-07-13", "2037-07-14", "2037-07-16", "2037-07-17", "2037-07-19"] {
        world.state("Intake", date, cell(1, 1, 0)).await;
    }
    assert_eq!(world.evaluate(at("2037-07-21T07:59:00Z")).await.told, 0, "there is time until nine");
    assert_eq!(world.evaluate(at("2037-07-21T08:01:00Z")).await.told, 1);
    assert_eq!(world.about(Kind::MissingSync, None).await.unwrap().breach.evidence["date"], "2037-07-20");
    world.evaluate(at("2037-07-22T00:01:00Z")).await;
    world.evaluate(at("2037-07-22T01:01:00Z")).await;
    assert_eq!(world.about(Kind::MissingSync, None).await.unwrap().state, State::Open, "midnight ends nothing");
    world.state("Intake", "2037-07-20", cell(1, 1, 0)).await;
    world.evaluate(at("2037-07-22T02:01:00Z")).await;
    assert_eq!(world.evaluate(at("2037-07-22T03:01:00Z")).await.told, 1);
}

#[tokio::test]
async fn a_sync_that_stays_away_is_not_over_because_it_has_become_usual() {
    let world = World::new().await;
    for date in day("2037-07-01").series(1.day()).take(19) {
        world.state("Intake", &date.to_string(), cell(1, 1, 0)).await;
    }
    let (mut told, mut state) = (Vec::new(), None);
    for hour in 0..24 * 9 {
        let now = at("2037-07-20T23:01:00Z") + hours(hour);
        if world.evaluate(now).await.told > 0 {
            told.push(hour);
        }
        state = world.about(Kind::MissingSync, None).await.map(|alert| alert.state);
    }
    assert_eq!((state, told), (Some(State::Open), vec![9]), "once");
    world.state("Intake", "2037-07-28", cell(1, 1, 0)).await;
    world.evaluate(at("2037-07-29T23:01:00Z")).await;
    world.evaluate(at("2037-07-30T00:01:00Z")).await;
    assert_eq!(world.about(Kind::MissingSync, None).await.unwrap().state, State::Resolved);
}

#[tokio::test]
async fn one_that_was_switched_off_stays_so_when_nobody_remembers_that_it_ran() {
    let world = World::new().await;
    let off = |scenario: &mut shared::scenario::Scenario| {
        scenario.told = Some(says(ScenarioStatus::Paused, "2037-07-21T08:00:00Z"));
    };
    world.scenario("1", off).await;
    world.runs("1", "2037-07-20", 9, (1, 0, 0)).await;
    for days in 0..50 {
        world.evaluate(at(NOW) + hours(24 * days)).await;
        assert_eq!(world.alert(Kind::ScenarioStatus, "1").await.unwrap().state, State::Open, "{days}");
    }
}

#[tokio::test]
async fn a_scenario_that_does_not_keep_its_declared_rhythm() {
    let world = World::new().await;
    world.scenario("1", |scenario| scenario.expected_every_s = Some(3 * 3_600)).await;
    world.runs("1", "2037-07-21", 8, (1, 0, 0)).await;
    // The hour that began at eight ends at nine; three hours and one of slack later it is one, and noon at Greenwich.
    assert_eq!(world.evaluate(at("2037-07-21T11:59:00Z")).await.told, 0);
    assert_eq!(world.evaluate(at("2037-07-21T12:01:00Z")).await.told, 1);
    world.runs("1", "2037-07-21", 13, (1, 0, 0)).await;
    world.evaluate(at("2037-07-21T13:01:00Z")).await;
    assert_eq!(world.evaluate(at("2037-07-21T14:01:00Z")).await.told, 1);
    assert_eq!(world.alert(Kind::Silence, "1").await.unwrap().state, State::Resolved);
}

#[tokio::test]
async fn a_scenario_that_make_does_not_run_at_its_interval() {
    let world = World::new().await;
    world
        .scenario("1", |scenario| {
            let mut told = says(ScenarioStatus::Active, "2037-07-01T00:00:00Z");
            (told.scheduling, told.interval_s) = (Some("indefinitely".into()), Some(900));
            scenario.told = Some(told);
            scenario.pulled = Some(Pulled { to: at("2037-07-21T05:00:00Z"), moves: false });
        })
        .await;
    world.runs("1", "2037-07-21", 5, (4, 0, 0)).await;
    assert_eq!(world.evaluate(at("2037-07-21T20:00:00Z")).await.told, 0, "what follows the pull is not known");
    world.scenario("2", |scenario| scenario.expected_every_s = Some(60)).await;
    assert_eq!(
        world.evaluate(at("2037-07-21T20:00:00Z")).await.told,
        1,
        "one that never ran is silent since it is known"
    );
}

#[tokio::test]
async fn a_scenario_that_breaks_its_own_rhythm_and_is_silent_until_it_runs() {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    for date in ["2037-06-23", "2037-06-30", "2037-07-07", "2037-07-14"] {
        world.runs("1", date, 9, (1, 0, 0)).await;
        world.runs("1", date, 8, (1, 0, 0)).await;
    }
    world.runs("1", "2037-07-21", 8, (1, 0, 0)).await;
    assert_eq!(world.evaluate(at("2037-07-21T09:59:00Z")).await.told, 0, "an hour late is not too late");
    assert_eq!(world.evaluate(at("2037-07-21T10:01:00Z")).await.told, 1);
    let alert = world.alert(Kind::Silence, "1").await.unwrap();
    assert_eq!(alert.breach.evidence["expected"]["hour"], 9);
    for later in 11..20 {
        assert_eq!(world.evaluate(at("2037-07-21T00:01:00Z") + hours(later)).await.told, 0);
    }
    assert_eq!(world.alert(Kind::Silence, "1").await.unwrap().state, State::Open);
    world.runs("1", "2037-07-21", 21, (1, 0, 0)).await;
    world.evaluate(at("2037-07-21T20:01:00Z")).await;
    assert_eq!(world.evaluate(at("2037-07-21T21:01:00Z")).await.told, 1);
}

#[tokio::test]
async fn runs_that_suddenly_do_nothing() {
    let world = World::new().await;
    for id in ["1", "always"] {
        world.scenario(id, |_| ()).await;
    }
    for date in ["2037-07-10", "2037-07-11", "2037-07-12"] {
        world.runs("1", date, 9, (20, 0, 2)).await;
        world.runs("always", date, 9, (20, 0, 19)).await;
    }
    for id in ["1", "always"] {
        world.runs(id, "2037-07-21", 9, (25, 0, 23)).await;
    }
    assert_eq!(world.evaluate(at(NOW)).await.told, 1);
    let alert = world.alert(Kind::EmptySuccess, "1").await.unwrap();
    assert_eq!((&alert.breach.evidence["usual_percent"], alert.breach.severity), (&10.into(), Severity::Warning));
    assert_eq!(world.alert(Kind::EmptySuccess, "always").await, None);
    world.runs("1", "2037-07-21", 13, (60, 0, 0)).await;
    world.evaluate(at(NOW) + hours(1)).await;
    assert_eq!(world.evaluate(at(NOW) + hours(2)).await.told, 1);
}

#[tokio::test]
async fn a_pull_that_does_not_succeed() {
    let world = World::new().await;
    let begun = Pull::for_new_account(&world.table, world.tenant, at("2037-07-01T00:00:00Z"));
    begun.set("last_success_at", at("2037-07-20T05:10:00Z")).write().await.unwrap();
    let (today, zone) = (day("2037-07-21"), tenant::zone(&world.table, world.tenant).await.unwrap());
    let reach = || Reach::present(today);
    let mut book = Book::read(&world.table, world.tenant, zone.clone(), today, &Scope::Tenant, reach()).await.unwrap();
    assert!(book.pull.is_none(), "without an account nothing is pulled");
    book.pull = world.table.find(key::make_pull(world.tenant)).await.unwrap();
    let company = Subject { owner: Owner::Company, scenario: None };
    let missing = |book: &Book, now| {
        let (rule, moment) = (Thresholds::usual(Kind::MissingSync), Moment::of(&zone, at(now)));
        engine::evaluate(&rule, &book.facts(&company, None), &moment).is_some()
    };
    assert!(!missing(&book, "2037-07-21T07:59:00Z") && missing(&book, "2037-07-21T08:01:00Z"));
    assert!(missing(&book, "2037-07-22T07:59:00Z"), "the next midnight ends nothing");
    book.pull.as_mut().unwrap().last_success_at = Some(at("2037-07-21T05:10:00Z"));
    assert!(!missing(&book, "2037-07-21T08:01:00Z"));
}

#[tokio::test]
async fn a_rule_of_a_client_holds_for_its_scenarios() {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    world.runs("1", "2037-07-21", 10, (17, 3, 0)).await;
    world.rule(Scope::Client(world.inn), Thresholds::ErrorRate { percent: 5, min_runs: 20 }, |_| ()).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1, "3 of 20 are 5.2 % for sure");
}

#[tokio::test]
async fn of_rules_for_the_tenant_a_client_and_a_scenario_the_narrowest_holds() {
    let world = World::new().await;
    let strict = |percent| Thresholds::ErrorRate { percent, min_runs: 20 };
    for (id, owner) in [("1", Owner::Client(world.inn)), ("2", Owner::Client(world.inn)), ("3", Owner::Company)] {
        world.scenario(id, |scenario| scenario.mapping[0].owner = owner).await;
        world.runs(id, "2037-07-21", 10, (10, 10, 0)).await;
    }
    // Half of them failed: 29.9 % for sure.
    world.rule(Scope::Tenant, strict(29), |_| ()).await;
    world.rule(Scope::Client(world.inn), strict(30), |_| ()).await;
    world.rule(Scope::Scenario("1".into()), strict(20), |_| ()).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 2);
    let threshold = async |id| {
        world.alert(Kind::ErrorRate, id).await.map(|alert| alert.breach.evidence["threshold_percent"].clone())
    };
    assert_eq!(
        [threshold("1").await, threshold("2").await, threshold("3").await],
        [Some(20.into()), None, Some(29.into())]
    );
}

#[tokio::test]
async fn what_one_tenant_does_is_nothing_to_another() {
    let world = World::new().await;
    let other = World::over(world.table.clone()).await;
    world.scenario("1", |_| ()).await;
    other.scenario("1", |_| ()).await;
    world.runs("1", "2037-07-21", 10, (0, 30, 0)).await;
    let unwatched = Thresholds::usual(Kind::ErrorRate);
    other.rule(Scope::Tenant, unwatched, |rule| rule.enabled = false).await;
    assert_eq!((other.evaluate(at(NOW)).await.told, world.evaluate(at(NOW)).await.told), (0, 1));
    let id = |world: &World| {
        let which = Which { by_id: true, scenario: "1".into() };
        Subject { owner: Owner::Company, scenario: Some(which) }.alert(world.tenant, Kind::ErrorRate)
    };
    assert_ne!(id(&world), id(&other), "nor can one guess an id of another's");
    assert_eq!(other.alert(Kind::ErrorRate, "1").await, None);
}
