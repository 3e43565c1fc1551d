//! Connections to CRMs by OAuth.

use shared::{
    connection::Provider,
    secrets::{OAuthApp, Platform},
};

pub mod account;
pub mod ask;
pub mod begin;
pub mod browser;
pub mod callback;
pub mod disconnect;
pub mod failure;
pub mod page;
pub mod providers;
pub mod show;
pub mod state;
pub mod tokens;
pub mod vendor;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(begin::handle, callback::handle, disconnect::handle, providers::handle, show::handle))]
pub struct Api;

/// Our app with a CRM, if there is one.
fn app(platform: &Platform, provider: Provider) -> Option<&OAuthApp> {
    platform.oauth.get(provider.id()).filter(|app| !app.client_id.is_empty())
}
