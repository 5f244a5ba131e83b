//! What of a run is done in a lesser way, in a line each, while it is seen through.

use serde_json::Value;

use super::say::Say;
use super::text::Text;
use super::text::terminal::terminal;
use crate::api::protocol::HistoryLine;
use crate::events::ids::Version;

/// Tells each event once, also when another process is asked again from the beginning.
pub(super) struct Lesser<'s> {
    say: &'s Say,
    told: Version,
}

impl<'s> Lesser<'s> {
    pub(super) const fn new(say: &'s Say) -> Self {
        Self { say, told: Version(0) }
    }

    pub(super) fn tell(&mut self, line: &HistoryLine) {
        if line.version > self.told {
            self.told = line.version;
            self.say.note(&terminal!("warning: {}", words(line)));
        }
    }
}

fn words(line: &HistoryLine) -> Text {
    let data = line.data.value();
    let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let step = text("step");
    match line.kind.as_str() {
        "fallback_engaged" => {
            terminal!("step `{}`: fallback from agent `{}` to `{}`", step, text("from"), text("to"))
        }
        "step_skipped" => terminal!("step `{}` is skipped: {}", step, text("message")),
        "step_failed" => {
            terminal!("step `{}` failed, and the run goes on without it: {}", step, text("message"))
        }
        "step_completed" => terminal!("step `{}` is done, degraded", step),
        other => terminal!("step `{}`: {}", step, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::json::Json;
    use crate::events::time::Timestamp;

    #[test]
    fn an_event_of_a_newer_holder_is_told_by_its_type() {
        let data = Json::parse(r#"{"step":"a\u001b[2J"}"#).unwrap();
        let (version, position, at, hash) = (Version(1), 1, Timestamp(0), String::new());
        let line = HistoryLine { version, position, at, kind: "step_shrunk".into(), data, hash };
        let words = words(&line);
        assert!(words.as_str().ends_with("step_shrunk") && !words.as_str().contains('\u{1b}'));
    }
}
