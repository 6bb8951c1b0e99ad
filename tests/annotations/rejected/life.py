"""The life of an application: functions that cannot be part of it."""

from cello import App

app = App()

app.on_event("start")  # rejected


@app.on_event("startup")  # rejected
def takes_the_app(app: App) -> None: ...


@app.lifespan  # rejected
def makes_nothing(app: App) -> None: ...


@app.lifespan  # rejected
def takes_two(app: App, other: App) -> None: ...


App(lifespan=makes_nothing)  # rejected
App(lifespan="forever")  # rejected
