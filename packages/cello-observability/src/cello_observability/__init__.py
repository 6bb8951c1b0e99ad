"""Request ids and structured logs for Cello.

`app.enable_request_id()` and `app.enable_structured_logging()` are what an application calls.
"""

__all__: list[str] = []
