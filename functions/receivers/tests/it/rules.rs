//! The rules alone: what follows from what was seen.

use jiff::{SignedDuration, Timestamp};
use receivers::rules::{HURRY, INTERVAL, Seen, judge, next_look};
use shared::{
    endpoint,
    id::TenantId,
    receiver::{Fill, Hook, Receiver, Scenario},
};

fn hook(queue_count: u64, queue_limit: u64) -> Hook {
    Hook {
        id: 1,
        name: "Bookings".into(),
        queue_count: Some(queue_count),
        queue_limit: Some(queue_limit),
        enabled: Some(true),
        gone: Some(false),
        listed: true,
    }
}

fn seen(count: u64) -> Seen {
    let scenario = Scenario {
        id: 2,
        name: "Intake".into(),
        is_active: Some(true),
        is_paused: Some(false),
        is_invalid: Some(false),
        is_linked: Some(true),
        incomplete_runs: Some(0),
    };
    Seen { team: Some(3), hook: Some(hook(count, 1_000)), scenario: Some(scenario), attached: true }
}

fn unseen() -> Receiver {
    Receiver::unseen(TenantId::new(), endpoint::subscriber(), "0a1b2c3d".into(), Timestamp::UNIX_EPOCH)
}

/// Looks at a queue that is so full, one after the other; what each look tells.
fn told(counts: &[u64]) -> Vec<Vec<String>> {
    let mut receiver = unseen();
    let mut now = Timestamp::UNIX_EPOCH;
    let mut all = Vec::new();
    for count in counts {
        now += INTERVAL;
        receiver = judge("Bookings", &receiver, seen(*count), now);
        all.push(receiver.untold.iter().map(|untold| untold.name.clone()).collect());
    }
    all
}

#[test]
fn each_change_of_the_queue_is_told_once_under_one_name() {
    assert_eq!(told(&[960, 960, 300]), [vec!["queue_full"], vec![], vec!["queue_full_ended"]]);
    assert_eq!(told(&[960, 0, 0]), [vec!["queue_full"], vec!["queue_full_ended"], vec!["queue_filling_ended"]]);
    assert_eq!(
        told(&[600, 850, 600, 850, 390]),
        [vec!["queue_filling"], vec![], vec![], vec![], vec!["queue_filling_ended"]]
    );
}

#[test]
fn a_queue_that_jumps_up_and_down_changes_its_pace_as_slowly_as_it_may() {
    let mut receiver = unseen();
    let mut paces = Vec::new();
    for count in [490, 510, 490, 410, 399, 510, 790, 810, 710, 699, 951, 960, 600, 500, 499, 450, 399] {
        receiver = judge("Bookings", &receiver, seen(count), Timestamp::UNIX_EPOCH);
        paces.push(receiver.fill.pace().unwrap_or(0));
    }
    assert_eq!(paces, [100, 50, 50, 50, 100, 50, 50, 20, 20, 50, 20, 0, 0, 0, 50, 50, 100]);
}

#[test]
fn what_was_not_said_is_not_wrong() {
    let silent = Seen {
        hook: Some(Hook { queue_count: None, queue_limit: None, enabled: None, gone: None, ..hook(0, 0) }),
        scenario: Some(Scenario {
            is_active: None,
            is_paused: None,
            is_invalid: None,
            is_linked: None,
            incomplete_runs: None,
            ..seen(0).scenario.unwrap()
        }),
        ..seen(0)
    };
    let receiver = judge("Bookings", &unseen(), silent, Timestamp::UNIX_EPOCH);
    assert!(!receiver.holds() && receiver.untold.is_empty() && receiver.fill == Fill::Low);

    let hidden = Seen { scenario: None, ..seen(0) };
    assert!(!judge("Bookings", &unseen(), hidden, Timestamp::UNIX_EPOCH).holds());
}

#[test]
fn another_scenario_behind_the_webhook_has_incomplete_runs_of_its_own() {
    let runs = |id, runs| Seen {
        scenario: Some(Scenario { id, incomplete_runs: Some(runs), ..seen(0).scenario.unwrap() }),
        ..seen(0)
    };
    let first = judge("Bookings", &unseen(), runs(2, 1), Timestamp::UNIX_EPOCH);
    let second = judge("Bookings", &first, runs(4, 50), Timestamp::UNIX_EPOCH);
    assert!(second.untold.is_empty() && second.incomplete.is_none());
    let third = judge("Bookings", &second, runs(4, 51), Timestamp::UNIX_EPOCH);
    assert_eq!(third.untold[0].name, "incomplete_runs");
}

#[test]
fn the_next_look_is_soon_where_half_would_be_taken_before_it() {
    let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
    let first = judge("Bookings", &unseen(), seen(0), at(0));
    for (seconds, count, next) in [(120, 100, INTERVAL), (120, 270, HURRY), (15, 40, INTERVAL), (15, 60, HURRY)] {
        let second = judge("Bookings", &first, seen(count), at(seconds));
        assert_eq!(next_look(&first, &second), next, "{count} in {seconds} s");
    }
    let off = Seen { scenario: seen(0).scenario.map(|it| Scenario { is_active: Some(false), ..it }), ..seen(0) };
    let held = judge("Bookings", &first, off, at(120));
    assert_eq!(next_look(&first, &held), INTERVAL, "nothing of ours is sent");
    let opened = judge("Bookings", &held, seen(0), at(240));
    assert_eq!(next_look(&held, &opened), HURRY, "what was kept comes at once");
}

#[test]
fn a_row_stays_small_whatever_make_calls_things() {
    let name = "ü".repeat(100);
    let long = Seen {
        hook: Some(Hook { name: name.clone(), ..hook(960, 1_000) }),
        scenario: Some(Scenario { name, is_active: Some(false), ..seen(0).scenario.unwrap() }),
        ..seen(0)
    };
    let receiver = judge("Bookings", &unseen(), long, Timestamp::UNIX_EPOCH);
    assert!(serde_json::to_string(&receiver).unwrap().len() < 2_600);
}
