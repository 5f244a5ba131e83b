//! The declaration as agents write it: a line that begins it, `To:`, `Reason:`, and `Context:` with items below it.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{HANDOFF_BYTES_MAX, HEADER, Handoff, KEY_DATA, bad, items};
use crate::events::ids::AgentName;
use crate::events::json::{Json, Why};
use crate::events::problem::Problem;

/// No more are looked for in a text: two are one too many.
const BLOCKS_MAX: usize = 2;

/// See [`super::take_out`].
pub(super) fn take_out(text: &str) -> (Cow<'_, str>, Vec<String>) {
    let mut blocks = Vec::new();
    if !text.contains(HEADER.trim_end_matches(':')) {
        return (text.into(), blocks);
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut left: Vec<&str> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if blocks.len() == BLOCKS_MAX || !is_header(line) {
            left.push(line);
            at += 1;
            continue;
        }
        let block = lines.get(at..).unwrap_or_default();
        let end = at + Declared::of(block).end;
        blocks.push(lines.get(at..end).unwrap_or_default().concat().trim_end().to_owned());
        at = end;
        let closes = lines.get(at).is_some_and(|line| is_bare_fence(line));
        if closes && left.last().is_some_and(|line| is_fence(line)) {
            left.pop();
            at += 1;
        }
    }
    if blocks.is_empty() { (text.into(), blocks) } else { (left.concat().into(), blocks) }
}

/// Reads a declaration; the first line is the one that begins it.
///
/// # Errors
/// The first thing that is wrong with it, with its line.
pub(super) fn read(block: &str) -> Result<Handoff, Problem> {
    let lines: Vec<&str> = block.split_inclusive('\n').collect();
    if !lines.first().is_some_and(|line| is_header(line)) {
        return Err(bad(format!("it does not begin with `{HEADER}`")));
    }
    let declared = Declared::of(&lines);
    if let Some(line) = declared.twice {
        return Err(bad(format!("line {}: it is said twice", line + 1)));
    }
    let missing = |label: &str| bad(format!("it has no `{label}:`"));
    let (at, to) = declared.to.ok_or_else(|| missing("To"))?;
    let to = to.trim_matches(['`', '"', '\'', '*', '_', ' ', '@']);
    if to.is_empty() || to.contains('\n') {
        return Err(bad(format!("line {}: `To:` takes the name of one agent", at + 1)));
    }
    let (_, reason) = declared.reason.ok_or_else(|| missing("Reason"))?;
    let mut context: Vec<(String, Json)> = Vec::new();
    for item in declared.items {
        let line = item.line + 1;
        for (key, value) in read_item(item).map_err(|why| bad(format!("line {line}: {why}")))? {
            if context.iter().any(|(known, _)| *known == key) {
                return Err(bad(format!("line {line}: the key `{key}` stands twice in its context")));
            }
            context.push((key, value));
        }
    }
    let member =
        |(key, value): &(String, Json)| format!("{}:{}", serde_json::Value::from(&**key), value.text());
    let members: Vec<_> = context.iter().map(member).collect();
    let context = Json::made(&format!("{{{}}}", members.join(",")));
    let context = context.map_err(|why| bad(format!("its context is no JSON that can be taken: {why}")))?;
    Ok(Handoff {
        to: AgentName::new(to),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        context,
    })
}

/// The key and the value of an item. What stands beside `Context:` may be several.
fn read_item(item: Item) -> Result<Vec<(String, Json)>, String> {
    let Item { number, bullet, value, .. } = item;
    if bullet.is_some() {
        return Ok(vec![match keyed(&value) {
            Some((name, value)) => named(name, value)?,
            None => (format!("note_{number}"), text(&value)),
        }]);
    }
    if let Some(members) = json(&value)?.filter(|json| json.text().starts_with('{')) {
        return Ok(items(&members).into_iter().map(|(name, value)| (snake_case(&name), value)).collect());
    }
    let parts = parts(&value);
    match parts.first().and_then(|first| keyed(first)) {
        Some(_) => {
            parts.iter().filter_map(|part| keyed(part)).map(|(name, value)| named(name, value)).collect()
        }
        None => Ok(vec![("summary".to_owned(), text(&value))]),
    }
}

/// The parts of what stands beside `Context:`, as in `Work completed: …; Next steps: …`, or in lines of their own. What has no
/// name of its own belongs to the part before it, and so does what stands in its brackets.
fn parts(value: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut brackets = Brackets::default();
    for line in value.lines() {
        for (place, part) in line.split("; ").enumerate() {
            match parts.last_mut().filter(|_| brackets.open > 0 || keyed(part).is_none()) {
                Some(last) => {
                    last.push_str(if place == 0 { "\n" } else { "; " });
                    last.push_str(part);
                }
                None => {
                    brackets = Brackets::default();
                    parts.push(part.trim().to_owned());
                }
            }
            brackets.close_in(part);
        }
    }
    parts
}

fn named(name: &str, value: &str) -> Result<(String, Json), String> {
    let key = snake_case(name);
    if key.is_empty() {
        return Err("an item of its context has no name".to_owned());
    }
    let json = if key == KEY_DATA { json(value)? } else { None };
    Ok((key, json.unwrap_or_else(|| text(value))))
}

fn text(value: &str) -> Json {
    Json::from(&serde_json::Value::from(value))
}

/// The value, if it is JSON. A fence around it is no matter.
fn json(value: &str) -> Result<Option<Json>, String> {
    let lines = value.lines().filter(|line| !is_fence(line));
    let value = lines.collect::<Vec<_>>().join("\n");
    match Json::read(&value) {
        Ok(json) => Ok(Some(json)),
        Err(why) if matches!(why.why, Why::Syntax(_)) || Json::parse(&value).is_err() => Ok(None),
        Err(why) => Err(format!("it holds JSON that cannot be taken: {why}")),
    }
}

/// A name as a key: in lower case, with `_` between words.
fn snake_case(name: &str) -> String {
    let words = name.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// A declaration, line by line; places are lines from 0.
#[derive(Default)]
struct Declared {
    to: Option<(usize, String)>,
    reason: Option<(usize, String)>,
    /// How far its `Context:` is indented.
    context: Option<usize>,
    items: Vec<Item>,
    /// The line of a label that stood there before.
    twice: Option<usize>,
    /// How many lines it has.
    end: usize,
}

/// An item of a context.
struct Item {
    line: usize,
    /// Which of the items it is, from 1.
    number: usize,
    /// How far it is indented, if it stands in a list; else it stands beside `Context:`.
    bullet: Option<usize>,
    value: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    To,
    Reason,
    Context,
}

impl Declared {
    /// Reads the declaration that the first of these lines begins, as far as it goes.
    fn of(lines: &[&str]) -> Self {
        let mut declared = Self { end: 1, ..Self::default() };
        loop {
            let rest = lines.get(declared.end..).unwrap_or_default();
            let empty = rest.iter().take_while(|line| line.trim().is_empty()).count();
            let rest = rest.get(empty..).unwrap_or_default();
            let Some(line) = rest.first().filter(|line| !is_fence(line) && !is_header(line)) else { break };
            if empty > 0 && !declared.goes_on_with(line) || !declared.take(declared.end + empty, rest) {
                break;
            }
        }
        declared
    }

    /// Takes what begins with the first of these lines, which has this place; answers whether that belongs to it.
    fn take(&mut self, at: usize, lines: &[&str]) -> bool {
        let Some(line) = lines.first() else { return false };
        let indented = indentation(line);
        if let Some((label, value)) = labelled(line) {
            let (value, length) = whole(value, indented, false, lines);
            self.end = at + length;
            self.set(label, at, indented, value);
        } else if let Some(value) = bullet(line).filter(|_| self.context.is_some()) {
            let (value, length) = whole(value, indented, true, lines);
            self.end = at + length;
            let number = self.items.len() + 1;
            self.items.push(Item { line: at, number, bullet: Some(indented), value });
        } else {
            return false;
        }
        true
    }

    fn set(&mut self, label: Label, at: usize, indented: usize, value: String) {
        let is_twice = match label {
            Label::To => self.to.replace((at, value)).is_some(),
            Label::Reason => self.reason.replace((at, value)).is_some(),
            Label::Context => {
                if !value.is_empty() {
                    let number = self.items.len() + 1;
                    self.items.push(Item { line: at, number, bullet: None, value });
                }
                self.context.replace(indented).is_some()
            }
        };
        if is_twice {
            self.twice.get_or_insert(at);
        }
    }

    /// Whether it goes on after empty lines with that one: it lacks that, or its list goes on.
    fn goes_on_with(&self, next: &str) -> bool {
        match labelled(next) {
            Some((Label::To, _)) => self.to.is_none(),
            Some((Label::Reason, _)) => self.reason.is_none(),
            Some((Label::Context, _)) => self.context.is_none(),
            None => {
                let (Some(context), Some(value)) = (self.context, bullet(next)) else { return false };
                // Another list may follow behind it: that one is not indented, and its items have no names.
                let is_own = indentation(next) > context || keyed(value).is_some();
                let list = self.items.last().map(|item| item.bullet);
                list.is_none_or(|indented| is_own && indented == Some(indentation(next)))
            }
        }
    }
}

/// The whole of a value that begins on the first of these lines, after its label or as an item, and how many lines it has. A text
/// goes on as long as the lines are indented further, JSON to its last bracket, be it longer; it may begin below its name.
fn whole(first: &str, indented: usize, is_item: bool, lines: &[&str]) -> (String, usize) {
    // The JSON of an item begins after its name.
    let value = keyed(first).filter(|_| is_item).map_or(first, |(_, value)| value);
    let more = lines.iter().skip(1).take_while(|line| {
        let is_deeper = indentation(line) > indented && !line.trim().is_empty() && !is_header(line);
        is_deeper && (is_item || labelled(line).is_none() && bullet(line).is_none())
    });
    let more: Vec<_> = more.map(|line| line.trim()).collect();
    let length = match value {
        "" => json_below(indented, lines),
        _ if value.starts_with(['{', '[']) => bracketed(value, indented, lines),
        _ => None,
    };
    match length.filter(|length| *length > more.len()) {
        Some(length) => {
            let more = lines.get(1..length).unwrap_or_default().concat();
            (format!("{first}\n{more}").trim_end().to_owned(), length)
        }
        None => {
            let length = more.len() + 1;
            ([&[first][..], &more].concat().join("\n").trim().to_owned(), length)
        }
    }
}

/// How many lines it takes, with the first, until JSON ends that begins on the second, in a fence or not; none if it is none.
fn json_below(indented: usize, lines: &[&str]) -> Option<usize> {
    let (_, below) = lines.split_first()?;
    let next = below.first()?;
    let length = match is_fence(next) {
        true => {
            let mut bytes = 0;
            let inside = below.iter().skip(1).take_while(|line| {
                bytes += line.len();
                bytes <= HANDOFF_BYTES_MAX && !is_fence(line) && !is_header(line)
            });
            let length = inside.count() + 2;
            below.get(length - 1).filter(|line| is_bare_fence(line)).map(|_| length)?
        }
        false => bracketed(next.trim().strip_prefix(['{', '[']).map(|_| *next)?, indented, below)?,
    };
    let is_text = json(&below.get(..length)?.concat()).is_ok_and(|json| json.is_none());
    (!is_text).then_some(length + 1)
}

/// How many lines it takes until every bracket is closed that the first opens; none if that never is.
fn bracketed(first: &str, indented: usize, lines: &[&str]) -> Option<usize> {
    let mut brackets = Brackets::default();
    let mut bytes = first.len();
    if brackets.close_in(first) {
        return Some(1);
    }
    for (number, line) in lines.iter().enumerate().skip(1) {
        bytes += line.len();
        let is_other = is_fence(line)
            || is_header(line)
            || labelled(line).is_some()
            || bullet(line).is_some() && indentation(line) <= indented;
        if is_other || bytes > HANDOFF_BYTES_MAX {
            return None;
        }
        if brackets.close_in(line) {
            return Some(number + 1);
        }
    }
    None
}

/// The brackets of JSON that are open.
#[derive(Default)]
struct Brackets {
    open: usize,
    in_text: bool,
    escaped: bool,
}

impl Brackets {
    /// Whether the last one is closed in this line.
    fn close_in(&mut self, line: &str) -> bool {
        for byte in line.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => self.open += 1,
                b'}' | b']' if !self.in_text => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
        self.open == 0
    }
}

/// Whether a declaration begins with this line. It may be made bold, or a heading, as Markdown has them.
fn is_header(line: &str) -> bool {
    let line = line.trim();
    let line = line.strip_prefix("##").map_or(line, |rest| rest.trim_start_matches('#').trim_start());
    line == HEADER || line.starts_with('*') && line.replace('*', "").trim() == HEADER
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

fn is_bare_fence(line: &str) -> bool {
    is_fence(line) && line.trim().trim_matches(['`', '~']).is_empty()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The label with which a line begins, and what stands after it.
fn labelled(line: &str) -> Option<(Label, &str)> {
    let (name, value) = line.trim().split_once(':')?;
    let label = match name.trim_matches('*').to_ascii_lowercase().as_str() {
        "to" => Label::To,
        "reason" => Label::Reason,
        "context" => Label::Context,
        _ => return None,
    };
    Some((label, value.trim_start_matches('*').trim()))
}

/// What stands after the sign, or the number, of an item of a list.
fn bullet(line: &str) -> Option<&str> {
    let line = line.trim();
    let signed = || ["- ", "* ", "+ ", "• "].iter().find_map(|sign| line.strip_prefix(sign));
    let behind = line.trim_start_matches(|char: char| char.is_ascii_digit());
    let numbered = || [". ", ") "].iter().find_map(|sign| behind.strip_prefix(sign));
    signed().or_else(|| numbered().filter(|_| behind.len() < line.len())).map(str::trim)
}

/// The name and the value of `Name: value`.
fn keyed(item: &str) -> Option<(&str, &str)> {
    /// No name is longer, in bytes: what is, is a sentence.
    const NAME_BYTES_MAX: usize = 60;
    let (name, value) = item.split_once(':')?;
    let is_name = !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains('\n');
    let stands_apart =
        value.is_empty() || value.starts_with(|char: char| char.is_whitespace() || char == '*');
    (is_name && stands_apart).then(|| (name.trim(), value.trim_start_matches('*').trim()))
}
