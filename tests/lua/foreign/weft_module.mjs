// SPDX-License-Identifier: MIT
// An ECMAScript module without init, that uses a package from npm.
import semver from 'semver';

export const satisfies = (request) => {
  const [version, range] = String(request).split(' ', 2);
  return String(semver.satisfies(version, range));
};

export const _private = () => 'never';
