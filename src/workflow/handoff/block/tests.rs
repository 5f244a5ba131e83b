use super::*;
use crate::events::problem::Class;

const BLOCK: &str = "\
HANDOFF DECLARATION:
To: security_reviewer_agent
Reason: what is left is a security question
Context:
  - Work completed: the cache is built, and
    it holds
  - Next steps: look at the keys
  - Key data: {
      \"domain\": \"example.com\",
      \"ports\": [80, 443]
    }
";

fn read_all(text: &str) -> (String, Vec<Handoff>) {
    let (left, blocks) = take_out(text);
    (left.into_owned(), blocks.iter().map(|block| Handoff::read(block).unwrap()).collect())
}

fn says(block: &str) -> String {
    let problem = Handoff::read(block).unwrap_err();
    assert_eq!(problem.class, Class::Validation);
    problem.message
}

#[test]
fn a_declaration_is_read_whole() {
    let (left, found) = read_all(&format!("before\n{BLOCK}\nafter\n"));
    assert_eq!(left, "before\n\nafter\n");
    let [handoff] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(handoff.to, AgentName::new("security_reviewer_agent"));
    assert_eq!(handoff.reason, "what is left is a security question");
    let meant = serde_json::json!({
        "work_completed": "the cache is built, and\nit holds",
        "next_steps": "look at the keys",
        "key_data": {"domain": "example.com", "ports": [80, 443]},
    });
    assert_eq!(handoff.context.value(), meant);
    let again = Handoff::read(&handoff.request()).unwrap();
    assert_eq!((&again.to, &again.reason), (&handoff.to, &handoff.reason), "the JSON form is the same");
    assert_eq!(again.context.value(), meant);
}

#[test]
fn it_may_stand_in_a_fence_which_goes_with_it_if_it_holds_nothing_else() {
    for fence in ["```", "```text", "~~~"] {
        let close = fence.get(..3).unwrap();
        let (left, found) = read_all(&format!("a\n{fence}\n{BLOCK}{close}\nb\n"));
        assert_eq!((left.as_str(), found.len()), ("a\nb\n", 1), "{fence}");
        let indented = BLOCK.replace('\n', "\n    ");
        let (left, found) =
            read_all(&format!("1. a\n    {fence}\n    {}\n    {close}\nb", indented.trim_end()));
        assert_eq!((left.as_str(), found.len()), ("1. a\nb", 1), "{fence}");
        assert_eq!(found[0].items().len(), 3);
    }
    let (left, found) = read_all(&format!("```\nx\n{BLOCK}```\n"));
    assert_eq!((left.as_str(), found.len()), ("```\nx\n```\n", 1));
}

#[test]
fn the_context_may_stand_on_its_line_and_labels_be_bold() {
    let context = |line: &str| {
        let text = format!("**HANDOFF DECLARATION:**\n**To:** `b`\n**Reason**: r\n\n{line}\n");
        let (left, found) = read_all(&text);
        assert_eq!((left.trim(), found[0].to.as_str()), ("", "b"), "{line}");
        found[0].context.value()
    };
    for (line, meant) in [
        ("Context: A: x; y; z;; B: 1;", serde_json::json!({"a": "x; y; z;", "b": "1;"})),
        ("Context: all is done", serde_json::json!({"summary": "all is done"})),
        (
            "Context: Work completed: x; Key data: [1]",
            serde_json::json!({"work_completed": "x", "key_data": [1]}),
        ),
        ("Context: {\"Next steps\": \"y\",\n\"n\": 1}", serde_json::json!({"next_steps": "y", "n": 1})),
        (
            "Context:\n\n* **Key data:** 3\n* all tests pass",
            serde_json::json!({"key_data": 3, "note_2": "all tests pass"}),
        ),
        (
            "Context:\n- Key data: {not json\n- See: http://x",
            serde_json::json!({"key_data": "{not json", "see": "http://x"}),
        ),
        (
            "Context:\n  - Key data:\n    ```json\n    {\"a\": 1}\n    ```",
            serde_json::json!({"key_data": {"a": 1}}),
        ),
        ("Context:\n  - Files:\n    - a.rs\n    - b.rs", serde_json::json!({"files": "- a.rs\n- b.rs"})),
        ("Context:\n- Other data: {\"a\": 1}", serde_json::json!({"other_data": "{\"a\": 1}"})),
        ("Context:\r\n- A: b\r", serde_json::json!({"a": "b"})),
        // What begins with a bracket may be a text.
        (
            "Context:\n- Done: [x] built\n  and [P1]\n  tested\n- [ ] look\n- Key data: {\"a\":1}",
            serde_json::json!({"done": "[x] built\nand [P1]\ntested", "note_2": "[ ] look", "key_data": {"a": 1}}),
        ),
        // Lists as Markdown has them.
        ("Context:\n  - A: x\n\n  - B: y\n\n\n  - z", serde_json::json!({"a": "x", "b": "y", "note_3": "z"})),
        ("Context:\n- A: x\n\n- B: y", serde_json::json!({"a": "x", "b": "y"})),
        ("Context:\n1. A: x\n2) B: y", serde_json::json!({"a": "x", "b": "y"})),
        ("Context:\n  A: x\n  and y\n  B: z", serde_json::json!({"a": "x\nand y", "b": "z"})),
        (
            "Context:\n  A: x\n  Key data: {\"a\": \"; b: 1\",\n    \"c\": [\n    2]}\n  ",
            serde_json::json!({"a": "x", "key_data": {"a": "; b: 1", "c": [2]}}),
        ),
        // JSON below its name.
        ("Context:\n- Key data:\n```json\n{\"a\": 1}\n```", serde_json::json!({"key_data": {"a": 1}})),
        (
            "Context:\n- Key data:\n{\n\n\"a\": 1\n}\n- B: x",
            serde_json::json!({"key_data": {"a": 1}, "b": "x"}),
        ),
        ("Context:\n```json\n{\"a\": 1}\n```", serde_json::json!({"a": 1})),
        ("Context:\n{\"a\": 1}", serde_json::json!({"a": 1})),
    ] {
        assert_eq!(context(line), meant, "{line}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let block = |body: &str| format!("{HEADER}\n{body}");
    for (body, message) in [
        ("Reason: r\nContext:\n- a: b", "it has no `To:`"),
        ("To: x\nContext:\n- a: b", "it has no `Reason:`"),
        ("To: x\nReason:\nContext:\n- a: b", "it has no reason"),
        ("To: x\nReason: r", "it has no context"),
        ("To: x\nReason: r\nContext:", "it has no context"),
        ("To: x\nReason: r\nContext:\n- a:", "it has no context"),
        ("To:\nReason: r\nContext:\n- a: b", "line 2: `To:` takes the name of one agent"),
        ("To: x\nTo: y\nReason: r\nContext:\n- a: b", "line 3: it is said twice"),
        ("To: x\nReason: r\nContext:\n- a: b\n- A: c", "line 6: the key `a` stands twice"),
        ("To: x\nReason: r\nContext:\n- ?: b", "line 5: an item of its context has no name"),
        (
            "To: x\nReason: r\nContext:\n- Key data: {\"a\":1,\"a\":2}",
            "line 5: it holds JSON that cannot be taken",
        ),
    ] {
        let says = says(&block(body));
        assert!(says.contains(message), "{body}: {says}");
    }
    assert!(says("bob").contains("does not begin with"));
    assert!(says("{\"to\":\"x\",\"reason\":\"r\",\"context\":{}}").contains("no context"));
    let long = block(&format!("To: x\nReason: {}\nContext:\n- a: b", "r".repeat(2_001)));
    assert!(says(&long).contains("more than 2000 characters"));
    assert!(says(&block(&"x".repeat(HANDOFF_BYTES_MAX))).contains("more than 65536 bytes"));
}

/// It was cut where the bound is, and what was left of it was taken.
#[test]
fn a_declaration_that_is_too_long_is_found_whole_and_refused() {
    let item = format!("- note: {}\n", "x".repeat(1_000));
    let items: String = (0..70).map(|number| item.replace("note", &format!("note {number}"))).collect();
    let line = format!("Context: {}\n", "x".repeat(HANDOFF_BYTES_MAX));
    for context in [format!("Context:\n{items}"), line] {
        let text = format!("{HEADER}\nTo: b\nReason: r\n{context}after\n");
        let (left, blocks) = take_out(&text);
        assert_eq!((left.as_ref(), blocks.len()), ("after\n", 1));
        assert!(says(&blocks[0]).contains("more than 65536 bytes"));
    }
    // A long text behind it is none of it.
    let (_, found) = read_all(&format!("{BLOCK}{}", "x".repeat(HANDOFF_BYTES_MAX)));
    assert_eq!(found.len(), 1);
}

#[test]
fn what_stands_behind_a_declaration_stays() {
    for behind in ["\n- another list\n", "\nTo: whom it may concern\n", "after\n", "```\n{\"a\": 1}\n```\n"] {
        let (left, found) = read_all(&format!("{BLOCK}{behind}"));
        assert_eq!((left.as_str(), found[0].items().len()), (behind, 3));
    }
}

#[test]
fn what_only_looks_like_a_declaration_is_left() {
    for text in [
        "HANDOFF DECLARATION: none",
        "# HANDOFF DECLARATION:\n# To: x",
        "say HANDOFF DECLARATION:",
        "handoff declaration:",
    ] {
        assert_eq!(read_all(text), (text.to_owned(), Vec::new()));
    }
}

#[test]
fn each_declaration_of_a_text_is_found_and_of_many_two() {
    let four = BLOCK.repeat(4);
    let (left, blocks) = take_out(&four);
    assert_eq!((left.as_ref(), blocks.len()), (&*BLOCK.repeat(2), 2));
}

/// The whole of an output is looked through, whatever it is: what costs the square of its length would stop the machine.
#[test]
fn looking_through_a_text_costs_no_more_than_it_is_long() {
    for text in [
        format!("{HEADER}\nContext: {{\n"),
        format!("{HEADER}\nContext:\n{}", "- a: {\n".repeat(200_000)),
        format!("{HEADER}\nTo: b\n{}", "\n".repeat(1_000_000)),
        format!("{HEADER}\nContext:\n{}", "- a:\n```\n".repeat(100_000)),
        "  ".repeat(1_000_000),
    ] {
        let text = text.repeat(8_000_000 / text.len());
        let began = std::time::Instant::now();
        take_out(&text);
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
