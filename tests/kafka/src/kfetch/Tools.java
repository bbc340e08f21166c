package kfetch;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/** Runs the main class of a Kafka tool inside this JVM and keeps what it prints. */
final class Tools {
    /** Thrown in place of leaving the JVM. */
    private static final class ToolExit extends Error {
        private static final long serialVersionUID = 1L;

        final int status;

        ToolExit(int status, String message) {
            super(message, null, false, false);
            this.status = status;
        }
    }

    /**
     * Scala's Console takes System.out once, when it is first used, so the stream has to stay and
     * its target to change.
     */
    private static final class Redirected extends OutputStream {
        private OutputStream target;

        Redirected(OutputStream target) {
            this.target = target;
        }

        synchronized OutputStream redirect(OutputStream next) {
            OutputStream before = target;
            target = next;
            return before;
        }

        @Override
        public synchronized void write(int octet) throws IOException {
            target.write(octet);
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int length) throws IOException {
            target.write(bytes, from, length);
        }

        @Override
        public synchronized void flush() throws IOException {
            target.flush();
        }
    }

    private static final Redirected OUT = new Redirected(new FileOutputStream(FileDescriptor.err));
    private static final Redirected ERR = new Redirected(new FileOutputStream(FileDescriptor.err));

    private Tools() {}

    /** Takes stdout, which carries answers, out of the reach of everything that prints. */
    static void captureOutput() {
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> {
            throw new ToolExit(status, message);
        });
        Exit.setHaltProcedure((status, message) -> {
            throw new ToolExit(status, message);
        });
    }

    static void register(Map<String, Helper.Command> commands) {
        commands.put("tool", (arguments, rows) ->
            List.of(run(arguments.get(0), arguments.subList(1, arguments.size()))));
    }

    private static List<String> run(String name, List<String> arguments) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        OutputStream outBefore = OUT.redirect(out);
        OutputStream errBefore = ERR.redirect(err);
        int status = 0;
        try {
            Class.forName(name).getMethod("main", String[].class)
                .invoke(null, (Object) arguments.toArray(new String[0]));
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof ToolExit exit) {
                status = exit.status;
                if (exit.getMessage() != null) {
                    System.err.println(exit.getMessage());
                }
            } else {
                throw thrown;
            }
        } finally {
            System.out.flush();
            System.err.flush();
            OUT.redirect(outBefore);
            ERR.redirect(errBefore);
        }
        return List.of(Integer.toString(status), out.toString(StandardCharsets.UTF_8),
            err.toString(StandardCharsets.UTF_8));
    }
}
