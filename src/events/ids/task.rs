//! By what work that is handed out is known.

use super::*;

/// A task, as people and programs name it: `RUN/N`, and under a lease `RUN/N/LEASE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskId {
    /// The run that hands it out.
    pub run: RunId,
    /// The number of its attempt in that run.
    pub fence: Fence,
    /// The number of the lease under which somebody has it, from 1; none of a task that nobody is said to have.
    pub lease: Option<u32>,
}

impl TaskId {
    /// Reads one.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut parts = text.split('/');
        let id = (|| {
            let run = RunId::parse(parts.next()?).ok()?;
            let fence = parts.next()?.parse().ok().filter(|fence| *fence > 0).map(Fence)?;
            let lease = match parts.next() {
                Some(lease) => Some(lease.parse().ok().filter(|lease| *lease > 0)?),
                None => None,
            };
            Some(Self { run, fence, lease })
        })();
        let rule = "the id of its run, a slash, its number, a slash, and the number of the lease, as in `release-7/12/1`";
        let id = id.filter(|_| parts.next().is_none());
        id.ok_or_else(|| InvalidId { what: "id of a task", text: shared::shown(text), rule })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.fence)?;
        self.lease.map_or(Ok(()), |lease| write!(f, "/{lease}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_task_is_read_as_it_is_written() {
        let id = TaskId::parse("release-7/12/3").unwrap();
        assert_eq!((id.run.as_str(), id.fence, id.lease), ("release-7", Fence(12), Some(3)));
        assert_eq!(id.to_string(), "release-7/12/3");
        let id = TaskId::parse("release-7/12").unwrap();
        assert_eq!((id.lease, id.to_string().as_str()), (None, "release-7/12"));
        let bad = [
            "",
            "12",
            "/12/1",
            "r/",
            "r/0/1",
            "r/1/0",
            "r/-1",
            "r/1/x",
            "last/1/1",
            "r/1/1/1",
            "r/1/",
            "r/9/4294967296",
        ];
        for bad in bad {
            assert!(TaskId::parse(bad).is_err(), "{bad}");
        }
    }
}
