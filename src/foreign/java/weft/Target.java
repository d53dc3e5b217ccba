// SPDX-License-Identifier: MIT
package weft;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The user's class: an object of it where it can be made, and its public methods by name. */
final class Target {
  private final Class<?> type;
  private final Object object;
  private final Map<String, Method> methods = new ConcurrentHashMap<>();

  Target(Class<?> type, String config) throws Throwable {
    this.type = type;
    if (!Modifier.isPublic(type.getModifiers()))
      throw new IllegalAccessException(type.getName() + " is not a public class: weft calls public methods of one");
    object = make(config);
  }

  /** With the configuration, without, or not at all: then its static methods serve. */
  private Object make(String config) throws Throwable {
    if (Modifier.isAbstract(type.getModifiers())) return null;
    Constructor<?> plain = null;
    for (Constructor<?> c : type.getConstructors()) {
      Class<?>[] parameters = c.getParameterTypes();
      if (parameters.length == 0) plain = c;
      if (parameters.length == 1 && parameters[0] == String.class) return construct(c, config);
    }
    return plain == null ? null : construct(plain);
  }

  private static Object construct(Constructor<?> c, Object... arguments) throws Throwable {
    try {
      return c.newInstance(arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  // What a method may take, the one that is preferred first.
  private static final Class<?>[][] TAKES = {{byte[].class}, {String.class}, {}};

  private Method find(String name) throws NoSuchMethodException {
    for (Class<?>[] parameters : TAKES) {
      Method m = find(name, parameters);
      if (m != null) return m;
    }
    throw new NoSuchMethodException(
        type.getName() + " has no public method " + name + "(byte[]), (String) or ()");
  }

  private Method find(String name, Class<?>[] parameters) {
    try {
      Method m = type.getMethod(name, parameters);
      if (m.getDeclaringClass() == Object.class) return null;
      if (object == null && !Modifier.isStatic(m.getModifiers())) return null;
      m.setAccessible(true);
      return m;
    } catch (NoSuchMethodException none) {
      return null;
    }
  }

  Object call(String name, byte[] request) throws Throwable {
    Method m = methods.get(name);
    if (m == null) {
      m = find(name);
      methods.put(name, m);
    }
    try {
      if (m.getParameterCount() == 0) return m.invoke(object);
      if (m.getParameterTypes()[0] == byte[].class) return m.invoke(object, (Object) request);
      return m.invoke(object, request == null ? null : new String(request, StandardCharsets.UTF_8));
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  void close() throws Exception {
    if (object instanceof AutoCloseable) ((AutoCloseable) object).close();
  }
}
