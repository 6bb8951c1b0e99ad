"""Routes and blueprints: options that there are not, and values that they cannot have."""

from cello import App, Blueprint, Request
from cello.routing import Constraint, IntConstraint, RegexConstraint

app = App()

app.get()  # rejected
app.get(7)  # rejected
app.get(lambda: "Hello")  # rejected
app.get("/", methods=["GET"])  # rejected
app.get("/", guards=[])  # rejected
app.get("/", tags="users")  # rejected
app.get("/", tags=[1])  # rejected
app.get("/", tags={"users"})  # rejected
app.get("/", summary=7)  # rejected
app.get("/", description=["text"])  # rejected
app.get("/", deprecated="yes")  # rejected
app.get("/", status="200")  # rejected
app.get("/", constraints={"id": "int"})  # rejected
app.get("/", constraints=[IntConstraint()])  # rejected
app.get("/", stream="yes")  # rejected
app.get("/", body_limit="1 MiB")  # rejected
app.get("/", blocking=1)  # rejected
app.get("/", timeout="1s")  # rejected
app.get("/", cancel_on_disconnect=None)  # rejected
app.get("/", drain="later")  # rejected
app.get("/", drain=True)  # rejected
app.get("/", middleware=["cors"])  # rejected
app.get("/", middleware=print)  # rejected
app.route("/", methods="GET")  # rejected
app.route("/", methods=[b"GET"])  # rejected
app.post("/")("handler")  # rejected
app.post("/")(Request)("/")  # rejected

Constraint()  # rejected
RegexConstraint(7)  # rejected
IntConstraint("int")  # rejected

Blueprint(7)  # rejected
Blueprint("/users", url_prefix=["/users"])  # rejected
Blueprint("/users", summary="Users")  # rejected
Blueprint("/users", guards=[])  # rejected
Blueprint("/users", timeout="1s")  # rejected
users = Blueprint("/users", tags=["users"])
users.register(app)  # rejected
users.mount("/", app)  # rejected
users.on_event("startup")  # rejected
