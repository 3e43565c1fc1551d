//! Kills functions at work: processes of this stack alone, one by one, by their id.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use local::stack::Description;
use tokio::task::AbortHandle;

use crate::dice::Dice;

/// Between two kills: at least so long, and at most twice that.
const PAUSE: Duration = Duration::from_millis(1_200);
/// With more events than this the pause grows by the root of their number: the storm lasts longer, and each worker that is
/// killed holds its messages for [`crate::stage::HIDDEN_S`].
const EVENTS: f64 = 1_000.0;
/// So often it is not one process of a function but all of them.
const ALL_OF_IT: f64 = 0.1;

/// How often each function was killed.
pub type Kills = BTreeMap<String, usize>;

/// Kills until it is dropped.
pub struct Killer {
    kills: Arc<Mutex<Kills>>,
    task: AbortHandle,
}

impl Killer {
    /// Lets go at the functions of that stack.
    pub fn start(stack: &Description, seed: u64, events: usize) -> Self {
        let pause = PAUSE.mul_f64((events as f64 / EVENTS).sqrt().max(1.0));
        let kills = Arc::new(Mutex::new(Kills::new()));
        let (counted, stack, mut dice) = (kills.clone(), stack.clone(), Dice::of(seed, &[3]));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause.mul_f64(1.0 + dice.part())).await;
                for binary in strike(&stack, &mut dice) {
                    *counted.lock().unwrap_or_else(PoisonError::into_inner).entry(binary).or_default() += 1;
                }
            }
        });
        Self { kills, task: task.abort_handle() }
    }

    /// What it has done so far.
    pub fn kills(&self) -> Kills {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Kills one process of a function, or all of them: each function is as likely as another. Whose.
fn strike(stack: &Description, dice: &mut Dice) -> Vec<String> {
    let mut alive: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (pid, binary) in processes(stack) {
        alive.entry(binary).or_default().push(pid);
    }
    let Some((binary, pids)) = alive.iter().nth(dice.below(alive.len())) else { return Vec::new() };
    let victims = if dice.comes(ALL_OF_IT) { pids.clone() } else { vec![pids[dice.below(pids.len())]] };
    victims
        .into_iter()
        .filter(|pid| Command::new("kill").args(["-KILL", &pid.to_string()]).status().is_ok_and(|done| done.success()))
        .map(|_| binary.clone())
        .collect()
}

/// The processes that run functions of this stack: what they find in their environment says whose they are.
fn processes(stack: &Description) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        String::from_utf8_lossy(&command).contains("bootstrap").then_some(())?;
        Some((pid, whose(stack, &environment)?))
    })
    .collect()
}

/// The binary that a process with this environment runs, if it is of this stack.
fn whose(stack: &Description, environment: &[u8]) -> Option<String> {
    let value = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
        entries.find_map(|entry| entry.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    let is_ours = value("TABLE_NAME")? == stack.table_name && value("AWS_ENDPOINT_URL")? == stack.emulator_url;
    is_ours.then(|| stack.binaries.get(&value("AWS_LAMBDA_FUNCTION_NAME")?).cloned())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> Description {
        let text = serde_json::json!({
            "api_url": "", "ws_url": null, "emulator_url": "http://127.0.0.1:4001", "region": "", "table_name": "ours",
            "stack_name": "", "receiver_url": "", "cron_secret": "", "tenants": [], "outputs": {}, "functions": {},
            "binaries": { "send-1": "delivery-send" }, "home": "",
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn only_functions_of_this_very_stack_are_struck() {
        let environment = |table: &str, endpoint: &str, function: &str| {
            format!("X=1\0TABLE_NAME={table}\0AWS_ENDPOINT_URL={endpoint}\0AWS_LAMBDA_FUNCTION_NAME={function}\0")
                .into_bytes()
        };
        let whose = |table, endpoint, function| whose(&stack(), &environment(table, endpoint, function));

        assert_eq!(whose("ours", "http://127.0.0.1:4001", "send-1").as_deref(), Some("delivery-send"));
        assert_eq!(whose("theirs", "http://127.0.0.1:4001", "send-1"), None);
        assert_eq!(whose("ours", "http://127.0.0.1:3001", "send-1"), None);
        assert_eq!(whose("ours", "http://127.0.0.1:4001", "unknown"), None);
    }
}
