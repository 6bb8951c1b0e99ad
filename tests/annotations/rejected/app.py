"""Applications: what they are not made with, and what cannot be said of the server."""

from cello import App, ClusterConfig, LimitsConfig, Request, ThreadPoolConfig, TimeoutConfig

App(errors="plain")  # rejected
App("problem")  # rejected
App(debug=True)  # rejected
app = App()

app.mount("/shop", object())  # rejected
app.mount("/shop", print)  # rejected
app.mount("/shop", app, body_limit="1 MiB")  # rejected
app.register_blueprint(App())  # rejected
app.register_singleton(object(), "db")  # rejected
app.enable_body_limit("1 MiB")  # rejected
app.set_limits(TimeoutConfig())  # rejected
app.set_timeouts(LimitsConfig())  # rejected
app.set_threadpool(8)  # rejected
app.enable_cluster(4)  # rejected
app.set_trusted_proxies("::1", fields="x-real-ip")  # rejected
app.set_trusted_proxies([1])  # rejected
app.set_access_log("xml")  # rejected
app.set_access_log("json", 0.1)  # rejected
app.set_access_log(skip=[7])  # rejected
app.set_request_id_header(b"X-Request-ID")  # rejected
app.dependency_overrides[7] = None  # rejected
app.prices = {}  # rejected

LimitsConfig(max_body="1 MiB")  # rejected
LimitsConfig(max_body_size="1 MiB")  # rejected
LimitsConfig(max_requests_per_connection=100)  # rejected
TimeoutConfig(read_header="10")  # rejected
TimeoutConfig(header=10)  # rejected
TimeoutConfig(read_body=None)  # rejected
ThreadPoolConfig(size=None)  # rejected
ThreadPoolConfig(adaptive=True)  # rejected
ClusterConfig(workers="4")  # rejected
ClusterConfig(processes=4)  # rejected
size: str = ThreadPoolConfig().size  # rejected


@app.get("/")
def home(request: Request) -> dict[str, str]:
    return {}


home()  # rejected
word: str = home(Request("GET", "/"))  # rejected

app.run("0.0.0.0", "8080")  # rejected
app.run(env="test")  # rejected
app.run(workers="4")  # rejected
app.run(shutdown_timeout="2")  # rejected
app.running  # rejected
