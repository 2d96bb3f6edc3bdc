//! Environment markers (dependency specifiers, PEP 508): whether a requirement is for a system at all.
//!
//! A farm does not know its users' machines in full: not the last number of Python's version, nor the kernel's release.
//! So an answer is yes, no, or none: [`Marker::holds`] is `None` where what is not known decides. A marker has no "not"
//! around it, and what is unknown may hold.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::FromStr;
use std::vec::IntoIter;

use pep440_rs::VersionSpecifier;

use super::environment::{Environment, Variable};
use super::requirement::Extra;
use super::version::Version;

/// Parentheses in each other go no deeper.
const MAX_DEPTH: usize = 20;
/// Comparisons in one marker; real ones have a handful.
pub const MAX_COMPARISONS: usize = 64;
/// A number that no Python's last one reaches.
const FAR_MICRO: u64 = 9999;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Text(String),
    Variable(Variable),
}

impl Operand {
    /// Everything that it may be; `None` where that is not known.
    fn values<'a>(
        &'a self,
        environment: &'a Environment,
        extra: Option<&'a str>,
    ) -> Option<Vec<Cow<'a, str>>> {
        match self {
            Self::Text(text) => Some(vec![Cow::Borrowed(text.as_str())]),
            Self::Variable(variable) => environment.values(*variable, extra),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Same,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Compatible,
    In,
    NotIn,
}

impl Operator {
    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "==" => Self::Equal,
            "===" => Self::Same,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterEqual,
            "~=" => Self::Compatible,
            "in" => Self::In,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Same => "===",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Compatible => "~=",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }

    /// As installers compare texts. Of their order older ones ask Python, newer ones say that there is none: it is known
    /// where they agree.
    fn compare_texts(self, left: &str, right: &str) -> Option<bool> {
        Some(match self {
            Self::Equal | Self::Same => left == right,
            Self::NotEqual => left != right,
            Self::Less if left >= right => false,
            Self::Greater if left <= right => false,
            Self::LessEqual if left >= right => left == right,
            Self::GreaterEqual if left <= right => left == right,
            Self::In => right.contains(left),
            Self::NotIn => !right.contains(left),
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual | Self::Compatible => {
                return None;
            }
        })
    }

    /// The operator that says the same with its sides exchanged.
    fn mirrored(self) -> Option<Self> {
        Some(match self {
            Self::Equal | Self::Same | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            Self::Compatible | Self::In | Self::NotIn => return None,
        })
    }
}

/// A marker that was read, or one that cannot be, of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(Option<Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Texts(Operand, Operator, Operand),
    /// Python's version; `micros` are last numbers of it, one at least for each way that this can come out.
    Python {
        wanted: VersionSpecifier,
        micros: Vec<u64>,
    },
}

impl Marker {
    /// Reads a marker. The caller bounds its length.
    pub fn parse(text: &str) -> Self {
        let parsed = || {
            let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), comparisons: 0 };
            let node = parser.any(0)?;
            parser.tokens.next().is_none().then_some(node)
        };
        Self(parsed())
    }

    /// Whether it holds in an environment, for somebody who asks for these extras of what has the marker; `None` for
    /// extras that are not known, and as the answer where something unknown decides.
    pub fn holds(&self, environment: &Environment, extras: Option<&[Extra]>) -> Option<bool> {
        let node = self.0.as_ref()?;
        match extras {
            None => node.holds(environment, None),
            Some([]) => node.holds(environment, Some("")),
            // as installers do: once for each, and one that holds is enough
            Some(extras) => any(extras.iter().map(|extra| node.holds(environment, Some(extra.as_str())))),
        }
    }

    /// How many comparisons it has.
    pub fn comparisons(&self) -> usize {
        self.0.as_ref().map_or(0, Node::comparisons)
    }
}

impl Node {
    /// One comparison, prepared: a marker is asked for one environment after the other.
    fn compare(left: Operand, operator: Operator, right: Operand) -> Self {
        let (left, operator, right) = match (&left, operator.mirrored(), &right) {
            (Operand::Text(text), Some(mirrored), Operand::Variable(_)) if Version::parse(text).is_ok() => {
                (right, mirrored, left)
            }
            _ => (left, operator, right),
        };
        if let (Operand::Variable(variable), Operand::Text(text)) = (&left, &right)
            && variable.is_version()
            && !matches!(operator, Operator::In | Operator::NotIn | Operator::Same)
            && let Ok(wanted) = VersionSpecifier::from_str(&format!("{}{}", operator.text(), text.trim()))
        {
            let at = wanted.version().release().get(2).copied();
            let around = at.into_iter().flat_map(|at| [at.saturating_sub(1), at, at.saturating_add(1)]);
            let micros = match variable {
                Variable::PythonFullVersion => [0, FAR_MICRO].into_iter().chain(around).collect(),
                // 3.11 is 3.11.0, as PEP 440 compares
                _ => vec![0],
            };
            return Self::Python { wanted, micros };
        }
        let of_extras = [&left, &right].contains(&&Operand::Variable(Variable::Extra));
        // PEP 685: spelt in any way
        let normal = |operand| match operand {
            Operand::Text(text) if of_extras => {
                Operand::Text(Extra::parse(&text).map_or(text, |extra| extra.as_str().to_owned()))
            }
            operand => operand,
        };
        Self::Texts(normal(left), operator, normal(right))
    }

    fn holds(&self, environment: &Environment, extra: Option<&str>) -> Option<bool> {
        match self {
            Self::Any(nodes) => any(nodes.iter().map(|node| node.holds(environment, extra))),
            Self::All(nodes) => {
                any(nodes.iter().map(|node| node.holds(environment, extra).map(|holds| !holds)))
                    .map(|fails| !fails)
            }
            Self::Texts(left, operator, right) => {
                let (lefts, rights) = (left.values(environment, extra)?, right.values(environment, extra)?);
                let pairs = lefts.iter().flat_map(|left| rights.iter().map(move |right| (left, right)));
                agreed(pairs.map(|(left, right)| operator.compare_texts(left, right)))
            }
            Self::Python { wanted, micros } => {
                let (major, minor) = environment.python.map(|(major, minor)| (major.into(), minor.into()))?;
                let one = |micro| {
                    // as many numbers as a wildcard may have: the library compares no more than there are
                    Some(wanted.contains(&pep440_rs::Version::new([major, minor, micro, 0, 0])))
                };
                agreed(micros.iter().map(|micro| one(*micro)))
            }
        }
    }

    fn comparisons(&self) -> usize {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().map(Self::comparisons).sum(),
            Self::Texts(..) | Self::Python { .. } => 1,
        }
    }
}

/// What all answers are, if they are the same.
fn agreed(mut answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let first = answers.next()??;
    answers.all(|answer| answer == Some(first)).then_some(first)
}

/// Whether one of them is true, where some may not be known.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut found = Some(false);
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => found = None,
        }
    }
    found
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// In quotes.
    Text(String),
    /// A name, an operator or `and`, `or`, `in`, `not`.
    Word(String),
}

fn tokens(marker: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let operator = |c: char| matches!(c, '=' | '!' | '<' | '>' | '~');
        let length = match first {
            '(' | ')' => 1,
            '"' | '\'' => rest[1..].find(first)? + 2,
            c if name(c) => rest.find(|c| !name(c)).unwrap_or(rest.len()),
            c if operator(c) => rest.find(|c| !operator(c)).unwrap_or(rest.len()),
            _ => return None,
        };
        tokens.push(match first {
            '(' => Token::Open,
            ')' => Token::Close,
            '"' | '\'' => Token::Text(rest[1..length - 1].to_owned()),
            _ => Token::Word(rest[..length].to_owned()),
        });
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    comparisons: usize,
}

impl Parser {
    fn word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
    }

    /// `x or y or …`; `None` for what is no marker.
    fn any(&mut self, depth: usize) -> Option<Node> {
        let mut nodes = vec![self.all(depth)?];
        while self.word("or") {
            nodes.push(self.all(depth)?);
        }
        Some(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    /// `x and y and …`, which binds closer.
    fn all(&mut self, depth: usize) -> Option<Node> {
        let mut nodes = vec![self.one(depth)?];
        while self.word("and") {
            nodes.push(self.one(depth)?);
        }
        Some(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn one(&mut self, depth: usize) -> Option<Node> {
        if self.tokens.next_if_eq(&Token::Open).is_some() {
            if depth >= MAX_DEPTH {
                return None;
            }
            let node = self.any(depth + 1)?;
            return (self.tokens.next()? == Token::Close).then_some(node);
        }
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return None;
        }
        let left = self.operand()?;
        let operator = if self.word("not") {
            self.word("in").then_some(Operator::NotIn)?
        } else {
            let Token::Word(text) = self.tokens.next()? else { return None };
            Operator::named(&text)?
        };
        let right = self.operand()?;
        Some(Node::compare(left, operator, right))
    }

    fn operand(&mut self) -> Option<Operand> {
        match self.tokens.next()? {
            Token::Text(text) => Some(Operand::Text(text)),
            Token::Word(name) => Some(Operand::Variable(Variable::named(&name))),
            Token::Open | Token::Close => None,
        }
    }
}

#[cfg(test)]
mod tests;
