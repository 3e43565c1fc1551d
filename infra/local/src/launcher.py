"""Runs the emulator; ends it, and every function process it started, with whoever started this.

The parent holds the other end of our standard input: when it closes, for whatever reason,
the emulator saves its state and the whole process group goes. Standard output carries one
JSON line for each invocation of a function.
"""

import fcntl
import json
import os
import signal
import sys
import threading
import time

PATIENCE_SECONDS = 20


def follow_parent():
    sys.stdin.buffer.read()
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
    """Functions write their log before they answer: waiting 50 ms for a silent one only slows it."""
    from ministack.core import lambda_runtime

    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.005, 0.002, 0.250)


def main():
    # Whoever starts the next emulator on this state waits for it.
    lock = open(os.path.join(os.path.dirname(__file__), "emulator.lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Thread(target=follow_parent, daemon=True).start()
    for extra in (report_invocations, answer_at_once):
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
