// SPDX-License-Identifier: MIT
package weft;

import java.time.Duration;
import java.util.Optional;

/** A request on its way, for the method that answers it. May be asked from any thread. */
public final class Task {
  static final ThreadLocal<Task> CURRENT = new ThreadLocal<>();
  final long token;

  Task(long token) {
    this.token = token;
  }

  /** The request that the calling thread is answering; outside of one it throws. */
  public static Task current() {
    Task task = CURRENT.get();
    if (task == null) throw new IllegalStateException("not inside a request");
    return task;
  }

  /** True once nobody waits for the answer any more. */
  public boolean cancelled() {
    return Host.cancelled(token);
  }

  /** What is left until the caller gives up; empty when it waits for ever. */
  public Optional<Duration> timeLeft() {
    long at = Host.deadline(token);
    if (at == Long.MAX_VALUE) return Optional.empty();
    return Optional.of(Duration.ofNanos(Math.max(0, at - System.nanoTime())));
  }
}
