use automation::{activate, deactivate};
use serde_json::json;
use shared::{
    gate::Role,
    id::AutomationId,
    key,
    testing::{nobody, person, stranger, told},
};

use crate::{World, from_template};

#[tokio::test]
async fn it_is_done_once_however_often_it_is_asked() {
    let world = World::new().await;
    let made = world.made(from_template()).await;
    let call = || world.owner().with_part("id", made.id());
    let active = async || world.table.get(key::automation_tally(world.tenant)).await.unwrap().active;

    for _ in 0..2 {
        let (status, answer) = told(activate::handle(&world.switch, call()).await);
        assert_eq!((status, &answer["data"]["status"]), (200, &json!("active")));
    }
    assert_eq!(active().await, 1);

    for _ in 0..2 {
        let (status, answer) = told(deactivate::handle(&world.switch, call()).await);
        assert_eq!((status, &answer["data"]["status"]), (200, &json!("inactive")));
    }
    assert_eq!(active().await, 0);
}

#[tokio::test]
async fn five_at_once_count_as_one() {
    let world = World::new().await;
    let made = world.made(from_template()).await;
    let activate = || async { told(activate::handle(&world.switch, world.owner().with_part("id", made.id())).await) };

    let (a, b, c, d, e) = tokio::join!(activate(), activate(), activate(), activate(), activate());

    for (status, answer) in [a, b, c, d, e] {
        assert_eq!((status, &answer["data"]["status"]), (200, &json!("active")));
    }
    assert_eq!(world.table.get(key::automation_tally(world.tenant)).await.unwrap().active, 1);
}

#[tokio::test]
async fn a_stranger_cannot_tell_it_from_one_that_does_not_exist() {
    let world = World::new().await;
    let made = world.made(from_template()).await;

    let foreign = told(activate::handle(&world.switch, stranger().with_part("id", made.id())).await);
    let missing = told(activate::handle(&world.switch, world.owner().with_part("id", AutomationId::new())).await);
    let nonsense = told(deactivate::handle(&world.switch, world.owner().with_part("id", "nonsense")).await);

    assert_eq!(foreign.0, 404);
    assert_eq!((&foreign, &missing), (&missing, &nonsense));
    assert!(!world.table.list_all(&key::automations(world.tenant)).await.unwrap()[0].active);
}

#[tokio::test]
async fn only_an_owner_may() {
    let world = World::new().await;
    let made = world.made(from_template()).await;
    for (call, expected) in [(nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(told(activate::handle(&world.switch, call.with_part("id", made.id())).await).0, expected);
    }
    for (call, expected) in [(nobody(), 401), (person(world.tenant, Role::Agent), 403)] {
        assert_eq!(told(deactivate::handle(&world.switch, call.with_part("id", made.id())).await).0, expected);
    }
}
