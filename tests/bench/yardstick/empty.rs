//! What `lambda_http` alone costs: a function that answers nothing, on one thread like ours.

use std::convert::Infallible;

use lambda_http::{Request, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::tracing::init_default_subscriber();
    lambda_http::run(service_fn(|_: Request| async { Ok::<_, Infallible>("{}") })).await
}
