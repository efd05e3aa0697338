"""Small stand-ins for the processes of the product, as a script of its own: the real runner starts and ends them."""

STAND_INS = '''
import sys
from pathlib import Path
from deploy.plan import product
from deploy.supervisor.processes import start, wait_until
from deploy.run import main
from deploy.supervisor.runner import Backend, Command, Plan

WEB = """
import http.server, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["SECRET_KEY"].encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);" \\
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(601)']); print('stubborn', flush=True);" + SLEEP
CHATTY = "while True: print('x' * 1000)"

class NeverReady:
    child = None
    def start(self, hooks):
        self.child = start("never", [sys.executable, "-c", SLEEP], log=Path("/dev/null"))
        hooks.started(self.child)
        print("never ready", flush=True)
        wait_until(lambda: False, seconds=600, while_waiting=hooks.while_waiting)
    def stop(self):
        self.child.kill()

def stand_ins(options, env):
    python = [sys.executable, "-c"]
    kind = env["KIND"]
    worker = {"stubborn": STUBBORN, "chatty": CHATTY, "dying": "import sys; sys.exit(3)"}.get(kind, SLEEP)
    preparation = {"slow": "print('preparing', flush=True);" + SLEEP, "failing": "import sys; sys.exit(4)"}
    backends = [Backend("a slow server", NeverReady(), dict)] if kind == "never" else []
    return Plan(
        backends=[*product(options, env).backends, *backends],
        preparations=[Command("migrate", [*python, preparation.get(kind, "print('migrated')")])],
        processes=[Command("web", [*python, WEB, str(options.port)]), Command("worker.1", [*python, worker])],
        ready_url=options.url + "/readyz",
        ready_sentence="Feed is ready: " + options.url,
        grace_seconds=1,
    )

sys.exit(main(sys.argv[1:], stand_ins))
'''
