use shared::{
    gate::Role,
    id::EndpointId,
    testing::{nobody, person, person_with, stranger},
};

use crate::{KEY, World};

#[tokio::test]
async fn it_is_shown_without_its_address_and_secrets() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let (status, answer) = world.get(world.supervisor(), made.id()).await;

    assert_eq!(status, 200);
    assert_eq!(answer["data"], made.0["endpoint"]);
    let text = answer.to_string();
    assert!(!text.contains("/bookings") && !text.contains(made.secret()) && !text.contains(KEY), "{text}");
}

#[tokio::test]
async fn its_etag_is_the_version_of_what_people_have_set() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let deps = endpoints::get::Deps { gate: world.gate(), table: world.table.clone() };

    let reply = endpoints::get::handle(&deps, world.supervisor().with_part("id", made.id())).await.unwrap();

    assert_eq!(reply.headers["etag"], made.etag());
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let limited = person_with(world.tenant, Role::Owner, &[("client", "cli_06dabr1bg1x010000000000008")]);
    for (call, expected) in
        [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Agent), 403), (limited, 403)]
    {
        assert_eq!(world.get(call, made.id()).await.0, expected);
    }
    assert_eq!(world.get(world.owner(), EndpointId::new()).await.0, 404);
    assert_eq!(world.get(world.owner(), "nonsense").await.0, 404);
}
