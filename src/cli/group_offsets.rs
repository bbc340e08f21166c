//! What `kfetch group describe` prints: a row for each offset that a group has committed.

use kfetch::TopicPartition;

use crate::json::write_string;
use crate::number::write_decimal;
use crate::table::{Align, Table};

/// A committed offset and what is known beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupOffset {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// Where the group goes on.
    pub(crate) committed_offset: i64,
    pub(crate) leader_epoch: Option<i32>,
    /// The end of the partition.
    pub(crate) log_end_offset: Option<i64>,
    /// What was committed with the offset.
    pub(crate) metadata: String,
    /// The member that is assigned the partition.
    pub(crate) owner: Option<Owner>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) member_id: String,
    /// That of a static member.
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
}

impl GroupOffset {
    /// Returns whose offset it is.
    pub(crate) fn partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.partition)
    }

    /// Returns how many offsets lie before the end; none behind it, as after a truncation.
    fn lag(&self) -> Option<i64> {
        let lag = self.log_end_offset?.saturating_sub(self.committed_offset);
        Some(lag.max(0))
    }

    fn write_object(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        write_text(out, "group", &self.group);
        write_text(out, "topic", &self.topic);
        write_number(out, "partition", Some(self.partition.into()));
        write_number(out, "committed_offset", Some(self.committed_offset));
        write_number(out, "leader_epoch", self.leader_epoch.map(i64::from));
        write_number(out, "log_end_offset", self.log_end_offset);
        write_number(out, "lag", self.lag());
        write_text(out, "metadata", &self.metadata);
        if let Some(owner) = &self.owner {
            write_text(out, "member_id", &owner.member_id);
            if let Some(group_instance_id) = &owner.group_instance_id {
                write_text(out, "group_instance_id", group_instance_id);
            }
            write_text(out, "client_id", &owner.client_id);
            write_text(out, "client_host", &owner.client_host);
        }
        out.push(b'}');
    }
}

/// Puts rows into the order in which they are printed: by group, topic and partition.
pub(crate) fn sort(rows: &mut [GroupOffset]) {
    let key = |row: &GroupOffset| (row.group.clone(), row.topic.clone(), row.partition);
    rows.sort_by_cached_key(key);
}

/// Appends an array of an object a line; a field that is not known is missing.
pub(crate) fn write_json(out: &mut Vec<u8>, rows: &[GroupOffset]) {
    out.push(b'[');
    for (number, row) in rows.iter().enumerate() {
        out.extend_from_slice(if number == 0 { b"\n" } else { b",\n" });
        row.write_object(out);
    }
    out.extend_from_slice(if rows.is_empty() { b"]\n" } else { b"\n]\n" });
}

/// Returns a table for people.
pub(crate) fn text(rows: &[GroupOffset]) -> String {
    let mut table = Table::new([
        ("GROUP", Align::Left),
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("END", Align::Right),
        ("LAG", Align::Right),
        ("OWNER", Align::Left),
        ("METADATA", Align::Left),
    ]);
    let number = |number: Option<i64>| number.map_or_else(String::new, |known| known.to_string());
    for row in rows {
        let owner = row.owner.as_ref().map_or("", |owner| &owner.member_id);
        table.push([
            row.group.clone(),
            row.topic.clone(),
            row.partition.to_string(),
            row.committed_offset.to_string(),
            number(row.log_end_offset),
            number(row.lag()),
            owner.to_owned(),
            row.metadata.clone(),
        ]);
    }
    table.text()
}

fn write_text(out: &mut Vec<u8>, name: &str, text: &str) {
    write_name(out, name);
    write_string(out, text.as_bytes());
}

fn write_number(out: &mut Vec<u8>, name: &str, number: Option<i64>) {
    if let Some(number) = number {
        write_name(out, name);
        write_decimal(out, number);
    }
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(out, name.as_bytes());
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<GroupOffset> {
        let row = GroupOffset {
            group: "billing".to_owned(),
            topic: "orders".to_owned(),
            committed_offset: 40,
            ..GroupOffset::default()
        };
        let owner = Owner {
            member_id: "m-1".to_owned(),
            group_instance_id: Some("i".to_owned()),
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
        };
        let known = GroupOffset {
            partition: 10,
            leader_epoch: Some(3),
            log_end_offset: Some(42),
            metadata: "a \"note\"\n".to_owned(),
            owner: Some(owner),
            ..row.clone()
        };
        let cut = GroupOffset { partition: 2, log_end_offset: Some(7), ..row.clone() };
        let mut rows = vec![GroupOffset { group: "é".to_owned(), ..row.clone() }, known, cut, row];
        sort(&mut rows);
        rows
    }

    #[test]
    fn json_has_what_is_known() {
        let mut out = Vec::new();
        write_json(&mut out, &rows());
        let start = r#"{"group":"billing","topic":"orders","partition":"#;
        let lines = [
            "[".to_owned(),
            start.to_owned() + r#"0,"committed_offset":40,"metadata":""},"#,
            start.to_owned()
                + r#"2,"committed_offset":40,"log_end_offset":7,"lag":0,"metadata":""},"#,
            start.to_owned()
                + r#"10,"committed_offset":40,"leader_epoch":3,"log_end_offset":42,"lag":2,"#
                + r#""metadata":"a \"note\"\n","member_id":"m-1","group_instance_id":"i","#
                + r#""client_id":"c","client_host":"/127.0.0.1"},"#,
            start.replace("billing", "é") + r#"0,"committed_offset":40,"metadata":""}"#,
            "]\n".to_owned(),
        ];
        assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    }

    #[test]
    fn json_of_nothing_is_an_empty_array() {
        let mut out = Vec::new();
        write_json(&mut out, &[]);
        assert_eq!(out, b"[]\n");
    }

    #[test]
    fn the_table_has_a_line_for_each_offset() {
        let lines = [
            "GROUP    TOPIC   PARTITION  COMMITTED  END  LAG  OWNER  METADATA",
            "billing  orders          0         40    -    -  -      -",
            "billing  orders          2         40    7    0  -      -",
            "billing  orders         10         40   42    2  m-1    a \"note\"\\n",
            "é        orders          0         40    -    -  -      -",
            "",
        ];
        assert_eq!(text(&rows()), lines.join("\n"));
    }
}
