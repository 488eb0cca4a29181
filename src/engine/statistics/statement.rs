//! A statement as text: one query, and values in the place of its parameters.
//!
//! Uses the parser that DataFusion uses. A value is put into the syntax tree as a literal, so that what is planned, inspected
//! and recorded is one and the same statement, and no value is ever read as SQL.

use std::ops::ControlFlow;

use datafusion::sql::{
    parser::{DFParserBuilder, Statement as Parsed},
    sqlparser::ast::{
        DataType, Expr, Statement as Sql, TypedString, UnaryOperator, Value as Literal, visit_expressions_mut,
    },
};

use super::{StatementError, unreadable};
use crate::catalog::Value;

/// Longest statement that is read. One that counts is some lines; the record of it must fit into the log.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// How deep a statement may be nested.
const DEPTH_MAX: usize = 40;

/// One query, to be carried out or only explained.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    sql: Sql,
    pub(super) explain: bool,
}

/// How many parameters a statement takes.
pub fn placeholders(text: &str) -> Result<usize, StatementError> {
    let mut most = 0;
    Statement::read(text)?.each_placeholder(|number| {
        most = most.max(number);
        None
    })?;
    Ok(most)
}

impl Statement {
    pub(super) fn read(text: &str) -> Result<Self, StatementError> {
        if text.len() > TEXT_BYTES_MAX {
            let reason = format!("it has more than {TEXT_BYTES_MAX} bytes");
            return Err(StatementError::Unreadable { reason });
        }
        let parsed = DFParserBuilder::new(text)
            .with_recursion_limit(DEPTH_MAX)
            .build()
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|error| unreadable(&error))?;
        let mut statements: Vec<_> = parsed.into();
        match (statements.pop(), statements.is_empty()) {
            (Some(Parsed::Statement(sql)), true) if matches!(*sql, Sql::Query(_)) => {
                Ok(Self { sql: *sql, explain: false })
            }
            (Some(Parsed::Explain(explain)), true) => match *explain.statement {
                Parsed::Statement(sql) if matches!(*sql, Sql::Query(_)) => Ok(Self { sql: *sql, explain: true }),
                _ => Err(no_query()),
            },
            (None, _) => Err(StatementError::Unreadable { reason: "there is none".to_owned() }),
            (Some(_), false) => Err(StatementError::Unreadable { reason: "there are several".to_owned() }),
            (Some(_), true) => Err(no_query()),
        }
    }

    /// The statement with values in the places of its placeholders.
    pub(super) fn bind(mut self, parameters: &[Option<Value>]) -> Result<Self, StatementError> {
        let mut most = 0;
        self.each_placeholder(|number| {
            most = most.max(number);
            parameters.get(number - 1).map(|value| literal(value.as_ref()))
        })?;
        if most == parameters.len() {
            return Ok(self);
        }
        Err(StatementError::Parameters { expected: most, given: parameters.len() })
    }

    pub(super) fn text(&self) -> String {
        let explain = if self.explain { "EXPLAIN " } else { "" };
        format!("{explain}{}", self.sql)
    }

    pub(super) fn into_datafusion(self) -> Parsed {
        Parsed::Statement(Box::new(self.sql))
    }

    /// Show each placeholder by its number, from 1, and put something else in its place. `?` are numbered as they come.
    fn each_placeholder(&mut self, mut replace: impl FnMut(usize) -> Option<Expr>) -> Result<(), StatementError> {
        let mut unnumbered = 0;
        let visited = visit_expressions_mut(&mut self.sql, |expr| {
            let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
            let Literal::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
            let number = match name.as_str() {
                "?" => {
                    unnumbered += 1;
                    unnumbered
                }
                name => match name.strip_prefix('$').and_then(|digits| digits.parse().ok()) {
                    Some(number @ 1..=PARAMETERS_MAX) => number,
                    _ => return ControlFlow::Break(name.to_owned()),
                },
            };
            if let Some(replacement) = replace(number) {
                *expr = replacement;
            }
            ControlFlow::Continue(())
        });
        match visited {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(name) => Err(StatementError::Unreadable {
                reason: format!("`{name}` is no placeholder; write `?`, or `$1` to `${PARAMETERS_MAX}`"),
            }),
        }
    }
}

const PARAMETERS_MAX: usize = 64;

fn no_query() -> StatementError {
    StatementError::Refused {
        what: "the statement is no query".to_owned(),
        rule: "Only `select`, and `explain` of one, is answered here.",
    }
}

fn literal(value: Option<&Value>) -> Expr {
    let plain = |literal: Literal| Expr::Value(literal.with_empty_span());
    match value {
        None => plain(Literal::Null),
        Some(Value::Text(text)) => plain(Literal::SingleQuotedString(text.clone())),
        Some(Value::Boolean(truth)) => plain(Literal::Boolean(*truth)),
        Some(Value::Integer(number)) => {
            let size = plain(Literal::Number(number.unsigned_abs().to_string(), false));
            if *number < 0 { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(size) } } else { size }
        }
        Some(Value::Date(day)) => Expr::TypedString(TypedString {
            data_type: DataType::Date,
            value: Literal::SingleQuotedString(day.to_string()).with_empty_span(),
            uses_odbc_syntax: false,
        }),
    }
}
