"""HTTP: questions about incidents, answered to key holders.

application  puts the parts together
access       keys and roles; every route under /api/v1 asks for one
incidents    list and detail
answers      what answers hold
status       alive and ready
health       what readiness reports
storage      what the database says of how the service fares
metrics      all of it for Prometheus
histogram    counts of values by size
problems     errors as problem+json, without internals
middleware   request ids, security headers, length limits
services     what the routes work with
server       uvicorn in a thread, on loopback unless told otherwise
"""
