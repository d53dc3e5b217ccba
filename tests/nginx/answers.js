// SPDX-License-Identifier: MIT
// What the tests of nginx ask of Node.
'use strict';

exports.upper = (request) => request.toString().toUpperCase();
exports.later = (request) => new Promise((resolve) => { setTimeout(resolve, 1000 * request, 'slept'); });
exports.fails = () => { throw new Error('not this time'); };
