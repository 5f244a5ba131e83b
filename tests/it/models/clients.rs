//! The provider of these tests is one to the clients that the providers publish themselves: what reads its answers and is read
//! by it is no invention of ours. Needs Python with both packages; `.ci/run` installs them, and says so in `REENACT_MODEL_CLIENTS`.

use std::process::Command;

use serde_json::json;

use crate::support::provider::{Does, KEY, Provider, TOKENS};

/// The variable that names a Python which has both packages.
const PYTHON: &str = "REENACT_MODEL_CLIENTS";

const SCRIPT: &str = include_str!("clients.py");

#[test]
fn the_providers_own_clients_talk_to_the_provider_of_these_tests() {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!(
            "skipped: {PYTHON} names no Python with the packages `anthropic` and `openai`; `.ci/run` does"
        );
        return;
    };
    let provider = Provider::new();
    for _ in ["openai", "anthropic"] {
        let tool = || Does::wants_tool("weather", json!({ "city": "Paris", "days": 3 }));
        provider.then([
            Does::says("Hello, wörld!"),
            Does::says("Hello, wörld!"),
            tool(),
            tool(),
            Does::CutsShort("Hello"),
            Does::busy(429, "7"),
            Does::refuses(400, "invalid_request_error", "no such thing"),
        ]);
    }
    let (input, cached, output) = TOKENS;
    let ended = Command::new(python)
        .args(["-c", SCRIPT, &provider.url("openai"), &provider.url("anthropic"), KEY])
        .args([input, cached, output].map(|count| count.to_string()))
        .output()
        .unwrap();
    let shown =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{shown}");
    assert_eq!(provider.calls(), 14, "{shown}");
}
