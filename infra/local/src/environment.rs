//! The functions' environment in the form that `sam local invoke --env-vars` reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    error::{Context, Result},
    paths,
    stack::Description,
};

const FILE: &str = "env.json";

/// Where the images that SAM runs functions in keep their roots; ours are on this machine.
const IMAGE_CERTIFICATES: &str = "/etc/pki/tls/certs/ca-bundle.crt";

/// Writes each function's variables as deployed, and where a container finds the emulator.
pub async fn write(description: &Description, announce: bool) -> Result<()> {
    let lambda = aws_sdk_lambda::Client::new(&description.sdk());
    let mut functions = Map::new();
    for (logical_id, physical) in &description.functions {
        let configuration = lambda
            .get_function_configuration()
            .function_name(physical)
            .send()
            .await
            .context(format!("cannot read {logical_id}'s configuration"))?;
        let deployed = configuration.environment().and_then(|environment| environment.variables());
        let variables = in_a_container(
            deployed.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect(),
            &description.emulator_url,
        );
        functions.insert(logical_id.clone(), variables);
    }
    let text = serde_json::to_vec_pretty(&functions).context("cannot write env.json")?;
    paths::write_private(&description.home.join(FILE), &text)?;
    if announce { paths::write_private(&paths::local().join(FILE), &text) } else { Ok(()) }
}

fn in_a_container(mut variables: BTreeMap<String, String>, emulator: &str) -> Value {
    // On Linux the container shares the host's network (--docker-network host); elsewhere it cannot.
    let emulator = if cfg!(target_os = "linux") {
        emulator.to_owned()
    } else {
        emulator.replace("127.0.0.1", "host.docker.internal")
    };
    variables.insert("AWS_ENDPOINT_URL".into(), emulator);
    variables.insert("SSL_CERT_FILE".into(), IMAGE_CERTIFICATES.into());
    variables.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_finds_the_emulator_and_its_own_certificates() {
        let deployed = BTreeMap::from([
            ("TABLE_NAME".to_owned(), "table".to_owned()),
            ("SSL_CERT_FILE".to_owned(), "/on/this/machine".to_owned()),
        ]);

        let variables = in_a_container(deployed, "http://127.0.0.1:3001");

        assert_eq!(variables["TABLE_NAME"], "table");
        assert_eq!(variables["SSL_CERT_FILE"], IMAGE_CERTIFICATES);
        assert!(variables["AWS_ENDPOINT_URL"].as_str().unwrap().ends_with(":3001"));
    }
}
