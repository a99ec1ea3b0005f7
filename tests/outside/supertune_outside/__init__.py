"""One task, one engine and one method from outside supertune."""
