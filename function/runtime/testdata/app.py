"""A Lambda function for tests: the first record's value says what to do."""
import base64
import json
import os
import signal
import subprocess
import sys
import time

print("cold start")


def values(event):
    return [
        (key, r["offset"], base64.b64decode(r["value"]).decode())
        for key, records in event["records"].items()
        for r in records
    ]


def handler(event, context):
    failures = []
    for key, offset, value in values(event):
        verb, _, rest = value.partition(" ")
        if verb == "fail":
            raise ValueError("bad record " + rest)
        elif verb == "item":
            failures.append({"itemIdentifier": {"partition": key, "offset": offset}})
        elif verb == "sleep":
            time.sleep(float(rest))
        elif verb == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif verb == "exit":
            os._exit(int(rest))
        elif verb == "print":
            print(rest)
            print(rest, file=sys.stderr)
        elif verb == "big":
            return "x" * int(rest)
        elif verb == "child":
            child = subprocess.Popen(["sleep", "1000"])
            with open(rest, "a") as f:
                f.write("%d %d\n" % (os.getpid(), child.pid))
        elif verb == "pid":
            with open(rest, "a") as f:
                f.write("%d\n" % os.getpid())
        elif verb == "env":
            with open(rest, "w") as f:
                json.dump(dict(os.environ), f)
        elif verb == "context":
            with open(rest, "w") as f:
                json.dump({"id": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
                           "version": context.function_version, "left": context.get_remaining_time_in_millis(),
                           "memory": context.memory_limit_in_mb, "stream": context.log_stream_name, "cwd": os.getcwd()}, f)
        elif verb == "eat":
            bytearray(int(rest))
        elif verb == "files":
            [open("/dev/null") for _ in range(int(rest))]
    return {"batchItemFailures": failures}


def unready(event, context):
    pass
