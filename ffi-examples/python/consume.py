"""Reads a topic to its end from Python, over the C header, by cffi.

    consume.py orders bootstrap.servers=localhost:9092
    consume.py orders bootstrap.servers=localhost:9092 group.id=billing

With a group it reads what the group assigns to it and commits what it has written.
The records of a poll come into one array by one call; what is done per record here is plain
Python on that array, without a call into the library. Needs `cffi`; the header and the library
are found beside this file's repository, or by KFETCH_HEADER and KFETCH_LIBRARY.
"""

import os
import re
import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[2]
HEADER = os.environ.get("KFETCH_HEADER", ROOT / "include" / "kfetch.h")
LIBRARY = os.environ.get("KFETCH_LIBRARY", ROOT / "target" / "release" / "libkfetch.so")


def declarations(header: str) -> str:
    """Returns what cffi reads of the header: C99 without the preprocessor."""
    lines, taken = [], [True]
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.DOTALL)
    for line in text.splitlines():
        directive = line.strip()
        if directive.startswith(("#if ", "#ifdef ", "#ifndef ")):
            # Neither C++ nor a C that has typed enums; the include guard is not defined yet.
            is_wanted = directive.startswith("#ifndef")
            taken.append(taken[-1] and is_wanted)
        elif directive == "#else":
            taken[-1] = taken[-2] and not taken[-1]
        elif directive == "#endif":
            taken.pop()
        elif taken[-1] and not directive.startswith("#"):
            lines.append(line)
    return "\n".join(lines)


ffi = FFI()
ffi.cdef(declarations(Path(HEADER).read_text(encoding="utf-8")))
lib = ffi.dlopen(str(LIBRARY))
TIMEOUT_NONE = 0xFFFFFFFF


class KfetchError(Exception):
    """What a call of the library says."""


def call(function, *arguments):
    """Calls a function that takes a `kfetch_error **` last, and raises what it says."""
    error = ffi.new("kfetch_error **")
    status = function(*arguments, error)
    if status != lib.KFETCH_STATUS_OK:
        text = ffi.string(lib.kfetch_error_message(error[0])).decode()
        lib.kfetch_error_free(error[0])
        raise KfetchError(f"{text} ({ffi.string(lib.kfetch_status_name(status)).decode()})")


class Consumer:
    """Owns a consumer; leaving the `with` closes and frees it."""

    def __init__(self, properties):
        config = ffi.gc(lib.kfetch_config_new(), lib.kfetch_config_free)
        for name, value in properties.items():
            call(lib.kfetch_config_set, config, name.encode(), value.encode())
        consumer = ffi.new("kfetch_consumer **")
        call(lib.kfetch_consumer_new, config, consumer)
        self.handle = consumer[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            call(lib.kfetch_consumer_close, self.handle, 5000)
        finally:
            lib.kfetch_consumer_free(self.handle)

    def assign_topic(self, topic):
        """Assigns all partitions of a topic and returns how many there are."""
        topics = ffi.new("kfetch_topics **")
        call(lib.kfetch_consumer_partitions_for, self.handle, topic.encode(), TIMEOUT_NONE, topics)
        topics = ffi.gc(topics[0], lib.kfetch_topics_free)
        found = lib.kfetch_topics_items(topics, ffi.NULL)
        count = found.partition_count
        name = ffi.new("char[]", topic.encode())
        numbers = [found.partitions[i].partition for i in range(count)]
        partitions = ffi.new("kfetch_topic_partition[]", [(name, number) for number in numbers])
        call(lib.kfetch_consumer_assign, self.handle, partitions, count)
        return count

    def subscribe(self, topic, rebalanced):
        """Joins the group; `rebalanced(event, count)` is called inside of poll and close."""

        # cffi prints what a callback raises and goes on: nothing passes through the library.
        @ffi.callback("kfetch_rebalance_callback")
        def callback(_consumer, event, _partitions, count, _opaque):
            rebalanced(event, count)

        self.callback = callback  # lives as long as the consumer
        call(lib.kfetch_consumer_set_rebalance_callback, self.handle, callback, ffi.NULL)
        name = ffi.new("char[]", topic.encode())
        call(lib.kfetch_consumer_subscribe, self.handle, ffi.new("char *[]", [name]), 1)

    def commit(self, records):
        """Commits that all records of a handle have been processed."""
        call(lib.kfetch_consumer_commit_records, self.handle, records, TIMEOUT_NONE)

    def poll(self, timeout_ms=TIMEOUT_NONE):
        """Returns a handle that frees itself, or None; a signal ends the wait so that Python's
        handlers run."""
        records = ffi.new("kfetch_records **")
        call(lib.kfetch_consumer_poll, self.handle, timeout_ms, records)
        return ffi.gc(records[0], lib.kfetch_records_free) if records[0] else None


def rows(records):
    """Yields topic, partition, offset, key and value of each record of a handle."""
    capacity = lib.kfetch_records_count(records)
    array = ffi.new("kfetch_record[]", capacity)
    count = ffi.new("size_t *")
    status = lib.kfetch_records_fill(
        records, 0, array, capacity, ffi.sizeof("kfetch_record"), count
    )
    assert status == lib.KFETCH_STATUS_OK
    run_count = ffi.new("size_t *")
    runs = lib.kfetch_records_runs(records, run_count)
    names = [(ffi.string(run.topic).decode(), run.partition) for run in runs[0 : run_count[0]]]
    for record in array[0 : count[0]]:
        yield (*names[record.run], record.offset, data(record.key), data(record.value))


def data(cell):
    """Returns a copy of a key or value, None for null."""
    return ffi.buffer(cell.data, cell.len)[:] if cell.data else None


def main(topic, *arguments):
    """Writes each record of a topic to stdout."""
    properties = {"auto.offset.reset": "earliest", "enable.partition.eof": "true"}
    properties["enable.auto.commit"] = "false"
    properties.update(argument.split("=", 1) for argument in arguments)
    out = sys.stdout.buffer
    is_member = "group.id" in properties
    owned = ended = 0

    def rebalanced(event, count):
        nonlocal owned
        owned += count if event == lib.KFETCH_REBALANCE_EVENT_ASSIGNED else -count

    with Consumer(properties) as consumer:
        if is_member:
            consumer.subscribe(topic, rebalanced)
        else:
            owned = consumer.assign_topic(topic)
        while owned == 0 or ended < owned:
            records = consumer.poll()
            if records is None:
                continue
            for name, partition, offset, key, value in rows(records):
                cells = (b"NULL" if cell is None else cell for cell in (key, value))
                out.write(f"{name}-{partition} @{offset} ".encode() + b" ".join(cells) + b"\n")
            count = ffi.new("size_t *")
            events = lib.kfetch_records_events(records, count)
            for event in events[0 : count[0]] if count[0] else ():
                if event.kind == lib.KFETCH_EVENT_KIND_FAILED and event.is_sticky:
                    raise KfetchError(ffi.string(event.text).decode())
                ended += event.kind == lib.KFETCH_EVENT_KIND_END
            if is_member:
                consumer.commit(records)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (KfetchError, TypeError, ValueError) as error:
        print(f"consume.py: {error}", file=sys.stderr)
        sys.exit(1)
