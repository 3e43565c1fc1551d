//! Bookings that were confirmed and leads that came in are counted once, by the tenant's day.

use serde_json::json;
use shared::{
    achievement::Achievement::{BookingConfirmed, LeadCreated},
    event::{Content, Event},
    id::AutomationId,
    key,
    tenant::{Tenant, Zone},
};

use crate::world::World;

async fn counts(world: &World, date: &str) -> (u64, u64) {
    let day = world.table.find(key::achieved(world.tenant, date.parse().unwrap())).await.unwrap();
    day.map_or((0, 0), |day| (day.counts()[&BookingConfirmed], day.counts()[&LeadCreated]))
}

fn at(mut event: Event, accepted: &str) -> Event {
    event.accepted_at = accepted.parse().unwrap();
    event
}

fn lead(world: &World, id: &str) -> Event {
    let mut event = world.booking("b1");
    event.event_type = "automation.executed".into();
    event.content = Content::Automation {
        automation: AutomationId::new(),
        template: "lead-to-crm".into(),
        data: json!({ "event": "lead.created", "lead": { "id": id } }).to_string(),
    };
    event
}

#[tokio::test]
async fn what_is_achieved_counts_once_on_its_day() {
    let world = World::new().await;
    let tenant = Tenant {
        id: world.tenant,
        name: "Marina".into(),
        time_zone: Zone::try_from("Asia/Tokyo".to_owned()).unwrap(),
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    world.table.put(&tenant).await.unwrap();
    let night = "2026-11-20T16:00:00Z";
    for id in ["b1", "b2"] {
        let confirmed = at(world.booking(id), night);
        world.happens(&confirmed).await;
        world.follow(&confirmed).await.unwrap();
        world.happens(&at(world.booking(id), "2026-11-21T20:00:00Z")).await;
    }
    world.happens(&at(world.booking_of("b3", json!({ "status": "pending" })), night)).await;
    for id in ["l1", "l1", "l2"] {
        world.happens(&at(lead(&world, id), night)).await;
    }
    assert_eq!(counts(&world, "2026-11-21").await, (2, 2), "in Tokyo it was the next day");
    assert_eq!(counts(&world, "2026-11-22").await, (0, 0));
}

#[tokio::test]
async fn a_booking_that_stays_confirmed_is_no_news() {
    let world = World::new().await;
    let mut event = world.booking("b1");
    if let Content::Booking { record, old_record, .. } = &mut event.content {
        old_record.clone_from(record);
    }
    world.happens(&at(event, "2026-11-21T12:00:00Z")).await;
    assert_eq!(counts(&world, "2026-11-21").await, (0, 0));
}
