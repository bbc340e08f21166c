"""confluent-kafka's consumer as a member of a group that says what it does.

Settings and events are those of the members beside it: settings a line each in KFETCH_TEST_MEMBER,
events a JSON object a line. SIGTERM ends it with a close in order.
"""

import json
import os
import signal
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

# What librdkafka calls otherwise.
NAMES = {"metadata.max.age.ms": "topic.metadata.refresh.interval.ms"}

is_over = False
# What was read and is not committed yet: the next offset of each topic and partition.
progress = {}


def end(*_):
    global is_over
    is_over = True


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def span(topic, partition, first, last):
    return f"{topic}-{partition}:{first}:{last}"


def say(event, spans=(), text="", at=None):
    line = {
        "event": event,
        "t": at or now(),
        "generation": -1,
        "partitions": " ".join(spans),
        "text": "".join(" " if one in '"\\' or ord(one) < 32 else one for one in str(text)),
    }
    os.write(1, (json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n").encode())


def commit(consumer, keys):
    offsets = [TopicPartition(*key, progress[key]) for key in keys if key in progress]
    if not offsets:
        return
    spans = [span(one.topic, one.partition, one.offset, one.offset) for one in offsets]
    say("commit_sent", spans)
    try:
        for one in consumer.commit(offsets=offsets, asynchronous=False):
            if one.error is not None:
                raise KafkaException(one.error)
    except KafkaException as thrown:
        return say("commit_failed", spans, thrown)
    say("commit_done", spans)
    for one in offsets:
        del progress[one.topic, one.partition]


def assigned(consumer, partitions):
    at = now()
    committed = consumer.committed(partitions, timeout=60)
    for one in committed:
        one.offset = max(one.offset, 0)
    if is_cooperative:
        consumer.incremental_assign(committed)
    else:
        consumer.assign(committed)
    spans = [span(one.topic, one.partition, one.offset, one.offset) for one in committed]
    say("assigned", spans, at=at)


def let_go(consumer, partitions, event):
    keys = [(one.topic, one.partition) for one in partitions]
    if event == "revoked":
        commit(consumer, keys)
    for key in keys:
        progress.pop(key, None)
    if is_cooperative:
        consumer.incremental_unassign(partitions)
    else:
        consumer.unassign()
    say(event, [span(*key, -1, -1) for key in keys])


def take(messages):
    spans = []
    for message in messages:
        if message.error() is not None:
            say("error", text=message.error())
            continue
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if message.value() != str(offset).encode():
            say("wrong", text=f"{topic}-{partition} at {offset} has {message.value()}")
        if spans and spans[-1][:2] == [topic, partition] and spans[-1][3] + 1 == offset:
            spans[-1][3] = offset
        else:
            spans.append([topic, partition, offset, offset])
        progress[topic, partition] = offset + 1
    if spans:
        say("delivered", [span(*one) for one in spans])


settings = dict(
    line.split("=", 1) for line in os.environ["KFETCH_TEST_MEMBER"].splitlines() if line
)
topics = settings["test.topics"].split(",")
is_cooperative = "cooperative" in settings.get("partition.assignment.strategy", "")
signal.signal(signal.SIGTERM, end)
member = Consumer(
    {
        NAMES.get(name, name): value
        for name, value in settings.items()
        if not name.startswith("test.")
    }
)
member.subscribe(
    topics,
    on_assign=assigned,
    on_revoke=lambda consumer, partitions: let_go(consumer, partitions, "revoked"),
    on_lost=lambda consumer, partitions: let_go(consumer, partitions, "lost"),
)
say("started")
while not is_over:
    take(member.consume(num_messages=500, timeout=0.1))
    commit(member, list(progress))
member.close()
say("stopped")
