//! Receivers: what Make.com itself says of the webhooks that deliveries go to.
//!
//! Every two minutes each tenant's account at Make.com is looked at (`watch`). What was seen is judged without asking
//! anybody (`rules`), written down, and brought to the endpoint (`settle`).

pub mod account;
pub mod address;
pub mod get;
pub mod rules;
pub mod settle;
pub mod watch;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(account::give::handle, account::show::handle, account::take_back::handle, get::handle))]
pub struct Api;
