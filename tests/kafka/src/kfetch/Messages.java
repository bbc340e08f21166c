package kfetch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.function.UnaryOperator;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.utils.Utils;

/**
 * Protocol messages, headers and internal records by the classes that Kafka generates for them.
 *
 * <p>{@link NewerClients} loads this class once more, with the message classes of a newer release.
 * So it talks to the rest of the helper in lists of strings alone: command, then arguments.
 */
public final class Messages implements UnaryOperator<List<String>> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> CLASSES = List.of(
        "org.apache.kafka.common.message.%sData",
        "org.apache.kafka.common.message.%s",
        "org.apache.kafka.coordinator.group.generated.%s");

    @Override
    public List<String> apply(List<String> command) {
        List<String> arguments = command.subList(1, command.size());
        try {
            return switch (command.get(0)) {
                case "message_versions" -> versions(arguments);
                case "message_bytes" -> bytes(arguments);
                case "message_json" -> json(arguments);
                default -> throw new IllegalArgumentException(command.get(0));
            };
        } catch (InvocationTargetException thrown) {
            throw new CompletionException(thrown.getCause());
        } catch (ReflectiveOperationException | JsonProcessingException thrown) {
            throw new CompletionException(thrown);
        }
    }

    private static Class<?> find(String name) throws ClassNotFoundException {
        for (String pattern : CLASSES) {
            try {
                return Class.forName(String.format(pattern, name));
            } catch (ClassNotFoundException absent) {
                continue;
            }
        }
        throw new ClassNotFoundException("no message " + name);
    }

    private static Message create(String name) throws ReflectiveOperationException {
        return (Message) find(name).getConstructor().newInstance();
    }

    private static Class<?> converter(String name) throws ClassNotFoundException {
        return Class.forName(find(name).getName() + "JsonConverter");
    }

    /** Arguments: name such as FetchRequest. Answers with its lowest and highest version. */
    private static List<String> versions(List<String> arguments)
            throws ReflectiveOperationException {
        Message message = create(arguments.get(0));
        return List.of(Short.toString(message.lowestSupportedVersion()),
            Short.toString(message.highestSupportedVersion()));
    }

    /** Arguments: name, version, JSON with every field of that version. Answers with the bytes. */
    private static List<String> bytes(List<String> arguments)
            throws ReflectiveOperationException, JsonProcessingException {
        short version = Short.parseShort(arguments.get(1));
        Method read = converter(arguments.get(0)).getMethod("read", JsonNode.class, short.class);
        Message message = (Message) read.invoke(null, JSON.readTree(arguments.get(2)), version);
        ByteBuffer written = MessageUtil.toByteBufferAccessor(message, version).buffer();
        return List.of(Fields.hex(Utils.toArray(written)));
    }

    /** Arguments: name, version, bytes. Answers with JSON and the number of bytes left over. */
    private static List<String> json(List<String> arguments)
            throws ReflectiveOperationException, JsonProcessingException {
        short version = Short.parseShort(arguments.get(1));
        ByteBuffer input = ByteBuffer.wrap(Fields.bytes(arguments.get(2)));
        Message message = create(arguments.get(0));
        message.read(new ByteBufferAccessor(input), version);
        Class<?> type = message.getClass();
        Method write = converter(arguments.get(0))
            .getMethod("write", type, short.class, boolean.class);
        // Of record data the size alone: asked for the bytes, Kafka's converter writes none.
        Object node = write.invoke(null, message, version, false);
        return List.of(JSON.writeValueAsString(node), Integer.toString(input.remaining()));
    }
}
