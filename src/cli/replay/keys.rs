//! What each key does: the one table of them, by which keys are read and help is shown.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Something that a key asks for. What it means is the pane's to say that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A line up or down.
    Up,
    Down,
    /// A screen up or down.
    PageUp,
    PageDown,
    /// To the first or the last.
    First,
    Last,
    /// To the event before, or the next, whatever pane is looked at.
    Back,
    Forward,
    /// To the next failure, or the one before.
    NextFailure,
    FailureBefore,
    /// To show what is under the cursor whole; behind a number, to go to that version.
    Open,
    /// To look at the next pane.
    Switch,
    /// To close what was opened, last of all the program.
    Close,
    /// To end the program, whatever is open.
    Leave,
    /// To show what the keys do.
    Help,
    /// To draw the screen anew.
    Redraw,
    /// A digit of a version to go to.
    Digit(char),
    /// To take back the last digit.
    Erase,
}

/// Keys that do the same.
pub(super) struct Binding {
    codes: &'static [KeyCode],
    action: Action,
    /// The keys as people call them.
    pub(super) keys: &'static str,
    /// What they do.
    pub(super) does: &'static str,
}

const fn binding(
    codes: &'static [KeyCode],
    action: Action,
    keys: &'static str,
    does: &'static str,
) -> Binding {
    Binding { codes, action, keys, does }
}

/// All keys, in the order in which help tells of them. Digits stand for themselves.
pub(super) const KEYS: [Binding; 17] = [
    binding(&[KeyCode::Up, KeyCode::Char('k')], Action::Up, "up, k", "one up"),
    binding(&[KeyCode::Down, KeyCode::Char('j')], Action::Down, "down, j", "one down"),
    binding(&[KeyCode::PageUp, KeyCode::Char('b')], Action::PageUp, "page up, b", "a screen up"),
    binding(&[KeyCode::PageDown, KeyCode::Char(' ')], Action::PageDown, "page down, space", "a screen down"),
    binding(&[KeyCode::Home, KeyCode::Char('g')], Action::First, "home, g", "to the first"),
    binding(&[KeyCode::End, KeyCode::Char('G')], Action::Last, "end, G", "to the last"),
    binding(&[KeyCode::Char('n')], Action::NextFailure, "n", "to the next failure"),
    binding(&[KeyCode::Char('N')], Action::FailureBefore, "N", "to the failure before"),
    binding(&[KeyCode::Left, KeyCode::Char('h')], Action::Back, "left, h", "to the event before"),
    binding(&[KeyCode::Right, KeyCode::Char('l')], Action::Forward, "right, l", "to the next event"),
    binding(&[KeyCode::Enter], Action::Open, "enter", "show it whole"),
    binding(&[], Action::Open, "number, enter", "to that version"),
    binding(&[KeyCode::Tab, KeyCode::BackTab], Action::Switch, "tab", "to the steps and back"),
    binding(&[KeyCode::Char('?')], Action::Help, "?", "these keys"),
    binding(&[KeyCode::Backspace], Action::Erase, "backspace", "take a digit back"),
    binding(&[KeyCode::Esc, KeyCode::Char('q')], Action::Close, "esc, q", "close, or leave"),
    binding(&[], Action::Leave, "ctrl-c", "leave at once"),
];

/// What a key asks for; none if nothing.
pub(super) fn action(key: KeyEvent) -> Option<Action> {
    if key.modifiers.intersects(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c' | 'd') => Some(Action::Leave),
            KeyCode::Char('l') => Some(Action::Redraw),
            _ => None,
        };
    }
    match key.code {
        KeyCode::Char(digit) if digit.is_ascii_digit() => Some(Action::Digit(digit)),
        code => KEYS.iter().find(|binding| binding.codes.contains(&code)).map(|binding| binding.action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things_and_help_tells_of_all() {
        let mut codes: Vec<_> = KEYS.iter().flat_map(|binding| binding.codes).collect();
        let all = codes.len();
        codes.sort_by_key(|code| format!("{code:?}"));
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert!(KEYS.iter().all(|binding| !binding.keys.is_empty() && !binding.does.is_empty()));
        let plain = |code| action(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(plain(KeyCode::Char('N')), Some(Action::FailureBefore));
        assert_eq!(plain(KeyCode::Char('7')), Some(Action::Digit('7')));
        assert_eq!(plain(KeyCode::Char('x')), None);
        let control = |letter| action(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
        assert_eq!((control('c'), control('n')), (Some(Action::Leave), None));
    }
}
