//! The colours of texts: by outcome, wherever one stands. A text always has them; where nobody wants any, they are taken
//! out on the way to the stream.

use anstyle::{AnsiColor, Style};

use super::terminal::{Text, terminal};

/// What a part of a text says about an outcome, and with that its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    /// It came to a good end.
    Good,
    /// It failed, or can go neither forward nor back.
    Bad,
    /// It waits, or is done in a lesser way.
    Warning,
    /// It goes on.
    Active,
    /// It is of less note than what stands beside it.
    Minor,
    /// It says what to do next.
    Hint,
}

impl Tone {
    /// The tone of a status of a run or a step, by its word.
    pub(in crate::cli) fn of_status(status: &str) -> Self {
        match status {
            "completed" => Self::Good,
            "failed" | "stuck" => Self::Bad,
            "waiting" | "paused" | "draining" | "retrying" | "compensated" => Self::Warning,
            "running" | "compensating" => Self::Active,
            _ => Self::Minor,
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Active => AnsiColor::Cyan.on_default(),
            Self::Minor => Style::new().dimmed(),
            Self::Hint => Style::new().bold(),
        }
    }

    /// The text in that tone.
    pub(in crate::cli) fn of(self, text: &Text) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        let style = self.style();
        Text::of_medium(format!("{}{}{}", style.render(), text.as_str(), style.render_reset()))
    }
}

/// A status of a run or a step, in the colour of its outcome.
pub(in crate::cli) fn status(status: &str) -> Text {
    Tone::of_status(status).of(&terminal!("{}", status))
}
