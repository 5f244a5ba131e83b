//! The log, line by line. What comes from outside stands in the fields of a line: it is a part of that line, whatever
//! it holds.

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::events::text::printable;
use crate::executors::mask::Masks;

/// Writes lines from that level on, masked, with colours if they are wanted.
pub(super) fn subscriber<W>(
    level: LevelFilter,
    writer: W,
    colours: bool,
    masks: Masks,
) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let fields = debug_fn(move |writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug| {
        let value = format!("{value:?}");
        let value = masks.text(&value);
        match field.name() {
            "message" => write!(writer, "{}", printable(&value)),
            name => write!(writer, "{name}={}", printable(&value)),
        }
    });
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false)
        .fmt_fields(fields.delimited(" "))
        .finish()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_of_the_log_stays_one_line_in_which_nothing_acts() {
        let kept = Kept::default();
        let writer = kept.clone();
        let masks = Masks::default().and([("TOKEN", &b"s3cret"[..])]);
        let subscriber = subscriber(LevelFilter::WARN, move || writer.clone(), false, masks);
        tracing::subscriber::with_default(subscriber, || {
            let evil = "x\n\u{1b}[2J\u{9b}1m\u{202e}\u{2028}";
            tracing::warn!(shown = %evil, text = evil, debug = ?evil, token = "s3cret", "told {evil}");
        });
        let bytes = kept.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(crate::events::text::is_active), "{line:?}");
        assert!(line.ends_with(" token=\"[TOKEN]\""), "{line:?}");
        assert!(line.contains("told x") && line.contains(" shown=x") && line.contains(" text="), "{line:?}");
    }
}
