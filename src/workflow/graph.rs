//! What the steps' `needs` say about their order. Here a step is a number: its place in the file, from 0.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// For each step, those that it needs.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    needs: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph in which step `i` needs all of `needs[i]`, each of which is less than the number of steps.
    pub(crate) fn new(needs: Vec<Vec<usize>>) -> Self {
        Self { needs }
    }

    fn needs(&self, step: usize) -> &[usize] {
        self.needs.get(step).map_or(&[], Vec::as_slice)
    }

    /// Cycles that share no step, as many as one walk finds. In a cycle each step needs the next one, and the
    /// last step needs the first.
    pub(super) fn cycles(&self) -> Vec<Vec<usize>> {
        let mut cycles = Vec::new();
        let mut marks = vec![Mark::New; self.needs.len()];
        for start in 0..self.needs.len() {
            self.walk(start, &mut marks, &mut cycles);
        }
        cycles
    }

    /// Walks everything that a step needs. It has its own stack, because a chain may be as long as
    /// a file has steps.
    fn walk(&self, start: usize, marks: &mut [Mark], cycles: &mut Vec<Vec<usize>>) {
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut enter = Some(start).filter(|start| marks.get(*start) == Some(&Mark::New));
        loop {
            if let Some(step) = enter.take() {
                set(marks, step, Mark::OnPath);
                path.push((step, 0));
            }
            let Some((step, next)) = path.last_mut() else { return };
            let Some(need) = self.needs(*step).get(*next).copied() else {
                set(marks, *step, Mark::Done);
                path.pop();
                continue;
            };
            *next += 1;
            match marks.get(need) {
                Some(Mark::New) => enter = Some(need),
                Some(Mark::OnPath) => {
                    let cycle: Vec<_> =
                        path.iter().map(|(step, _)| *step).skip_while(|step| *step != need).collect();
                    let shared = |found: &Vec<usize>| found.iter().any(|step| cycle.contains(step));
                    if !cycles.iter().any(shared) {
                        cycles.push(cycle);
                    }
                }
                Some(Mark::Done) | None => {}
            }
        }
    }

    /// Everything that each step needs, directly or not. Only for a graph without cycles.
    pub(super) fn ancestors(&self) -> Ancestors {
        let steps = self.needs.len();
        let width = steps.div_ceil(64);
        let mut rows = vec![Vec::new(); steps];
        for step in self.in_order() {
            let mut row = vec![0_u64; width];
            for &need in self.needs(step) {
                if let Some(word) = row.get_mut(need / 64) {
                    *word |= 1 << (need % 64);
                }
                for (mine, theirs) in row.iter_mut().zip(rows.get(need).into_iter().flatten()) {
                    *mine |= *theirs;
                }
            }
            set(&mut rows, step, row);
        }
        Ancestors { rows }
    }

    /// The steps in the order in which they would be done one by one: each after all that it needs, and of those that could be
    /// next the first of the file.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let mut waits: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut needed_by = vec![Vec::new(); self.needs.len()];
        for (step, needs) in self.needs.iter().enumerate() {
            for &need in needs {
                if let Some(dependents) = needed_by.get_mut(need) {
                    dependents.push(step);
                }
            }
        }
        let free = waits.iter().enumerate().filter(|(_, waits)| **waits == 0);
        let mut next: BinaryHeap<Reverse<usize>> = free.map(|(step, _)| Reverse(step)).collect();
        let mut order = Vec::with_capacity(self.needs.len());
        while let Some(Reverse(step)) = next.pop() {
            order.push(step);
            for &dependent in needed_by.get(step).into_iter().flatten() {
                if let Some(left) = waits.get_mut(dependent) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        next.push(Reverse(dependent));
                    }
                }
            }
        }
        order
    }

    /// The layer of each step, from 0: one below the lowest that it needs. Steps of one layer do not need each other.
    pub(crate) fn layers(&self) -> Vec<usize> {
        let mut layers = vec![0; self.needs.len()];
        for step in self.in_order() {
            let needed = self.needs(step).iter().filter_map(|need| layers.get(*need));
            let layer = needed.max().map_or(0, |lowest| lowest + 1);
            set(&mut layers, step, layer);
        }
        layers
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

fn set<T>(list: &mut [T], place: usize, value: T) {
    if let Some(slot) = list.get_mut(place) {
        *slot = value;
    }
}

/// Everything that each step needs, directly or not: one bit for each pair, so 10,000 steps take 12 MB.
#[derive(Debug, Clone, Default)]
pub(super) struct Ancestors {
    rows: Vec<Vec<u64>>,
}

impl Ancestors {
    /// Whether a step always runs after another.
    pub(super) fn has(&self, step: usize, ancestor: usize) -> bool {
        let word = self.rows.get(step).and_then(|row| row.get(ancestor / 64));
        word.is_some_and(|word| word >> (ancestor % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_found_whole() {
        let cycles =
            |needs: &[&[usize]]| Graph::new(needs.iter().map(|list| list.to_vec()).collect()).cycles();
        assert_eq!(cycles(&[&[], &[0], &[0, 1]]), Vec::<Vec<usize>>::new());
        assert_eq!(cycles(&[&[0]]), [[0]]);
        assert_eq!(cycles(&[&[2], &[0], &[1], &[2]]), [[0, 2, 1]]);
        assert_eq!(cycles(&[&[1], &[0], &[3], &[2]]), [[0, 1], [2, 3]]);
        assert_eq!(
            cycles(&[&[1, 2], &[0], &[0]]),
            [[0, 1]],
            "cycles that share a step are one thing to mend"
        );
    }

    #[test]
    fn ancestors_are_all_that_is_needed_directly_or_not() {
        let long: Vec<Vec<usize>> =
            (0..200_usize).map(|step| step.checked_sub(1).into_iter().collect()).collect();
        let chain = Graph::new(long).ancestors();
        assert!(chain.has(199, 0) && chain.has(199, 198) && !chain.has(0, 199) && !chain.has(5, 5));
        let diamond = Graph::new(vec![vec![1, 2], vec![3], vec![3], vec![], vec![3]]).ancestors();
        assert!(diamond.has(0, 3) && diamond.has(1, 3) && !diamond.has(1, 2) && !diamond.has(0, 4));
    }

    #[test]
    fn steps_come_after_what_they_need_and_else_as_they_stand() {
        let graph = Graph::new(vec![vec![3], vec![], vec![0, 1], vec![], vec![]]);
        assert_eq!(graph.in_order(), [1, 3, 0, 2, 4]);
        assert_eq!(graph.layers(), [1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_chain_as_long_as_a_file_may_be_is_walked() {
        let chain =
            Graph::new((0..10_000_usize).map(|step| step.checked_sub(1).into_iter().collect()).collect());
        assert!(chain.cycles().is_empty());
    }
}
