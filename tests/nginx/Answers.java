// SPDX-License-Identifier: MIT
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** What the tests of nginx ask of Java. */
public final class Answers {
  public String upper(String request) {
    return request.toUpperCase();
  }

  public CompletableFuture<String> later(String request) {
    long milliseconds = (long) (1000 * Double.parseDouble(request));
    return CompletableFuture.supplyAsync(
        () -> "slept", CompletableFuture.delayedExecutor(milliseconds, TimeUnit.MILLISECONDS));
  }

  public String fails(String request) {
    throw new IllegalArgumentException("not this time");
  }
}
