//! What agents of a run share.

use super::*;
use crate::events::ids::KeyVersion;
use crate::executors::{AgentRequest, ContextEntry};

fn entry(value: &Value, version: u64) -> ContextEntry {
    ContextEntry { value: Json::from(value), version: KeyVersion(version) }
}

fn written(output: &Output) -> Vec<(&str, Value)> {
    let requests = output.requests.iter().map(|request| match request {
        AgentRequest::Context { key, value } => (key.as_str(), value.value()),
        other => panic!("{other:?}"),
    });
    requests.collect()
}

#[tokio::test]
async fn a_note_is_added_to_those_that_are_there_and_none_is_lost() {
    let bench = Bench::new();
    let mut task = bench.task("note", &json!({"text": "look at a.rs"}));
    let output = bench.make(task.clone()).await.unwrap();
    let note = json!({"text": "look at a.rs", "step": "call"});
    assert_eq!(written(&output), [("notes@0", json!([note]))]);
    task.context.insert("notes".to_owned(), entry(&json!([{"text": "first", "step": "a"}]), 4));
    let output = bench.make(task.clone()).await.unwrap();
    assert_eq!(written(&output), [("notes@4", json!([{"text": "first", "step": "a"}, note]))]);
    let many: Vec<Value> = (0..200).map(|n| json!({"text": n.to_string(), "step": "a"})).collect();
    task.context.insert("notes".to_owned(), entry(&json!(many), 5));
    let output = bench.make(task.clone()).await.unwrap();
    assert_eq!(
        (output.output.value()["notes"].clone(), written(&output)[0].1[0]["text"].clone()),
        (json!(200), json!("1"))
    );
    assert!(output.output.value()["cut"].is_string());
    task.context.insert("notes".to_owned(), entry(&json!("a text"), 6));
    assert_eq!(bench.make(task).await.unwrap_err().code, Code::ToolInput);
}

#[tokio::test]
async fn keys_are_read_and_written_with_their_versions() {
    let bench = Bench::new();
    let mut task = bench.task("context", &json!({}));
    task.context.insert("plan".to_owned(), entry(&json!({"a": 1}), 3));
    let counter = [("n".to_owned(), entry(&json!(5), 9))].into();
    task.contexts.insert("c".to_owned(), counter);
    let mut call = |with: Value| {
        task.work.with = Json::from(&with);
        bench.make(task.clone())
    };
    let keys = call(json!({})).await.unwrap().output.value();
    assert_eq!(keys, json!({"keys": [{"key": "plan", "version": 3}]}));
    let plan = call(json!({"key": "plan"})).await.unwrap();
    assert_eq!(
        (plan.output.value(), plan.requests.len()),
        (json!({"key": "plan", "version": 3, "value": {"a": 1}}), 0)
    );
    assert_eq!(call(json!({"key": "c/n"})).await.unwrap().output.value()["value"], 5);
    assert_eq!(
        call(json!({"key": "none"})).await.unwrap().output.value(),
        json!({"key": "none", "version": 0, "value": null})
    );
    let set = call(json!({"key": "plan", "value": null, "version": 3})).await.unwrap();
    assert_eq!(written(&set), [("plan@3", json!(null))]);
    let set = call(json!({"key": "c/n", "value": [1]})).await.unwrap();
    assert_eq!(written(&set), [("c/n", json!([1]))]);
    assert_eq!(call(json!({"value": 1})).await.unwrap_err().code, Code::ToolInput);
}
