//! Habits that a reviewer should not have to look for.

use std::{fs, path::PathBuf};

use tests::top;

fn files(under: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top().join(under)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") => {
                    open.push(path)
                }
                false if path.to_str().unwrap().ends_with(ending) => found.push(path),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn the_main_of_every_function_is_one_line_of_wiring() {
    for file in files("functions", ".rs").into_iter().filter(|file| file.parent().unwrap().ends_with("src/bin")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 12, "{}: {lines} lines", file.display());
    }
}

#[test]
fn every_crate_takes_lints_and_versions_from_the_workspace() {
    let manifests = ["functions", "infra", "shared", "tests"].into_iter().flat_map(|under| files(under, "Cargo.toml"));
    for file in manifests {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{}: no lints", file.display());
        let own = text
            .lines()
            .skip_while(|line| !line.contains("dependencies]"))
            .take_while(|line| !line.starts_with("[lib]"));
        for line in own.filter(|line| line.contains(" = \"") || line.contains("version =")) {
            assert!(
                line.contains("name =") || line.contains("path =") || line.contains("workspace = true"),
                "{}: {line}",
                file.display()
            );
        }
    }
}

#[test]
fn every_area_that_people_call_is_tried_by_a_stranger() {
    let document = tests::document::whole();
    let areas: std::collections::BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|operations| operations.as_object().unwrap().values())
        .filter(|operation| operation["security"].is_null())
        .filter_map(|operation| operation["tags"][0].as_str())
        .collect();
    for area in areas {
        let tests: String = files(&format!("functions/{area}/tests"), ".rs")
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        assert!(tests.contains("stranger"), "functions/{area}/tests has no stranger");
    }
}

#[test]
fn only_the_files_that_own_a_thing_spell_it() {
    for file in files("functions", ".rs").into_iter().chain(files("shared/src", ".rs")) {
        let name = file.strip_prefix(top()).unwrap().to_str().unwrap().to_owned();
        if name.contains("/tests/") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let own = text.split("#[cfg(test)]").next().unwrap();
        for (word, owner) in
            [("env::var", "shared/src/boot.rs"), ("condition_expression", "shared/src/table.rs"), ("Command::new", "-")]
        {
            assert!(!own.contains(word) || name == owner, "{name} spells `{word}`, which is for {owner}");
        }
        for line in own.lines().filter(|line| line.contains("format!(\"") && line.contains("}#{")) {
            assert_eq!(name, "shared/src/key.rs", "{line}");
        }
    }
}

#[test]
fn every_alarm_on_a_metric_of_ours_watches_one_that_is_counted() {
    let sources = files("functions", ".rs").into_iter().chain(files("shared/src", ".rs"));
    let source: String = sources.map(|file| fs::read_to_string(file).unwrap()).collect();
    let observed = tests::template::observability();
    let alarms = observed["Resources"].as_mapping().unwrap().values().map(|resource| &resource["Properties"]);
    let ours: Vec<_> = alarms.filter(|alarm| alarm["Namespace"] == "Crossdock").collect();
    assert!(!ours.is_empty());
    for alarm in ours {
        let metric = alarm["MetricName"].as_str().unwrap();
        assert!(source.contains(&format!("\"{metric}\"")), "nobody counts {metric}");
    }
}
