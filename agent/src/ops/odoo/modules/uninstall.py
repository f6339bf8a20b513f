"""Uninstalls the modules that OCORE_MODULES names, in Odoo's own shell, whose names `env` is one of."""
import json
import os

wanted = json.loads(os.environ["OCORE_MODULES"])
states = ["installed", "to upgrade", "to remove"]
found = env["ir.module.module"].search([("name", "in", wanted), ("state", "in", states)])  # noqa: F821
if found:
    found.button_immediate_uninstall()
    env.cr.commit()  # noqa: F821
