//! A feature that differs between two of our everyday commands makes Cargo compile the crate, and
//! all that stands on it, once more: minutes, silently. This notices.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    path::Path,
    process::Command,
};

use serde::Deserialize;

#[derive(Deserialize)]
struct Graph {
    units: Vec<Unit>,
}

#[derive(Deserialize)]
struct Unit {
    pkg_id: String,
    target: Target,
    mode: String,
    features: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// The feature sets that each dependency is compiled with: one, if all is well.
type Sets = BTreeMap<(String, String), BTreeSet<BTreeSet<String>>>;

fn units(arguments: &[&str]) -> Result<Sets, Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let answer = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--unit-graph", "-Zunstable-options"])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(workspace)
        .output()?;
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let graph: Graph = serde_json::from_slice(&answer.stdout)?;
    let mut sets = Sets::new();
    for unit in graph.units {
        if !unit.pkg_id.starts_with("path+") && unit.target.kind == ["lib"] && unit.mode == "build" {
            sets.entry((unit.pkg_id, unit.mode)).or_default().insert(unit.features);
        }
    }
    Ok(sets)
}

#[test]
fn running_building_and_testing_share_every_compiled_dependency() -> Result<(), Box<dyn Error>> {
    let run = units(&["build", "-p", "local"])?;
    let functions = units(&["build", "--workspace", "--bins"])?;
    let test = units(&["test", "--workspace", "--no-run"])?;

    let mut twice = Vec::new();
    for (known, further) in [(&run, &functions), (&functions, &test), (&run, &test)] {
        for (unit, features) in known {
            match further.get(unit) {
                Some(others) if others != features => {
                    let all = |sets: &BTreeSet<BTreeSet<String>>| -> BTreeSet<String> {
                        sets.iter().flatten().cloned().collect()
                    };
                    let (one, other) = (all(features), all(others));
                    twice.push(format!("{}: {:?}", unit.0, one.symmetric_difference(&other).collect::<Vec<_>>()));
                }
                _ => {}
            }
        }
    }
    assert!(
        twice.is_empty(),
        "compiled twice for want of a feature; name it in infra/local/Cargo.toml:\n{}",
        twice.join("\n")
    );
    Ok(())
}
