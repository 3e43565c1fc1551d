//! The OpenAPI document: every area's part, and what all parts share.

use serde_json::{Value, json};
use utoipa::OpenApi;

/// The whole document, as it is served and committed.
pub fn whole() -> Value {
    let mut document = utoipa::openapi::OpenApiBuilder::new().build();
    for part in [
        platform::Api::openapi(),
        bookings::Api::openapi(),
        live::Api::openapi(),
        completeness::Api::openapi(),
        deliveries::Api::openapi(),
        endpoints::Api::openapi(),
        receivers::Api::openapi(),
        traces::Api::openapi(),
        crm::Api::openapi(),
        automation::Api::openapi(),
        make_operations::Api::openapi(),
        alerts::Api::openapi(),
        forecasts::Api::openapi(),
        billing::Api::openapi(),
        dashboard::Api::openapi(),
    ] {
        document.merge(part);
    }
    let mut document = serde_json::to_value(document).expect("a document is JSON");
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Crossdock",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Events in on one side, out on the other, nothing lost on the floor.\n\nEvery success is \
            `{\"success\": true, \"data\": …}`, unless its description says otherwise; every error a problem document \
            (RFC 9457) that names all faults of the request at once. Times are UTC in RFC 3339. Every POST takes an \
            `Idempotency-Key`: the same key and body replay the answer for 24 hours, another body is 422, a request \
            still being worked on is 409. Every answer carries `traceparent`.",
    });
    document["servers"] = json!([{ "url": "/" }]);
    document["security"] = json!([{ "people": [] }]);
    document["components"]["securitySchemes"] = json!({
        "people": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A person's token, from the user pool or the issuer that the stack was deployed with.",
        },
        "api_key": {
            "type": "http", "scheme": "bearer", "bearerFormat": "cdk_…",
            "description": "A machine's API key, with the scope that the route names.",
        },
        "cron_secret": {
            "type": "http", "scheme": "bearer",
            "description": "`cron_secret` of the platform's secret, for an outside cron.",
        },
    });
    document["components"]["schemas"]["Problem"] = problem();
    document["components"]["responses"]["Problem"] = json!({
        "description": "What is wrong, and what to do next",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    document["components"]["parameters"]["IdempotencyKey"] = json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "Your name for this request: sent again with the same body, it gets the same answer for 24 hours",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
    });
    let schemas = document["components"]["schemas"].clone();
    for operations in document["paths"].as_object_mut().expect("paths").values_mut() {
        for (method, operation) in operations.as_object_mut().expect("operations") {
            if method == "post" {
                repeatable(operation);
            }
            complete(operation, &schemas);
        }
    }
    document
}

/// What every POST takes: an `Idempotency-Key`, unless it says itself what that means there.
fn repeatable(operation: &mut Value) {
    if operation["parameters"].is_null() {
        operation["parameters"] = json!([]);
    }
    let parameters = operation["parameters"].as_array_mut().expect("parameters");
    if parameters.iter().all(|parameter| parameter["name"] != "Idempotency-Key") {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
}

/// What every operation has: its success in the envelope, and problems.
fn complete(operation: &mut Value, schemas: &Value) {
    let responses = operation["responses"].as_object_mut().expect("responses");
    for response in responses.values_mut() {
        if let Some(schema) = response.pointer_mut("/content/application~1json/schema")
            && resolved(schema, schemas)["properties"]["success"].is_null()
            && schema.as_object().is_some_and(|schema| !schema.is_empty())
        {
            let data = schema.take();
            *schema = json!({
                "type": "object",
                "required": ["success", "data"],
                "properties": { "success": { "type": "boolean", "const": true }, "data": data },
            });
        }
    }
    responses.insert("default".into(), json!({ "$ref": "#/components/responses/Problem" }));
}

/// The schema itself, where it is named by a reference.
fn resolved<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
        Some(name) => &schemas[name],
        None => schema,
    }
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["success", "type", "title", "status", "detail"],
        "properties": {
            "success": { "type": "boolean", "const": false },
            "type": { "type": "string", "description": "What clients match on: `urn:crossdock:problem:<word>`" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "JSON pointer into the body, or `?name` of a parameter" },
                        "detail": { "type": "string" },
                    },
                },
            },
            "trace_id": { "type": "string", "description": "Finds the request in the logs" },
        },
    })
}
