//! What is measured: binaries built as they are shipped.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::Result;

/// The functions that are measured: what takes events in, what sends them, and what links most.
pub const MEASURED: [&str; 3] = [RECEIVE, SEND, CALLBACK];
/// Takes booking events in.
pub const RECEIVE: &str = "booking-events-receive";
/// Delivers.
pub const SEND: &str = "delivery-send";
/// Finishes the sign-in with a CRM.
pub const CALLBACK: &str = "crm-oauth-callback";
/// `lambda_http` alone.
pub const EMPTY: &str = "yardstick-empty";
/// Our `boot` alone.
pub const PROBE: &str = "yardstick-probe";

/// `delivery-send` with an allocator that counts.
pub const COUNTED: &str = "yardstick-send";

/// The profile of what is deployed.
const PROFILE: &str = "ship";

/// Where the workspace builds to.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    /// Package by binary.
    functions: BTreeMap<String, String>,
}

impl Workspace {
    /// This one.
    pub fn read() -> Result<Self> {
        let output = cargo(Path::new(env!("CARGO_MANIFEST_DIR")))
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()?;
        let known: Value = serde_json::from_slice(&output.stdout)?;
        let path = |name: &str| known[name].as_str().map(PathBuf::from).ok_or("cargo metadata tells no folders");
        let (root, target) = (path("workspace_root")?, path("target_directory")?);
        let mut functions = BTreeMap::new();
        for package in known["packages"].as_array().into_iter().flatten() {
            let manifest = package["manifest_path"].as_str().unwrap_or_default();
            if !Path::new(manifest).starts_with(root.join("functions")) {
                continue;
            }
            let name = package["name"].as_str().unwrap_or_default();
            for target in package["targets"].as_array().into_iter().flatten() {
                if target["kind"][0] == "bin" {
                    functions.insert(target["name"].as_str().unwrap_or_default().to_owned(), name.to_owned());
                }
            }
        }
        Ok(Self { root, target, functions })
    }

    /// Every function there is.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// A folder for what the benchmark writes.
    pub fn place(&self) -> Result<PathBuf> {
        let place = self.target.join("bench");
        fs::create_dir_all(&place)?;
        Ok(place)
    }

    /// The executable of that name.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target.join(PROFILE).join(name)
    }

    /// Its size in bytes.
    pub fn size(&self, name: &str) -> Result<u64> {
        let path = self.binary(name);
        Ok(fs::metadata(&path).map_err(|why| format!("{}: {why}", path.display()))?.len())
    }

    /// Builds these functions and the yardsticks, showing cargo's own progress. In one call, for the same features.
    pub fn build(&self, functions: &[&str]) -> Result<()> {
        let mut command = cargo(&self.root);
        command.args(["build", "--profile", PROFILE, "--package", "bench", "--features", "bench/yardstick"]);
        for name in functions {
            let package = self.functions.get(*name).ok_or_else(|| format!("no function is called {name}"))?;
            command.args(["--package", package, "--bin", name]);
        }
        let status = command.args(["--bin", EMPTY, "--bin", PROBE, "--bin", COUNTED]).status()?;
        if status.success() { Ok(()) } else { Err("the functions do not build".into()) }
    }

    /// Whether the TLS library in the binaries was built without its own gathering of entropy from CPU jitter.
    pub fn is_without_jitter(&self) -> Result<bool> {
        let mut found = false;
        for folder in fs::read_dir(self.target.join(PROFILE).join("build"))? {
            let folder = folder?.path();
            let is_ours = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("aws-lc-sys-"));
            let Some(output) = fs::read_to_string(folder.join("output")).ok().filter(|_| is_ours) else { continue };
            found = true;
            if !output.contains("Environment Variable found 'AWS_LC_SYS_NO_JITTER_ENTROPY': '1'") {
                return Ok(false);
            }
        }
        Ok(found)
    }
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}
