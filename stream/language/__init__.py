"""The policy language: YAML files to the policies of the core, every problem with its file and line."""
