//! Readers of what is drawn, which know as much of each language as is used, and refuse everything else.

/// How much is in a picture.
pub(super) struct Picture {
    pub(super) nodes: usize,
    pub(super) edges: usize,
}

/// Reads a flowchart of Mermaid, line by line.
pub(super) fn mermaid(text: &str) -> Picture {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("---"));
    let title = lines.next().unwrap().strip_prefix("title: ").unwrap();
    serde_json::from_str::<String>(title).unwrap();
    assert_eq!(lines.next(), Some("---"));
    assert_eq!(lines.next(), Some("flowchart TD"));
    let (mut picture, mut depth) = (Picture { nodes: 0, edges: 0 }, 0);
    for line in lines.map(str::trim_start) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["end"] => depth -= 1,
            ["subgraph", ..] => {
                let rest = number(line.strip_prefix("subgraph ").unwrap(), 'p');
                quoted_label(rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap());
                depth += 1;
            }
            ["classDef", status, style] => assert!(is_word(status) && style.starts_with("fill:#"), "{line}"),
            ["class", nodes, status] => {
                assert!(is_word(status), "{line}");
                nodes.split(',').for_each(|node| assert_eq!(number(node, 'n'), "", "{line}"));
            }
            [from, "-->" | "-.->", to] => {
                assert_eq!((number(from, 'n'), number(to, 'n')), ("", ""), "{line}");
                picture.edges += 1;
            }
            _ => {
                let label = number(line, 'n');
                let shapes = [("[[", "]]"), ("([", "])"), ("{{", "}}"), ("[", "]")];
                let inside = |(open, close): &(&str, &str)| label.strip_prefix(open)?.strip_suffix(close);
                quoted_label(shapes.iter().find_map(inside).unwrap_or_else(|| panic!("{line}")));
                picture.nodes += 1;
            }
        }
    }
    assert_eq!(depth, 0);
    picture
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase())
}

/// What stands behind `n12`.
fn number(text: &str, letter: char) -> &str {
    let rest = text.strip_prefix(letter).unwrap_or_else(|| panic!("{text}"));
    let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    assert!(end > 0, "{text}");
    &rest[end..]
}

/// A quoted text in which nothing has a meaning but line breaks and the numbers of characters.
fn quoted_label(text: &str) {
    let inside =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_else(|| panic!("{text}"));
    for line in inside.split("<br/>") {
        let mut rest = line;
        while let Some((plain, entity)) = rest.split_once('#') {
            assert!(!plain.contains(['"', '<', '>', '`', '&', '\\', '%', ';']), "{text}");
            let (code, behind) = entity.split_once(';').unwrap_or_else(|| panic!("{text}"));
            assert!(code.parse::<u32>().is_ok(), "{text}");
            rest = behind;
        }
        assert!(!rest.contains(['"', '<', '>', '`', '&', '\\', '%', ';']), "{text}");
    }
}

/// Reads a digraph of Graphviz as its grammar says, token by token.
pub(super) fn dot(text: &str) -> Picture {
    let tokens = tokens(text);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let ["digraph", name, "{", rest @ ..] = tokens.as_slice() else { panic!("{text}") };
    assert!(name.starts_with('"'));
    let mut picture = Picture { nodes: 0, edges: 0 };
    let (mut rest, mut depth) = (rest, 1);
    while depth > 0 {
        rest = match rest {
            ["}", rest @ ..] => {
                depth -= 1;
                rest
            }
            ["subgraph", name, "{", rest @ ..] => {
                assert!(name.starts_with("cluster_p"));
                depth += 1;
                rest
            }
            ["label", "=", value, ";", rest @ ..] if value.starts_with('"') => rest,
            [from, "->", to, rest @ ..] => {
                assert_eq!((number(from, 'n'), number(to, 'n')), ("", ""));
                picture.edges += 1;
                attributes(rest)
            }
            [node, rest @ ..] => {
                if *node != "node" {
                    assert_eq!(number(node, 'n'), "");
                    picture.nodes += 1;
                }
                attributes(rest)
            }
            [] => panic!("it is not closed: {text}"),
        };
    }
    assert!(rest.is_empty(), "{text}");
    picture
}

/// What stands behind `[name=value, …];`.
fn attributes<'t>(mut rest: &'t [&'t str]) -> &'t [&'t str] {
    if let ["[", behind @ ..] = rest {
        rest = behind;
        loop {
            let [name, "=", _, behind @ ..] = rest else { panic!("{rest:?}") };
            assert!(is_word(name), "{name}");
            rest = behind;
            match rest {
                [",", behind @ ..] => rest = behind,
                ["]", behind @ ..] => {
                    rest = behind;
                    break;
                }
                _ => panic!("{rest:?}"),
            }
        }
    }
    let [";", behind @ ..] = rest else { panic!("{rest:?}") };
    behind
}

fn tokens(text: &str) -> Vec<String> {
    let (mut tokens, mut letters) = (Vec::new(), text.chars().peekable());
    while let Some(letter) = letters.next() {
        let mut token = letter.to_string();
        match letter {
            ' ' | '\n' => continue,
            '"' => loop {
                let letter = letters.next().unwrap_or_else(|| panic!("a text is not closed: {text}"));
                token.push(letter);
                match letter {
                    '"' => break,
                    // A name of the picture's own would be put in the place of other escapes.
                    '\\' => {
                        let escaped = letters.next().unwrap();
                        assert!(matches!(escaped, '"' | '\\' | 'n'), "{text}");
                        token.push(escaped);
                    }
                    _ => {}
                }
            },
            '-' => token.push(letters.next().unwrap()),
            _ if letter.is_ascii_alphanumeric() => {
                while let Some(next) = letters.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
                    token.push(next);
                }
            }
            _ => assert!("{}[]=,;".contains(letter), "{letter}"),
        }
        tokens.push(token);
    }
    tokens
}
