package kfetch;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * {@link Messages} over the message classes of a newer release of kafka-clients than the broker's,
 * whose own lack the latest versions.
 */
final class NewerClients {
    private static UnaryOperator<List<String>> messages;

    private NewerClients() {}

    static void register(Map<String, Helper.Command> commands) {
        for (String name : List.of("message_versions", "message_bytes", "message_json")) {
            commands.put(name, (arguments, rows) -> {
                List<String> command = new ArrayList<>(List.of(name));
                command.addAll(arguments);
                return List.of(messages().apply(command));
            });
        }
    }

    @SuppressWarnings("unchecked")
    private static UnaryOperator<List<String>> messages() throws Exception {
        if (messages == null) {
            // The loader stays open as long as its classes are used: to the end of the helper.
            @SuppressWarnings("resource")
            ClassLoader loader =
                new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader());
            messages = (UnaryOperator<List<String>>) loader.loadClass(Messages.class.getName())
                .getConstructor().newInstance();
        }
        return messages;
    }

    /** The newer jar first: the first that has a class wins. */
    private static URL[] classPath() throws IOException {
        List<URL> urls = new ArrayList<>();
        Path newer = Path.of(System.getProperty("kfetch.messages"));
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(newer, "*.jar")) {
            for (Path jar : jars) {
                urls.add(jar.toUri().toURL());
            }
        }
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return urls.toArray(new URL[0]);
    }
}
