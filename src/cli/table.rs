//! Tables for people, whose columns a script can split at blanks: a cell without text is `-`.

use std::fmt::Write as _;

/// What stands between two columns.
const GAP: &str = "  ";

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// When it is text.
    Left,
    /// When it is a number.
    Right,
}

/// Rows of `N` cells, with a heading.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Makes a table that has its heading alone.
    pub(crate) fn new(columns: [(&str, Align); N]) -> Self {
        let heading = columns.map(|(name, _)| name.to_owned());
        Self { columns: columns.map(|(_, align)| align), rows: vec![heading] }
    }

    /// Adds a row. What a terminal would take for more than text is escaped.
    pub(crate) fn push(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| shown(&cell)));
    }

    /// Returns the table's text, each row with a line end.
    pub(crate) fn text(&self) -> String {
        let len = |cell: &String| cell.chars().count();
        let widths: [usize; N] = std::array::from_fn(|column| {
            self.rows.iter().map(|row| len(&row[column])).max().unwrap_or(0)
        });
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, align), width) in row.iter().zip(self.columns).zip(widths) {
                // Writing to a string cannot fail.
                let _ = match align {
                    Align::Left => write!(line, "{cell:<width$}{GAP}"),
                    Align::Right => write!(line, "{cell:>width$}{GAP}"),
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Returns a text in which nothing is more than text for a terminal; `-` where there is none.
pub(crate) fn shown(cell: &str) -> String {
    if cell.is_empty() {
        return "-".to_owned();
    }
    let mut shown = String::with_capacity(cell.len());
    for character in cell.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table =
            Table::new([("NAME", Align::Left), ("N", Align::Right), ("TEXT", Align::Left)]);
        assert_eq!(table.text(), "NAME  N  TEXT\n");
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        table.push(row(["é", "100", "a b"]));
        table.push(row(["longer", "7", ""]));
        let lines = ["NAME      N  TEXT", "é       100  a b", "longer    7  -", ""];
        assert_eq!(table.text(), lines.join("\n"));
    }

    #[test]
    fn control_characters_are_escaped() {
        let mut table = Table::new([("A", Align::Left)]);
        table.push(["\u{1b}[2J\n\u{9b}é".to_owned()]);
        assert_eq!(table.text(), "A\n\\u{1b}[2J\\n\\u{9b}é\n");
    }
}
