package kfetch;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/**
 * The fields of a line: text with {@code \t}, {@code \n}, {@code \r} and {@code \\} escaped, bytes
 * as hex, and {@code -} for null bytes.
 */
final class Fields {
    private static final HexFormat HEX = HexFormat.of();

    private Fields() {}

    static List<String> split(String line) {
        List<String> fields = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        for (int at = 0; at < line.length(); at++) {
            char next = line.charAt(at);
            if (next == '\t') {
                fields.add(field.toString());
                field.setLength(0);
            } else if (next == '\\') {
                at++;
                field.append(unescaped(line.charAt(at)));
            } else {
                field.append(next);
            }
        }
        fields.add(field.toString());
        return fields;
    }

    private static char unescaped(char letter) {
        return switch (letter) {
            case 't' -> '\t';
            case 'n' -> '\n';
            case 'r' -> '\r';
            default -> letter;
        };
    }

    static String join(List<String> fields) {
        StringBuilder line = new StringBuilder();
        for (String field : fields) {
            if (line.length() > 0) {
                line.append('\t');
            }
            line.append(field.replace("\\", "\\\\").replace("\t", "\\t")
                .replace("\n", "\\n").replace("\r", "\\r"));
        }
        return line.toString();
    }

    static byte[] bytes(String field) {
        return field.equals("-") ? null : HEX.parseHex(field);
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "-" : HEX.formatHex(bytes);
    }

    /** Header fields come in pairs, name and value, behind the fixed fields of a row. */
    static Header[] headers(List<String> row, int from) {
        Header[] headers = new Header[(row.size() - from) / 2];
        for (int at = 0; at < headers.length; at++) {
            String name = row.get(from + 2 * at);
            headers[at] = new RecordHeader(name, bytes(row.get(from + 2 * at + 1)));
        }
        return headers;
    }

    static void addHeaders(List<String> row, Iterable<Header> headers) {
        for (Header header : headers) {
            row.add(header.key());
            row.add(hex(header.value()));
        }
    }

    /** Arguments of the form {@code name=value}. */
    static Map<String, String> properties(List<String> arguments) {
        Map<String, String> properties = new HashMap<>();
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (equals < 0) {
                throw new IllegalArgumentException("no = in " + argument);
            }
            properties.put(argument.substring(0, equals), argument.substring(equals + 1));
        }
        return properties;
    }
}
