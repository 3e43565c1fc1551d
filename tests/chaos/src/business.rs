//! A booking business's day: which rows change, in which order, and how its database's webhook says so.

use serde_json::{Value, json};

use crate::dice::Dice;

/// One change of a row, and whom it is about.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its place in the day; also stands in the row as `sequence`.
    pub n: usize,
    /// The type of event that it makes.
    pub event_type: &'static str,
    /// The booking.
    pub booking: String,
    /// The users that the row names.
    pub users: Vec<String>,
    /// The provider that the row names.
    pub provider: Option<String>,
    /// What the webhook posts.
    pub body: Value,
}

/// A booking that lives.
struct Life {
    id: String,
    user: String,
    client: String,
    provider: String,
    /// The row as it was last.
    row: Value,
}

/// So many changes, over bookings, users and providers in the proportions of a busy day.
pub fn day(seed: u64, changes: usize) -> Vec<Change> {
    let mut dice = Dice::of(seed, &[1]);
    let (users, providers) = ((changes / 60).clamp(3, 120), (changes / 250).clamp(2, 24));
    let at_once = (changes / 25).clamp(3, 300);
    let mut lives: Vec<Life> = Vec::new();
    let mut begun = 0;
    (0..changes)
        .map(|n| {
            let place = dice.below(at_once);
            if place >= lives.len() {
                begun += 1;
                let life = begin(begun, n, dice.below(users), dice.below(providers));
                let change = life.change(n, "booking.created", json!(life.row), Value::Null);
                lives.push(life);
                return change;
            }
            match dice.below(20) {
                0 => {
                    let life = lives.swap_remove(place);
                    let mut gone = life.row.clone();
                    gone["sequence"] = json!(n);
                    life.change(n, "booking.deleted", Value::Null, gone)
                }
                1..=5 => lives[place].notice(n, "booking_event.created"),
                6..=10 => lives[place].notice(n, "booking_event.updated"),
                _ => lives[place].update(n, dice.below(4)),
            }
        })
        .collect()
}

fn begin(number: usize, n: usize, user: usize, provider: usize) -> Life {
    let (id, user, provider) = (format!("bk-{number:05}"), format!("usr-{user:03}"), format!("prv-{provider:02}"));
    let client = user.replace("usr", "cli");
    let row = json!({
        "id": id,
        "booking_number": format!("BK-{number:05}"),
        "user_id": user,
        "client_id": client,
        "provider_id": provider,
        "status": "pending",
        "scheduled_at": "2026-11-24T14:30:00+00:00",
        "total_price": 149.9,
        "notes": "Second visit; the gate code has changed, please call ahead.",
        "sequence": n,
        "updated_at": moment(n),
    });
    Life { id, user, client, provider, row }
}

impl Life {
    fn update(&mut self, n: usize, status: usize) -> Change {
        let old = self.row.clone();
        self.row["status"] = json!(["confirmed", "rescheduled", "paid", "completed"][status]);
        self.row["sequence"] = json!(n);
        self.row["updated_at"] = json!(moment(n));
        self.change(n, "booking.updated", self.row.clone(), old)
    }

    /// A row of `booking_events`, which names its booking and nobody else.
    fn notice(&self, n: usize, event_type: &'static str) -> Change {
        let row = json!({
            "id": format!("be-{n:06}"), "booking_id": self.id, "event_type": "reminder_sent", "sequence": n,
            "created_at": moment(n), "updated_at": moment(n),
        });
        let mut change = self.change(n, event_type, row, Value::Null);
        (change.users, change.provider) = (Vec::new(), None);
        change
    }

    fn change(&self, n: usize, event_type: &'static str, record: Value, old_record: Value) -> Change {
        let (table, verb) = match event_type.split_once('.') {
            Some(("booking_event", verb)) => ("booking_events", verb),
            Some((_, verb)) => ("bookings", verb),
            None => ("bookings", ""),
        };
        let operation = match verb {
            "created" => "INSERT",
            "deleted" => "DELETE",
            _ => "UPDATE",
        };
        Change {
            n,
            event_type,
            booking: self.id.clone(),
            users: vec![self.user.clone(), self.client.clone()],
            provider: Some(self.provider.clone()),
            body: json!({
                "type": operation, "table": table, "schema": "public", "record": record, "old_record": old_record,
            }),
        }
    }
}

/// A moment of that day for each change, in their order.
fn moment(n: usize) -> String {
    let seconds = n % 86_400;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("2026-11-{:02}T{hours:02}:{minutes:02}:{seconds:02}+00:00", 20 + n / 86_400)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_day_is_the_same_for_the_same_seed() {
        let bodies = |seed| day(seed, 300).into_iter().map(|change| change.body).collect::<Vec<_>>();
        assert_eq!(bodies(3), bodies(3));
        assert_ne!(bodies(3), bodies(4));
    }

    #[test]
    fn every_change_is_another_one_and_says_which() {
        let day = day(5, 2_000);
        let bodies: HashSet<String> = day.iter().map(|change| change.body.to_string()).collect();
        assert_eq!(bodies.len(), 2_000);
        for change in &day {
            let row = if change.body["record"].is_null() { &change.body["old_record"] } else { &change.body["record"] };
            assert_eq!(row["sequence"], change.n);
        }
    }

    #[test]
    fn a_booking_begins_before_it_changes_and_ends_once() {
        let mut alive = HashSet::new();
        for change in day(9, 3_000) {
            match change.event_type {
                "booking.created" => assert!(alive.insert(change.booking)),
                "booking.deleted" => assert!(alive.remove(&change.booking)),
                _ => assert!(alive.contains(&change.booking)),
            }
        }
    }

    #[test]
    fn a_day_has_several_bookings_users_and_providers() {
        let day = day(1, 1_000);
        let count = |of: fn(&Change) -> String| day.iter().map(of).collect::<HashSet<_>>().len();
        assert!(count(|change| change.booking.clone()) > 20);
        assert!(count(|change| change.users.first().cloned().unwrap_or_default()) > 5);
        assert!(count(|change| change.provider.clone().unwrap_or_default()) > 2);
    }
}
