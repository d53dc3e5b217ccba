// SPDX-License-Identifier: MIT
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import weft.Task;

/** What tests/lua/test_foreign_java.lua calls. */
public final class Fixture implements AutoCloseable {
  private static int made; // each runtime has classes of its own
  private final String config;
  private final AtomicInteger cancellations = new AtomicInteger();
  private final AtomicInteger endlessMade = new AtomicInteger();

  public Fixture(String config) {
    if ("refuse".equals(config)) throw new IllegalStateException("this configuration is refused");
    this.config = config;
    made++;
  }

  public String config() {
    return config;
  }

  public String made() {
    return "" + made;
  }

  public byte[] echo(byte[] request) {
    return request;
  }

  public String length(byte[] request) {
    return request == null ? "none" : "" + request.length;
  }

  public void nothing() {}

  public String fail(String request) {
    throw new IllegalStateException("deliberate failure");
  }

  public String overloaded() {
    return "nothing";
  }

  public String overloaded(String request) {
    return "text";
  }

  public String overloaded(int request) {
    return "a number";
  }

  public String overloaded(byte[] request) {
    return "bytes";
  }

  public String overloaded_text() {
    return "nothing";
  }

  public String overloaded_text(String request) {
    return "text";
  }

  public String overloaded_nothing(Object request) {
    return "anything";
  }

  public String overloaded_nothing() {
    return "nothing";
  }

  public int wrong() {
    return 5;
  }

  public byte[] fast_sleep(byte[] request) throws InterruptedException {
    Thread.sleep(50);
    return request;
  }

  /** A caller that has left interrupts the thread. */
  public String slow(String request) {
    try {
      Thread.sleep(60000);
    } catch (InterruptedException e) {
      if (Task.current().cancelled()) cancellations.incrementAndGet();
    }
    return "late";
  }

  public String cancellations_seen() {
    return cancellations.toString();
  }

  public CompletableFuture<byte[]> later(byte[] request) {
    return CompletableFuture.supplyAsync(
        () -> request, CompletableFuture.delayedExecutor(20, TimeUnit.MILLISECONDS));
  }

  public CompletionStage<String> later_fail() {
    return CompletableFuture.supplyAsync(
        () -> {
          throw new IllegalStateException("deliberate failure");
        });
  }

  public CompletableFuture<String> slow_later() {
    CompletableFuture<String> never = new CompletableFuture<>();
    never.whenComplete((result, error) -> cancellations.incrementAndGet());
    return never;
  }

  public Stream<String> abc() {
    return Stream.of("a", "b", "c");
  }

  public Iterator<String> later_abc() {
    return List.of("a", "b", "c").iterator();
  }

  public Stream<String> digits(String count) {
    return IntStream.range(0, Integer.parseInt(count)).mapToObj(i -> "" + i % 10);
  }

  public Stream<String> endless() {
    return IntStream.generate(endlessMade::incrementAndGet).mapToObj(i -> "" + i);
  }

  public String endless_made() {
    return endlessMade.toString();
  }

  public Stream<String> failing_abc() {
    return Stream.of("a", "b")
        .peek(
            part -> {
              if (part.equals("b")) throw new IllegalStateException("deliberate failure");
            });
  }

  public String time_left() {
    return Task.current().timeLeft().map(left -> "" + left.toNanos() / 1e9).orElse("none");
  }

  @Override
  public void close() throws Exception {
    if (config == null || !config.startsWith("/")) return;
    try (FileWriter file = new FileWriter(config)) {
      file.write("unloaded");
    }
  }

  // ---- what Java's own library does

  /** Packs the request, and unpacks it again. */
  public byte[] unzip(byte[] request) throws Exception {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(packed)) {
      zip.putNextEntry(new ZipEntry("request"));
      zip.write(request);
      zip.closeEntry();
    }
    try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(packed.toByteArray()))) {
      zip.getNextEntry();
      return zip.readAllBytes();
    }
  }

  /** Fetches a page. */
  public CompletableFuture<String> get(String url) {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
    return HttpClient.newHttpClient()
        .sendAsync(request, HttpResponse.BodyHandlers.ofString())
        .thenApply(response -> response.statusCode() + " " + response.body());
  }

  public String property(String name) {
    return System.getProperty(name);
  }
}

/** For the loader to refuse. */
class Hidden {
  public static String echo(String request) {
    return request;
  }
}
