//! What the kernel tells of a process.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use crate::Result;

/// CPU time of all its threads that still live, in the scheduler's nanoseconds.
pub fn cpu(pid: u32) -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while we look.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        sum += text.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// Resident memory, in bytes.
pub fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// A program that people would start by that name.
pub fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// While it lives, all threads of this process keep off the first core.
pub struct Aside {
    taskset: PathBuf,
    last: usize,
}

impl Aside {
    /// Steps aside. Nothing where there is only one core, or no `taskset`.
    pub fn step() -> Option<Self> {
        let last = std::thread::available_parallelism().ok()?.get().checked_sub(1).filter(|last| *last > 0)?;
        let aside = Self { taskset: find("taskset")?, last };
        aside.keep_to(1).then_some(aside)
    }

    /// What starts a program on the first core alone: to be put in front of it.
    pub fn first_core(&self) -> (PathBuf, [&'static str; 2]) {
        (self.taskset.clone(), ["--cpu-list", "0"])
    }

    fn keep_to(&self, first: usize) -> bool {
        let (cores, pid) = (format!("{first}-{}", self.last), std::process::id().to_string());
        let done = Command::new(&self.taskset).args(["--all-tasks", "--cpu-list", "--pid", &cores, &pid]).output();
        done.is_ok_and(|done| done.status.success())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.keep_to(0);
    }
}
