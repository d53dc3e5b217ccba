// SPDX-License-Identifier: MIT
import java.io.ByteArrayOutputStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import weft.Task;

public final class ForeignJava implements AutoCloseable {
  private final String greeting;

  public ForeignJava(String config) {
    greeting = config;
  }

  public String greet(String request) {
    return greeting + ", " + request;
  }

  public byte[] gzip(byte[] request) throws Exception {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
      gzip.write(request);
    }
    return packed.toByteArray();
  }

  public Stream<String> words(String request) { // the answer comes in parts
    return Stream.of(request.split(" "));
  }

  public CompletableFuture<String> later(String request) {
    return CompletableFuture.supplyAsync(
        () -> request.toUpperCase(), CompletableFuture.delayedExecutor(10, TimeUnit.MILLISECONDS));
  }

  public String patient() throws InterruptedException {
    Thread.sleep(60000); // interrupted when nobody waits any more
    return "" + Task.current().cancelled();
  }

  @Override
  public void close() {} // when rt:unload() has drained
}
