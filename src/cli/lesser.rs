//! What of a run is done in a lesser way, in a line each, while it is seen through.

use serde_json::Value;

use super::say::Say;
use super::text::printable;
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
            self.say.note(&format!("warning: {}", words(line)));
        }
    }
}

fn words(line: &HistoryLine) -> String {
    let data = line.data.value();
    let text = |key: &str| printable(data.get(key).and_then(Value::as_str).unwrap_or_default());
    let step = text("step");
    match line.kind.as_str() {
        "fallback_engaged" => {
            format!("step `{step}`: fallback from agent `{}` to `{}`", text("from"), text("to"))
        }
        "step_skipped" => format!("step `{step}` is skipped: {}", text("message")),
        "step_failed" => format!("step `{step}` failed, and the run goes on without it: {}", text("message")),
        "step_completed" => format!("step `{step}` is done, degraded"),
        other => format!("step `{step}`: {other}"),
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
        assert!(words(&line).ends_with("step_shrunk") && !words(&line).contains('\u{1b}'));
    }
}
