//! Tables for people: columns as wide as their widest cell, Chinese counted as two.

/// A heading and rows under it. A row has as many cells as the heading.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let mut widths = heading.map(width);
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut text = line(&heading, &widths);
    for row in &rows {
        text.push_str(&line(&row.each_ref().map(String::as_str), &widths));
    }
    text
}

fn line<const N: usize>(cells: &[&str; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (cell, wide) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.push_str(&" ".repeat(wide.saturating_sub(width(cell)) + 2));
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

/// How many columns of a terminal a text takes: two for each East Asian wide character (UAX #11, the blocks that names and
/// notes are written in).
fn width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c), 0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x20000..=0x3FFFD)
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_also_in_chinese() {
        let rows = [["张三".to_owned(), "x".to_owned()], ["a".to_owned(), "说明".to_owned()]];
        assert_eq!(table(["name", "why"], rows), "name  why\n张三  x\na     说明\n");
        assert_eq!(table(["name", "why"], []), "name  why\n");
    }
}
