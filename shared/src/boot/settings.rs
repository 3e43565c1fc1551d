//! What Lambda tells a function in its environment, for the SDK and for the log.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use lambda_runtime::tracing::{Level, subscriber};

use super::setting;

/// The SDK's configuration: region, credentials and endpoints from the environment alone. The SDK's own search begins
/// there too, but for what comes after it links profiles, metadata services and STS into every function: 11 % of each.
pub fn sdk() -> SdkConfig {
    let time = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(9))
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Some(setting("AWS_REGION")).filter(|name| !name.is_empty()).map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .timeout_config(time)
        .service_config(Environment(setting))
        .build()
}

/// Writes the log in the form and from the level on that Lambda asks for. There is no filter by module: its regular
/// expressions are 3 % of a function.
pub fn log() {
    let level = setting("AWS_LAMBDA_LOG_LEVEL").parse().unwrap_or(Level::INFO);
    let log = subscriber::fmt().with_target(false).without_time().with_max_level(level);
    if setting("AWS_LAMBDA_LOG_FORMAT").eq_ignore_ascii_case("json") {
        log.json().init();
    } else {
        log.init();
    }
}

/// Settings of one service (`AWS_ENDPOINT_URL_SECRETS_MANAGER`), else of all (`AWS_ENDPOINT_URL`), as every SDK reads them.
#[derive(Debug)]
struct Environment(fn(&str) -> String);

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let of_service = format!("{}_{}", key.env(), key.service_id().replace(' ', "_").to_uppercase());
        [of_service.as_str(), key.env()].into_iter().map(self.0).find(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str) -> String {
        match name {
            "AWS_ENDPOINT_URL" => "http://all",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER" => "http://secrets",
            _ => "",
        }
        .into()
    }

    #[test]
    fn the_endpoint_of_a_service_goes_before_that_of_all() {
        let endpoint = |service, environment: fn(&str) -> String| {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            Environment(environment).load_config(key.build().unwrap())
        };
        assert_eq!(endpoint("Secrets Manager", given).as_deref(), Some("http://secrets"));
        assert_eq!(endpoint("DynamoDB", given).as_deref(), Some("http://all"));
        assert_eq!(endpoint("DynamoDB", |_| String::new()), None);
    }
}
