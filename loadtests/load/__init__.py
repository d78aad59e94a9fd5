"""What runs inside Locust's process: importing this loads gevent, which patches the process it is in."""
