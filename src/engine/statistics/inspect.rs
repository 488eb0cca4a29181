//! Does a plan make statistics only?
//!
//! A plan has two storeys. Below the lowest aggregate are records: they may be chosen and grouped, by expressions that cannot
//! fail on a value and so cannot tell of one. Above it are cells, which are disclosed anyway: they may be put in order,
//! filtered, calculated with. What is not listed here is refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field};
use datafusion::{
    common::{
        Column, DFSchema, ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    error::DataFusionError,
    logical_expr::{
        Aggregate, Distinct, Expr, ExprSchemable, LogicalPlan, Operator, TableScan,
        expr::{AggregateFunction, AggregateFunctionParams, ScalarFunction},
    },
};

use super::{
    super::Live,
    StatementError,
    nodes::{NODE_COLUMN, is_node},
};
use crate::{
    catalog::FieldKind,
    identifiers::{DatasetId, FieldName},
};

/// What a statement does with which fields.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) dataset: DatasetId,
    pub(super) grouped: BTreeSet<FieldName>,
    pub(super) filtered: BTreeSet<FieldName>,
    pub(super) aggregated: BTreeSet<FieldName>,
}

/// Functions of a record's fields: none can fail on a value, and none makes much out of little.
const OF_RECORDS: &[&str] = &["coalesce", "nullif"];
/// Parts of a date that records may be told apart by.
const DATE_PARTS: &[&str] = &["year", "quarter", "month"];
/// Functions of cells.
const OF_CELLS: &[&str] =
    &["abs", "ceil", "coalesce", "date_part", "floor", "left", "lower", "nullif", "round", "substr", "upper"];

const AGGREGATES: &str =
    "Use count, count(distinct ...), or sum and avg of whole numbers; min and max would show a record's value.";
const ONE_DATASET: &str = "Count in one dataset at a time; records of two are never brought together here.";
const COUNT_FIRST: &str = "Count, sum or average over the records, with `group by` where parts are wanted.";
const PLAIN: &str = "Choose and group records by plain comparisons, `in`, `between`, `like`, `case`, the year, quarter or month of a date, left or substr; compare a field with values of its own kind.";

fn refused(what: impl Into<String>, rule: &'static str) -> StatementError {
    StatementError::Refused { what: what.into(), rule }
}

/// Is this an aggregate over records, not over cells?
pub(super) fn makes_cells(plan: &LogicalPlan) -> Option<&Aggregate> {
    let LogicalPlan::Aggregate(aggregate) = plan else { return None };
    let within = aggregate.input.exists(|inner| Ok(matches!(inner, LogicalPlan::Aggregate(_))));
    within.is_ok_and(|within| !within).then_some(aggregate)
}

/// The columns over which an aggregate's functions go, each once.
pub(super) fn columns_aggregated(aggregate: &Aggregate) -> Vec<Expr> {
    let mut columns: Vec<Expr> = Vec::new();
    for expr in &aggregate.aggr_expr {
        if let Expr::AggregateFunction(function) = expr.clone().unalias() {
            let of_column = function.params.args.iter().filter_map(column_of).cloned().map(Expr::Column);
            let new: Vec<_> = of_column.filter(|column| !columns.contains(column)).collect();
            columns.extend(new);
        }
    }
    columns
}

pub(super) fn inspect(
    plan: &LogicalPlan,
    live: &BTreeMap<DatasetId, Arc<Live>>,
    divided: impl Fn(&DatasetId) -> bool,
) -> Result<Found, StatementError> {
    let mut inspection = Inspection {
        live,
        divided: &divided,
        over_nodes: false,
        dataset: None,
        grouped: BTreeSet::new(),
        filtered: BTreeSet::new(),
        aggregated: BTreeSet::new(),
    };
    inspection.of_cells(plan)?;
    let Inspection { dataset, grouped, filtered, aggregated, .. } = inspection;
    let dataset = dataset.ok_or_else(|| refused("the statement counts in no dataset", COUNT_FIRST))?;
    Ok(Found { dataset, grouped, filtered, aggregated })
}

struct Inspection<'a> {
    live: &'a BTreeMap<DatasetId, Arc<Live>>,
    divided: &'a dyn Fn(&DatasetId) -> bool,
    /// Are the records of the dataset divided over nodes?
    over_nodes: bool,
    dataset: Option<DatasetId>,
    grouped: BTreeSet<FieldName>,
    filtered: BTreeSet<FieldName>,
    aggregated: BTreeSet<FieldName>,
}

/// Whose field each column of a plan over records is, in the plan's order.
type Lineage = Vec<FieldName>;

#[derive(Clone, Copy)]
enum Use {
    Grouped,
    Filtered,
}

impl Inspection<'_> {
    /// A part of the plan whose rows must be cells.
    fn of_cells(&mut self, plan: &LogicalPlan) -> Result<(), StatementError> {
        if let Some(aggregate) = makes_cells(plan) {
            return self.aggregate(aggregate);
        }
        match plan {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => {
                for expr in plan.expressions() {
                    of_cells(&expr)?;
                }
                plan.inputs().into_iter().try_for_each(|input| self.of_cells(input))
            }
            LogicalPlan::TableScan(TableScan { table_name, .. }) => {
                let what = format!("the statement would show records of `{}`", table_name.table());
                Err(refused(what, COUNT_FIRST))
            }
            LogicalPlan::Join(_) => Err(refused("the statement joins", ONE_DATASET)),
            other => Err(refused(
                format!("the statement has a part that is not answered here: {}", kind(other)),
                COUNT_FIRST,
            )),
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<(), StatementError> {
        let lineage = self.of_records(&aggregate.input)?;
        let schema = aggregate.input.schema();
        if self.over_nodes && !aggregate.group_expr.iter().any(is_node) {
            let what = format!("records of several nodes would be put into one cell without `{NODE_COLUMN}`");
            let rule = "Group by `node` as well; cells of all nodes can be added up in a query around this one.";
            return Err(refused(what, rule));
        }
        let over_nodes = self.over_nodes;
        for expr in aggregate.group_expr.iter().filter(|expr| !(over_nodes && is_node(expr))) {
            if over_nodes && expr.column_refs().iter().any(|column| column.name == NODE_COLUMN) {
                return Err(refused(format!("`{expr}` makes something of the node"), "Group by `node` as it is."));
            }
            if matches!(expr, Expr::GroupingSet(_)) {
                let rule =
                    "Make one statement for each grouping: totals beside their parts give suppressed cells away.";
                return Err(refused("the statement groups in several ways at once", rule));
            }
            self.expression(expr, schema, &lineage, Use::Grouped)?;
        }
        for expr in &aggregate.aggr_expr {
            self.function(expr, schema, &lineage)?;
        }
        Ok(())
    }

    /// A part of the plan whose rows are records.
    fn of_records(&mut self, plan: &LogicalPlan) -> Result<Lineage, StatementError> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.of_records(&alias.input),
            LogicalPlan::Filter(filter) => {
                let lineage = self.of_records(&filter.input)?;
                self.expression(&filter.predicate, filter.input.schema(), &lineage, Use::Filtered)?;
                Ok(lineage)
            }
            LogicalPlan::Projection(projection) => {
                let lineage = self.of_records(&projection.input)?;
                let over_nodes = self.over_nodes;
                let column = |(expr, named): (&Expr, &Arc<Field>)| match expr.clone().unalias() {
                    Expr::Column(column)
                        if over_nodes && (column.name == NODE_COLUMN) != (named.name() == NODE_COLUMN) =>
                    {
                        Err(refused(
                            format!("`{expr}` is given another name"),
                            "Leave `node` its name, to `node` alone.",
                        ))
                    }
                    Expr::Column(column) => field_of(&column, projection.input.schema(), &lineage),
                    _ => Err(refused(format!("`{expr}` is calculated before it is counted"), PLAIN)),
                };
                projection.expr.iter().zip(projection.schema.fields()).map(column).collect()
            }
            LogicalPlan::Join(_) | LogicalPlan::Union(_) => {
                Err(refused("records of two sources are brought together", ONE_DATASET))
            }
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
                Err(refused("the statement counts in no dataset", COUNT_FIRST))
            }
            LogicalPlan::Limit(_) | LogicalPlan::Sort(_) | LogicalPlan::Distinct(_) => {
                let rule = "Leave order, limit and distinct to what was counted.";
                Err(refused("single records are picked before they are counted", rule))
            }
            other => Err(refused(
                format!("the statement has a part that is not answered here: {}", kind(other)),
                COUNT_FIRST,
            )),
        }
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Lineage, StatementError> {
        let found = self.live.get(scan.table_name.table());
        let dataset = found.ok_or_else(|| refused(format!("`{}` is no dataset", scan.table_name), ONE_DATASET))?;
        let id = &dataset.dataset.id;
        match &self.dataset {
            Some(other) if other != id => {
                return Err(refused(format!("the statement counts in `{other}` and in `{id}`"), ONE_DATASET));
            }
            _ => self.dataset = Some(id.clone()),
        }
        self.over_nodes = (self.divided)(id);
        let columns = scan.projected_schema.fields().iter();
        let field = |name: &String| {
            let unknown = || StatementError::UnknownField { dataset: id.clone(), field: name.clone() };
            name.parse().map_err(|_| unknown())
        };
        columns.map(|column| field(column.name())).collect()
    }

    /// An expression over a record's fields.
    fn expression(
        &mut self,
        expr: &Expr,
        schema: &DFSchema,
        lineage: &Lineage,
        used: Use,
    ) -> Result<(), StatementError> {
        let mut wrong = None;
        let walked = expr.apply(|part| {
            match self.part(part, schema, lineage, used) {
                Ok(()) => return Ok(TreeNodeRecursion::Continue),
                Err(error) => wrong = Some(error),
            }
            Ok(TreeNodeRecursion::Stop)
        });
        wrong.map_or(walked.map(|_| ()).map_err(StatementError::failed), Err)
    }

    fn part(&mut self, part: &Expr, schema: &DFSchema, lineage: &Lineage, used: Use) -> Result<(), StatementError> {
        match part {
            Expr::Column(column) => {
                let field = field_of(column, schema, lineage)?;
                if self.over_nodes && field.as_str() == NODE_COLUMN {
                    return Ok(());
                }
                match used {
                    Use::Grouped => self.grouped.insert(field),
                    Use::Filtered => self.filtered.insert(field),
                };
                Ok(())
            }
            Expr::BinaryExpr(binary) if is_comparison(binary.op) => Ok(()),
            Expr::Cast(cast) if cannot_fail(&cast.expr, cast.field.data_type(), schema) => Ok(()),
            Expr::ScalarFunction(function) if is_harmless(function) => Ok(()),
            Expr::Negative(inner) if matches!(**inner, Expr::Literal(..)) => Ok(()),
            Expr::Alias(_)
            | Expr::Literal(..)
            | Expr::Like(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::InList(_) => Ok(()),
            _ => Err(refused(format!("`{part}` cannot be asked of a record"), PLAIN)),
        }
    }

    /// An aggregate function: of everything, or of one field.
    fn function(&mut self, expr: &Expr, schema: &DFSchema, lineage: &Lineage) -> Result<(), StatementError> {
        let unaliased = expr.clone().unalias();
        let wrong = || refused(format!("`{unaliased}` is no statistic that is answered here"), AGGREGATES);
        let Expr::AggregateFunction(AggregateFunction { func, params }) = &unaliased else { return Err(wrong()) };
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
        if filter.is_some() {
            let rule =
                "Choose records by `where`: a part of a cell can be smaller than the smallest cell that is shown.";
            return Err(refused(format!("`{unaliased}` counts a part of each cell"), rule));
        }
        if !order_by.is_empty() || null_treatment.is_some() {
            return Err(wrong());
        }
        let [argument] = args.as_slice() else { return Err(wrong()) };
        if self.over_nodes && is_node(argument) {
            return Err(wrong());
        }
        match (func.name(), column_of(argument), *distinct) {
            ("count", None, false) if matches!(argument, Expr::Literal(value, _) if !value.is_null()) => Ok(()),
            ("count", Some(column), _) => {
                self.aggregated.insert(field_of(column, schema, lineage)?);
                Ok(())
            }
            ("sum" | "avg", Some(column), false) => {
                let field = field_of(column, schema, lineage)?;
                let kind = self.kind_of(&field);
                if kind != Some(FieldKind::Integer) {
                    return Err(refused(format!("`{field}` is no whole number, so it has no sum"), AGGREGATES));
                }
                self.aggregated.insert(field);
                Ok(())
            }
            _ => Err(wrong()),
        }
    }

    fn kind_of(&self, field: &FieldName) -> Option<FieldKind> {
        let dataset = &self.live.get(self.dataset.as_ref()?)?.dataset;
        dataset.field(field.as_str()).map(|(_, field)| field.kind.clone())
    }
}

/// An expression over cells.
fn of_cells(expr: &Expr) -> Result<(), StatementError> {
    let mut wrong = None;
    let walked = expr.apply(|part| {
        let known = match part {
            Expr::ScalarFunction(function) => OF_CELLS.contains(&function.name()),
            Expr::Alias(_)
            | Expr::Column(_)
            | Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::Not(_)
            | Expr::Negative(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::InList(_) => true,
            Expr::AggregateFunction(function) => ["count", "sum", "avg", "min", "max"].contains(&function.func.name()),
            _ => false,
        };
        if !known {
            let rule = "Calculate with what was counted by plain arithmetic and comparisons, round, abs, ceil, floor or coalesce.";
            wrong = Some(refused(format!("`{part}` is not answered here"), rule));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    wrong.map_or(walked.map(|_| ()).map_err(StatementError::failed), Err)
}

/// The column of an aggregate's argument; the planner makes fractions of whole numbers for an average.
fn column_of(argument: &Expr) -> Option<&Column> {
    match argument {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => cast.expr.try_as_col(),
        _ => None,
    }
}

/// A conversion that succeeds for every value, or of a constant for which it does.
fn cannot_fail(inner: &Expr, to: &DataType, schema: &DFSchema) -> bool {
    if let Expr::Literal(value, _) = inner {
        return value.cast_to(to).is_ok();
    }
    let text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    inner.get_type(schema).is_ok_and(|from| match from {
        DataType::Int64 => matches!(to, DataType::Float64) || text(to),
        DataType::Boolean | DataType::Date32 => text(to),
        from => from == *to || (text(&from) && text(to)),
    })
}

/// A function that cannot fail on a value. Its constants are looked at, because a part that is evaluated for some records
/// only, and fails there, would tell of them.
fn is_harmless(function: &ScalarFunction) -> bool {
    let whole = |arg: &Expr| match arg {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => (0..=1_000).contains(number),
        _ => false,
    };
    let part = |arg: &Expr| arg.as_literal().and_then(|part| part.try_as_str().flatten()).map(str::to_ascii_lowercase);
    match (function.name(), function.args.as_slice()) {
        ("date_part", [wanted, _]) => part(wanted).is_some_and(|part| DATE_PARTS.contains(&part.as_str())),
        ("left", [_, length]) => whole(length),
        ("substr", [_, constants @ ..]) => constants.iter().all(whole),
        (name, _) => OF_RECORDS.contains(&name),
    }
}

fn field_of(column: &Column, schema: &DFSchema, lineage: &Lineage) -> Result<FieldName, StatementError> {
    let position = schema.index_of_column(column).map_err(StatementError::failed)?;
    let lost = || DataFusionError::Internal(format!("`{column}` has no origin"));
    lineage.get(position).cloned().ok_or_else(|| StatementError::failed(lost()))
}

/// Arithmetic is left out: it can fail on a value, and so tell of it.
fn is_comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::And
            | Operator::Or
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// The first word of a part's description.
fn kind(plan: &LogicalPlan) -> String {
    let text = plan.display().to_string();
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}
