//! A tenant's clients, as people make, find and change them.

use platform::clients::{create, get, list, update};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    id::{ClientId, TenantId},
    key,
    table::Table,
    tenant::Client,
    testing::{nobody, person, person_with, stranger, table, told, vault},
};

struct Office {
    table: Table,
    tenant: TenantId,
}

impl Office {
    async fn new() -> Self {
        Self { table: table().await, tenant: TenantId::new() }
    }

    fn gate(&self) -> Gate {
        Gate::new(self.table.clone())
    }

    fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    async fn create(&self, call: Call, body: Value) -> (u16, Value) {
        let deps = create::Deps { gate: self.gate(), table: self.table.clone() };
        told(create::handle(&deps, call.posting(&body)).await)
    }

    async fn made(&self, slug: &str) -> Value {
        let (status, answer) = self.create(self.owner(), json!({ "slug": slug, "name": slug.to_uppercase() })).await;
        assert_eq!(status, 201, "{answer}");
        answer["data"].clone()
    }

    async fn list(&self, call: Call, query: &str) -> (u16, Value) {
        let deps = list::Deps { gate: self.gate(), table: self.table.clone(), vault: vault() };
        told(list::handle(&deps, call.with_query(query)).await)
    }

    async fn slugs(&self, call: Call, query: &str) -> Vec<String> {
        let (status, answer) = self.list(call, query).await;
        assert_eq!(status, 200, "{answer}");
        let clients = answer["data"]["clients"].as_array().unwrap();
        clients.iter().map(|client| client["slug"].as_str().unwrap().into()).collect()
    }

    async fn get(&self, call: Call, id: &str) -> (u16, Value) {
        let deps = get::Deps { gate: self.gate(), table: self.table.clone() };
        told(get::handle(&deps, call.with_part("id", id)).await)
    }

    async fn update(&self, call: Call, id: &str, body: Value) -> (u16, Value) {
        let deps = update::Deps { gate: self.gate(), table: self.table.clone() };
        told(update::handle(&deps, call.with_part("id", id).posting(&body)).await)
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn pointers(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|fault| text(fault, "pointer")).collect()
}

#[tokio::test]
async fn what_was_made_is_found_by_id_and_by_slug() {
    let office = Office::new().await;
    let inn = office.made("harbour-inn").await;
    office.made("spa").await;

    let (status, found) = office.get(office.owner(), text(&inn, "id")).await;

    assert_eq!((status, &found["data"]), (200, &inn));
    assert_eq!(office.slugs(office.owner(), "").await, ["harbour-inn", "spa"]);
    assert_eq!(office.slugs(office.owner(), "slug=spa").await, ["spa"]);
    assert!(office.slugs(office.owner(), "slug=nobody").await.is_empty(), "nobody has it: an empty list");
    assert!(office.slugs(office.owner(), "slug=Not%20a%20slug").await.is_empty());
    let slug = office.table.get(key::slug(office.tenant, "harbour-inn")).await.unwrap();
    assert_eq!(slug.client.to_string(), text(&inn, "id"));
}

#[tokio::test]
async fn a_slug_is_one_clients_and_nothing_is_left_of_who_wanted_it_too() {
    let office = Office::new().await;
    office.made("inn").await;
    let again = || office.create(office.owner(), json!({ "slug": "inn", "name": "Another" }));
    let (one, two, three) = tokio::join!(again(), again(), again());
    assert_eq!([one.0, two.0, three.0], [409; 3]);
    assert_eq!(office.slugs(office.owner(), "").await, ["inn"]);

    let at_once = || office.create(office.owner(), json!({ "slug": "pier", "name": "Pier" }));
    let (one, two) = tokio::join!(at_once(), at_once());
    // Whoever meets the other in mid-transaction may be told to come back.
    assert!([one.0, two.0].contains(&201) && one.0 != two.0, "{one:?} {two:?}");
    assert_eq!(office.slugs(office.owner(), "").await, ["inn", "pier"]);
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_client() {
    let office = Office::new().await;
    let call = || office.owner().with_header("idempotency-key", "k");
    let first = office.create(call(), json!({ "slug": "inn", "name": "Inn" })).await;
    let second = office.create(call(), json!({ "slug": "inn", "name": "Inn" })).await;
    assert_eq!((first.0, &first), (201, &second));
    assert_eq!(office.create(call(), json!({ "slug": "inn", "name": "Other" })).await.0, 422);
}

#[tokio::test]
async fn all_faults_are_told_at_once() {
    let office = Office::new().await;
    let (status, answer) =
        office.create(office.owner(), json!({ "slug": "Not a slug", "name": " ", "colour": "red" })).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/slug", "/name", "/colour"]));
    let (status, answer) = office.create(office.owner(), json!({})).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/slug", "/name"]));
    let (status, answer) = office.list(office.owner(), "limit=101&colour=red").await;
    assert_eq!((status, pointers(&answer)), (400, vec!["?limit", "?colour"]));
    assert_eq!(office.list(office.owner(), "cursor=nonsense").await.0, 400);
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_seen() {
    let office = Office::new().await;
    let inn = office.made("inn").await;
    let (id, etag) = (text(&inn, "id"), text(&inn, "etag"));
    assert_eq!(office.update(office.owner(), id, json!({ "name": "New" })).await.0, 428);

    let call = || office.owner().with_header("if-match", etag);
    let (status, changed) = office.update(call(), id, json!({ "name": " New ", "slug": "new-inn" })).await;

    assert_eq!((status, text(&changed["data"], "name"), text(&changed["data"], "slug")), (200, "New", "new-inn"));
    assert_ne!(text(&changed["data"], "etag"), etag);
    assert_eq!(office.update(call(), id, json!({ "name": "Late" })).await.0, 412);
    assert_eq!(office.get(office.owner(), id).await.1["data"], changed["data"]);
    let call = office.owner().with_header("if-match", text(&changed["data"], "etag"));
    let (status, answer) = office.update(call, id, json!({ "name": null, "slug": "A", "id": "x" })).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/slug", "/name", "/id"]));
}

#[tokio::test]
async fn a_slug_that_was_given_up_is_free_and_one_that_is_held_is_not() {
    let office = Office::new().await;
    let (inn, spa) = (office.made("inn").await, office.made("spa").await);
    let call = |client: &Value| office.owner().with_header("if-match", text(client, "etag"));
    assert_eq!(office.update(call(&inn), text(&inn, "id"), json!({ "slug": "spa" })).await.0, 409);
    let (status, same) = office.update(call(&inn), text(&inn, "id"), json!({ "slug": "inn" })).await;
    assert_eq!((status, text(&same["data"], "slug")), (200, "inn"));

    let inn = same["data"].clone();
    let (status, moved) = office.update(call(&inn), text(&inn, "id"), json!({ "slug": "pier" })).await;
    assert_eq!(status, 200, "{moved}");
    let (status, taken) = office.update(call(&spa), text(&spa, "id"), json!({ "slug": "inn" })).await;
    assert_eq!((status, text(&taken["data"], "slug")), (200, "inn"));

    assert_eq!(office.slugs(office.owner(), "slug=inn").await, ["inn"]);
    assert_eq!(office.table.find(key::slug(office.tenant, "spa")).await.unwrap().map(|slug| slug.slug), None);
    let held = office.table.get(key::slug(office.tenant, "pier")).await.unwrap();
    assert_eq!(held.client.to_string(), text(&inn, "id"));
}

#[tokio::test]
async fn a_client_of_before_there_were_versions_can_be_changed() {
    let office = Office::new().await;
    let inn = office.made("inn").await;
    let id = text(&inn, "id");
    let key = key::client(office.tenant, id.parse().unwrap());
    office.table.change(key).remove("revision").write().await.unwrap();
    let (_, seen) = office.get(office.owner(), id).await;
    let call = office.owner().with_header("if-match", text(&seen["data"], "etag"));
    assert_eq!(office.update(call, id, json!({ "name": "New" })).await.0, 200);
}

#[tokio::test]
async fn a_long_list_comes_page_by_page() {
    let office = Office::new().await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(text(&office.made(&format!("c{n}")).await, "slug").to_owned());
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, answer) = office.list(office.owner(), &format!("limit=3{cursor}")).await;
        let clients = answer["data"]["clients"].as_array().unwrap();
        seen.extend(clients.iter().map(|client| text(client, "slug").to_owned()));
        match answer["data"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn people_who_are_limited_to_a_client_see_that_one() {
    let office = Office::new().await;
    let (inn, spa) = (office.made("inn").await, office.made("spa").await);
    let (own, other) = (text(&inn, "id"), text(&spa, "id"));
    for role in [Role::Agent, Role::Owner] {
        let call = || person_with(office.tenant, role, &[("client", own)]);
        assert_eq!(office.slugs(call(), "").await, ["inn"]);
        assert_eq!(office.slugs(call(), "slug=inn").await, ["inn"]);
        assert!(office.slugs(call(), "slug=spa").await.is_empty());
        assert_eq!(office.get(call(), own).await.0, 200);
        assert_eq!(office.get(call(), other).await.0, 404);
        let change = call().with_header("if-match", "*");
        assert_eq!(office.update(change, own, json!({ "name": "Mine" })).await.0, 403);
        assert_eq!(office.create(call(), json!({ "slug": "x", "name": "X" })).await.0, 403);
    }
}

#[tokio::test]
async fn owners_write_everybody_reads_and_a_stranger_sees_nothing() {
    let office = Office::new().await;
    let inn = office.made("inn").await;
    let id = text(&inn, "id");
    for role in [Role::Agent, Role::Supervisor] {
        let call = || person(office.tenant, role);
        assert_eq!(office.get(call(), id).await.0, 200);
        assert_eq!(office.slugs(call(), "").await, ["inn"]);
        assert_eq!(office.create(call(), json!({ "slug": "x", "name": "X" })).await.0, 403);
        assert_eq!(office.update(call().with_header("if-match", "*"), id, json!({ "name": "X" })).await.0, 403);
    }
    assert_eq!(office.create(person(office.tenant, Role::Admin), json!({ "slug": "y", "name": "Y" })).await.0, 201);

    assert_eq!(office.get(stranger(), id).await.0, 404);
    assert_eq!(office.update(stranger().with_header("if-match", "*"), id, json!({ "name": "X" })).await.0, 404);
    assert!(office.slugs(stranger(), "").await.is_empty());
    assert!(office.slugs(stranger(), "slug=inn").await.is_empty());
    assert_eq!(office.create(stranger(), json!({ "slug": "inn", "name": "Mine" })).await.0, 201, "its own tenant's");
    assert_eq!(office.get(nobody(), id).await.0, 401);
    assert_eq!(office.get(office.owner(), "nonsense").await.0, 404);
}

#[tokio::test]
async fn a_tenant_has_a_thousand_clients_at_most() {
    let office = Office::new().await;
    for n in 0..999 {
        let client = Client {
            tenant: office.tenant,
            id: ClientId::new(),
            slug: format!("c{n}"),
            name: "ü".repeat(100),
            created_at: jiff::Timestamp::now(),
            revision: 0,
        };
        office.table.put(&client).await.unwrap();
    }
    office.made("the-last").await;

    let (status, answer) = office.create(office.owner(), json!({ "slug": "one-more", "name": "One more" })).await;

    assert_eq!(status, 409, "{answer}");
    assert!(office.slugs(office.owner(), "slug=one-more").await.is_empty());
    assert_eq!(Office { tenant: TenantId::new(), ..office }.made("spa").await["slug"], "spa");
}
