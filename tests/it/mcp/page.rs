//! What docs/mcp.md shows can be done as it stands there: each call is made, and its answer has what the page says; the lines for
//! assistants are what those read, and start a server.

use serde_json::{Value, json};

use super::client::{Client, WITH_HANDSHAKE};
use crate::support::Sandbox;

const PAGE: &str = include_str!("../../../docs/mcp.md");

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begins = format!("\n```{language}\n");
    PAGE.split(begins.as_str()).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

/// Whether an answer has what is shown of it: of objects some members, of all else everything.
fn has(answer: &Value, shown: &Value) -> bool {
    match (answer, shown) {
        (Value::Object(answer), Value::Object(shown)) => {
            shown.iter().all(|(name, shown)| answer.get(name).is_some_and(|answer| has(answer, shown)))
        }
        (Value::Array(answer), Value::Array(shown)) => {
            answer.len() == shown.len() && answer.iter().zip(shown).all(|(answer, shown)| has(answer, shown))
        }
        _ => answer == shown,
    }
}

#[test]
fn the_calls_of_the_page_are_answered_as_it_shows() {
    let sandbox = Sandbox::new();
    let ([agent], [file]) = (&blocks("markdown")[..], &blocks("yaml")[..]) else { panic!("other files") };
    sandbox.write("agents/developer.md", agent);
    sandbox.write("change.yaml", file);
    let mut client = Client::start(&sandbox);
    let lines: Vec<&str> = blocks("text").iter().flat_map(|block| block.lines()).collect();
    assert_eq!(lines.len(), 20);
    for call in lines.chunks(2) {
        let (tool, arguments) = call[0].split_once(' ').unwrap();
        let answer = client.call(tool, serde_json::from_str(arguments).unwrap());
        let shown: Value = serde_json::from_str(call[1].trim()).unwrap();
        assert!(has(&answer, &shown), "{}\n{answer}\n{shown}", call[0]);
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn every_tool_stands_in_the_table_with_what_it_takes() {
    let sandbox = Sandbox::new();
    let mut client = Client::start(&sandbox);
    let listed = client.ask("tools/list", json!({}));
    for tool in listed["result"]["tools"].as_array().unwrap() {
        let name = format!("`{}`", tool["name"].as_str().unwrap());
        let mut rows = PAGE.lines().filter(|line| line.starts_with("| `"));
        let row = rows.find(|line| line.split('|').nth(1).unwrap().contains(&name));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        // `by` and `resume` are told below the table, of all tools that take them.
        let takes = tool["inputSchema"]["properties"].as_object().unwrap().keys();
        for takes in takes.filter(|takes| !["by", "resume"].contains(&takes.as_str())) {
            assert!(row.contains(&format!("`{takes}`")), "{name} takes {takes}: {row}");
        }
    }
}

#[test]
fn the_lines_for_assistants_start_a_server() {
    let sandbox = Sandbox::new();
    let mut seen = 0;
    let folder = sandbox.work("");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_reenact"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let mut servers: Vec<(String, Vec<String>)> = Vec::new();
    for block in blocks("json") {
        let told: Value = serde_json::from_str(block).unwrap();
        let server = told.get("mcpServers").or(told.get("servers")).unwrap()["reenact"].clone();
        let words = server["args"].as_array().unwrap().iter().map(|word| {
            // As assistants put in what they know.
            let word = word.as_str().unwrap().replace("${workspaceFolder}", folder.to_str().unwrap());
            let word = word.replace("/home/ada/project", folder.to_str().unwrap());
            word.replace("/home/ada/.cargo/bin/reenact", program.to_str().unwrap())
        });
        servers.push((server["command"].as_str().unwrap().to_owned(), words.collect()));
    }
    let [told] = blocks("toml")[..] else { panic!("other lines") };
    let told: toml::Table = told.parse().unwrap();
    let server = &told["mcp_servers"]["reenact"];
    let words = server["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    servers.push((server["command"].as_str().unwrap().to_owned(), words.collect()));
    for (program, words) in servers {
        let command = sandbox.command(&[]);
        let mut named = std::process::Command::new(program);
        named.args(words).current_dir(&folder).env_clear();
        named.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", &path);
        let mut client = Client::of(named, &sandbox);
        assert_eq!(client.shake_hands(WITH_HANDSHAKE)["serverInfo"]["name"], "reenact");
        assert_eq!(client.end(), Some(0));
        seen += 1;
    }
    assert_eq!(seen, 5);
}
