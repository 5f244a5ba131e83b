//! Workflows that follow from a seed, in few words: what the oracle understands, and what a file says.

use std::fmt::Write;

use reenact::testing::Dice;

/// A workflow.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) steps: Vec<Step>,
    pub(super) stops: bool,
    pub(super) lost_limit: u32,
    pub(super) duration: bool,
}

/// A step. Others are meant by their place.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) needs: Vec<usize>,
    pub(super) does: Does,
    /// How many items a fan-out has, and how many of them may be on their way.
    pub(super) fan_out: Option<(usize, usize)>,
    pub(super) condition: Condition,
    /// The step whose output it is given.
    pub(super) uses: Option<usize>,
    /// How many tries it has.
    pub(super) tries: u32,
    pub(super) on_error: OnError,
    pub(super) undo: Option<Undo>,
    pub(super) irreversible: bool,
    pub(super) at_most_once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Work,
    Sleep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Never,
    /// When that step is completed.
    After(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    FailFast,
    Continue,
    Fail,
    Skip,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Undo {
    pub(super) tries: u32,
    pub(super) when_attempted: bool,
}

/// The name of the step at a place.
pub(super) fn name(place: usize) -> String {
    format!("s{place}")
}

impl Model {
    /// A workflow of up to seven steps, each of which may need any of those before it.
    pub(super) fn generate(random: &mut Dice) -> Self {
        let count = 1 + random.below(6);
        // Most runs with an irreversible step end at it: in most there is none.
        let risky = random.one_in(4);
        Self {
            steps: (0..count).map(|place| Step::generate(place, risky, random)).collect(),
            stops: random.one_in(8),
            lost_limit: 2 + random.below(3) as u32,
            duration: random.one_in(10),
        }
    }

    /// As a file says it.
    pub(super) fn yaml(&self) -> String {
        let mut file = format!("name: generated\nlimits: {{lost: {}", self.lost_limit);
        file.push_str(if self.duration { ", duration: 20s}\n" } else { "}\n" });
        if self.stops {
            file.push_str("on_failure: stop\n");
        }
        file.push_str("steps:\n");
        for (place, step) in self.steps.iter().enumerate() {
            step.write(place, &mut file);
        }
        let outputs = (0..self.steps.len()).map(|place| format!("'{{{{ steps.s{place}.status }}}}'"));
        writeln!(file, "output: [{}]", outputs.collect::<Vec<_>>().join(", ")).unwrap();
        file
    }
}

impl Step {
    fn generate(place: usize, risky: bool, random: &mut Dice) -> Self {
        let needs: Vec<usize> = match random.below(3) {
            // After the one above, as most are.
            0 => place.checked_sub(1).into_iter().collect(),
            _ => (0..place).filter(|_| random.one_in(2)).collect(),
        };
        let does = if random.one_in(10) { Does::Sleep } else { Does::Work };
        let works = does == Does::Work;
        let fan_out = (works && random.one_in(6)).then(|| {
            let items = random.below(4);
            (items, if random.one_in(2) { 1 + random.below(2) } else { usize::MAX })
        });
        let condition = match (random.below(10), needs.first()) {
            (0, _) => Condition::Never,
            (1, Some(need)) => Condition::After(*need),
            _ => Condition::Always,
        };
        let uses = needs.last().copied().filter(|_| works && fan_out.is_none() && random.one_in(3));
        let at_most_once = works && random.one_in(8);
        let on_error = match random.below(8) {
            0 => OnError::FailFast,
            1 => OnError::Continue,
            2 => OnError::Skip,
            _ => OnError::Fail,
        };
        let retries = works && !at_most_once && random.one_in(2);
        let irreversible = risky && works && random.one_in(4);
        let undo = (works && !random.one_in(3)).then(|| Undo {
            tries: if random.one_in(2) { 5 } else { 1 + random.below(3) as u32 },
            // Of an irreversible step only a failure can be cleaned up behind.
            when_attempted: irreversible || random.one_in(3),
        });
        Self {
            needs,
            does,
            fan_out,
            condition,
            uses,
            tries: if retries { 2 + random.below(2) as u32 } else { 1 },
            on_error,
            undo,
            irreversible,
            at_most_once,
        }
    }

    fn write(&self, place: usize, file: &mut String) {
        let needs: Vec<String> = self.needs.iter().map(|need| name(*need)).collect();
        writeln!(file, "  - id: {}\n    needs: [{}]", name(place), needs.join(", ")).unwrap();
        match (self.does, self.uses, self.fan_out) {
            (Does::Sleep, ..) => file.push_str("    sleep: 3s\n"),
            (Does::Work, Some(used), _) => {
                writeln!(file, "    agent: world\n    with: {{got: '{{{{ steps.s{used}.output }}}}'}}")
                    .unwrap();
            }
            (Does::Work, None, Some(_)) => file.push_str("    agent: world\n    with: {got: '{{ item }}'}\n"),
            (Does::Work, None, None) => file.push_str("    agent: world\n"),
        }
        if let Some((items, width)) = self.fan_out {
            let list: Vec<String> = (0..items).map(|item| item.to_string()).collect();
            writeln!(file, "    for_each: [{}]", list.join(", ")).unwrap();
            if width < usize::MAX {
                writeln!(file, "    max_parallel: {width}").unwrap();
            }
        }
        match self.condition {
            Condition::Always => {}
            Condition::Never => file.push_str("    if: 'false'\n"),
            Condition::After(need) => writeln!(file, "    if: steps.s{need}.status == 'completed'").unwrap(),
        }
        if self.does == Does::Work {
            file.push_str("    timeout: 10s\n");
        }
        if self.tries > 1 {
            writeln!(file, "    retry: {{policy: fixed, initial: 1s, jitter: 0, attempts: {}}}", self.tries)
                .unwrap();
        }
        match self.on_error {
            OnError::FailFast => file.push_str("    on_error: fail_fast\n"),
            OnError::Continue => file.push_str("    on_error: continue\n"),
            OnError::Skip => file.push_str("    on_error: retry_then_skip\n"),
            OnError::Fail => {}
        }
        if let Some(undo) = self.undo {
            let when = if undo.when_attempted { "attempted" } else { "completed" };
            let retry = format!("{{policy: fixed, initial: 1s, jitter: 0, attempts: {}}}", undo.tries);
            let with = "{undo: '{{ output }}', outcome: '{{ outcome }}'}";
            writeln!(
                file,
                "    compensate: {{agent: world, with: {with}, when: {when}, timeout: 10s, retry: {retry}}}"
            )
            .unwrap();
        }
        if self.irreversible {
            file.push_str("    irreversible: true\n");
        }
        if self.at_most_once {
            file.push_str("    at_most_once: true\n");
        }
    }
}
