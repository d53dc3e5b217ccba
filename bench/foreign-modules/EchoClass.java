// SPDX-License-Identifier: MIT
public final class EchoClass {
  public byte[] echo(byte[] request) {
    return request;
  }
}
