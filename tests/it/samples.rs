//! Every sample event runs through its function.

use serde_json::Value;
use tests::{template, top};

use crate::world::World;

#[tokio::test]
async fn every_sample_is_understood_by_its_function() {
    let world = World::new("samples").await;
    for function in template::functions(&template::read()).values() {
        let file = top().join(format!("events/{}.json", function.binary));
        let event: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();

        let answer = world.stack.invoke(&function.name, &event).await;

        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", function.binary));
        if let Some(status) = answer["statusCode"].as_u64() {
            assert!((200..500).contains(&status), "{}: {answer}", function.binary);
            // A page tells a person that its sign-in is unknown: the sample's is nobody's.
            let page = answer["headers"]["content-type"].as_str().is_some_and(|kind| kind.starts_with("text/html"));
            assert!(status != 400 || page, "{}: a sample is not a bad request: {answer}", function.binary);
        }
        assert!(answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty), "{}: {answer}", function.binary);
    }
}
