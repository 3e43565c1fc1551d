//! What a person sees while it runs.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Where nobody watches, a line that often.
const LINE: Duration = Duration::from_secs(15);

/// A bar where somebody watches, lines where somebody reads later.
pub struct Show {
    began: Instant,
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Show {
    /// Of so many deliveries.
    pub fn of(deliveries: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(deliveries as u64);
            let style = "  {spinner} [{bar:36}] {pos}/{len} delivered  {elapsed:.dim}  {wide_msg:.dim}";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("━╸─"),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { began: Instant::now(), bar, last_line: Mutex::new(Instant::now()) }
    }

    /// How far it is.
    pub fn at(&self, delivered: usize, message: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(delivered as u64);
                bar.set_message(message.to_owned());
            }
            None => {
                let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE {
                    *last = Instant::now();
                    self.say(&format!("  {delivered} delivered, {message}"));
                }
            }
        }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        let line = format!("{:>5} s  {line}", self.began.elapsed().as_secs());
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
