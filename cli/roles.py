"""What the processes of the product run."""

# The module and the function of each role: blocking until SIGTERM, with the exit code as their answer.
ROLES = {
    "api": ("app.server", "serve"),
    "relay": ("engine.relay.main", "run_relay"),
    "worker": ("engine.worker.main", "run_worker"),
}

# What a role would load only once it runs, and then for itself alone.
LOADED_LATE = ("uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on", "anyio._backends._asyncio")
