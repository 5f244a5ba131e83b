//! What is said where a cassette has no answer: what was recorded that is nearest, and how it differs.

use std::path::Path;

use similar::{ChangeTag, TextDiff};

use super::answer::{Kept, Place};
use super::request::Request;
use super::tape::Tape;

/// How many recorded requests are compared with the one that has no answer, so that a long cassette takes no minute.
const COMPARED_MAX: usize = 100;

/// How many bytes of each are compared.
const COMPARED_BYTES_MAX: usize = 64 * 1024;

/// How many lines of a difference are shown, and how many characters of each.
const LINES_MAX: usize = 12;
const LINE_CHARS_MAX: usize = 200;

/// Why there is no answer, with what is nearest.
pub(super) fn told(tape: &Tape, file: &Path, request: &Request, place: &Place) -> String {
    let (file, agent) = (file.display(), request.agent());
    let (step, attempt) = (&place.step, place.attempt);
    let times = tape.same(request).filter(|kept| kept.place.is_of_step(place)).count();
    if times > 0 {
        return format!(
            "the cassette `{file}` has no answer to what agent `{agent}` is asked at step `{step}` for the {attempt}. time in generation {}: it holds {times}",
            place.generation
        );
    }
    let same = tape.same(request).count();
    if same > 0 {
        return format!(
            "the cassette `{file}` has no answer to what agent `{agent}` is asked at step `{step}` for the {attempt}. time: at other steps it holds {same}"
        );
    }
    let begin =
        format!("the cassette `{file}` has no answer to what agent `{agent}` is asked at step `{step}`");
    let Some(nearest) = nearest(tape, request, place) else {
        return format!("{begin}: it holds none at all");
    };
    let difference = difference(&nearest.request, request);
    format!(
        "{begin}; the nearest is what agent `{}` was asked at step `{}` (- recorded, + asked now):\n{difference}",
        nearest.request.agent(),
        nearest.place.step
    )
}

/// The recorded request that is nearest: of the same agent if there is one, and of those at the same step; among them the one that is
/// most alike, and of equals the first.
fn nearest<'a>(tape: &'a Tape, request: &Request, place: &Place) -> Option<&'a Kept> {
    let agent = request.agent();
    let rank = |kept: &&Kept| {
        let is_of_agent = kept.request.agent() == agent;
        (is_of_agent, kept.place.is_of_step(place))
    };
    let best = tape.kept().iter().map(|kept| rank(&kept)).max()?;
    let asked = request.lines();
    let alike = |kept: &Kept| {
        let recorded = kept.request.lines();
        TextDiff::from_lines(beginning(&recorded), beginning(&asked)).ratio()
    };
    let candidates = tape.kept().iter().filter(|kept| rank(kept) == best).take(COMPARED_MAX);
    let mut nearest: Option<(f32, &Kept)> = None;
    for kept in candidates {
        let alike = alike(kept);
        if nearest.is_none_or(|(best, _)| alike > best) {
            nearest = Some((alike, kept));
        }
    }
    nearest.map(|(_, kept)| kept)
}

/// The lines that differ.
fn difference(recorded: &Request, asked: &Request) -> String {
    let (recorded, asked) = (recorded.lines(), asked.lines());
    let difference = TextDiff::from_lines(beginning(&recorded), beginning(&asked));
    let changes = difference.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => return None,
        };
        let line = change.value().trim();
        let shown: String = line.chars().take(LINE_CHARS_MAX).collect();
        let more = if shown.len() < line.len() { "…" } else { "" };
        Some(format!("  {sign} {shown}{more}"))
    });
    let mut lines: Vec<String> = changes.collect();
    if lines.len() > LINES_MAX {
        let further = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("  … and {further} lines more"));
    }
    lines.join("\n")
}

/// As much of a text as is compared.
fn beginning(text: &str) -> &str {
    let end = (0..=text.len().min(COMPARED_BYTES_MAX)).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}
