//! What is being done right now, and how long each step took.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::error::Result;

/// Shows steps on standard error: spinners on a terminal, plain lines elsewhere.
#[derive(Clone)]
pub struct Progress {
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Spinners where somebody watches, lines where somebody reads later.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// Runs one step and says how long it took; a skipped step answers [`Outcome::Skipped`].
    pub async fn step<T>(&self, name: &str, work: impl AsyncFnOnce(&Step) -> Result<(Outcome, T)>) -> Result<T> {
        let begun = Instant::now();
        let step = Step::begin(name, self.bars.as_ref());
        let outcome = work(&step).await;
        step.end();
        let (mark, note) = match &outcome {
            Ok((Outcome::Done, _)) => ("✓", String::new()),
            Ok((Outcome::Skipped(why), _)) => ("·", format!(", {why}")),
            Err(_) => ("✗", String::new()),
        };
        self.line(&format!("  {mark} {name} ({:.1} s{note})", begun.elapsed().as_secs_f64()));
        outcome.map(|(_, value)| value)
    }

    /// One line that does not disturb the spinners.
    pub fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// A step under way.
pub struct Step {
    bar: Option<ProgressBar>,
}

impl Step {
    fn begin(name: &str, bars: Option<&MultiProgress>) -> Self {
        let bar = bars.map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(
                ProgressStyle::with_template("  {spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("  … {name}");
        }
        Self { bar }
    }

    /// Says what the step is at, where somebody watches.
    pub fn note(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whether a step had something to do.
pub enum Outcome {
    /// It was done now.
    Done,
    /// Nothing to do, for this reason.
    Skipped(&'static str),
}
