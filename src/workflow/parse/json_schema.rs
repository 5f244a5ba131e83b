//! The JSON Schema of workflow files, made of the tables of keys by which they are read. It takes all that the reader takes,
//! and refuses what an editor can see: keys that do not exist, values of another type, words that are none of the choices.

use serde_json::{Map, Value, json};

use super::KEYS;
use super::keys::{Key, Keys, Takes};
use crate::events::limits::TOKENS_MAX;
use crate::events::money::DOLLARS_MAX;

/// The JSON Schema of workflow files.
pub fn json_schema() -> Value {
    let mut parts = Map::new();
    let whole = object(&KEYS, &mut parts);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A workflow of Reenact",
    });
    if let (Some(schema), Value::Object(whole)) = (schema.as_object_mut(), whole) {
        schema.extend(whole);
        schema.insert("$defs".to_owned(), Value::Object(parts));
    }
    schema
}

/// A map with these keys. Those that it holds are put among the parts, each once.
fn object(keys: &Keys, parts: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> =
        keys.known.iter().map(|key| (key.name.to_owned(), property(key, parts))).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), json!(false));
    if !keys.required.is_empty() {
        object.insert("required".to_owned(), json!(keys.required));
    }
    if !keys.kinds.is_empty() {
        let kinds = keys.kinds.iter().map(|kind| json!({"required": [kind]}));
        object.insert("oneOf".to_owned(), kinds.collect());
    }
    Value::Object(object)
}

fn property(key: &Key, parts: &mut Map<String, Value>) -> Value {
    let mut value = takes(&key.takes, parts);
    if let Some(value) = value.as_object_mut() {
        value.insert("description".to_owned(), json!(key.says));
    }
    value
}

fn takes(takes: &Takes, parts: &mut Map<String, Value>) -> Value {
    let text = || json!({"type": ["string", "number", "boolean"]});
    match takes {
        Takes::Text => text(),
        Takes::Id => json!({"type": ["string", "boolean"], "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"}),
        Takes::Duration => json!({"type": "string", "pattern": r"^\s*([0-9.]+(ms|s|m|h|d))+\s*$"}),
        Takes::Count(max) => json!({"type": "integer", "minimum": 1, "maximum": max}),
        Takes::Amount => json!({"type": "integer", "minimum": 1, "maximum": TOKENS_MAX}),
        Takes::Money => json!({"type": "number", "exclusiveMinimum": 0, "maximum": DOLLARS_MAX}),
        Takes::Number(min, max) => json!({"type": "number", "minimum": min, "maximum": max}),
        Takes::Flag => json!({"type": "boolean"}),
        Takes::Word(words) => json!({"enum": words()}),
        Takes::Expression => json!({"type": ["string", "boolean"]}),
        Takes::Items => json!({"type": ["string", "array"]}),
        Takes::Output => json!({"type": ["string", "object", "array"]}),
        Takes::Command => json!({"anyOf": [text(), {"type": "array", "items": text(), "minItems": 1}]}),
        Takes::Value => json!({}),
        Takes::Schema => json!({"type": "object"}),
        Takes::Texts => json!({"type": "array", "items": text()}),
        Takes::ExitCodes => {
            json!({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 255}})
        }
        Takes::TextsByName => json!({"type": "object", "additionalProperties": text()}),
        Takes::Map(keys) => part(keys, parts),
        Takes::MapOr(word, keys) => json!({"anyOf": [{"const": word}, part(keys, parts)]}),
        Takes::MapsByName(keys) => json!({"type": "object", "additionalProperties": part(keys, parts)}),
        Takes::Maps(keys) => json!({"type": "array", "items": part(keys, parts), "minItems": 1}),
    }
}

/// A reference to the part of the schema that is a map with these keys.
fn part(keys: &Keys, parts: &mut Map<String, Value>) -> Value {
    let name = name(keys);
    if !parts.contains_key(&name) {
        // No map holds itself; one that did would find its place taken.
        parts.insert(name.clone(), Value::Null);
        let object = object(keys, parts);
        parts.insert(name.clone(), object);
    }
    json!({"$ref": format!("#/$defs/{name}")})
}

/// The name of a part: `step` of `a step`, `retry` of `` `retry` ``.
fn name(keys: &Keys) -> String {
    keys.of.trim_start_matches("a ").trim_matches('`').to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::workflow::parse::{Known, data, read};
    use crate::workflow::schema::Schema;

    fn validator() -> jsonschema::Validator {
        let schema = Schema::from(&json_schema());
        schema.check().unwrap();
        schema.validator().unwrap()
    }

    fn is_read(text: &str) -> bool {
        read(text, "w.yaml", &Known::default()).problems.is_empty()
    }

    #[track_caller]
    fn takes(text: &str) -> bool {
        validator().is_valid(&data(text, "w.yaml").unwrap().value())
    }

    #[test]
    fn what_is_read_fits_the_schema_be_it_an_example_or_of_the_docs() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["examples", "config", "docs", "tests/fixtures"] {
            files_in(&root.join(folder), &mut found);
        }
        let mut files: Vec<String> = Vec::new();
        for path in found {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            match path.extension().and_then(|ext| ext.to_str()) {
                Some("yaml" | "yml" | "json") => files.push(text),
                Some("md" | "rs" | "sh") => {
                    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```"));
                    files.extend(blocks.map(|(block, _)| block.to_owned()));
                }
                _ => {}
            }
        }
        let workflows: Vec<_> = files.iter().filter(|text| is_read(text)).collect();
        assert!(workflows.len() > 20, "{}", workflows.len());
        let validator = validator();
        for text in workflows {
            let file = data(text, "w.yaml").unwrap().value();
            let wrong: Vec<_> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
            assert_eq!(wrong, [""; 0], "{text}");
        }
    }

    /// All files of a folder, and of those in it.
    fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files_in(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn every_form_that_the_reader_takes_fits_the_schema() {
        for rest in [
            "run: [sleep, 1, true]",
            "run: 3",
            "run: x\n    if: true",
            "run: x\n    timeout: 1h30m",
            "run: x\n    env: {A: 1, B: true, C: c}",
            "run: x\n    for_each: [1, {a: b}]\n    max_parallel: 3",
            "run: x\n    output: {n: '{{ output }}'}",
            "run: x\n    output: [1]",
            "run: x\n    compensate: none",
            "run: x\n    compensate: {run: y}",
            "run: x\n    approve: after\n    checklist: [y]\n    require_checklist: true",
            "run: x\n    retry: {}",
            "agent: x\n    with: null",
            "sleep: ' 10s '",
        ] {
            let text = format!("name: 3\nversion: 1.10\nsteps:\n  - id: a\n    {rest}\n");
            assert!(is_read(&text), "{text}");
            assert!(takes(&text), "{text}");
        }
    }

    #[test]
    fn what_an_editor_can_see_is_refused() {
        for rest in [
            "run: x\n    depends_on: [b]",
            "agent: x\n    run: y",
            "needs: []",
            "run: x\n    on_error: never",
            "run: x\n    compensate: nothing",
            "run: x\n    compensate: {}",
            "run: x\n    approve: after\n    require_checklist: maybe",
        ] {
            let text = format!("steps:\n  - id: a\n    {rest}\n");
            assert!(!is_read(&text) && !takes(&text), "{text}");
        }
        assert!(!takes("name: x") && !takes("steps: []") && !takes("steps: [{id: 1a, run: x}]"));
    }

    /// All objects of the schema: the keys of each by its name.
    fn objects() -> Vec<(String, Vec<String>)> {
        let schema = json_schema();
        let keys = |object: &Value| object["properties"].as_object().unwrap().keys().cloned().collect();
        let mut objects = vec![("workflow".to_owned(), keys(&schema))];
        let parts = schema["$defs"].as_object().unwrap();
        objects.extend(parts.iter().map(|(name, object)| (name.clone(), keys(object))));
        objects
    }

    #[test]
    fn the_reader_and_the_schema_know_the_same_keys() {
        let of: Vec<_> = objects().into_iter().map(|(name, _)| name).collect();
        let all = [
            "workflow",
            "defaults",
            "retry",
            "limits",
            "phase",
            "step",
            "repeat",
            "fallback",
            "plan",
            "compensate",
            "cache",
        ];
        assert_eq!(of, all);
        for (name, keys) in objects() {
            // The file with one key at that place: whatever is wrong with its value, the key is known.
            let file = |key: &str| match name.as_str() {
                "workflow" => format!("{key}: zz\n"),
                "step" => format!("steps: [{{{key}: zz}}]"),
                "phase" => format!("phases: {{p: {{{key}: zz}}}}\nsteps: [{{id: a, run: x, phase: p}}]"),
                "limits" | "defaults" => format!("{name}: {{{key}: zz}}\nsteps: [{{id: a, run: x}}]"),
                part => format!("steps: [{{id: a, agent: x, {part}: {{{key}: zz}}}}]"),
            };
            let refused = |key: &str| {
                let problems = read(&file(key), "w.yaml", &Known::default()).problems;
                problems.iter().any(|problem| problem.message.contains(&format!("no key `{key}`")))
            };
            for key in &keys {
                assert!(!refused(key), "{name}: {key}");
            }
            assert!(refused("zzzzzz"), "{name}");
        }
    }
}
