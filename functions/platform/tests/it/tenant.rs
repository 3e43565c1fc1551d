use platform::tenant::{self, NewTenant};
use serde_json::{Value, json};
use shared::{
    apikey::Scope,
    gate::Gate,
    key,
    limit::Rate,
    testing::{machine, table},
};

fn new(tenant: Value) -> Result<NewTenant, serde_json::Error> {
    serde_json::from_value(tenant)
}

#[tokio::test]
async fn its_first_key_opens_the_gate() {
    let table = table().await;
    let begun =
        tenant::handle(&table, new(json!({ "name": "Marina", "time_zone": "Europe/Lisbon" })).unwrap()).await.unwrap();

    let call = machine(&begun.api_key.into());
    let who = Gate::new(table).machine(&call, Scope::BookingEvents, Rate::EVENTS).await.unwrap();

    assert_eq!(who.tenant, begun.tenant_id);
}

#[tokio::test]
async fn its_clients_are_found_by_slug() {
    let table = table().await;
    let wanted =
        json!({ "name": "Marina", "time_zone": "UTC", "clients": [{ "slug": "harbour-inn", "name": "Harbour Inn" }] });
    let begun = tenant::handle(&table, new(wanted).unwrap()).await.unwrap();

    let slug = table.get(key::slug(begun.tenant_id, "harbour-inn")).await.unwrap();

    assert_eq!(slug.client, begun.clients[0].client_id);
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    assert!(new(json!({ "name": "Marina", "time_zone": "Mars/Olympus" })).is_err());
    let table = table().await;
    let twice = json!([{ "slug": "a", "name": "A" }, { "slug": "a", "name": "B" }]);
    let refused =
        tenant::handle(&table, new(json!({ "name": "Marina", "time_zone": "UTC", "clients": twice })).unwrap()).await;
    assert!(refused.is_err());
}
