// SPDX-License-Identifier: MIT
package resty;

/** What Java code for lua-resty-nonblocking-ffi calls. */
public final class NgxHttpLuaNonblockingFFI {
  private NgxHttpLuaNonblockingFFI() {}

  /** The next task; waits for one. 0: the queue has ended. */
  public static native long task_poll(long queue);

  /** The request, or null. */
  public static native byte[] get_req(long task);

  /** Answers; rc 0 is success. */
  public static native void respond(long task, int rc, byte[] answer);
}
