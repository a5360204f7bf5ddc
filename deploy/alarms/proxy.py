"""Stand before a TCP server, so that it can be taken away from one program alone: `proxy.py PORT HOST:PORT`."""

import asyncio
import contextlib
import sys


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def main(port: int, host: str, target: int) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(host, target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    _host, _, _target = sys.argv[2].partition(":")
    asyncio.run(main(int(sys.argv[1]), _host, int(_target)))
