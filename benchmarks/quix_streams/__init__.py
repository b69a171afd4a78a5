"""The same job as a Quix Streams 3 application, in an environment of its own."""
