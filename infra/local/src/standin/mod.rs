//! The stand-in: plays Make.com, Supabase and the CRMs at the socket, with their quirks, with faults on demand and with a
//! record of all it received.
//!
//! A vendor's host is the first segment of the path, so `https://accounts.zoho.eu/oauth/v2/token` is played at
//! `/accounts.zoho.eu/oauth/v2/token`. Each vendor is one file that knows its hosts, its words and its traps;
//! [`oauth`](self) holds what the four authorization servers share. Every request takes the same way: it is
//! recorded, meets the fault that is standing or waiting for its path, and only then reaches the vendor.
//! The control interface under `/_control/` is described in the README beside this file; [`Control`] speaks it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use tokio::net::TcpListener;

mod call;
mod client;
mod control;
mod dynamics;
mod faults;
mod hubspot;
mod make;
mod make_api;
mod notices;
mod oauth;
mod path;
mod record;
mod salesforce;
mod ses;
mod supabase;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wire;
mod zoho;

pub use client::{Control, ControlError};
pub use faults::{Fault, Mode, Rate, Standing};
pub use make::{Hook, Limit};
pub use make_api::{MakeAccount, MakeOrder, MakeRun};
pub use oauth::{Consent, OauthOrder};
pub use record::{Outcome, Recorded};
pub use supabase::{Changed, DatabaseHook, Loss, NetResponse, Operation, Project, ProjectState, RowChange};

use call::{Answer, Call};
use dynamics::Dynamics;
use faults::{Faults, Hit};
use hubspot::HubSpot;
use make::Make;
use make_api::MakeApi;
use record::Log;
use salesforce::Salesforce;
use supabase::{PgNet, Supabase};
use wire::{Line, Wires};
use zoho::Zoho;

/// Plays until the listener fails or the future is dropped.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let world = Arc::new(World::default());
    let app = Router::new()
        .nest("/_control", control::routes())
        .route("/_control/", control::description())
        .fallback(play)
        .with_state(world);
    axum::serve(Wires(listener), app.into_make_service_with_connect_info::<Line>()).await
}

/// Plays on a port that the system chooses, for as long as the calling runtime lives.
pub async fn spawn() -> io::Result<Control> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener));
    Ok(Control::at(base))
}

/// All that the stand-in remembers.
#[derive(Default)]
struct World {
    log: Log,
    faults: Mutex<Faults>,
    vendors: Mutex<Vendors>,
    pg_net: PgNet,
}

#[derive(Default)]
struct Vendors {
    make: Make,
    make_api: MakeApi,
    supabase: Supabase,
    zoho: Zoho,
    salesforce: Salesforce,
    hubspot: HubSpot,
    dynamics: Dynamics,
}

impl Vendors {
    fn answer(&mut self, call: &Call, now: Instant) -> Answer {
        let host = call.host.as_str();
        if make::plays(host) {
            self.make.answer(call, now, &mut self.make_api)
        } else if make_api::plays(host) {
            self.make_api.answer(call, now)
        } else if supabase::plays(host) {
            self.supabase.answer(call)
        } else if zoho::plays(host) {
            self.zoho.answer(call, now)
        } else if salesforce::plays(host) {
            self.salesforce.answer(call, now)
        } else if hubspot::plays(host) {
            self.hubspot.answer(call, now)
        } else if dynamics::plays(host) {
            self.dynamics.answer(call, now)
        } else if notices::plays(host) {
            notices::answer(call)
        } else if ses::plays(host) {
            ses::answer(call)
        } else {
            Answer::text(StatusCode::NOT_FOUND, "No vendor with this host is played here")
        }
    }
}

async fn play(State(world): State<Arc<World>>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let call = match Call::read(request).await {
        Ok(call) => call,
        Err(unread) => return unread.into_response(),
    };
    let entry = world.log.open(&call);

    let fault = held(&world.faults).strike(&call.whole_path);
    let struck = match fault {
        None => None,
        Some(fault) => {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
            fault.hit()
        }
    };
    let answer = match struck {
        Some(Hit::Down) => {
            line.cut();
            entry.close(Outcome::Cut);
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Some(Hit::Answer(answer)) => answer,
        None => held(&world.vendors).answer(&call, Instant::now()),
    };

    entry.close(Outcome::Answered(answer.status.as_u16()));
    answer.into_response()
}

/// A panic elsewhere must not silence the stand-in for the rest of a test run.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
