//! The same handler in Node, where there is a Node.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, process::find};

const HANDLER: &str = include_str!("../node/handler.mjs");
const MANIFEST: &str = include_str!("../node/package.json");
const LOCK: &str = include_str!("../node/package-lock.json");

/// A Node with the handler and what it needs.
pub struct Node {
    /// Its version.
    pub version: String,
    /// The handler.
    pub handler: PathBuf,
    /// Node itself.
    pub program: PathBuf,
}

impl Node {
    /// Installs what the handler needs, unless it is there.
    pub fn set_up(place: &Path) -> Result<Self> {
        let program = find("node").ok_or("there is no node here")?;
        let version = Command::new(&program).arg("--version").output()?;
        let folder = place.join("node");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("handler.mjs"), HANDLER)?;
        let installed = fs::read_to_string(folder.join("installed.json")).ok();
        if installed.as_deref() != Some(LOCK) {
            let npm = find("npm").ok_or("there is no npm here")?;
            fs::write(folder.join("package.json"), MANIFEST)?;
            fs::write(folder.join("package-lock.json"), LOCK)?;
            let done = Command::new(npm)
                .args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"])
                .current_dir(&folder)
                .output()?;
            if !done.status.success() {
                return Err(format!("npm ci: {}", String::from_utf8_lossy(&done.stderr).trim()).into());
            }
            fs::write(folder.join("installed.json"), LOCK)?;
        }
        Ok(Self {
            version: String::from_utf8_lossy(&version.stdout).trim().trim_start_matches('v').to_owned(),
            handler: folder.join("handler.mjs"),
            program,
        })
    }
}
