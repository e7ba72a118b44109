"""The command line: python -m digits --help"""

from digits.cli.app import run

if __name__ == "__main__":
    run()
