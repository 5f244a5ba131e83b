//! By what messages between the agents of a run are known.

use super::*;

number! {
    /// The number of a message in its run, from 1.
    MessageNumber
}

/// A message, as people and programs name it: `RUN/N`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The run whose agents it is between.
    pub run: RunId,
    /// Its number in that run.
    pub number: MessageNumber,
}

impl MessageId {
    /// Reads one.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let parts = text.rsplit_once('/').and_then(|(run, number)| {
            let number = number.parse().ok().filter(|number| *number > 0)?;
            Some(Self { run: RunId::parse(run).ok()?, number: MessageNumber(number) })
        });
        let rule = "the id of its run, a slash, and its number, as in `release-7/12`";
        parts.ok_or_else(|| InvalidId { what: "id of a message", text: shared::shown(text), rule })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_message_is_read_as_it_is_written() {
        let id = MessageId::parse("release-7/12").unwrap();
        assert_eq!(
            (id.run.as_str(), id.number, id.to_string().as_str()),
            ("release-7", MessageNumber(12), "release-7/12")
        );
        for bad in ["", "12", "/12", "r/", "r/0", "r/-1", "r/x", "last/1", "a/b/1", "r/99999999999999999999"]
        {
            assert!(MessageId::parse(bad).is_err(), "{bad}");
        }
    }
}
