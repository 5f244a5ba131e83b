//! What is wrong with a chain is told with its line, and what is odd too.

use super::*;
use crate::events::limits::{CHAIN_SUBTASKS_MAX, CHAIN_USES_MAX};

/// What is wrong: line, code, and a part of the message.
#[track_caller]
fn refused(text: &str, line: u64, code: Code, says: &str) {
    let partly = partly(text);
    assert!(partly.read.is_none(), "{text}");
    let found = partly.problems.iter().any(|problem| {
        problem.code == code
            && problem.at.as_ref().is_some_and(|at| at.line == line)
            && problem.message.contains(says)
    });
    assert!(found, "no {} in line {line} that says `{says}`: {:#?}", code.text(), partly.problems);
}

/// A subtask with these lines in it.
fn subtask(number: u32, lines: &str) -> String {
    format!("### Subtask {number}: S\n**Agent**: a\n{lines}\n**Prompt**:\n```\np {{x}}\n```\n")
}

#[test]
fn what_is_no_chain_is_refused() {
    refused("", 1, Code::NoSubtasks, "no subtasks");
    refused("# T\n\n## Subtasks\n\n### Step 1: A\n", 1, Code::NoSubtasks, "### Subtask N: NAME");
    let one = subtask(1, "");
    let twice = format!("{one}{}{one}", subtask(2, ""));
    refused(&twice, 15, Code::DuplicateStep, "the first is in line 1");
    refused("### Subtask 1: A\n**Agent**: a\n", 1, Code::BadSubtask, "subtask 1 has no prompt");
    refused("### Subtask 1: A\n**Agent**: a\n**Prompt**:\n```\n\n```\n", 3, Code::BadSubtask, "is empty");
    refused("### Subtask 1: A\n**Prompt**: p\n", 1, Code::NobodyAsked, "subtask 1 names no agent");
    refused("### Subtask 99999999999: A\n**Agent**: a\n**Prompt**: p\n", 1, Code::BadSubtask, "no number");
    refused(&format!("{}**Agent**: b\n", subtask(1, "")), 8, Code::BadSubtask, "a second `**Agent**`");
    refused(&subtask(1, "**Agent**: shell").replace("**Agent**: a\n", ""), 2, Code::BadValue, "shell");
}

#[test]
fn a_block_that_is_not_closed_is_told_where_it_opens() {
    refused("### Subtask 1: A\n**Agent**: a\n**Prompt**:\n```\np\n", 4, Code::BrokenFence, "not closed");
    // Without this the end of the file would be named, where nothing is wrong.
    let broken = subtask(1, "").replace("p {x}\n```", "p {x}");
    let chain = format!("{broken}{}{}", subtask(2, ""), subtask(3, ""));
    refused(&chain, 5, Code::BrokenFence, "before the subtask in line 7");
    refused("<!-- a\n### Subtask 1: A\n", 1, Code::BrokenFence, "comment");
    let extra = format!("{}```\n{}", subtask(1, ""), subtask(2, ""));
    refused(&extra, 8, Code::BrokenFence, "before the subtask in line 9");
}

#[test]
fn an_example_that_is_no_json_is_told_at_its_line() {
    let bad = |json: &str| subtask(1, &format!("**Output**:\n```json\n{json}\n```"));
    refused(&bad("{\"a\": 1,\n \"b\": }"), 6, Code::NotJson, "the example of the output");
    refused(&bad("{\"a\": 1, \"a\": 2}"), 5, Code::DuplicateKey, "stands twice");
    refused(&bad(&"[".repeat(2_000)), 5, Code::TooDeep, "nested");
    refused(&bad("not json"), 5, Code::NotJson, "the example of the output");
    let inputs = format!("# T\n## Input Requirements\n```json\n{{,}}\n```\n{}", subtask(1, ""));
    refused(&inputs, 4, Code::NotJson, "the example of the inputs");
    // Another language says that it is no JSON.
    let text = subtask(1, "**Output**:\n```markdown\n# {x\n```");
    assert!(partly(&text).problems.is_empty());
}

#[test]
fn a_variable_that_no_earlier_subtask_answers_is_told_at_its_line() {
    let first = subtask(1, "**Output Variables**: `found`");
    let second = |input: &str| format!("{first}{}", subtask(2, input));
    refused(
        &second("**Input**:\n- Output from Subtask 1 (`fond`)"),
        11,
        Code::UnknownName,
        "does not say that it answers",
    );
    refused(
        &second("**Input**:\n- Output from Subtask 2 (`x`)"),
        11,
        Code::UnknownName,
        "does not come before",
    );
    refused(
        &second("**Input**:\n- Output from Subtask 7"),
        11,
        Code::UnknownName,
        "there is none of that number",
    );
    refused(&second("**Input Variables**: `subtask_3_output`"), 10, Code::UnknownName, "there is none");
    let hint = partly(&second("**Input**:\n- Output from Subtask 1 (`fond`)")).problems[0].remedies.plain();
    assert_eq!(&*hint, "did you mean `found`?");
}

#[test]
fn what_has_no_end_is_bounded() {
    let many: String = (1..=CHAIN_SUBTASKS_MAX as u32 + 1).map(|number| subtask(number, "")).collect();
    refused(&many, CHAIN_SUBTASKS_MAX as u64 * 7 + 1, Code::TooLarge, "no more than");
    let used = format!("{}{}", subtask(1, "**Input Variables**: x"), "\n");
    let used = used.replace("{x}", &"{x}".repeat(CHAIN_USES_MAX + 1));
    refused(&used, 6, Code::TooLarge, "use variables");
    let names: String = (0..300).map(|number| format!("- `n{number}`: n\n")).collect();
    refused(&subtask(1, &format!("**Input**:\n{names}")), 260, Code::TooLarge, "variables are named");
    refused(&"#".repeat(FILE_BYTES_MAX + 1), 1, Code::TooLarge, "bytes");
}

/// Hostile texts come to an end soon, however long: a test that hangs shows what does not.
#[test]
fn no_text_takes_longer_than_its_length() {
    let mega = |piece: &str| piece.repeat(FILE_BYTES_MAX / 2 / piece.len());
    for piece in [
        "{",
        "{{",
        "{a",
        "{a.b.c.d",
        "{{a}}",
        "`",
        "```\n",
        "```x\n",
        "~~~\n",
        "**a**:\n",
        "---\n",
        "<!--\n",
        "- `a`\n",
        "### Subtask 1: A\n",
        "**Input**:\n",
        "### Subtask 1: A\n**Agent**: a\n**Prompt**:\n```\n{x}\n```\n",
        "#\n",
        "* `",
        "\"\\u0061\": 1,\n",
    ] {
        partly(&mega(piece));
        partly(&format!("# T\n## Inputs\n{}", mega(piece).split_off(200)));
        let head = "### Subtask 1: A\n**Agent**: a\n**Input**:\n- `x`: x\n";
        partly(&format!(
            "{head}**Output**:\n```json\n{{\n{}\n```\n**Prompt**:\n",
            mega(piece).split_off(200)
        ));
        partly(&format!("{head}**Prompt**:\n````\n{}\n````\n", mega(piece).split_off(200)));
        partly(&format!("{head}**Input Variables**: {}\n", mega(piece).replace('\n', "").split_off(200)));
    }
}

#[test]
fn what_is_odd_is_told() {
    let odd = |text: &str, line: u64, says: &str| {
        let partly = partly(text);
        assert!(partly.problems.is_empty(), "{:#?}", partly.problems);
        let found = partly.warnings.iter().any(|warning| {
            warning.at.as_ref().is_some_and(|at| at.line == line) && warning.message.contains(says)
        });
        assert!(found, "no warning in line {line} that says `{says}`: {:#?}", partly.warnings);
    };
    let good = subtask(1, "**Input**:\n- `x`: x\n**Output**:\n```json\n{\"y\": 1}\n```");
    assert_eq!(told(&partly(&good).warnings), [(4, "RE-1125")], "a name that says nothing: {good}");
    let good = good.replace("`x`", "`who`").replace("{x}", "{who}");
    assert_eq!(partly(&good).warnings, []);

    let many: String =
        (1..=11).map(|number| good.replace("Subtask 1", &format!("Subtask {number}"))).collect();
    odd(&many, 121, "has 11 subtasks");
    odd(&subtask(1, "**Input**:\n- `x`: x"), 1, "does not say what it answers");
    odd(&good.replace("{who}", "{whoever}"), 11, "uses no variable");
    odd(&good.replace("{who}", "{whoo}"), 11, "`{whoo}` stays as it is");
    odd(&good.replace("p {who}", "{who} {subtask_4_output}"), 11, "nothing before this subtask answers it");
    odd(&good.replace("p {who}", "ask {who} at 10.20.30.40, now"), 11, "`10.20.30.40`");
    odd(&good.replace("p {who}", "see {who}\nhttps://example.org/x."), 12, "`https://example.org/x`");
    odd(&good.replace("p {who}", "{who} on 2026-11-30"), 11, "`2026-11-30`");
    odd(&good.replace("- `who`: x", "- `who`: x\n- `whom`: y"), 5, "declares `whom`");
    odd(&good.replace("**Input**:\n- `who`: x", "**Input Variables**: `who`"), 3, "older form");
    odd(&good.replace("**Output**", "**Promt**: a\n**Output**"), 5, "`**Promt**` is no label");
    odd(&good.replace("- `who`: x", "- `who`: x\n- the rest"), 5, "names no variable");
    odd(&good.replace(": S\n", ":\n"), 1, "has no name");
    odd(&format!("{good}```\n### Subtask 2: S\n```\n"), 14, "stands inside of the block");
    let swapped =
        format!("{}{}", good.replace("{who}", "{later} {who}"), subtask(2, "**Output Variables**: later"));
    odd(&swapped, 11, "nothing before this subtask answers it");
    let stated = format!("# T\n## Inputs\n- `whom`: w\n{good}");
    odd(&stated, 7, "`who` is neither in the inputs of the chain");
    // An example in braces or in an inner block is none of these.
    let example = good
        .replace("p {who}", "p {who} {\n \"day\": \"2026-11-30\" }\n```sh\ncurl https://example.org\n```");
    assert_eq!(partly(&example).warnings, []);
}

#[test]
fn the_default_agent_does_what_nobody_is_named_for() {
    let nobody = AgentName::new("helper");
    let known = Known { default_agent: Some(&nobody), ..Known::default() };
    let read = read("### Subtask 1: A\n**Output**: text\n**Prompt**: p\n", "c.md", &known);
    assert_eq!(told(&read.warnings)[0], (1, "RE-1313"));
    assert_eq!(read.read.unwrap().definition.steps[0].agent(), Some(nobody));
}
