//! What the kernel tells of a process.

use std::{fs, process::Command, time::Duration};

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

/// Whether processes can be kept to one core.
pub fn can_pin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
        && Command::new("taskset").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Keeps all threads of this process to some cores (`0`, `1-3`), and so what it starts from now on.
pub fn pin(cores: &str) -> Result<()> {
    let pid = std::process::id().to_string();
    let done = Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", cores, &pid]).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned().into()) }
}
