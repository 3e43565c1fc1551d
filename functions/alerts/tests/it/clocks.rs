//! Days of 23 and 25 hours: in Lisbon, 29 March 2037 loses the hour from one to two, 25 October has it twice.

use shared::alert::Kind;

use crate::{World, at};

/// A scenario that runs on four Sundays in the hours since their days began.
async fn sundays(dates: [&str; 4], hours: &[u8]) -> World {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    for date in dates {
        for hour in hours {
            world.runs("1", date, *hour, (1, 0, 0)).await;
        }
    }
    world
}

#[tokio::test]
async fn an_hour_that_comes_twice_is_expected_once() {
    for (ran_in, silent) in [(Some(1), false), (Some(2), false), (None, true)] {
        let world = sundays(["2037-09-27", "2037-10-04", "2037-10-11", "2037-10-18"], &[0, 1]).await;
        world.runs("1", "2037-10-25", 0, (1, 0, 0)).await;
        if let Some(hour) = ran_in {
            world.runs("1", "2037-10-25", hour, (1, 0, 0)).await;
        }
        world.evaluate(at("2037-10-25T08:00:00Z")).await;
        assert_eq!(world.alert(Kind::Silence, "1").await.is_some(), silent, "{ran_in:?}");
    }
}

#[tokio::test]
async fn an_hour_that_there_is_not_is_not_expected() {
    let world = sundays(["2037-03-01", "2037-03-08", "2037-03-15", "2037-03-22"], &[0, 1]).await;
    world.runs("1", "2037-03-29", 0, (1, 0, 0)).await;
    world.evaluate(at("2037-03-29T08:00:00Z")).await;
    assert_eq!(world.alert(Kind::Silence, "1").await, None);
}

#[tokio::test]
async fn the_clock_counts_and_not_the_hours_since_midnight() {
    for (ran_in, silent) in [(9, false), (8, true)] {
        // Ten by the clock is nine hours after midnight on that day.
        let world = sundays(["2037-03-01", "2037-03-08", "2037-03-15", "2037-03-22"], &[10]).await;
        world.runs("1", "2037-03-29", ran_in, (1, 0, 0)).await;
        world.evaluate(at("2037-03-29T13:00:00Z")).await;
        assert_eq!(world.alert(Kind::Silence, "1").await.is_some(), silent, "{ran_in}");
    }
}

#[tokio::test]
async fn a_window_of_24_hours_reaches_over_a_day_of_25() {
    for (hour, counts) in [(12, false), (13, true)] {
        let world = World::new().await;
        world.scenario("1", |_| ()).await;
        world.runs("1", "2037-10-25", hour, (10, 10, 0)).await;
        // The 25 hours of that day and 12 of the next: the window begins in its hour 13.
        world.evaluate(at("2037-10-26T11:30:00Z")).await;
        assert_eq!(world.alert(Kind::ErrorRate, "1").await.is_some(), counts, "{hour}");
    }
}
