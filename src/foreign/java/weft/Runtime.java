// SPDX-License-Identifier: MIT
package weft;

import java.io.Closeable;
import java.io.File;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/** One class that answers one queue, with a class loader and threads of its own. */
final class Runtime {
  static final int FAILED = 1; // the status of an exception

  final long queue;
  final ClassLoader classes;
  final Target target;
  final String method; // null: the name that the caller wrote
  final Sweeper sweeper;
  private final AtomicInteger work; // servers that run and futures that are not done

  private Runtime(long queue, String[] options) throws Throwable {
    this.queue = queue;
    classes = loader(all(options, "classpath"));
    method = first(options, "function");
    Thread.currentThread().setContextClassLoader(classes);
    target = new Target(classes.loadClass(first(options, "class")), first(options, "config"));
    Server[] servers = new Server[Integer.parseInt(first(options, "threads"))];
    sweeper = new Sweeper(servers);
    work = new AtomicInteger(servers.length);
    for (int i = 0; i < servers.length; i++) servers[i] = new Server(this, i);
    sweeper.start();
    for (Server s : servers) s.start();
  }

  /** Called by the loader. options: key, value, key, value ... Null, or what went wrong. */
  static String start(long queue, String[] options) {
    try {
      new Runtime(queue, options);
      return null;
    } catch (Throwable e) {
      return trace(e);
    }
  }

  /**
   * The convention of lua-resty-ffi and lua-resty-nonblocking-ffi: int m(long, String) or
   * int m(String, long), which serves the queue itself. Null, or what went wrong.
   */
  static String startSeed(long queue, String name, String methodName, String config, int[] status) {
    try {
      boolean reload = name.endsWith("?"); // each runtime has classes of its own anyway
      String plain = (reload ? name.substring(0, name.length() - 1) : name).replace('/', '.');
      ClassLoader classes = loader(List.of());
      Thread.currentThread().setContextClassLoader(classes);
      status[0] = callSeed(classes.loadClass(plain), methodName, queue, config);
      return null;
    } catch (Throwable e) {
      return trace(e);
    }
  }

  private static int callSeed(Class<?> type, String name, long queue, String config) throws Throwable {
    try {
      for (Method m : type.getDeclaredMethods()) {
        if (!m.getName().equals(name) || m.getParameterCount() != 2) continue;
        m.setAccessible(true);
        Class<?>[] p = m.getParameterTypes();
        if (p[0] == long.class && p[1] == String.class) return (int) m.invoke(null, queue, config);
        if (p[0] == String.class && p[1] == long.class) return (int) m.invoke(null, config, queue);
      }
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
    throw new NoSuchMethodException(
        type.getName() + " has no static int " + name + "(long, String) or (String, long)");
  }

  private static ClassLoader loader(List<String> paths) throws Exception {
    List<URL> urls = new ArrayList<>();
    List<String> all = paths;
    String environment = System.getenv("CLASSPATH");
    if (all.isEmpty() && environment != null) all = List.of(environment);
    for (String path : all)
      for (String part : path.split(File.pathSeparator))
        if (!part.isEmpty()) urls.add(new File(part).toURI().toURL());
    return new URLClassLoader(urls.toArray(new URL[0]), Runtime.class.getClassLoader());
  }

  void begin() {
    work.incrementAndGet();
  }

  /** Whoever is the last one, after the queue has ended, cleans up. */
  void ended() {
    if (work.decrementAndGet() > 0) return;
    sweeper.interrupt();
    try {
      target.close();
      ((Closeable) classes).close();
    } catch (Throwable e) {
      System.err.println("weft: closing a Java runtime: " + trace(e));
    }
  }

  static void fail(long task, Throwable error) {
    Host.respond(task, FAILED, trace(error).getBytes(StandardCharsets.UTF_8));
  }

  /** The stack trace, without the frames that are ours and those below them. */
  static String trace(Throwable error) {
    boolean wrapped = error instanceof CompletionException || error instanceof ExecutionException;
    StringWriter text = new StringWriter();
    (wrapped && error.getCause() != null ? error.getCause() : error).printStackTrace(new PrintWriter(text));
    StringBuilder kept = new StringBuilder();
    for (String line : text.toString().split("\n")) {
      boolean ours = line.startsWith("\tat weft.");
      boolean reflection = line.startsWith("\tat java.base/jdk.internal.reflect.")
          || line.startsWith("\tat java.base/java.lang.reflect.");
      if (ours || reflection) continue;
      if (kept.length() > 0) kept.append('\n');
      kept.append(line);
    }
    return kept.toString();
  }

  static byte[] bytes(Object value) {
    if (value == null || value instanceof byte[]) return (byte[]) value;
    if (value instanceof CharSequence) return value.toString().getBytes(StandardCharsets.UTF_8);
    throw new ClassCastException(
        "a method returned " + value.getClass().getName() + "; weft takes byte[], String or null");
  }

  private static String first(String[] options, String key) {
    List<String> values = all(options, key);
    return values.isEmpty() ? null : values.get(0);
  }

  private static List<String> all(String[] options, String key) {
    List<String> values = new ArrayList<>();
    for (int i = 0; i < options.length; i += 2) if (options[i].equals(key)) values.add(options[i + 1]);
    return values;
  }
}
