// SPDX-License-Identifier: MIT
package demo;

import resty.NgxHttpLuaNonblockingFFI;

/** Classes as lua-resty-nonblocking-ffi and lua-resty-ffi have them: they serve the queue themselves. */
public final class Seed {
  public static int first(long queue, String config) {
    serve(queue, "first " + config);
    return 0;
  }

  public static int second(String config, long queue) {
    serve(queue, "second " + config);
    return 0;
  }

  public static int refuse(String config, long queue) {
    return 7;
  }

  private static void serve(long queue, String prefix) {
    Thread thread =
        new Thread(
            () -> {
              for (long task; (task = NgxHttpLuaNonblockingFFI.task_poll(queue)) != 0; ) {
                byte[] request = NgxHttpLuaNonblockingFFI.get_req(task);
                String text = prefix + ":" + (request == null ? "" : new String(request));
                NgxHttpLuaNonblockingFFI.respond(task, 0, text.getBytes());
              }
            });
    thread.setDaemon(true);
    thread.start();
  }
}
