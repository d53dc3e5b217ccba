// SPDX-License-Identifier: MIT
package weft;

/** The host's functions (foreign.h). Tasks and queues are tokens; all may be called from any thread. */
final class Host {
  private Host() {}

  static native long poll(long queue);

  static native String method(long task);

  static native byte[] request(long task);

  static native void respond(long task, int status, byte[] answer);

  static native void respondPart(long task, byte[] part);

  static native long unreadParts(long task);

  static native boolean cancelled(long task);

  /** Nanoseconds of System.nanoTime's clock; Long.MAX_VALUE: never. */
  static native long deadline(long task);
}
