"""The command line: `evalharness COMMAND`."""
