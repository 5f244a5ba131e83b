use super::*;

fn declared(body: &str) -> Vec<String> {
    handoffs(body).iter().map(ToString::to_string).collect()
}

#[test]
fn who_a_declaration_names_is_declared_and_what_stands_for_a_name_is_not() {
    let sample = |to: &str| {
        format!(
            "When you hand over, write:\n\n```markdown\nHANDOFF DECLARATION:\nTo: {to}\nReason: what is left is another matter\n\
             Context:\n  - Work completed: a\n  - Key data: {{\"to\": 1}}\n```\n\nTo: nobody_here\n"
        )
    };
    assert_eq!(declared(&sample("network_engineer_agent")), ["network_engineer_agent"]);
    assert_eq!(declared(&sample("`Network Engineer`")), ["Network Engineer"]);
    assert_eq!(
        declared(&sample("tester, network_engineer or writer")),
        ["tester", "network_engineer", "writer"]
    );
    for none in [
        "[agent_name]",
        "{agent_name}",
        "<target_agent>",
        "agent_name",
        "AGENT_NAME",
        "target_agent",
        "Next Agent",
        "another agent",
        "…",
        "some_agent...",
        "[network_engineer | tester]",
        "[network_engineer, tester, writer]",
        "shell",
        "",
    ] {
        assert_eq!(declared(&sample(none)), Vec::<String>::new(), "{none}");
    }
    let bold = "**HANDOFF DECLARATION:**\n**To**: [agent_name]\n**Reason**: x\n";
    assert_eq!(declared(bold), Vec::<String>::new());
    assert_eq!(declared("**HANDOFF DECLARATION:**\nTo: **tester**\n"), ["tester"]);
}

#[test]
fn lists_below_what_speaks_of_handing_over_name_agents() {
    let body = "\
# Storage Engineer

**Key Skills**:
- **Backups**: daily

## Working together

### Handoff pattern

**Primary Collaborations**:
- **Database Principal Engineer Agent**: schemas, queries
- **Release Manager**: windows

**Rules**:
- **Speed**: be quick

**Handoff Triggers**:
- Hand off to **Database Principal** when: a query is slow
- Hand off to **Release Manager** when: it is ready
- Hand off to network_engineer when nothing answers

## Metrics
- **Uptime**: 99.9%
";
    assert_eq!(
        declared(body),
        ["Database Principal Engineer Agent", "Release Manager", "network_engineer"],
        "a name that is shortened later is the one that was said in full"
    );
    let body = "## Handoffs\n- security-reviewer: anything with keys\n- `tester` — when it builds\n* [docs](docs.md) at last\n\
                - Explain the reason for it\n- **Reason**: always\n- Limit the chain (max 5)\n### More\n- **Too deep**: x\n";
    assert_eq!(declared(body), ["security-reviewer", "tester", "docs"]);
    assert_eq!(declared("## Partners\n**Collaborations**:\n- **Somebody**: x\n"), Vec::<String>::new());
}

#[test]
fn sentences_hand_over_to_names_that_are_set_apart() {
    let body = "Do it.\nWhen it is done, hand over to the **Tester**. If not, hand off to security_reviewer; \
                never hand over to the next agent without a reason.\n";
    assert_eq!(declared(body), ["Tester"], "one in a line");
    assert_eq!(declared("It hands off to qa_engineer, at last."), ["qa_engineer"]);
    assert_eq!(declared("It hands over to whoever asks."), Vec::<String>::new());
    assert_eq!(declared("Über **Tester**: HAND OFF TO `ä_b` früh"), ["ä_b"]);
}

#[test]
fn what_stands_in_fences_is_an_example_and_fences_may_be_nested_or_open() {
    let body = "```\nUSER: go\n```python\nx = 1\n```\n## Handoffs in an example are read all the same\n- **Tester**: x\n";
    assert_eq!(declared(body), ["Tester"], "a heading that speaks of it ends what was left open");
    let body = "## Handoffs\n```\n- **Nobody**: x\n```python\n- **Nor he**: x\n```\n```\n- **Tester**: x\n";
    assert_eq!(declared(body), ["Tester"]);
    assert_eq!(declared("```\n# comment\nhand off to **Nobody**\n"), Vec::<String>::new());
}

#[test]
fn a_body_that_declares_nobody_or_too_many_is_read_to_its_end() {
    assert_eq!(declared(""), Vec::<String>::new());
    let many: String = (0..500).map(|number| format!("- `agent{number}`\n")).collect();
    assert_eq!(declared(&format!("## Handoffs\n{many}")).len(), DECLARED_MAX);
    let odd = format!("## Handoffs\n- **{}**\n- hand off to \n- **\n- ``\n- [](\n", "x".repeat(200));
    assert_eq!(declared(&odd), Vec::<String>::new());
}
