import os

if os.environ.get("MENDED") and os.path.exists(os.environ["MENDED"]):
    pass
else:
    raise RuntimeError("no database")


def handler(event, context):
    return None
