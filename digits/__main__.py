"""The command line: python -m digits --help"""

from commands.app import run

if __name__ == "__main__":
    run()
