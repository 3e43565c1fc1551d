"""Runs the emulator; ends it, and every function process it started, with whoever started this.

The parent holds the other end of our standard input: when it closes, for whatever reason,
the emulator saves its state and the whole process group goes. Standard output carries one
JSON line for each invocation of a function.
"""

import fcntl
import json
import os
import signal
import socketserver
import sys
import threading
import time

PATIENCE_SECONDS = 20


# What was accepted last is worked on before all ends.
LAST_RECORDS_SECONDS = 2


def follow_parent():
    sys.stdin.buffer.read()
    time.sleep(LAST_RECORDS_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def what_started(event):
    """In a few words, what an invocation was for."""
    if not isinstance(event, dict):
        return ""
    http = (event.get("requestContext") or {}).get("http") or {}
    if http:
        return f"{http.get('method', '')} {event.get('rawPath', '')}"
    route = (event.get("requestContext") or {}).get("routeKey")
    if route:
        return route
    records = event.get("Records")
    if records:
        source = records[0].get("eventSource") or records[0].get("EventSource") or "records"
        return f"{source.removeprefix('aws:')} x{len(records)}"
    return event.get("detail-type") or ""


def report_invocations():
    from ministack.services import lambda_svc

    run = lambda_svc._execute_function_dispatch
    turn = threading.Lock()

    def run_and_report(func, config, event, request_id, started):
        result = run(func, config, event, request_id, started)
        try:
            body = result.get("body")
            failed = bool(result.get("error"))
            line = {
                "function": config.get("FunctionName"),
                "request_id": request_id,
                "trigger": what_started(event),
                "started_at": started,
                "duration_ms": round((time.time() - started) * 1000),
                "status": body.get("statusCode") if isinstance(body, dict) else None,
                "failed_items": len(body.get("batchItemFailures") or []) if isinstance(body, dict) else 0,
                "error": (body.get("errorMessage") or body.get("errorType") or "failed")
                if failed and isinstance(body, dict)
                else ("failed" if failed else None),
                "log": result.get("log") or "",
            }
            with turn:
                print(json.dumps(line), flush=True)
        except Exception:  # what is shown must never change what is run
            pass
        return result

    lambda_svc._execute_function_dispatch = run_and_report


def answer_at_once():
    """Leaves out two waits that no function on AWS knows, of some 40 ms for each invocation."""
    from ministack.core import lambda_runtime

    # An event's headers and body are two writes: the second waits for the first to be acknowledged.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    # For the log of a function that may have written none; what comes late is in the next one's.
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.005, 0.002, 0.250)


def keep_streams():
    """Saves the tables' streams, too. The emulator saves only how far each was read, and after a
    restart waits, with the new records unread, until there are as many again."""
    from ministack.services import dynamodb

    save, load = dynamodb.get_state, dynamodb.load_persisted_state

    def save_with_streams():
        return {
            **save(),
            "stream_records": dynamodb._stream_records,
            "stream_trimmed": dynamodb._stream_trimmed,
        }

    def load_with_streams(data):
        load(data)
        dynamodb._stream_records.update(data.get("stream_records", {}))
        dynamodb._stream_trimmed.update(data.get("stream_trimmed", {}))

    dynamodb.get_state, dynamodb.load_persisted_state = save_with_streams, load_with_streams


def name_senders():
    """Whoever sends an e-mail needs the right to do so as its sender. The emulator asks for it on
    every resource at once, which no policy that names one can give."""
    from ministack.core import iam_actions

    named = iam_actions._ses_v2_resource_arn

    def named_by_sender(method, path, body, region, account_id):
        sender = iam_actions._safe_json_field(body, "FromEmailAddress")
        if path.rstrip("/").endswith("/outbound-emails") and sender:
            return f"arn:aws:ses:{region}:{account_id}:identity/{sender}"
        return named(method, path, body, region, account_id)

    iam_actions._ses_v2_resource_arn = named_by_sender


def main():
    # Whoever starts the next emulator on this state waits for it.
    lock = open(os.path.join(os.path.dirname(__file__), "emulator.lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Thread(target=follow_parent, daemon=True).start()
    for extra in (report_invocations, answer_at_once, keep_streams, name_senders):
        try:
            extra()
        except Exception as missing:
            print(f"{extra.__name__} is not possible: {missing}", file=sys.stderr)

    from ministack.app import main as emulator

    sys.argv = ["ministack"]
    try:
        emulator()
    finally:
        sys.stderr.flush()
        os.killpg(0, signal.SIGKILL)


main()
