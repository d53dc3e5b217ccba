// SPDX-License-Identifier: MIT
package weft;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;

/**
 * Looks for callers that have gone away: the thread that works for one is interrupted, its future is
 * cancelled. Sleeps for good while nothing has been running for a while.
 */
final class Sweeper extends Thread {
  private static final long PERIOD = 20; // milliseconds
  private static final int PATIENCE = 50; // periods without work

  private final Server[] servers;
  private final Map<Long, Future<?>> futures = new ConcurrentHashMap<>();
  private volatile boolean asleep = true;

  Sweeper(Server[] servers) {
    super("weft-java-sweeper");
    this.servers = servers;
    setDaemon(true);
  }

  /** Whoever begins something calls this after it can be seen. */
  void wake() {
    if (!asleep) return;
    synchronized (this) {
      asleep = false;
      notify();
    }
  }

  void add(long task, Future<?> future) {
    futures.put(task, future);
    wake();
  }

  void remove(long task) {
    futures.remove(task);
  }

  @Override
  public void run() {
    try {
      for (int idle = 0; ; idle = sweep() ? 0 : idle + 1) {
        if (idle >= PATIENCE) rest();
        Thread.sleep(PERIOD);
      }
    } catch (InterruptedException end) {
      // The runtime has been unloaded.
    }
  }

  private void rest() throws InterruptedException {
    asleep = true;
    if (sweep()) { // began between the last look and the flag
      asleep = false;
      return;
    }
    synchronized (this) {
      while (asleep) wait();
    }
  }

  /** False: nothing runs. */
  private boolean sweep() {
    boolean active = !futures.isEmpty();
    for (Server s : servers) active |= s.interruptIfCancelled();
    for (Map.Entry<Long, Future<?>> e : futures.entrySet())
      if (Host.cancelled(e.getKey())) e.getValue().cancel(true);
    return active;
  }
}
