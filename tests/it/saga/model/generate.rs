//! Which workflow, and which plan, follows from a number.

use std::sync::Arc;

use reenact::testing::Dice;

use super::*;

/// How often something is generated, as one in so many.
struct Rates {
    /// Whether there may be steps that cannot be undone: most runs with one end at it, so in most there is none.
    risky: bool,
    /// Gates, waits and children; a run has one of them often rather than all of them always.
    gate: usize,
    wait: usize,
    child: usize,
    phases: bool,
    /// Whether steps of files and not of plans are made.
    is_file: bool,
}

impl Model {
    /// A workflow of up to six steps, each of which may need any of those before it.
    pub(in crate::saga) fn generate(random: &mut Dice) -> Self {
        let count = 1 + random.below(6);
        let often = |random: &mut Dice| if random.one_in(3) { 3 } else { 30 };
        let rates = Rates {
            risky: random.one_in(4),
            gate: often(random),
            wait: often(random),
            child: often(random),
            phases: random.one_in(3),
            is_file: true,
        };
        let steps: Vec<_> = (0..count).map(|place| Arc::new(Step::generate(place, &rates, random))).collect();
        let until = random.one_in(8).then(|| {
            let phase = steps.iter().find_map(|step| step.phase).filter(|_| random.one_in(2));
            phase.map_or_else(|| name(random.below(count)), str::to_owned)
        });
        let asked: Vec<_> = ["build", "ship"]
            .into_iter()
            .filter_map(|phase| {
                let has_steps = steps.iter().any(|step| step.phase == Some(phase));
                (has_steps && random.one_in(2)).then(|| (phase, ApprovalRule::generate(random)))
            })
            .collect();
        let mut model = Self {
            phases: asked,
            steps,
            stops: random.one_in(8),
            lost_limit: 2 + random.below(3) as u32,
            duration: random.one_in(8),
            until,
            plans: random.one_in(4),
            shares: random.one_in(3),
            hands: random.one_in(3),
        };
        if model.shares {
            // Which other steps have started when that one ends hangs on which of them had to read first.
            model.until = None;
        }
        if model.is_circular() {
            // A file that says so is refused.
            model.phases.clear();
        }
        model
    }
}

impl Plan {
    /// The plan of that number.
    pub(in crate::saga) fn of(number: u64) -> Self {
        let mut random = Dice::of(number);
        let rates = Rates {
            risky: random.one_in(8),
            gate: if random.one_in(4) { 2 } else { 20 },
            wait: 10,
            child: usize::MAX,
            phases: random.one_in(8),
            is_file: false,
        };
        let most = if random.one_in(8) { WIDTH + 1 } else { 2 };
        let count = 1 + random.below(most);
        let fault = random
            .one_in(8)
            .then(|| [Fault::Twice, Fault::Circle, Fault::Taken, Fault::Workflow][random.below(4)]);
        let steps = (0..count).map(|place| Arc::new(Step::generate(place, &rates, &mut random))).collect();
        Self { steps, fault }
    }
}

impl Step {
    fn generate(place: usize, rates: &Rates, random: &mut Dice) -> Self {
        let needs: Vec<usize> = match random.below(3) {
            // After the one above, as most are.
            0 => place.checked_sub(1).into_iter().collect(),
            _ => (0..place).filter(|_| random.one_in(2)).collect(),
        };
        let does = Does::generate(rates, random);
        let works = does == Does::Work;
        let tried = matches!(does, Does::Work | Does::Child);
        let grows = if tried { Grows::generate(works, random) } else { Grows::Nothing };
        let condition = match (random.below(10), needs.first()) {
            (0, _) => Condition::Never,
            (1, Some(need)) => Condition::After(*need),
            _ => Condition::Always,
        };
        let is_fan_out = matches!(grows, Grows::Items { .. });
        let uses = needs.last().copied().filter(|_| tried && !is_fan_out && random.one_in(3));
        let fallback = works && random.one_in(5);
        let at_most_once = tried && !fallback && random.one_in(8);
        let on_error = match random.below(8) {
            0 => OnError::FailFast,
            1 => OnError::Continue,
            2 => OnError::Skip,
            _ => OnError::Fail,
        };
        let retries = tried && !at_most_once && random.one_in(2);
        let irreversible = rates.risky && tried && random.one_in(4);
        let undo = (tried && !random.one_in(3)).then(|| Undo {
            tries: if random.one_in(2) { 5 } else { 1 + random.below(3) as u32 },
            // Of an irreversible step only a failure can be cleaned up behind.
            when_attempted: irreversible || random.one_in(3),
        });
        let harmless = works && undo.is_none() && !irreversible && random.one_in(2);
        Self {
            needs,
            does,
            grows,
            condition,
            uses,
            tries: if retries { 2 + random.below(if fallback { 3 } else { 2 }) as u32 } else { 1 },
            on_error,
            fallback,
            gate: random.one_in(rates.gate).then(|| ApprovalRule::generate(random)),
            schema: works && random.one_in(8),
            phase: ["build", "ship"].get(random.below(3)).copied().filter(|_| rates.phases),
            undo,
            harmless,
            irreversible,
            at_most_once,
        }
    }
}

impl Does {
    fn generate(rates: &Rates, random: &mut Dice) -> Self {
        if random.one_in(10) {
            Self::Sleep
        } else if random.one_in(rates.wait) {
            Self::Wait { signal: ["go", "on"][random.below(2)], timeout: random.one_in(3) }
        } else if rates.is_file && random.one_in(rates.child) {
            Self::Child
        } else {
            Self::Work
        }
    }
}

impl Grows {
    fn generate(works: bool, random: &mut Dice) -> Self {
        match random.below(if works { 10 } else { 30 }) {
            0 | 1 => {
                let width = if random.one_in(2) { 1 + random.below(2) } else { usize::MAX };
                Self::Items { count: random.below(4), width }
            }
            2 => {
                let until = if random.one_in(2) { Until::Ok } else { Until::Round(1 + random.below(4)) };
                Self::Rounds { until, max: 1 + random.below(3) }
            }
            _ => Self::Nothing,
        }
    }
}

impl ApprovalRule {
    fn generate(random: &mut Dice) -> Self {
        Self {
            before: random.one_in(2),
            closed: random.one_in(2),
            needed: if random.one_in(3) { 2 } else { 1 },
            expires: random.one_in(3),
            ticked: random.one_in(4),
        }
    }
}
