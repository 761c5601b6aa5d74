//! One rendering: variables, counters and the budget.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use hubferry_event::Json;
use serde_json::Value;

use super::block::{Block, Branch, Counting, Cycle};
use super::expression::{Argument, FilterCall, Filtered, Item, Operand, Operator};
use super::filters::FilterKind;
use super::value::{Val, member, number_text, whole};
use super::{LiquidError, MAX_LIQUID_BYTES, MAX_LIQUID_STEPS};
use crate::budget::{text_bytes, weight};
use crate::text::json_float;

/// What a rendering knows and what it has left.
pub(super) struct Run<'a> {
    event: Option<Json<'a>>,
    assigned: HashMap<&'a str, Val<'a>>,
    counters: HashMap<&'a str, f64>,
    cycles: HashMap<String, usize>,
    steps: usize,
    bytes: usize,
    is_stopped: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(event: Option<Json<'a>>) -> Self {
        Self {
            event,
            assigned: HashMap::new(),
            counters: HashMap::new(),
            cycles: HashMap::new(),
            steps: 0,
            bytes: 0,
            is_stopped: false,
        }
    }

    pub(super) const fn event(&self) -> Option<Json<'a>> {
        self.event
    }

    /// The steps that were taken.
    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    /// Counts steps before they are taken.
    pub(super) fn step(&mut self, steps: usize) -> Result<(), LiquidError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_LIQUID_STEPS {
            return Err(LiquidError::Steps);
        }
        Ok(())
    }

    /// Counts bytes before they are made.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), LiquidError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_LIQUID_BYTES {
            return Err(LiquidError::Bytes);
        }
        Ok(())
    }

    pub(super) fn render(
        &mut self,
        blocks: &'a [Block],
        out: &mut String,
    ) -> Result<(), LiquidError> {
        for block in blocks {
            self.block(block, out)?;
            if self.is_stopped {
                break;
            }
        }
        Ok(())
    }

    fn block(&mut self, block: &'a Block, out: &mut String) -> Result<(), LiquidError> {
        self.step(1)?;
        match block {
            Block::Text(text) => self.write(text, out),
            Block::Output(filtered) => {
                let value = self.value(filtered)?;
                self.write_value(&value, out)
            }
            Block::Assign(name, filtered) => {
                let value = self.value(filtered)?;
                self.assigned.insert(name, value);
                Ok(())
            }
            Block::Capture(name, inner) => {
                let mut captured = String::new();
                self.render(inner, &mut captured)?;
                self.assigned.insert(name, Val::from_text(captured));
                Ok(())
            }
            Block::If(branches, otherwise) => {
                let chosen = self.chosen(branches)?.unwrap_or(otherwise);
                self.render(chosen, out)
            }
            Block::Cycle(cycle) => self.cycle(cycle, out),
            Block::Count(name, counting) => self.count(name, *counting, out),
            Block::Group(inner) => self.render(inner, out),
            Block::Stop => {
                self.is_stopped = true;
                Ok(())
            }
            Block::Nothing => Ok(()),
        }
    }

    fn write(&mut self, text: &str, out: &mut String) -> Result<(), LiquidError> {
        self.make(text.len())?;
        out.push_str(text);
        Ok(())
    }

    fn write_value(&mut self, value: &Val<'_>, out: &mut String) -> Result<(), LiquidError> {
        let bytes = value.as_json().map_or(24, text_bytes);
        self.make(bytes)?;
        out.push_str(&value.text());
        Ok(())
    }

    fn chosen(&mut self, branches: &'a [Branch]) -> Result<Option<&'a Vec<Block>>, LiquidError> {
        for branch in branches {
            if self.value(&branch.condition)?.is_true() == branch.holds_when {
                return Ok(Some(&branch.blocks));
            }
        }
        Ok(None)
    }

    /// What JavaScript takes for false is not put out.
    fn cycle(&mut self, cycle: &'a Cycle, out: &mut String) -> Result<(), LiquidError> {
        let group = match &cycle.group {
            Some(group) => self.operand(group)?.string(),
            None => "undefined".to_owned(),
        };
        let name = format!("{group}:{}", cycle.written);
        let turn = self.cycles.entry(name).or_default();
        let candidate = cycle.candidates.get(*turn);
        *turn = (*turn + 1) % cycle.candidates.len().max(1);
        let Some(candidate) = candidate else {
            return Ok(());
        };
        let value = self.value(candidate)?;
        if value.is_truthy() {
            self.write_value(&value, out)?;
        }
        Ok(())
    }

    /// Counters begin at the event's number of that name, if it has one.
    fn count(
        &mut self,
        name: &'a str,
        counting: Counting,
        out: &mut String,
    ) -> Result<(), LiquidError> {
        let event = self.event;
        let counter = self.counters.entry(name).or_insert_with(|| {
            let number = event.and_then(|event| json_float(event.get(name)?));
            number.unwrap_or(0.0)
        });
        let shown = match counting {
            Counting::Up => {
                *counter += 1.0;
                *counter - 1.0
            }
            Counting::Down => {
                *counter -= 1.0;
                *counter
            }
        };
        self.write(&number_text(shown), out)
    }

    fn value(&mut self, filtered: &'a Filtered) -> Result<Val<'a>, LiquidError> {
        let mut stack: Vec<Val<'a>> = Vec::new();
        for item in &filtered.postfix {
            self.step(1)?;
            match item {
                Item::Operand(operand) => {
                    let value = self.operand(operand)?;
                    stack.push(value);
                }
                Item::Operator(operator) => {
                    let right = stack.pop().unwrap_or(Val::Undefined);
                    let result = match operator {
                        Operator::Not => !right.is_true(),
                        _ => {
                            let left = stack.pop().unwrap_or(Val::Undefined);
                            self.step(left.as_json().map_or(0, list_length))?;
                            operator.holds(&left, &right)
                        }
                    };
                    stack.push(Val::from_bool(result));
                }
            }
        }
        let mut value = stack.into_iter().next().unwrap_or(Val::Undefined);
        for filter in &filtered.filters {
            value = self.filter(filter, value)?;
        }
        Ok(value)
    }

    fn filter(&mut self, filter: &'a FilterCall, value: Val<'a>) -> Result<Val<'a>, LiquidError> {
        self.step(1)?;
        let mut arguments = Vec::with_capacity(filter.arguments.len());
        for argument in &filter.arguments {
            arguments.push(match argument {
                Argument::Value(operand) => self.operand(operand)?,
                Argument::Named(name, operand) => {
                    let value = match operand {
                        Some(operand) => self.operand(operand)?,
                        None => Val::Undefined,
                    };
                    Val::from_list(vec![Value::String(name.clone()), value.to_element()])
                }
            });
        }
        match filter.kind {
            FilterKind::Known(known) => known(self, value, &arguments),
            FilterKind::Unknown => Ok(value),
            FilterKind::Disabled => Err(LiquidError::DisabledFilter {
                name: filter.name.clone(),
            }),
        }
    }

    fn operand(&mut self, operand: &'a Operand) -> Result<Val<'a>, LiquidError> {
        self.step(1)?;
        match operand {
            Operand::Literal(literal) => Ok(borrowed(literal)),
            Operand::Range(from, to) => {
                let from = self.operand(from)?.number();
                let to = self.operand(to)?.number();
                self.range(from, to)
            }
            Operand::Access(root, way) => {
                let mut keys = Vec::with_capacity(way.len());
                for key in way {
                    keys.push(self.operand(key)?);
                }
                let mut keys = keys.iter();
                let mut current = match root {
                    Some(root) => self.operand(root)?,
                    None => self.variable(&keys.next().map_or_else(String::new, Val::string))?,
                };
                for key in keys {
                    current = member(&current, key);
                }
                Ok(current)
            }
        }
    }

    fn range(&mut self, from: f64, to: f64) -> Result<Val<'a>, LiquidError> {
        let length = to - from + 1.0;
        if length.is_nan() || length <= 0.0 {
            return Ok(Val::from_list(Vec::new()));
        }
        let length = whole(length.ceil()).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or(LiquidError::Steps)?;
        self.step(length)?;
        let mut items = Vec::with_capacity(length);
        let mut number = from;
        while number < to + 1.0 {
            items.push(Val::Number(number).to_element());
            number += 1.0;
        }
        Ok(Val::from_list(items))
    }

    /// What was assigned hides counters, which hide the event.
    fn variable(&mut self, name: &str) -> Result<Val<'a>, LiquidError> {
        if let Some(assigned) = self.assigned.get(name) {
            let copied = match assigned {
                Val::Json(Cow::Owned(value)) => weight(value),
                _ => 0,
            };
            self.make(copied)?;
            return Ok(self.assigned.get(name).cloned().unwrap_or(Val::Undefined));
        }
        if let Some(counter) = self.counters.get(name) {
            return Ok(Val::Number(*counter));
        }
        let found = self.event.and_then(|event| event.get(name));
        Ok(Val::from_found(
            found.map(|json| Cow::Borrowed(json.value())),
        ))
    }
}

fn borrowed<'a>(literal: &'a Val<'static>) -> Val<'a> {
    match literal {
        Val::Json(value) => Val::Json(Cow::Borrowed(value)),
        other => other.clone(),
    }
}

fn list_length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

impl Operator {
    fn holds(self, left: &Val<'_>, right: &Val<'_>) -> bool {
        match self {
            Self::Equal => left.equals(right),
            Self::NotEqual => !left.equals(right),
            Self::Greater => left.compare(right) == Some(Ordering::Greater),
            Self::Less => left.compare(right) == Some(Ordering::Less),
            Self::GreaterOrEqual => left.compare(right).is_some_and(Ordering::is_ge),
            Self::LessOrEqual => left.compare(right).is_some_and(Ordering::is_le),
            Self::Contains => left.contains(right),
            Self::And => left.is_true() && right.is_true(),
            Self::Or => left.is_true() || right.is_true(),
            Self::Not => !right.is_true(),
        }
    }
}
