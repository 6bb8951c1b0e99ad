"""The smallest application, which imports nothing of its own: what its workers take is Cello's."""

import os

from cello import App

app = App()


@app.get("/")
def hello() -> dict[str, str]:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), env="production", logs=False)
