//! A chain and the YAML that it is converted to are one definition.

use proptest::prelude::*;

use super::*;

/// The definition of a chain, and that of its YAML, each without its place.
fn both(text: &str) -> (Definition, Definition, String) {
    let known = Known::default();
    let chain = parsed(text).definition;
    let yaml = to_yaml(text, "chain.md", &known, &chain).unwrap();
    let again = parse::parse(&yaml, "chain.yaml", &known);
    let again = again.unwrap_or_else(|problems| panic!("{problems:#?}\n{yaml}"));
    (chain, again.definition, yaml)
}

#[test]
fn every_chain_that_comes_along_is_the_same_as_its_yaml() {
    for text in [HARBOUR, LIGHTHOUSE] {
        let (chain, again, yaml) = both(text);
        assert_eq!(chain, again, "{yaml}");
        assert_eq!(chain.to_json().text(), again.to_json().text());
    }
    let (_, _, yaml) = both(LIGHTHOUSE);
    for line in [
        "name: \"Lamp Outage → Cause → Repair → Log\"",
        "version: \"2.1\"",
        "  # First Look: Say how bad it is",
        "  - id: subtask_1",
        "    agent: Keeper Agent",
        "    handoffs: [Electrician]",
        "    needs: [subtask_1, subtask_2]",
        "      You are the Scribe agent.",
    ] {
        assert!(yaml.lines().any(|found| found == line), "{line}:\n{yaml}");
    }
}

proptest! {
    /// Whatever stands in a prompt, a name or an example comes through YAML unchanged.
    #[test]
    fn any_prompt_comes_through_yaml_unchanged(
        prompt in "(\\PC|[\\n\\t{}\"':#\u{a0}\u{2028}\u{feff}-]){1,60}",
        name in "\\PC{0,20}",
        word in "(\\PC|[\\n\"{}]){0,20}",
    ) {
        let fence = "``````";
        let word = serde_json::Value::from(word).to_string();
        let text = format!(
            "# {name}\n### Subtask 1: {name}\n**Agent**: a\n**Input**:\n- `who`: {name}\n**Output**:\n```json\n{{\"k\": {word}, {word}: [1, null]}}\n```\n**Prompt**:\n{fence}\nx {{who}} {prompt}\n{fence}\n"
        );
        let partly = partly(&text);
        if partly.read.is_some() {
            let (chain, again, yaml) = both(&text);
            prop_assert_eq!(chain, again, "{}", yaml);
        }
    }
}
