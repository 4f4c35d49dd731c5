#!/usr/bin/env python
"""Django's command-line entry point."""

import sys

from copilot_project.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
