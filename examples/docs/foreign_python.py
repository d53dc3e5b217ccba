# SPDX-License-Identifier: MIT
import asyncio
import sqlite3

import weft


class Library:
    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute("create table if not exists lua (version text, year int)")

    def add(self, request):
        version, year = request.decode().split()
        self.db.execute("insert into lua values (?, ?)", (version, year))

    def newest(self, request):
        return self.db.execute("select max(version) from lua").fetchone()[0]

    def all(self, request):                    # a generator: the answer comes in parts
        for version, year in self.db.execute("select * from lua order by year"):
            yield "%s (%d)" % (version, year)

    async def later(self, request):            # runs on the runtime's asyncio loop
        await asyncio.sleep(0.01)
        return request.upper()

    def patient(self, request):                # asks whether anybody still waits
        while not weft.cancelled():
            pass

    def unload(self):                          # when rt:unload() has drained
        self.db.close()


def init(config):
    return Library(config)
