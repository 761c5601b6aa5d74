//! A trigger's tokens as a condition.

use serde_json::Value;

use super::condition::{Call, Condition, MAX_PATTERN_BYTES, Operand};
use super::function::Function;
use super::scan::{Kind, Sign, Token, scan};
use crate::trigger::{MAX_TRIGGER_DEPTH, TriggerFault};

pub(in crate::trigger) fn parse(text: &str) -> Result<Condition, TriggerFault> {
    let mut parser = Parser {
        tokens: scan(text)?,
        next: 0,
        end: text.chars().count() + 1,
        depth: 0,
    };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok(condition),
        Some(_) => Err(parser.fault("expected `and`, `or` or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
    depth: usize,
}

/// What a single word without quotes is.
#[derive(Clone, Copy)]
enum Word {
    Field,
    Text,
}

impl Parser {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn take(&mut self) -> Option<Kind> {
        let kind = self.peek().cloned()?;
        self.next += 1;
        Some(kind)
    }

    fn take_if(&mut self, kind: &Kind) -> bool {
        let is_it = self.peek() == Some(kind);
        self.next += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, kind: &Kind, message: &str) -> Result<(), TriggerFault> {
        if self.take_if(kind) {
            Ok(())
        } else {
            Err(self.fault(message))
        }
    }

    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.end, |token| token.at)
    }

    fn fault(&self, message: impl Into<String>) -> TriggerFault {
        TriggerFault::invalid(self.at(), message)
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, TriggerFault>,
    ) -> Result<T, TriggerFault> {
        if self.depth == MAX_TRIGGER_DEPTH {
            return Err(self.fault(format!("nested deeper than {MAX_TRIGGER_DEPTH} levels")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn any(&mut self) -> Result<Condition, TriggerFault> {
        let mut items = vec![self.all()?];
        while self.take_if(&Kind::Or) {
            items.push(self.all()?);
        }
        Ok(only_or(items, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, TriggerFault> {
        let mut items = vec![self.one()?];
        while self.take_if(&Kind::And) {
            items.push(self.one()?);
        }
        Ok(only_or(items, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, TriggerFault> {
        if self.take_if(&Kind::Not) {
            let negated = self.deeper(Self::one)?;
            return Ok(Condition::Not(Box::new(negated)));
        }
        if self.take_if(&Kind::Open) {
            let inner = self.deeper(Self::any)?;
            self.expect(&Kind::Close, "expected `and`, `or` or `)`")?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, TriggerFault> {
        let at = self.at();
        if self.peek().is_none() {
            return Err(self.fault("a test is missing, as in `type = \"track\"`"));
        }
        let left = self.operand(Word::Field)?;
        match self.peek() {
            Some(Kind::Sign(sign)) => {
                let sign = *sign;
                self.next += 1;
                let right = self.operand(Word::Text)?;
                Ok(Condition::Compare(left, sign, right))
            }
            Some(Kind::In) => {
                self.next += 1;
                let list = self.operand(Word::Field)?;
                Ok(Condition::In(left, list))
            }
            _ if left.can_be_true() => Ok(Condition::Truth(left)),
            _ => {
                let here = self.at();
                let place = if here > self.end { at } else { here };
                Err(TriggerFault::invalid(
                    place,
                    "expected `=`, `!=`, `<`, `<=`, `>`, `>=` or `in`",
                ))
            }
        }
    }

    fn operand(&mut self, word: Word) -> Result<Operand, TriggerFault> {
        let at = self.at();
        let Some(kind) = self.take() else {
            return Err(self.fault("a value is missing"));
        };
        Ok(match kind {
            Kind::Text(text) => Operand::Literal(Value::String(text)),
            Kind::Number(number) => Operand::number(number),
            Kind::Bool(truth) => Operand::Literal(Value::Bool(truth)),
            Kind::Null => Operand::Literal(Value::Null),
            Kind::OpenList => self.deeper(Self::list)?,
            Kind::Path(keys) if self.peek() == Some(&Kind::Open) => {
                self.deeper(|parser| parser.call(&keys, at))?
            }
            Kind::Path(mut keys) => match (word, keys.len()) {
                (Word::Text, 1) => Operand::Literal(Value::String(keys.swap_remove(0))),
                _ => Operand::Field(keys),
            },
            _ => {
                return Err(TriggerFault::invalid(
                    at,
                    "expected a field, a text in quotes, a number, true, false, null or a list",
                ));
            }
        })
    }

    fn list(&mut self) -> Result<Operand, TriggerFault> {
        let mut items = Vec::new();
        if self.take_if(&Kind::CloseList) {
            return Ok(Operand::List(items));
        }
        loop {
            items.push(self.operand(Word::Text)?);
            if self.take_if(&Kind::CloseList) {
                return Ok(Operand::List(items));
            }
            self.expect(&Kind::Comma, "expected `,` or `]`")?;
        }
    }

    fn call(&mut self, keys: &[String], at: usize) -> Result<Operand, TriggerFault> {
        let name = keys.join(".");
        let Some(function) = Function::named(&name) else {
            let message = format!(
                "`{name}` is no function: there are {}",
                Function::NAMES.join(", ")
            );
            return Err(TriggerFault::invalid(at, message));
        };
        self.expect(&Kind::Open, "expected `(`")?;
        let mut arguments = vec![self.operand(Word::Field)?];
        while self.take_if(&Kind::Comma) {
            arguments.push(self.operand(Word::Text)?);
        }
        self.expect(&Kind::Close, "expected `,` or `)`")?;
        if arguments.len() != function.arity() {
            let message = format!("`{name}` takes {} argument(s)", function.arity());
            return Err(TriggerFault::invalid(at, message));
        }
        if let (Function::Match, Some(Operand::Literal(Value::String(pattern)))) =
            (function, arguments.get(1))
            && pattern.len() > MAX_PATTERN_BYTES
        {
            let message = format!("a pattern has at most {MAX_PATTERN_BYTES} bytes");
            return Err(TriggerFault::invalid(at, message));
        }
        Ok(Operand::Call(Box::new(Call::new(function, arguments))))
    }
}

fn only_or(mut items: Vec<Condition>, group: fn(Vec<Condition>) -> Condition) -> Condition {
    match items.len() {
        1 => items.swap_remove(0),
        _ => group(items),
    }
}

impl Sign {
    pub(super) const fn written(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}
