//! The TypeScript client of `functions/bookings/client`, as a frontend would use it: Node's own test runner against the
//! deployed stack. It needs Node 20.11 or later, so it runs by name alone: `cargo test -p tests --test client`.

#![cfg(test)]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use local::testing::stack;
use tokio::process::Command;

#[tokio::test]
async fn the_typescript_client_follows_bookings_over_cut_connections() {
    let stack = stack().await;

    // What was installed for its unit tests will do.
    if !folder().join("node_modules").is_dir() {
        npm(&["ci", "--prefer-offline"], None).await;
    }
    npm(&["run", "build"], None).await;
    npm(&["run", "test:live"], Some(&stack.home.join("stack.json"))).await;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/bookings/client")
}

async fn npm(arguments: &[&str], stack: Option<&Path>) {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(folder()).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(stack) = stack {
        npm.env("CROSSDOCK_STACK", stack);
    }
    let ended = npm.output().await.expect("npm starts: Node 20.11 or later is needed");
    let told = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "npm {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&told));
}
