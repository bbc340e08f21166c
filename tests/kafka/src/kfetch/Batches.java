package kfetch;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.DefaultRecordBatch;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecords.RecordFilter.BatchRetention;
import org.apache.kafka.common.record.MemoryRecords.RecordFilter.BatchRetentionResult;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.Utils;

/** Record batches written, read and compacted by Kafka's own code. */
final class Batches {
    private Batches() {}

    static void register(Map<String, Helper.Command> commands) {
        commands.put("build_batch", Batches::build);
        commands.put("build_empty_batch", Batches::buildEmpty);
        commands.put("build_marker", Batches::buildMarker);
        commands.put("parse_batches", Batches::parse);
        commands.put("compact_batches", Batches::compact);
    }

    /** The properties of a batch, each with the value that a plain batch has. */
    private record Header(Map<String, String> given) {
        long number(String name, long otherwise) {
            return given.containsKey(name) ? Long.parseLong(given.get(name)) : otherwise;
        }

        boolean flag(String name) {
            return Boolean.parseBoolean(given.getOrDefault(name, "false"));
        }

        TimestampType timestampType() {
            return TimestampType.forName(given.getOrDefault("timestamp_type", "CreateTime"));
        }

        Compression compression() {
            String codec = given.getOrDefault("codec", "none");
            if (!given.containsKey("level")) {
                return Compression.of(codec).build();
            }
            int level = Integer.parseInt(given.get("level"));
            return switch (codec) {
                case "gzip" -> Compression.gzip().level(level).build();
                case "lz4" -> Compression.lz4().level(level).build();
                case "zstd" -> Compression.zstd().level(level).build();
                default -> throw new IllegalArgumentException("no levels in " + codec);
            };
        }
    }

    private static List<List<String>> hex(ByteBuffer buffer) {
        return List.of(List.of(Fields.hex(Utils.toArray(buffer))));
    }

    private static ByteBuffer input(List<String> arguments, int at) {
        return ByteBuffer.wrap(Fields.bytes(arguments.get(at)));
    }

    /** Arguments: name=value of the header. Rows: offset, timestamp, key, value, headers. */
    private static List<List<String>> build(List<String> arguments, List<List<String>> rows) {
        Header header = new Header(Fields.properties(arguments));
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(
            new ByteBufferOutputStream(1 << 16),
            (byte) header.number("magic", RecordBatch.CURRENT_MAGIC_VALUE),
            header.compression(),
            header.timestampType(),
            header.number("base_offset", 0),
            header.number("log_append_time", RecordBatch.NO_TIMESTAMP),
            header.number("producer_id", RecordBatch.NO_PRODUCER_ID),
            (short) header.number("producer_epoch", RecordBatch.NO_PRODUCER_EPOCH),
            (int) header.number("base_sequence", RecordBatch.NO_SEQUENCE),
            header.flag("transactional"),
            header.flag("control"),
            (int) header.number("partition_leader_epoch", RecordBatch.NO_PARTITION_LEADER_EPOCH),
            Integer.MAX_VALUE,
            header.number("delete_horizon", RecordBatch.NO_TIMESTAMP));
        for (List<String> row : rows) {
            builder.appendWithOffset(Long.parseLong(row.get(0)), Long.parseLong(row.get(1)),
                Fields.bytes(row.get(2)), Fields.bytes(row.get(3)), Fields.headers(row, 4));
        }
        if (header.given().containsKey("last_offset")) {
            builder.overrideLastOffset(header.number("last_offset", 0));
        }
        return hex(builder.build().buffer());
    }

    /** Arguments: name=value of the header. What compaction leaves of a batch without records. */
    private static List<List<String>> buildEmpty(List<String> arguments, List<List<String>> rows) {
        Header header = new Header(Fields.properties(arguments));
        ByteBuffer buffer = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(buffer, RecordBatch.CURRENT_MAGIC_VALUE,
            header.number("producer_id", RecordBatch.NO_PRODUCER_ID),
            (short) header.number("producer_epoch", RecordBatch.NO_PRODUCER_EPOCH),
            (int) header.number("base_sequence", RecordBatch.NO_SEQUENCE),
            header.number("base_offset", 0),
            header.number("last_offset", 0),
            (int) header.number("partition_leader_epoch", RecordBatch.NO_PARTITION_LEADER_EPOCH),
            header.timestampType(),
            header.number("max_timestamp", RecordBatch.NO_TIMESTAMP),
            header.flag("transactional"),
            header.flag("control"));
        buffer.flip();
        return hex(buffer);
    }

    /** Arguments: COMMIT or ABORT, offset, timestamp, producer id, producer epoch. */
    private static List<List<String>> buildMarker(List<String> arguments, List<List<String>> rows) {
        EndTransactionMarker marker =
            new EndTransactionMarker(ControlRecordType.valueOf(arguments.get(0)), 0);
        return hex(MemoryRecords.withEndTransactionMarker(
            Long.parseLong(arguments.get(1)), Long.parseLong(arguments.get(2)), 0,
            Long.parseLong(arguments.get(3)), Short.parseShort(arguments.get(4)), marker).buffer());
    }

    /**
     * Arguments: bytes. Answers with a row "batch" and its header, then a row "record" for each of
     * its records, or "fault" with the exception where it was thrown.
     */
    private static List<List<String>> parse(List<String> arguments, List<List<String>> rows) {
        List<List<String>> answer = new ArrayList<>();
        try {
            for (RecordBatch batch :
                    MemoryRecords.readableRecords(input(arguments, 0)).batches()) {
                answer.add(batchRow(batch));
                addRecords(answer, batch);
            }
        } catch (RuntimeException thrown) {
            answer.add(fault(thrown));
        }
        return answer;
    }

    private static void addRecords(List<List<String>> answer, RecordBatch batch) {
        try {
            batch.ensureValid();
            for (Record record : batch) {
                answer.add(recordRow(record));
            }
        } catch (RuntimeException thrown) {
            answer.add(fault(thrown));
        }
    }

    private static List<String> fault(RuntimeException thrown) {
        return List.of("fault", thrown.getClass().getSimpleName(),
            String.valueOf(thrown.getMessage()));
    }

    private static List<String> batchRow(RecordBatch batch) {
        Integer count = batch.countOrNull();
        return List.of("batch",
            "magic=" + batch.magic(),
            "base_offset=" + batch.baseOffset(),
            "last_offset=" + batch.lastOffset(),
            "count=" + (count == null ? -1 : count),
            "size=" + batch.sizeInBytes(),
            "crc=" + batch.checksum(),
            "codec=" + batch.compressionType().name,
            "timestamp_type=" + batch.timestampType().name,
            "max_timestamp=" + batch.maxTimestamp(),
            "producer_id=" + batch.producerId(),
            "producer_epoch=" + batch.producerEpoch(),
            "base_sequence=" + batch.baseSequence(),
            "transactional=" + batch.isTransactional(),
            "control=" + batch.isControlBatch(),
            "partition_leader_epoch=" + batch.partitionLeaderEpoch(),
            "delete_horizon=" + batch.deleteHorizonMs().orElse(RecordBatch.NO_TIMESTAMP));
    }

    private static List<String> recordRow(Record record) {
        List<String> row = new ArrayList<>();
        row.add("record");
        row.add(Long.toString(record.offset()));
        row.add(Long.toString(record.timestamp()));
        row.add(Fields.hex(Utils.toNullableArray(record.key())));
        row.add(Fields.hex(Utils.toNullableArray(record.value())));
        Fields.addHeaders(row, Arrays.asList(record.headers()));
        return row;
    }

    /**
     * Arguments: bytes, time now, delete.retention.ms, what becomes of a batch that loses all its
     * records (DELETE_EMPTY, RETAIN_EMPTY), whether transactions are empty by now (a marker then
     * gets a delete horizon). Each row has one offset to keep. Tombstones get a delete horizon as
     * in the log cleaner's first pass.
     */
    private static List<List<String>> compact(List<String> arguments, List<List<String>> rows) {
        Set<Long> kept = rows.stream().map(row -> Long.valueOf(row.get(0)))
            .collect(Collectors.toSet());
        BatchRetention retention = BatchRetention.valueOf(arguments.get(3));
        boolean emptied = Boolean.parseBoolean(arguments.get(4));
        MemoryRecords.RecordFilter filter = new MemoryRecords.RecordFilter(
                Long.parseLong(arguments.get(1)), Long.parseLong(arguments.get(2))) {
            @Override
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(retention, batch.isControlBatch() && emptied);
            }

            @Override
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return kept.contains(record.offset());
            }
        };
        MemoryRecords records = MemoryRecords.readableRecords(input(arguments, 0));
        int total = 0;
        for (MutableRecordBatch batch : records.batches()) {
            total += batch.sizeInBytes();
        }
        ByteBuffer output = records.filterTo(filter,
            ByteBuffer.allocate(total), BufferSupplier.NO_CACHING).outputBuffer();
        output.flip();
        return hex(output);
    }
}
