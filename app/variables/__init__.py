"""Variables: values of a workspace that its workflows read as `vars.NAME`."""
