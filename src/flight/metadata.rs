//! What a client asks before it asks anything: what the server is, and which tables there are.

use std::sync::LazyLock;

use arrow_flight::sql::{
    SqlInfo, SqlSupportedTransaction,
    metadata::{SqlInfoData, SqlInfoDataBuilder},
};

/// What kind of table each dataset is shown as.
pub(super) const TABLE_TYPE: &str = "TABLE";

/// What the server is. The form of the answer is part of the protocol: a client of another make ends its process over a wrong
/// one.
pub(super) static SQL_INFO: LazyLock<SqlInfoData> = LazyLock::new(|| {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Shuqiao exchange node");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, false);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.build().expect("the values are of the kinds that the library knows")
});
