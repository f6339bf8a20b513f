"""Gives a program to Odoo's own shell as its input: first argument the program, the others are the shell's."""
import sys
import tempfile

program, arguments = sys.argv[1], sys.argv[2:]
source = tempfile.TemporaryFile("w+")
source.write(program)
source.seek(0)
sys.stdin = source
sys.argv = ["odoo", "shell"] + arguments

from odoo.cli.command import main  # noqa: E402

main()
