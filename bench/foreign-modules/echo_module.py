# SPDX-License-Identifier: MIT
def echo(request):
    return request


async def later(request):
    return request
