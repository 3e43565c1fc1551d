//! Where things are: the workspace, and what we keep under its target folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::error::{Context, Error, Result};

/// Held by the emulator (see launcher.py) for as long as it lives.
const EMULATOR_LOCK: &str = "emulator.lock";

/// The workspace this crate was built in.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace().join(folder),
        None => workspace().join("target"),
    }
}

/// Everything that the local stack keeps on disk.
pub fn local() -> PathBuf {
    target().join("local")
}

/// The folder of one stack, held by at most one process at a time.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    _lock: fs::File,
}

impl Home {
    /// Takes the folder `name`, unless another process holds it.
    pub fn take(name: &str) -> Result<Option<Self>> {
        let folder = local().join(name);
        fs::create_dir_all(&folder)
            .context(format!("cannot create {}", folder.display()))
            .map_err(|error| error.next("Is the target folder writable?"))?;
        let lock = fs::File::create(folder.join("lock")).context("cannot create a lock file")?;
        match lock.try_lock() {
            Ok(()) => {
                wait_for_the_last_emulator(&folder)?;
                Ok(Some(Self { folder, _lock: lock }))
            }
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).context("cannot lock"),
        }
    }

    /// Takes the first of `{prefix}-0`, `{prefix}-1`, … that nobody holds.
    pub fn take_any(prefix: &str) -> Result<Self> {
        for number in 0..32 {
            if let Some(home) = Self::take(&format!("{prefix}-{number}"))? {
                return Ok(home);
            }
        }
        Err(Error::new("32 stacks are running already").next("Let some of them finish first."))
    }

    /// A file or folder in here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes everything but the locks.
    pub fn clear(&self) -> Result<()> {
        let entries = fs::read_dir(&self.folder).context("cannot list the stack's folder")?;
        for entry in entries.flatten() {
            let path = entry.path();
            if ["lock", EMULATOR_LOCK].iter().any(|lock| entry.file_name() == *lock) {
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.context(format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

/// One that outlived its parent for a moment still saves its state; it ends by itself.
fn wait_for_the_last_emulator(folder: &Path) -> Result<()> {
    let lock = fs::File::create(folder.join(EMULATOR_LOCK)).context("cannot create a lock file")?;
    lock.lock().context("cannot wait for the last emulator to end")
}

/// Writes a file that never exists half-written, readable by its owner only.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};

    let what = || format!("cannot write {}", path.display());
    let draft = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).context(what())?;
    file.write_all(content).context(what())?;
    fs::rename(&draft, path).context(what())
}
