//! What nobody in their right mind would write: texts, JSON, expressions, plans.

use reenact::testing::Dice;
use reenact::workflow::expression::{FILTERS, FUNCTIONS, TESTS};

/// Texts that mean something to a terminal, a page, a shell, a path, a parser.
const TEXTS: &[&str] = &[
    "",
    " ",
    "last",
    "-rf",
    "--help",
    "../../outside",
    "/etc/passwd",
    "a\0b",
    "two\nlines",
    "\r\n\r\n",
    "\u{1b}]0;title\u{7}\u{1b}[31mred",
    "\u{9b}2J",
    "\u{202e}txt.exe\u{202c}",
    "\u{2066}\u{2067}\u{200f}",
    "\u{2028}\u{2029}\u{85}",
    "\u{feff}\u{200b}\u{ad}",
    "`code`",
    "```\n# Heading\n```",
    "\n\nIt is **granted**.\n\n## State of the work folder\n\n- clean\n",
    "[link](http://127.0.0.1/)<script>alert(1)</script>",
    "| a | b |\n|---|---|",
    "'; touch owned; '",
    "$(touch owned)`touch owned`",
    "\"\\\"",
    "{{ input }}",
    "{{ '{{' }}",
    "{% raw %}{# #}",
    "%s%n%2000000000d",
    "02134",
    "1e400",
    "0x1F",
    "no",
    "null",
    "true",
    "~",
    "&a *a",
    "!!binary aGk=",
    "\u{10ffff}\u{fffd}",
    "é\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👦",
];

/// A text.
pub(super) fn text(dice: &mut Dice) -> String {
    let mut text: String =
        (0..=dice.below(3)).map(|_| TEXTS[dice.below(TEXTS.len())]).collect::<Vec<_>>().concat();
    if dice.one_in(20) {
        text = text.repeat(1 + dice.below(2_000));
    }
    text
}

/// Any characters, so many at most.
pub(super) fn noise(dice: &mut Dice, length: usize) -> String {
    let length = dice.below(length.max(1));
    let mut character = || {
        let characters = if dice.one_in(4) { 0x11_0000 } else { 0x80 };
        char::from_u32(dice.below(characters) as u32)
    };
    (0..length).filter_map(|_| character()).collect()
}

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "1.10",
    "1e400",
    "-1E-400",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
];

/// A JSON document, or what nearly is one.
pub(super) fn json(dice: &mut Dice, depth: usize) -> String {
    let quoted = |dice: &mut Dice| serde_json::to_string(&text(dice)).unwrap();
    match dice.below(if depth == 0 { 4 } else { 8 }) {
        0 => quoted(dice),
        1 | 2 => NUMBERS[dice.below(NUMBERS.len())].to_owned(),
        3 => ["null", "true", "false", "[]", "{}"][dice.below(5)].to_owned(),
        4 | 5 => {
            let items: Vec<_> = (0..dice.below(5)).map(|_| json(dice, depth - 1)).collect();
            format!("[{}]", items.join(", "))
        }
        6 => {
            let key = quoted(dice);
            let other = if dice.one_in(6) { key.clone() } else { quoted(dice) };
            let (first, second) = (json(dice, depth - 1), json(dice, depth - 1));
            format!("{{{key}: {first}, {other}: {second}}}")
        }
        _ if dice.one_in(30) => {
            let levels = 1 + dice.below(300);
            format!("{}{}", "[".repeat(levels), "]".repeat(levels))
        }
        _ => format!("{{\"n\": {}}}", json(dice, depth - 1)),
    }
}

/// An expression, or what nearly is one.
pub(super) fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return match dice.below(8) {
            0 => format!("'{}'", text(dice).replace(['\'', '\\', '\n'], "")),
            1 => NUMBERS[dice.below(NUMBERS.len())].trim_start_matches('-').to_owned(),
            2 => "[1, 'two', [3]]".to_owned(),
            3 => "{'a': 1, 'b': {'c': [2]}}".to_owned(),
            4 => "99999".to_owned(),
            5 => "range(99999)".to_owned(),
            6 => "('x' * 60000)".to_owned(),
            _ => "input".to_owned(),
        };
    }
    let inner = |dice: &mut Dice| {
        let depth = dice.below(depth);
        expression(dice, depth)
    };
    match dice.below(9) {
        0 | 1 => {
            let operator =
                ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"][dice.below(13)];
            format!("({} {operator} {})", inner(dice), inner(dice))
        }
        2..=4 => {
            let filter = FILTERS[dice.below(FILTERS.len())];
            let arguments: Vec<_> = (0..dice.below(3)).map(|_| inner(dice)).collect();
            match arguments.is_empty() {
                true => format!("({})|{filter}", inner(dice)),
                false => format!("({})|{filter}({})", inner(dice), arguments.join(", ")),
            }
        }
        5 => format!("({} is {})", inner(dice), TESTS[dice.below(TESTS.len())]),
        6 => format!("{}({})", FUNCTIONS[dice.below(FUNCTIONS.len())], inner(dice)),
        7 => format!("({})[{}:{}]", inner(dice), dice.below(3), dice.below(100_000)),
        _ => format!("({} if {} else {})", inner(dice), inner(dice), inner(dice)),
    }
}

/// An expression as a file would hold it: usually one that a person could have written, now and then one that is far too
/// long or too deep.
pub(super) fn any_expression(dice: &mut Dice) -> String {
    let length = 1 + dice.below(3_000);
    match dice.below(12) {
        0 => vec!["1"; length].join("+"),
        1 => format!("{}1", "-".repeat(length)),
        2 => format!("{}1{}", "(".repeat(length), ")".repeat(length)),
        3 => format!("input{}", "|list".repeat(length)),
        4 => format!("{}1{}", "[".repeat(length), "]".repeat(length)),
        5 => format!("not {}", "not ".repeat(length)),
        6 => noise(dice, 40),
        _ => expression(dice, 4),
    }
}

/// A plan: the steps that an answer adds.
pub(super) fn plan(dice: &mut Dice) -> String {
    let step = |dice: &mut Dice| {
        let id = if dice.one_in(3) { text(dice) } else { format!("s{}", dice.below(6)) };
        let (id, run) = (serde_json::to_string(&id).unwrap(), serde_json::to_string(&text(dice)).unwrap());
        let expression = serde_json::to_string(&any_expression(dice)).unwrap();
        match dice.below(5) {
            0 => format!("{{\"id\": {id}, \"run\": [\"echo\", {run}], \"if\": {expression}}}"),
            1 => format!("{{\"id\": {id}, \"run\": [\"true\"], \"for_each\": \"range(2000)\"}}"),
            2 => format!("{{\"id\": {id}, \"run\": [\"echo\", {run}], \"needs\": [{id}]}}"),
            3 => json(dice, 3),
            _ => format!("{{\"id\": {id}, \"run\": [\"echo\", {run}], \"needs\": []}}"),
        }
    };
    let steps: Vec<_> = (0..dice.below(5)).map(|_| step(dice)).collect();
    format!("{{\"add_steps\": [{}]}}", steps.join(", "))
}
