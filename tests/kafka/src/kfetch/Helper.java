package kfetch;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/**
 * One JVM that does what tests want of Kafka's own Java code, because a JVM for each costs two
 * seconds.
 *
 * <p>A request on stdin is a line {@code command TAB rows TAB argument...} and that many lines of
 * fields; an answer on stdout is {@code ok TAB rows} and its lines, or {@code error TAB 0 TAB class
 * TAB message}. {@link Fields} has the escapes. Requests are answered one after another; the end of
 * stdin ends the process, so it cannot outlive the test that started it.
 */
public final class Helper {
    /** What one command does with its arguments and rows; it returns the rows of the answer. */
    interface Command {
        List<List<String>> run(List<String> arguments, List<List<String>> rows) throws Exception;
    }

    private static final Map<String, Command> COMMANDS = new HashMap<>();

    private Helper() {}

    public static void main(String[] unused) throws IOException {
        PrintStream answers = new PrintStream(
            new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        Tools.captureOutput();
        COMMANDS.put("ping", (arguments, rows) -> List.of());
        Tools.register(COMMANDS);
        Topics.register(COMMANDS);
        Producers.register(COMMANDS);
        Consumers.register(COMMANDS);
        Batches.register(COMMANDS);
        Assignors.register(COMMANDS);
        NewerClients.register(COMMANDS);
        GroupOffsets.register(COMMANDS);
        Rebalances.register(COMMANDS);
        Groups.register(COMMANDS);
        BufferedReader requests =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String head;
        while ((head = requests.readLine()) != null) {
            List<String> fields = Fields.split(head);
            int count = Integer.parseInt(fields.get(1));
            List<List<String>> rows = new ArrayList<>(count);
            for (int row = 0; row < count; row++) {
                rows.add(Fields.split(requests.readLine()));
            }
            answer(answers, fields, rows);
            answers.flush();
        }
        // Producers that a test left open have threads that are not daemons.
        Runtime.getRuntime().halt(0);
    }

    private static void answer(PrintStream out, List<String> head, List<List<String>> rows) {
        Command command = COMMANDS.get(head.get(0));
        List<List<String>> answer;
        try {
            if (command == null) {
                throw new IllegalArgumentException("unknown command " + head.get(0));
            }
            answer = command.run(head.subList(2, head.size()), rows);
        } catch (Throwable thrown) {
            Throwable cause = cause(thrown);
            String message = String.valueOf(cause.getMessage());
            write(out, List.of("error", "0", cause.getClass().getSimpleName(), message));
            return;
        }
        write(out, List.of("ok", Integer.toString(answer.size())));
        answer.forEach(row -> write(out, row));
    }

    private static void write(PrintStream out, List<String> fields) {
        out.print(Fields.join(fields));
        out.print('\n');
    }

    private static Throwable cause(Throwable thrown) {
        boolean wrapper = thrown instanceof ExecutionException
            || thrown instanceof CompletionException
            || thrown instanceof java.lang.reflect.InvocationTargetException;
        return wrapper && thrown.getCause() != null ? cause(thrown.getCause()) : thrown;
    }
}
