"""A client of the HTTP API, for programs and for the command line.

    with Client("http://127.0.0.1:8321", key) as client:
        job = client.submit("report", {"topic": "composting", "collections": ["demo"]})
        for event in client.follow(job.id):
            print(event.type, event.step)
        for artifact in client.artifacts(job.id):
            client.download(artifact, Path("out"))

`AsyncClient` has the same calls, to be awaited. Lists that come in pages can be read row by row and by fields:

    for job in client.jobs.each(workflow="report", limit=None): ...
    client.jobs.select(["id", "state"], workflow="report")

Errors of the API come as the classes of `mutirao.errors`.
"""

from mutirao.client.address import Address, find_address
from mutirao.client.archive import zip_folder
from mutirao.client.client import AsyncClient, Client

__all__ = ["Address", "AsyncClient", "Client", "find_address", "zip_folder"]
