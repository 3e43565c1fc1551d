use automation::templates;
use shared::{
    gate::{Gate, Role},
    id::TenantId,
    testing::{nobody, person, table, told},
};

#[tokio::test]
async fn there_are_six_each_with_all_that_the_source_document_says_of_it() {
    let gate = Gate::new(table().await);

    let (status, answer) = told(templates::handle(&gate, person(TenantId::new(), Role::Agent)).await);

    assert_eq!(status, 200);
    let ids: Vec<&str> =
        answer["data"].as_array().unwrap().iter().map(|template| template["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        ["lead-to-crm", "enrich-lead", "lead-notification", "qualify-lead", "distribute-lead", "weekly-report"]
    );
    for template in answer["data"].as_array().unwrap() {
        for field in ["name", "description", "trigger", "action", "useCase"] {
            assert!(template[field].is_string(), "{field} of {template}");
        }
        assert!(template["version"].is_u64() && template["example"].is_object(), "{template}");
    }
}

#[tokio::test]
async fn who_has_them_already_is_told_so() {
    let gate = Gate::new(table().await);
    let call = || person(TenantId::new(), Role::Agent);
    let tag = templates::handle(&gate, call()).await.unwrap().headers["etag"].to_str().unwrap().to_owned();

    let (status, _) = told(templates::handle(&gate, call().with_header("if-none-match", &tag)).await);

    assert_eq!(status, 304);
}

#[tokio::test]
async fn they_are_for_people_who_have_signed_in() {
    let gate = Gate::new(table().await);
    assert_eq!(told(templates::handle(&gate, nobody()).await).0, 401);
}
