//! The Python environment that holds the emulator and the SAM CLI.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::{
    error::{Context, Error, Result},
    paths,
    progress::{Outcome, Step},
};

const REQUIREMENTS: &str = include_str!("../requirements.txt");
const OLDEST: (u32, u32) = (3, 10);

/// An environment with everything from requirements.txt in it.
#[derive(Clone, Debug)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Makes the environment, or finds it as it should be.
    pub async fn ready(step: &Step) -> Result<(Outcome, Self)> {
        let python = Self::made();
        let _turn = Turn::wait().await?;
        let wanted = stamp();
        let stamp_file = python.folder.join("stamp");
        if fs::read_to_string(&stamp_file).is_ok_and(|found| found == wanted) && python.interpreter().exists() {
            return Ok((Outcome::Skipped("unchanged"), python));
        }
        python.make(step).await?;
        fs::write(&stamp_file, wanted).context("cannot write the Python stamp")?;
        Ok((Outcome::Done, python))
    }

    /// The environment that a start has made.
    pub fn made() -> Self {
        Self { folder: paths::local().join("python") }
    }

    /// The interpreter that sees the installed packages.
    pub fn interpreter(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that a package brought along.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// One file with the trusted roots, wherever this machine keeps its own.
    pub fn ca_bundle(&self) -> Result<PathBuf> {
        let libraries = fs::read_dir(self.folder.join("lib")).context("cannot find certificates")?;
        libraries
            .flatten()
            .map(|library| library.path().join("site-packages/certifi/cacert.pem"))
            .find(|bundle| bundle.exists())
            .ok_or_else(|| {
                Error::new("the Python environment has no certificates")
                    .next("Make it anew: remove target/local/python and start again.")
            })
    }

    async fn make(&self, step: &Step) -> Result<()> {
        let system = find_system_python().await?;
        step.note("making a virtual environment");
        run(
            Command::new(system).args(["-m", "venv", "--clear"]).arg(&self.folder),
            "cannot make a Python environment",
            "On Debian and Ubuntu: sudo apt install python3-venv",
        )
        .await?;
        step.note("installing packages");
        let list = self.folder.join("requirements.txt");
        fs::write(&list, REQUIREMENTS).context("cannot write requirements.txt")?;
        run(
            Command::new(self.interpreter())
                .args(["-m", "pip", "install", "--quiet", "--no-input"])
                .args(["--disable-pip-version-check", "--no-deps", "--require-hashes"])
                .arg("--requirement")
                .arg(&list),
            "cannot install the emulator and the SAM CLI",
            "Check that pip can reach its package index (proxy, PIP_INDEX_URL), then start again.",
        )
        .await
    }
}

fn stamp() -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(REQUIREMENTS))
}

/// Held while the environment is looked at or made: two starts at once must not both install.
struct Turn {
    _file: fs::File,
}

impl Turn {
    async fn wait() -> Result<Self> {
        let folder = paths::local();
        fs::create_dir_all(&folder).context("cannot create target/local")?;
        let file = fs::File::create(folder.join("python.lock")).context("cannot lock")?;
        tokio::task::spawn_blocking(move || file.lock().map(|()| Self { _file: file }))
            .await
            .context("cannot wait for the Python lock")?
            .context("cannot lock the Python environment")
    }
}

async fn find_system_python() -> Result<PathBuf> {
    let named = std::env::var_os("CROSSDOCK_PYTHON").map(PathBuf::from);
    let usual = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
    for candidate in named.into_iter().chain(usual.map(PathBuf::from)) {
        if version(&candidate).await.is_some_and(|found| found >= OLDEST) {
            return Ok(candidate);
        }
    }
    Err(Error::new("no Python 3.10 or newer was found")
        .next("Install one, or name it: CROSSDOCK_PYTHON=/path/to/python3"))
}

async fn version(python: &Path) -> Option<(u32, u32)> {
    let answer = Command::new(python)
        .args(["-c", "import sys; print(*sys.version_info[:2])"])
        .stderr(Stdio::null())
        .output()
        .await
        .ok()?;
    parse_version(&String::from_utf8(answer.stdout).ok()?)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

async fn run(command: &mut Command, what: &str, next: &str) -> Result<()> {
    let answer = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context(what)
        .map_err(|error| error.next(next))?;
    if answer.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let said = if said.trim().is_empty() { String::from_utf8_lossy(&answer.stdout) } else { said };
    Err(Error::new(format!("{what}:\n{}", last_lines(&said, 15))).next(next))
}

/// The end of what a program said, where its reason usually is.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        assert_eq!(parse_version("3 9\n"), Some((3, 9)));
        assert!(parse_version("3 9").unwrap() < OLDEST);
        assert!(parse_version("3 13").unwrap() > OLDEST);
        assert_eq!(parse_version("no python here"), None);
    }

    #[test]
    fn every_requirement_is_pinned_with_a_hash_and_no_index_is_named() {
        let entries = REQUIREMENTS.lines().filter(|line| !line.starts_with([' ', '#', '-']) && !line.is_empty());
        for entry in entries {
            assert!(entry.contains("=="), "{entry}");
            assert!(entry.trim_end().ends_with('\\'), "{entry} has no hash");
        }
        assert!(!REQUIREMENTS.contains("http"));
        assert!(!REQUIREMENTS.contains("--find-links"));
    }

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        assert_eq!(last_lines("one\ntwo\nthree\n", 2), "two\nthree");
        assert_eq!(last_lines("one", 5), "one");
    }
}
