"""`make chaos`: a real stack under load, whose processes and servers are killed, hung and emptied.

    settings ─► stream.py    who does what when ┐ told from SEED alone
              └ schedule.py  which fault when   ┘
    stack.py, faults.py      run and break the processes
    clients.py               send the actions over HTTP, repeat what got no answer
    listeners.py             listen to homes over sockets, and come back when these break
    screens.py               what such a client was shown, against the oracle
    record.py                what was acknowledged, and since when it is certain
    oracle.py                what every home must therefore show; what no page may
    notified.py              of what everybody must be notified, and may be
    verify.py                compares all of it with what the stack answers in the end
    social.py                so with notifications, search, protection and leaving
    asking.py                asks it
    report.py                the log, the table

Nothing here imports the product: the record is filled from answers, the oracle from the contract.
"""
