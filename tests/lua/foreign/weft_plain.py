# SPDX-License-Identifier: MIT
"""A module without init, whose functions serve by themselves."""


def upper(request):
    return request.upper()


def handle(request):
    return b"handled " + request
