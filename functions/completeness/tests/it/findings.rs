//! What is wrong although the source can be read: lost webhooks, hidden rows, and that we ourselves are late.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use local::standin::{Fault, Loss, Project, RowChange};
use serde_json::{Value, json};
use shared::key;

use crate::world::{PROJECT, World};

const BOOKINGS: &str = "/supabase/p1/rest/v1/bookings";

impl World {
    /// So many new bookings, one a minute.
    async fn bookings(&mut self, names: &str, n: usize) {
        for nth in 0..n {
            self.pass(1);
            self.change(self.new_booking(&format!("{names}{nth}"))).await;
        }
    }

    /// All that came in, and a run ten minutes later.
    async fn compared(&mut self) {
        self.arrive().await;
        self.pass(10);
        self.reconcile().await;
    }

    async fn lose(&self, loss: Loss) {
        self.source.lose_webhooks(PROJECT, loss).await.unwrap();
    }

    /// The rows that are shown from now on; all of them where nothing is said.
    async fn show_only(&self, shown: Option<&[&str]>) {
        let shown = shown.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        let row_security = Some(shown.map(|ids| BTreeMap::from([("bookings".to_owned(), ids)])).unwrap_or_default());
        let project = Project { row_security, ..Project::default() };
        self.source.set_project(PROJECT, &project).await.unwrap();
    }

    /// Names and tables of what is found.
    async fn findings(&self) -> Vec<(String, String)> {
        let shown = self.shown().await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = shown["source"]["findings"].as_array().unwrap();
        findings.iter().map(|finding| (text(&finding["name"]), text(&finding["table"]))).collect()
    }
}

fn found(name: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), "bookings".to_owned())]
}

#[tokio::test]
async fn that_all_webhooks_are_lost_is_said_once_and_so_is_that_they_are_back() {
    let mut world = World::comparing().await;
    world.bookings("told", 6).await;
    world.compared().await;
    assert!(world.findings().await.is_empty());

    world.pass(60);
    world.lose(Loss::All).await;
    let lost_from = world.now;
    world.bookings("four", 4).await;
    world.compared().await;
    assert!(world.notices().await.is_empty(), "four are too few");
    world.bookings("more", 30).await;
    world.compared().await;
    world.bookings("still", 20).await;
    world.compared().await;

    assert_eq!(world.notices().await, ["webhooks_missed"], "once");
    assert_eq!(world.findings().await, found("webhooks_missed"));
    let since = world.shown().await["source"]["findings"][0]["since"].as_str().unwrap().parse().unwrap();
    assert!(lost_from.duration_since(since).abs() <= SignedDuration::from_mins(10), "{since} and {lost_from}");
    let notices = world.table.list_all(&key::notices(world.tenant)).await.unwrap();
    assert!(notices[0].detail.starts_with("of 34 changes of bookings since"), "{}", notices[0].detail);
    assert_eq!(world.shown().await["source"]["status"], "working");

    world.lose(Loss::None).await;
    world.pass(10);
    world.bookings("again", 5).await;
    world.compared().await;
    world.bookings("on", 5).await;
    world.compared().await;

    assert_eq!(world.notices().await, ["webhooks_missed", "webhooks_back"]);
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_webhook_now_and_then_that_is_lost_is_repaired_without_a_word() {
    let mut world = World::comparing().await;
    for round in 0..4 {
        world.lose(Loss::All).await;
        world.bookings(&format!("lost{round}-"), 4).await;
        world.lose(Loss::None).await;
        world.bookings(&format!("told{round}-"), 4).await;
        world.compared().await;
    }

    assert_eq!(world.counted().await.repaired.n, 16);
    assert!(world.notices().await.is_empty());
}

#[tokio::test]
async fn history_is_no_sign_of_lost_webhooks() {
    let mut world = World::new().await;
    let since = world.now;
    world.lose(Loss::All).await;
    world.bookings("old", 20).await;
    world.lose(Loss::None).await;
    let mut plan = world.plan();
    plan["since"] = json!(since);
    world.set(&plan).await;
    world.compared().await;

    assert_eq!(world.counted().await.repaired.n, 20, "it is made");
    assert!(world.notices().await.is_empty());
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_table_without_a_webhook_is_found_beside_one_that_has_it() {
    let mut world = World::comparing().await;
    world.pass(1);
    for n in 0..6 {
        world.lose(Loss::None).await;
        world.change(world.new_booking(&format!("b{n}"))).await;
        world.lose(Loss::All).await;
        world.change(world.new_event(n)).await;
    }
    world.compared().await;

    assert_eq!(world.findings().await, [("webhooks_missed".to_owned(), "booking_events".to_owned())]);
    assert_eq!(world.notices().await, ["webhooks_missed"]);
}

#[tokio::test]
async fn row_level_security_that_comes_later_is_found_by_what_webhooks_tell() {
    let mut world = World::comparing().await;
    world.bookings("b", 4).await;
    world.compared().await;
    assert!(world.findings().await.is_empty());

    world.show_only(Some(&[])).await;
    world.bookings("c", 1).await;
    world.compared().await;
    world.bookings("d", 1).await;
    world.compared().await;

    assert_eq!(world.notices().await, ["rows_hidden"], "once");
    assert_eq!(world.findings().await, found("rows_hidden"));
    assert_eq!(world.shown().await["source"]["status"], "working", "it answers 200, and an empty list");

    world.show_only(None).await;
    world.compared().await;
    world.compared().await;

    assert_eq!(world.notices().await, ["rows_hidden", "rows_shown"]);
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_policy_that_shows_some_rows_is_found_where_it_hides_half_of_them() {
    for (shown, is_hidden) in [(&["b0", "b1", "b2"][..], false), (&["b0", "b1"][..], true)] {
        let mut world = World::comparing().await;
        world.show_only(Some(shown)).await;
        world.bookings("b", 4).await;
        world.compared().await;

        assert_eq!(world.findings().await, if is_hidden { found("rows_hidden") } else { vec![] }, "{shown:?}");
    }
}

#[tokio::test]
async fn rows_that_were_deleted_are_not_hidden() {
    let mut world = World::comparing().await;
    world.bookings("b", 7).await;
    for n in 0..4 {
        world.change(RowChange::delete("bookings", format!("b{n}"))).await;
    }
    world.compared().await;

    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_source_that_will_not_say_which_rows_it_shows_has_still_been_compared() {
    let mut world = World::comparing().await;
    world.bookings("b", 4).await;
    world.arrive().await;
    world.pass(10);
    // The end of the stretch at once, and then the question.
    let nothing = Fault::status(200).body(json!([]));
    world.source.fail_next(BOOKINGS, [nothing, Fault::status(500)]).await.unwrap();

    assert_eq!(world.reconcile().await.done, 1);

    assert_eq!(world.shown().await["source"]["status"], "working");
    assert!(world.notices().await.is_empty());
}

#[tokio::test]
async fn that_we_are_late_ourselves_is_told_with_since_when() {
    let mut world = World::comparing().await;
    let set_at = world.now;
    world.pass(30);
    assert_eq!(world.shown().await["source"]["status"], "waiting");
    world.pass(1);
    let shown = world.shown().await["source"].clone();
    assert_eq!((&shown["status"], &shown["late_since"]), (&json!("late"), &json!(set_at)));

    world.reconcile().await;
    let due_at = world.stored_source().await.due_at;
    assert_eq!(world.shown().await["source"]["late_since"], json!(null));
    world.pass(40);

    let shown = world.shown().await["source"].clone();
    assert_eq!((&shown["status"], &shown["late_since"]), (&json!("late"), &json!(due_at)));
}

#[tokio::test]
async fn turns_that_break_off_for_our_own_trouble_make_a_source_late() {
    let mut world = World::comparing().await;
    let mut source = world.stored_source().await;
    // A key that was sealed for somebody else does not open.
    source.key = World::comparing().await.stored_source().await.key;
    world.table.put(&source).await.unwrap();

    for _ in 0..4 {
        let outcome = completeness::reconcile::all(&world.deps, world.now, Default::default()).await;
        assert!(outcome.is_err());
        world.pass(10);
    }

    assert_eq!(world.shown().await["source"]["status"], "late", "each took its lease, and none came to an end");
}

#[tokio::test]
async fn a_source_that_asks_for_a_long_rest_is_failing_and_not_late() {
    let mut world = World::comparing().await;
    world.pass(10);
    let rest = Fault::too_many_requests().retry_after(7_200);
    world.source.fail_next(BOOKINGS, [rest]).await.unwrap();
    world.reconcile().await;
    world.pass(90);

    assert_eq!(world.shown().await["source"]["status"], "failing");
}
