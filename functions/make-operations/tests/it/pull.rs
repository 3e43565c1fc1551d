//! What Make.com's API knows is read page by page, once, whatever happens on the way.

mod ask;
mod cost;
mod faults;
mod reads;
mod resumes;
mod scene;

use scene::{Scene, ago, run};
