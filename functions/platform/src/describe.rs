//! `GET /api/openapi.json`: the API's own description.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use shared::{
    Result,
    http::{Call, Reply},
};

const DOCUMENT: &str = include_str!("../../../infra/openapi.json");

/// The OpenAPI 3.1 document of this very version. Public; good for five minutes.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "openapi_get",
    tag = "platform",
    security(()),
    responses((status = 200, description = "The OpenAPI 3.1 document", content_type = "application/json"))
)]
pub async fn handle(_: &(), call: Call) -> Result<Reply> {
    let document = Reply {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        ]),
        body: DOCUMENT.into(),
    };
    Ok(document.tagged(&call))
}
