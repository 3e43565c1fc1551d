//! The routes of the template, the operations of the document, the binaries and the samples are the same ones.

use std::collections::BTreeSet;

use tests::{document, template, top};

fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(top().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(ending).map(Into::into))
        .collect()
}

fn binaries() -> BTreeSet<String> {
    let areas = std::fs::read_dir(top().join("functions")).unwrap();
    areas
        .flat_map(|area| names(&format!("functions/{}/src/bin", area.unwrap().file_name().to_str().unwrap()), ".rs"))
        .collect()
}

#[test]
fn every_route_has_a_document_and_every_document_a_route() {
    let functions = template::functions(&template::read());
    let routes: BTreeSet<(String, String)> = functions
        .values()
        .flat_map(|function| function.routes.iter().map(|(method, path, _)| (method.to_lowercase(), path.clone())))
        .collect();
    let document = document::whole();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(|method| (method.clone(), path.clone()))
        })
        .collect();

    assert_eq!(routes, documented);
}

#[test]
fn what_the_document_says_of_tokens_the_template_does() {
    let document = document::whole();
    for function in template::functions(&template::read()).values() {
        for (method, path, people) in &function.routes {
            let operation = &document["paths"][path][method.to_lowercase()];
            assert_eq!(
                operation["security"].is_null(),
                *people,
                "{method} {path}: `security` in the document, Authorizer in the template"
            );
        }
    }
}

#[test]
fn every_operation_is_named_described_and_succeeds() {
    let document = document::whole();
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(operation["summary"].is_string() || operation["description"].is_string(), "{id} says nothing");
            let good = operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with(['2', '3']));
            assert!(good, "{id} has no success");
        }
    }
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let file = top().join("infra/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&document::whole()).unwrap());
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("CROSSDOCK_UPDATE").is_some() {
        std::fs::write(&file, &text).unwrap();
    } else if text != committed {
        let line = text.lines().zip(committed.lines()).position(|(now, then)| now != then).unwrap_or_default() + 1;
        panic!(
            "infra/openapi.json differs from line {line}: CROSSDOCK_UPDATE=1 cargo test -p tests --test contract writes it anew"
        );
    }
}

#[test]
fn template_binaries_and_samples_name_the_same_functions() {
    let functions = template::functions(&template::read());
    let deployed: BTreeSet<String> = functions.values().map(|function| function.binary.clone()).collect();
    assert_eq!(functions.len(), deployed.len(), "two functions share a binary");

    assert_eq!(deployed, binaries(), "template.yaml and functions/*/src/bin");
    assert_eq!(deployed, names("events", ".json"), "template.yaml and events/");
}

#[test]
fn a_functions_logical_id_is_its_binarys_name() {
    for function in template::functions(&template::read()).values() {
        let pascal: String = function.binary.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert_eq!(function.name, pascal);
    }
}
