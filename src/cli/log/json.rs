//! Lines of the log that are objects of JSON: `timestamp`, `level`, `target`, and all else in `fields`.

use std::fmt::Debug;
use std::io::Write;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};

use crate::events::text::json_line;
use crate::events::time::Timestamp;
use crate::executors::mask::Masks;

/// Writes each event as a line.
pub(super) struct JsonLines<W> {
    writer: W,
    masks: Masks,
}

impl<W> JsonLines<W> {
    pub(super) const fn new(writer: W, masks: Masks) -> Self {
        Self { writer, masks }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields { masks: &self.masks, values: Map::new() };
        event.record(&mut fields);
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let now = Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        let metadata = event.metadata();
        let (level, target) = (metadata.level().as_str(), metadata.target());
        let line = Line { timestamp: now.to_string(), level, target, fields: fields.values };
        // Of a line that cannot be written nobody can be told.
        let Ok(line) = serde_json::to_string(&line) else { return };
        let line = format!("{}\n", json_line(&line));
        let _ = self.writer.make_writer_for(metadata).write_all(line.as_bytes());
    }
}

/// A line, in the order of its keys.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    target: &'a str,
    fields: Map<String, Value>,
}

/// The fields of an event, masked.
struct Fields<'m> {
    masks: &'m Masks,
    values: Map<String, Value>,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.values.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let value = self.masks.text(value).into_owned();
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}
