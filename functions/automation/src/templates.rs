//! `GET /api/v1/automation/templates`: what automations can be made from.

use http::header;
use serde::Serialize;
use shared::{
    Error, Result,
    gate::{Gate, Role},
    http::{Call, Reply},
};

use crate::catalogue::{TEMPLATES, Template};

/// A ready-made automation.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutomationTemplate)]
pub struct ShownTemplate {
    /// Its id, to be sent as `templateId`.
    #[schema(example = "lead-to-crm")]
    id: &'static str,
    /// What people call it.
    name: &'static str,
    /// What it is, in a sentence or two.
    description: &'static str,
    /// What starts it.
    trigger: &'static str,
    /// What it does.
    action: &'static str,
    /// What it is good for.
    use_case: &'static str,
    /// Raised when `example` changes its form.
    version: u32,
    /// What an automation made from it may be sent. Nothing holds callers to this form.
    #[schema(value_type = Object)]
    example: serde_json::Value,
}

impl TryFrom<&'static Template> for ShownTemplate {
    type Error = Error;

    fn try_from(template: &'static Template) -> Result<Self> {
        Ok(Self {
            id: template.id,
            name: template.name,
            description: template.description,
            trigger: template.trigger,
            action: template.action,
            use_case: template.use_case,
            version: template.version,
            example: serde_json::from_str(template.example)
                .map_err(|cause| Error::internal("the example of a template is not JSON", cause))?,
        })
    }
}

/// The templates that automations are made from, each with an example of what its webhook is sent. The same for every
/// tenant; they change with a deployment only.
#[utoipa::path(
    get,
    path = "/api/v1/automation/templates",
    operation_id = "automation_templates",
    tag = "automation",
    responses((status = 200, description = "All templates", body = [ShownTemplate]))
)]
pub async fn handle(gate: &Gate, call: Call) -> Result<Reply> {
    gate.person(&call, Role::Agent).await?;

    let templates = TEMPLATES.iter().map(ShownTemplate::try_from).collect::<Result<Vec<_>>>()?;

    Ok(Reply::ok(templates).header(header::CACHE_CONTROL, "private, max-age=300").tagged(&call))
}
