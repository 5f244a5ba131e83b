//! What a text says of the work: in its sections, and in lines with a label. Fenced blocks say nothing of it: they are what was made,
//! or an example.

use serde_json::Value;

use super::{ARTIFACTS_MAX, Said, Status, count, is_path, summary};

/// A line of a text outside of fenced blocks.
enum Line<'a> {
    /// It begins a section of that title.
    Heading(&'a str),
    Text(&'a str),
}

/// Which section a line stands in.
#[derive(PartialEq, Clone, Copy)]
enum Section {
    Summary,
    Metrics,
    Status,
    Other,
}

/// Reads what a text says.
pub(super) fn read(text: &str) -> Said {
    let mut said = Said::default();
    let (mut section, mut in_short, mut written) = (Section::Other, String::new(), None);
    for line in lines(text) {
        let line = match line {
            Line::Heading(title) => {
                section = section_of(title);
                continue;
            }
            Line::Text(line) => line,
        };
        match section {
            _ if labelled(line, &mut said, &mut written) => {}
            Section::Summary => {
                in_short.push_str(line);
                in_short.push('\n');
            }
            Section::Metrics => {
                if let Some((name, value)) = metric(line) {
                    count(&mut said.metrics, name, value);
                }
            }
            Section::Status if said.status.is_none() => said.status = Status::of(plain(line)),
            Section::Status | Section::Other => {}
        }
    }
    said.status = said.status.or(written);
    said.summary = summary(&in_short);
    said
}

fn section_of(title: &str) -> Section {
    match title.to_lowercase().as_str() {
        "summary" => Section::Summary,
        "metrics" => Section::Metrics,
        "status" => Section::Status,
        _ => Section::Other,
    }
}

/// Takes in what a line says behind a label; answers whether it has one that means something.
fn labelled(line: &str, said: &mut Said, status: &mut Option<Status>) -> bool {
    let Some((label, value)) = plain(line).split_once(':') else { return false };
    let label = label.trim_matches(|character: char| !character.is_alphanumeric());
    if label.eq_ignore_ascii_case("status") {
        let word = Status::of(value);
        *status = word.or(*status);
        return word.is_some();
    }
    if !["created", "modified", "artifact"].iter().any(|known| label.eq_ignore_ascii_case(known)) {
        return false;
    }
    let mut names_any = false;
    for path in paths(value) {
        names_any = true;
        if said.artifacts.len() < ARTIFACTS_MAX && !said.artifacts.iter().any(|known| known == path) {
            said.artifacts.push(path.to_owned());
        }
    }
    names_any
}

/// The paths behind a label: those in backquotes, else words that look like paths, with commas between them.
fn paths(value: &str) -> impl Iterator<Item = &str> {
    let quoted = value.contains('`');
    let parts = value.split(if quoted { '`' } else { ',' });
    parts.enumerate().filter(move |(place, _)| !quoted || place % 2 == 1).filter_map(move |(_, part)| {
        let part = part.trim().trim_matches(['*', '"', '\'']).trim();
        let looks_so = !part.contains(char::is_whitespace) && part.trim_end_matches('.').contains(['/', '.']);
        (is_path(part) && (quoted || looks_so)).then_some(part)
    })
}

/// What a line counts: `NAME: VALUE`, `NAME = VALUE`, or a row of a table with both.
fn metric(line: &str) -> Option<(String, Value)> {
    let line = plain(line);
    let (name, value) = if line.contains('|') {
        let mut cells = line.split('|').map(str::trim).filter(|cell| !cell.is_empty());
        let both = (cells.next()?, cells.next()?);
        let is_rule = |cell: &str| cell.chars().all(|character| matches!(character, '-' | ':'));
        (!is_rule(both.0)).then_some(both)?
    } else {
        line.split_once([':', '='])?
    };
    let (name, value) = (camel(plain(name)), plain(value));
    // A table has a head.
    let is_head = name.eq_ignore_ascii_case("metric") || value.is_empty();
    (!is_head).then(|| (name, value_of(value)))
}

/// A number, where it is one, be it with commas between its thousands; else the text.
fn value_of(text: &str) -> Value {
    let plain = text.replace(',', "");
    let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    let number = Some(&plain).filter(|plain| is_number(plain));
    let number = number.and_then(|plain| serde_json::from_str::<serde_json::Number>(plain).ok());
    number.map_or_else(|| Value::from(text), Value::Number)
}

/// The name of a metric, as programs write it: `Tool calls` is `toolCalls`.
fn camel(name: &str) -> String {
    let mut words =
        name.split(|character: char| character.is_whitespace() || character == '_' || character == '-');
    let Some(first) = words.next() else { return String::new() };
    let several = name.contains(|character: char| !character.is_alphanumeric());
    let mut camel = if several { first.to_lowercase() } else { first.to_owned() };
    for word in words.filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}

/// The content of the last fenced block that says it is JSON. One that does not end goes as far as the text.
pub(super) fn last_json_block(text: &str) -> Option<&str> {
    let (mut open, mut last) = (None::<(Fence<'_>, bool, usize)>, None);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        match open {
            Some((fence, is_json, from)) if fence.is_closed_by(line) => {
                last = if is_json { text.get(from..at) } else { last };
                open = None;
            }
            Some(_) => {}
            None => {
                open = Fence::of(line).map(|fence| {
                    let language = fence.info.split_whitespace().next().unwrap_or_default();
                    (fence, language.eq_ignore_ascii_case("json"), next)
                });
            }
        }
        at = next;
    }
    match open {
        Some((_, true, from)) => text.get(from..),
        _ => last,
    }
}

/// What opens a fenced block.
#[derive(Clone, Copy)]
struct Fence<'a> {
    mark: char,
    length: usize,
    /// What stands behind it.
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = line.trim_start_matches(mark);
        let length = line.len() - info.len();
        // In a line with backquotes further on something is quoted.
        (length >= 3 && !(mark == '`' && info.contains('`'))).then_some(Self {
            mark,
            length,
            info: info.trim(),
        })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        Fence::of(line).is_some_and(|fence| {
            fence.mark == self.mark && fence.length >= self.length && fence.info.is_empty()
        })
    }
}

/// The lines of a text that stand in no fenced block.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut open = None::<Fence<'_>>;
    text.lines().filter_map(move |line| {
        if let Some(fence) = open {
            if fence.is_closed_by(line) {
                open = None;
            }
            return None;
        }
        open = Fence::of(line);
        if open.is_some() {
            return None;
        }
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        let is_heading = (1..=6).contains(&level) && title.starts_with([' ', '\t']);
        Some(if is_heading { Line::Heading(plain(title)) } else { Line::Text(line) })
    })
}

/// A line without what marks it as a heading, as a point of a list, or as bold.
pub(super) fn plain(line: &str) -> &str {
    let is_mark = |character: char| {
        character.is_whitespace() || matches!(character, '#' | '*' | '-' | '+' | '>' | '_' | '=' | '`' | '~')
    };
    let begun =
        line.trim_start_matches(|character| is_mark(character) && character != '`' || character == '•');
    begun
        .trim_end_matches(|character: char| character.is_whitespace() || matches!(character, '*' | '#' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Here is what I did.

## Summary
Checked **all** zones.
One is left.

## Files
- Created: `docs/a b.md` and `docs/c.md`
* **Modified**: src/main.rs, src/lib.rs
Created: three new records
ARTIFACT: dist/app.tar

```text
Created: fenced.txt
## Metrics
- fenced: 1
```

### Metrics
| Metric | Value |
|--------|-------|
| Tool calls | 5 |
- filesRead: 1,200
- lines_generated = 34
- duration: 3 minutes
nothing here

## Status
✅ completed with errors
";

    #[test]
    fn a_text_says_it_in_sections_and_lines() {
        let said = read(REPORT);
        assert_eq!(said.summary.as_deref(), Some("Checked **all** zones.\nOne is left."));
        assert_eq!(said.status, Some(Status::CompletedWithErrors));
        assert_eq!(said.artifacts, ["docs/a b.md", "docs/c.md", "src/main.rs", "src/lib.rs", "dist/app.tar"]);
        let metrics = serde_json::json!({"toolCalls": 5, "filesRead": 1200, "linesGenerated": 34, "duration": "3 minutes"});
        assert_eq!(Value::from(said.metrics), metrics);
    }

    #[test]
    fn lines_with_a_label_are_no_part_of_a_section() {
        let said = read("## Summary\nAll.\nCreated: a.md\n## Metrics\n- files: 1\n\nStatus: success");
        assert_eq!((said.summary.as_deref(), said.metrics.len()), (Some("All."), 1));
    }

    #[test]
    fn a_line_may_say_how_it_went() {
        assert_eq!(read("Status: failed").status, Some(Status::Failed));
        assert_eq!(read("- **Status**: success\n").status, Some(Status::Success));
        assert_eq!(read("Status: 200 OK").status, None);
        assert_eq!(read("The status: failed").status, None);
    }

    #[test]
    fn what_is_no_heading_begins_no_section() {
        for text in ["#Summary\nx", "Summary\nx", "####### Summary\nx", "## Summary of the past\nx"] {
            assert_eq!(read(text).summary, None, "{text}");
        }
    }

    #[test]
    fn the_last_json_block_is_found_among_all_fences() {
        for (text, block) in [
            ("a\n```json\n{\"a\":1}\n```\nb\n```json\n{\"a\":2}\n```\nc", Some("{\"a\":2}\n")),
            ("```JSON title\n[1]\n```", Some("[1]\n")),
            ("````md\n```json\n{}\n```\n````\n", None),
            ("```\n{}\n```", None),
            ("~~~json\n{}\n~~~\n```yaml\na: 1\n```", Some("{}\n")),
            ("```json\n{\"cut\":", Some("{\"cut\":")),
            ("see ```json``` here", None),
            ("", None),
        ] {
            assert_eq!(last_json_block(text), block, "{text}");
        }
    }

    #[test]
    fn odd_texts_are_read_in_one_pass_and_harm_nothing() {
        let deep = "```".repeat(10_000);
        for text in [
            "```",
            "## ",
            "||||",
            ":::",
            "Created:",
            "Created: `",
            &"#".repeat(100_000),
            &deep,
            "## Metrics\n|-|-|\n=\n:\n|a|",
        ] {
            let said = read(text);
            assert_eq!((said.status, said.artifacts.len(), said.metrics.len()), (None, 0, 0), "{text:.20}");
        }
    }
}
