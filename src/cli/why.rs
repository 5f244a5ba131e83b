//! `reenact why [RUN] [STEP]`: the chain of causes from how a run, or a step of it, is back to the root.

use super::arguments::WhyArguments;
use super::see::{self, Exchange, Signals};
use super::text::{Text, terminal};
use super::{Exit, Scene, control};
use crate::api::protocol::{Request, Response};
use crate::events::ids::{RunId, StepId};
use crate::events::problem::Problem;
use crate::events::text::{printable, shortened};
use crate::views::presenters::why::{Cause, WhyReport};

/// A terminal of the usual size shows so many lines below one that says what they are of, and above the prompt.
const LINES_SHOWN: usize = 21;

/// So many characters stand in a line of it.
const COLUMNS: usize = 80;

/// No link has more lines than these, also where there are few.
const LINES_OF_A_LINK: usize = 5;

pub(super) async fn why(scene: &Scene, arguments: WhyArguments) -> Result<Exit, Problem> {
    let WhyArguments { run, step } = arguments;
    let mut signals = Signals::listen()?;
    let request = Request::Why { run: run.clone(), step: step.as_deref().map(StepId::grown) };
    match control::ask_about_a_run(scene, &run, &request, &mut signals).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Why(report), door) => {
            scene.say.result(&*report, text);
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// The chain, as much of it as fits a screen: what came of it and what is near that, and the root.
fn text(report: &WhyReport) -> Text {
    let step = report.step.as_ref().map(|step| terminal!("  `{}`", step));
    let head = terminal!("{}{}", report.run, step.unwrap_or_default());
    let chain = &report.chain;
    let turns = turns(&report.run, chain);
    let of_each = (LINES_SHOWN.saturating_sub(turns) / chain.len().max(1)).clamp(1, LINES_OF_A_LINK);
    let width = chain.iter().map(|cause| cause.version.to_string().len()).max().unwrap_or(0);
    let mut of = &report.run;
    let links = chain.iter().flat_map(|cause| {
        let elsewhere = (of != &cause.run).then(|| terminal!("  in run {}:", cause.run));
        of = &cause.run;
        elsewhere.into_iter().chain(link(cause, width, of_each))
    });
    let mut lines: Vec<Text> = links.collect();
    if lines.len() > LINES_SHOWN {
        // The line in their place says how many they are.
        let last = lines.split_off(lines.len() - LINES_SHOWN / 3);
        let left_out = lines.len() + 1 - (LINES_SHOWN - LINES_SHOWN / 3);
        lines.truncate(lines.len() - left_out);
        lines.push(terminal!("  … {} lines more, which --json has", left_out));
        lines.extend(last);
    }
    Text::lines(std::iter::once(head).chain(lines))
}

/// How often the chain comes to another run.
fn turns(run: &RunId, chain: &[Cause]) -> usize {
    let runs = || chain.iter().map(|cause| &cause.run);
    std::iter::once(run).chain(runs()).zip(runs()).filter(|(one, next)| one != next).count()
}

/// A link, in so many lines at most.
fn link(cause: &Cause, width: usize, lines: usize) -> impl Iterator<Item = Text> {
    let columns = COLUMNS.saturating_sub(width + 4);
    let version = cause.version.to_string();
    wrapped(&cause.says, columns, lines).into_iter().enumerate().map(move |(number, says)| {
        let version = if number == 0 { version.as_str() } else { "" };
        terminal!("  {}  {}", format!("{version:>width$}"), says)
    })
}

/// A text in so many lines of that length at most, its own and those that are broken at spaces where there are some. A final
/// `…` shows that it was cut.
fn wrapped(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut wrapped = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let left = lines.saturating_sub(wrapped.len());
        // In the last line there is as much of it as fits.
        let (line, behind) = rest.split_once('\n').filter(|_| left > 1).unwrap_or((rest, ""));
        wrapped.extend(broken(line, columns, left));
        rest = if wrapped.len() < lines { behind.trim_start_matches('\n') } else { "" };
        if let (true, Some(last)) = (wrapped.len() >= lines && !behind.trim().is_empty(), wrapped.last_mut())
            && !last.ends_with('…')
        {
            *last = shortened(&format!("{last} {behind}"), columns.saturating_sub(1)).into_owned();
        }
    }
    wrapped
}

/// A line in so many of that length at most.
fn broken(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let text = printable(text);
    let mut left: &str = text.trim_end();
    let mut wrapped = Vec::new();
    while !left.is_empty() {
        let is_last = wrapped.len() + 1 >= lines;
        let Some((end, _)) = left.char_indices().nth(columns) else {
            wrapped.push(left.to_owned());
            break;
        };
        if is_last {
            wrapped.push(shortened(left, columns.saturating_sub(1)).into_owned());
            break;
        }
        let fits = left.get(..end).unwrap_or(left);
        let ends_a_word = left.get(end..).is_some_and(|rest| rest.starts_with(' '));
        // A word that is as long as the line is broken.
        let space = fits.rfind(' ').filter(|at| !ends_a_word && *at >= end / 2);
        let at = space.unwrap_or(end);
        let (line, rest) = left.split_at(at);
        wrapped.push(line.trim_end().to_owned());
        left = rest.trim_start();
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::ids::Version;

    fn report(links: u64, says: &str, runs: &[&str]) -> WhyReport {
        let run = |nth: u64| RunId::parse(runs[nth as usize % runs.len()]).unwrap();
        let cause = |nth| Cause {
            run: run(nth),
            version: Version(1_000_000 - nth),
            kind: "step_failed".to_owned(),
            step: None,
            says: format!("{nth}: {says}"),
        };
        WhyReport { run: run(0), step: None, chain: (0..links).map(cause).collect() }
    }

    #[test]
    fn a_chain_fits_a_screen_however_long_it_is_and_keeps_what_came_of_it_and_the_root() {
        for says in ["short", &"word ".repeat(400), &"x".repeat(3_000), "a\nb\u{1b}[2Jc", "ünïcödé ✔"] {
            for links in [0, 1, 2, 7, 19, 20, 21, 22, 23, 60, 200] {
                for runs in [&["r"][..], &["r", "k", "k", "r"], &["r", "k"]] {
                    let report = report(links, says, runs);
                    let text = text(&report);
                    let lines: Vec<&str> = text.as_str().lines().collect();
                    assert!(lines.len() <= 23, "{} lines of {links} links", lines.len());
                    assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{}", text.as_str());
                    assert!(!text.as_str().contains('\u{1b}'));
                    for nth in [0, links.saturating_sub(1)].iter().filter(|_| links > 0) {
                        let shown = format!("  {nth}: ");
                        assert!(text.as_str().contains(&shown), "{nth} of {links}\n{}", text.as_str());
                    }
                }
            }
        }
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrapped("aaa bbb ccc", 7, 3), ["aaa bbb", "ccc"]);
        assert_eq!(wrapped("aaaa bbbb cccc dddd", 9, 2), ["aaaa bbbb", "cccc dddd"]);
        assert_eq!(wrapped("aaaaaaaaaa bb", 4, 9), ["aaaa", "aaaa", "aa", "bb"]);
        assert_eq!(wrapped("aaa bbb ccc", 7, 1), ["aaa bb…"]);
    }

    #[test]
    fn lines_stay_lines_as_long_as_there_is_room() {
        let script = "it began: set -eu\nif x; then\n  y\nfi";
        assert_eq!(wrapped(script, 20, 9), ["it began: set -eu", "if x; then", "  y", "fi"]);
        assert_eq!(wrapped(script, 20, 4), ["it began: set -eu", "if x; then", "  y", "fi"]);
        assert_eq!(wrapped(script, 20, 3), ["it began: set -eu", "if x; then", "  y fi"]);
        assert_eq!(wrapped(script, 20, 1), ["it began: set -eu i…"]);
        assert_eq!(wrapped("aaa bbb ccc\ndd", 7, 2), ["aaa bbb", "ccc dd"]);
        assert_eq!(wrapped("aaa bbb ccc\ndd eeee", 7, 2), ["aaa bbb", "ccc dd…"]);
    }
}
