//! What the user sees of the model, and what keys and the mouse do about it. Pure: what is to be done outside is an
//! [`Action`].

use super::keys::Key;
use super::model::Model;
use super::rows::{self, Sort};
use crate::domain::Millis;
use crate::wire::control::{FromTool, How, When};

mod confirm;
pub use confirm::{Ask, Confirm};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the monitor.
    Quit,
    /// Give the terminal back until somebody continues the monitor.
    Suspend,
    /// Write the whole screen.
    Redraw,
    /// Give the master a command; what it is, for people.
    Command(FromTool, String),
    /// Ask for the log of what this slave builds, or for none.
    Watch(Option<u32>),
}

/// Where keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// The list of slaves.
    #[default]
    List,
    /// What is below it.
    Pane,
    /// The controls at the bottom.
    Controls,
}

/// What is shown below the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The selected slave.
    #[default]
    Slave,
    /// The log of what it builds.
    Log,
    /// The builds that were recorded last.
    Builds,
    /// How builds ended.
    Outcomes,
}

impl Pane {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Slave, Self::Log, Self::Builds, Self::Outcomes];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slave => "slave",
            Self::Log => "log",
            Self::Builds => "builds",
            Self::Outcomes => "outcomes",
        }
    }

    /// Whether it is about the selected slave: in a wide window those are left, the others right.
    pub const fn is_of_slave(self) -> bool {
        matches!(self, Self::Slave | Self::Log)
    }
}

/// The controls, in their order (manual 4.3).
pub const CONTROLS: [(char, &str); 9] = [
    ('p', "pause"),
    ('r', "resume"),
    ('k', "kill"),
    ('x', "skip"),
    ('z', "sleep"),
    ('t', "terminate"),
    ('/', "filter"),
    ('?', "help"),
    ('q', "quit"),
];

/// What stands where, for the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A slave's row.
    Row(u32),
    /// A column's heading.
    Heading(Sort),
    /// A pane's title.
    Title(Pane),
    /// What is below the list.
    Pane(Pane),
    /// A control.
    Control(char),
    /// An answer of a question.
    Answer(usize),
}

/// What the last picture had, for keys and the mouse.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Place (column, line, width, height) and what is there; the last that fits counts.
    pub spots: Vec<((u16, u16, u16, u16), Spot)>,
    /// Rows of the list.
    pub list_rows: usize,
    /// Lines of the pane that scrolls, and how many it has in all.
    pub pane_rows: usize,
    /// See there.
    pub pane_lines: usize,
}

impl Seen {
    /// What is at a place.
    pub fn at(&self, x: u16, y: u16) -> Option<Spot> {
        let inside = |(left, top, width, height): (u16, u16, u16, u16)| {
            (left..left.saturating_add(width)).contains(&x) && (top..top.saturating_add(height)).contains(&y)
        };
        self.spots.iter().rev().find(|(place, _)| inside(*place)).map(|(_, spot)| *spot)
    }
}

/// Something that the user should read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// It did not go well.
    pub bad: bool,
    until: Millis,
}

/// How long a notice stays.
const NOTICE: Millis = Millis::secs(8);

/// See the module's head.
#[derive(Clone, Debug, Default)]
pub struct App {
    /// Where keys go.
    pub focus: Focus,
    /// What is shown below.
    pub pane: Pane,
    /// In a wide window: what is shown beside it.
    pub beside: Pane,
    /// The number of the selected slave.
    pub selected: Option<u32>,
    /// Where it stands in the list, for when it goes.
    place: usize,
    /// The first row of the list that is shown.
    pub top: usize,
    /// What rows are ordered by.
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
    /// Words that rows must have.
    pub filter: String,
    /// The filter is being typed.
    pub typing: bool,
    /// The control that Enter presses.
    pub control: usize,
    /// A question that waits for its answer.
    pub confirm: Option<Confirm>,
    /// Help is shown.
    pub help: bool,
    /// Lines that the pane is scrolled by; of a log, from its end.
    pub scroll: usize,
    /// What happened last.
    pub notice: Option<Notice>,
    /// The slave whose log was asked for.
    watched: Option<u32>,
}

impl App {
    /// Whoever is to begin with.
    pub fn new() -> Self {
        Self { beside: Pane::Builds, ..Self::default() }
    }

    /// The numbers of the slaves in the list.
    pub fn rows(&self, model: &Model) -> Vec<u32> {
        rows::rows(model, &self.filter, self.sort, self.reversed)
    }

    /// The model or the window changed: keeps the selection on its slave, or near where that was, and in sight. What the
    /// master is to be asked for then.
    pub fn settle(&mut self, now: Millis, model: &Model, seen: &Seen) -> Option<Action> {
        let rows = self.rows(model);
        match self.selected.and_then(|id| rows.iter().position(|row| *row == id)) {
            Some(place) => self.place = place,
            None => {
                self.place = self.place.min(rows.len().saturating_sub(1));
                self.selected = rows.get(self.place).copied();
            }
        }
        let height = seen.list_rows.max(1);
        self.top = self.top.clamp((self.place + 1).saturating_sub(height), self.place);
        self.top = self.top.min(rows.len().saturating_sub(height));
        self.scroll = self.scroll.min(seen.pane_lines.saturating_sub(seen.pane_rows));
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
        }
        let gone = |confirm: &Confirm| confirm.slave().is_some_and(|id| !model.slaves.contains_key(&id));
        if self.confirm.as_ref().is_some_and(gone) {
            self.confirm = None;
            self.say(now, "that slave is gone".to_owned(), false);
        }
        (self.watched != self.selected).then(|| {
            self.watched = self.selected;
            self.scroll = 0;
            Action::Watch(self.selected)
        })
    }

    /// A new connection knows nothing of what the last was asked for.
    pub fn connected(&mut self) {
        self.watched = None;
    }

    /// Tells the user something.
    pub fn say(&mut self, now: Millis, text: String, bad: bool) {
        self.notice = Some(Notice { text, bad, until: now + NOTICE });
    }

    /// A key, or the mouse.
    pub fn key(&mut self, now: Millis, model: &Model, seen: &Seen, key: Key) -> Option<Action> {
        match key {
            Key::Ctrl('c') => return Some(Action::Quit),
            Key::Ctrl('z') => return Some(Action::Suspend),
            Key::Ctrl('l') => return Some(Action::Redraw),
            _ => {}
        }
        if self.confirm.is_some() {
            return self.answer(seen, key);
        }
        if self.help {
            self.help = false;
            return None;
        }
        if self.typing {
            self.type_filter(key);
            return None;
        }
        match key {
            Key::Char(c) => return self.press(now, model, c),
            Key::Esc if !self.filter.is_empty() => self.filter.clear(),
            Key::Esc => self.focus = Focus::List,
            Key::Tab => {
                self.focus = match self.focus {
                    Focus::List => Focus::Pane,
                    Focus::Pane => Focus::Controls,
                    Focus::Controls => Focus::List,
                }
            }
            Key::BackTab => {
                self.focus = match self.focus {
                    Focus::List => Focus::Controls,
                    Focus::Pane => Focus::List,
                    Focus::Controls => Focus::Pane,
                }
            }
            Key::Click(x, y) => return self.click(now, model, seen.at(x, y)?),
            Key::WheelUp(x, y) => self.wheel(model, seen, seen.at(x, y), -3),
            Key::WheelDown(x, y) => self.wheel(model, seen, seen.at(x, y), 3),
            key => return self.steer(now, model, seen, key),
        }
        None
    }

    /// Keys that move.
    fn steer(&mut self, now: Millis, model: &Model, seen: &Seen, key: Key) -> Option<Action> {
        let page = |rows: usize| isize::try_from(rows.saturating_sub(1).max(1)).unwrap_or(1);
        match (self.focus, key) {
            (Focus::Controls, Key::Left | Key::Up) => {
                self.control = (self.control + CONTROLS.len() - 1) % CONTROLS.len();
            }
            (Focus::Controls, Key::Right | Key::Down) => self.control = (self.control + 1) % CONTROLS.len(),
            (Focus::Controls, Key::Enter) => return self.press(now, model, CONTROLS[self.control].0),
            (Focus::Pane, Key::Up) => self.scroll(seen, -1),
            (Focus::Pane, Key::Down) => self.scroll(seen, 1),
            (Focus::Pane, Key::PageUp) => self.scroll(seen, -page(seen.pane_rows)),
            (Focus::Pane, Key::PageDown) => self.scroll(seen, page(seen.pane_rows)),
            (Focus::Pane, Key::Home) => self.scroll(seen, isize::MIN / 2),
            (Focus::Pane, Key::End) => self.scroll(seen, isize::MAX / 2),
            (Focus::Pane, Key::Left) => self.show(next_pane(self.pane, Pane::ALL.len() - 1)),
            (Focus::Pane, Key::Right) => self.show(next_pane(self.pane, 1)),
            (_, Key::Up) => self.step(model, -1),
            (_, Key::Down) => self.step(model, 1),
            (_, Key::PageUp) => self.step(model, -page(seen.list_rows)),
            (_, Key::PageDown) => self.step(model, page(seen.list_rows)),
            (_, Key::Home) => self.step(model, isize::MIN / 2),
            (_, Key::End) => self.step(model, isize::MAX / 2),
            (Focus::List, Key::Enter) => self.show(Pane::Log),
            _ => {}
        }
        None
    }

    fn step(&mut self, model: &Model, by: isize) {
        let rows = self.rows(model);
        self.place = self.place.saturating_add_signed(by).min(rows.len().saturating_sub(1));
        self.selected = rows.get(self.place).copied();
    }

    fn scroll(&mut self, seen: &Seen, by: isize) {
        // a log is scrolled from its end, which new lines come to
        let by = if self.pane == Pane::Log { -by } else { by };
        let most = seen.pane_lines.saturating_sub(seen.pane_rows);
        self.scroll = self.scroll.saturating_add_signed(by).min(most);
    }

    fn wheel(&mut self, model: &Model, seen: &Seen, spot: Option<Spot>, by: isize) {
        match spot {
            Some(Spot::Row(_) | Spot::Heading(_)) => self.step(model, by),
            Some(Spot::Pane(pane)) if pane == self.pane => self.scroll(seen, by),
            _ => {}
        }
    }

    fn click(&mut self, now: Millis, model: &Model, spot: Spot) -> Option<Action> {
        match spot {
            Spot::Row(id) => {
                self.focus = Focus::List;
                self.selected = Some(id);
            }
            Spot::Heading(sort) if sort == self.sort => self.reversed = !self.reversed,
            Spot::Heading(sort) => (self.sort, self.reversed) = (sort, false),
            Spot::Title(pane) | Spot::Pane(pane) => {
                self.focus = Focus::Pane;
                self.show(pane);
            }
            Spot::Control(c) => return self.press(now, model, c),
            Spot::Answer(_) => {}
        }
        None
    }

    /// Shows a pane; in a wide window the other half goes on showing what it showed.
    pub fn show(&mut self, pane: Pane) {
        if pane.is_of_slave() != self.pane.is_of_slave() {
            self.beside = self.pane;
        }
        if pane != self.pane {
            (self.pane, self.scroll) = (pane, 0);
        }
    }

    fn press(&mut self, now: Millis, model: &Model, c: char) -> Option<Action> {
        let slave = self.selected.and_then(|id| model.slaves.get(&id));
        let command = |command, what: &str| Some(Action::Command(command, what.to_owned()));
        match c {
            'q' => return Some(Action::Quit),
            'p' => return command(FromTool::Pause {}, "pause"),
            'r' => return command(FromTool::Resume {}, "resume"),
            't' => self.confirm = Some(Confirm::new(Ask::Terminate)),
            '?' | 'h' => self.help = true,
            '/' => (self.typing, self.focus) = (true, Focus::List),
            's' => (self.sort, self.reversed) = (self.sort.next(), false),
            'S' => self.reversed = !self.reversed,
            '1'..='4' => self.show(Pane::ALL[c as usize - '1' as usize]),
            'j' => self.step(model, 1),
            'k' | 'x' | 'z' => {
                let Some(slave) = slave else {
                    self.say(now, "no slave is selected".to_owned(), true);
                    return None;
                };
                let (id, name) = (slave.now.slave_id, slave.now.label.to_string());
                match (c, &slave.now.job) {
                    ('k', _) => self.confirm = Some(Confirm::new(Ask::Kill { slave: id, name })),
                    ('z', _) if slave.now.resting => {
                        return command(
                            FromTool::Wake { slave: Some(id) },
                            &format!("wake slave {id} ({name})"),
                        );
                    }
                    ('z', _) => {
                        return command(
                            FromTool::Sleep { slave: Some(id) },
                            &format!("rest slave {id} ({name})"),
                        );
                    }
                    (_, Some(job)) => {
                        let what = format!("{} {}", &*job.package, &*job.version);
                        self.confirm = Some(Confirm::new(Ask::Skip { slave: id, name, what }));
                    }
                    (_, None) => self.say(now, format!("slave {id} ({name}) builds nothing"), true),
                }
            }
            _ => {}
        }
        None
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(c) if self.filter.len() < 60 => self.filter.push(c),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            Key::Enter | Key::Tab | Key::Up | Key::Down => self.typing = false,
            _ => {}
        }
    }

    fn answer(&mut self, seen: &Seen, key: Key) -> Option<Action> {
        let confirm = self.confirm.as_mut()?;
        let last = confirm.answers().len() - 1;
        match key {
            Key::Left | Key::Up | Key::BackTab => {
                confirm.choice = confirm.choice.checked_sub(1).unwrap_or(last)
            }
            Key::Right | Key::Down | Key::Tab => confirm.choice = (confirm.choice + 1) % (last + 1),
            Key::Esc | Key::Char('q') => confirm.choice = last,
            Key::Char(c) => confirm.choice = confirm.answers().iter().position(|(key, _)| *key == c)?,
            Key::Click(x, y) => match seen.at(x, y) {
                Some(Spot::Answer(answer)) => confirm.choice = answer,
                _ => return None,
            },
            Key::Enter => {}
            _ => return None,
        }
        if matches!(key, Key::Left | Key::Up | Key::BackTab | Key::Right | Key::Down | Key::Tab) {
            return None;
        }
        self.confirm.take().and_then(Confirm::carry_out)
    }
}

fn next_pane(pane: Pane, by: usize) -> Pane {
    let at = Pane::ALL.iter().position(|one| *one == pane).unwrap_or(0);
    Pane::ALL[(at + by) % Pane::ALL.len()]
}

/// When a slave that is told to go does.
const WHENS: [When; 2] = [When::NextIdle, When::Now];
/// How a master that is told to end does.
const HOWS: [How; 2] = [How::Drain, How::Now];

#[cfg(test)]
mod tests;
