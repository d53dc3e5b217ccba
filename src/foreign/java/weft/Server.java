// SPDX-License-Identifier: MIT
package weft;

import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.BaseStream;

/** A thread that takes tasks of one runtime and calls the user's methods. */
final class Server extends Thread {
  // A stream stops for its reader at this many parts, and looks again after this many milliseconds.
  private static final int UNREAD = 64;
  private static final long PAUSE = 1;

  private final Runtime runtime;
  private volatile long running; // the task, or 0
  private boolean told; // that its caller has left

  Server(Runtime runtime, int number) {
    super("weft-java-" + number);
    this.runtime = runtime;
    setDaemon(true);
    setContextClassLoader(runtime.classes);
  }

  @Override
  public void run() {
    for (long task; (task = Host.poll(runtime.queue)) != 0; ) {
      running = task;
      runtime.sweeper.wake();
      Task.CURRENT.set(new Task(task));
      answer(task);
      Task.CURRENT.remove();
      synchronized (this) { // an interrupt meant for this task does not hit the next one
        running = 0;
        told = false;
        interrupted();
      }
    }
    runtime.ended();
  }

  /** False: it does nothing at the moment. */
  boolean interruptIfCancelled() {
    long task = running;
    if (task == 0) return false;
    if (!Host.cancelled(task)) return true;
    synchronized (this) {
      if (running == task && !told) interrupt();
      told = running == task;
    }
    return true;
  }

  private void answer(long task) {
    try {
      String name = runtime.method != null ? runtime.method : Host.method(task);
      settle(task, runtime.target.call(name, Host.request(task)));
    } catch (Throwable e) {
      Runtime.fail(task, e);
    }
  }

  private void settle(long task, Object result) throws Exception {
    if (result instanceof CompletionStage) answerLater(task, ((CompletionStage<?>) result).toCompletableFuture());
    else if (result instanceof BaseStream) stream(task, ((BaseStream<?, ?>) result).iterator());
    else if (result instanceof Iterator) stream(task, (Iterator<?>) result);
    else if (result instanceof Iterable) stream(task, ((Iterable<?>) result).iterator());
    else Host.respond(task, 0, Runtime.bytes(result));
  }

  private void answerLater(long task, CompletableFuture<?> future) {
    runtime.begin();
    runtime.sweeper.add(task, future);
    future.whenComplete(
        (result, error) -> {
          runtime.sweeper.remove(task);
          try {
            if (error != null) Runtime.fail(task, error);
            else Host.respond(task, 0, Runtime.bytes(result));
          } catch (Throwable e) {
            Runtime.fail(task, e);
          }
          runtime.ended();
        });
  }

  private void stream(long task, Iterator<?> parts) throws Exception {
    while (!Host.cancelled(task) && parts.hasNext()) {
      Host.respondPart(task, Runtime.bytes(parts.next()));
      while (Host.unreadParts(task) >= UNREAD) sleep(PAUSE);
    }
    Host.respond(task, 0, null);
  }
}
