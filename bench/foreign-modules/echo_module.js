// SPDX-License-Identifier: MIT
exports.echo = (request) => request;
