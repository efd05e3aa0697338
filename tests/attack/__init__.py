"""`make attack`: what somebody with a script and a bad mind sends, against a running product; see `__main__`.

settings    what a run is told
product     the product under attack, and what its processes take
production  the product with the servers of docker-compose.yml
wire        HTTP and WebSocket as an attacker speaks them: raw, and wrong on purpose
target      where attacks go, and people of their own
bystanders  ordinary readers beside the attack, in a process of their own
attack      what an attack is, and what has to hold
catalogue   every attack
run         the order of things: quiet state, attacks one by one, judgement
report      the table in the end
"""
