"""HTTP: questions about incidents, answered to key holders, and what people decide about them.

application     puts the parts together
access          callers, roles, scopes; every route under /api/v1 asks for one
oidc            tokens of an issuer: who they are about
oidc_issuer     asks it for its keys
oidc_keys       those that can be used
oidc_settings   which issuer, and who has which role
limits          how often somebody may ask
limit_settings  the same, as the settings say
hosts           which addresses only this machine can reach
services        what the routes work with
description     all of it as OpenAPI, problems included
problems        errors as problem+json, without internals
middleware      request ids, limits of size, known hosts, strict headers
access_log      its own requests that were refused, as a log that the service reads
server          uvicorn in a thread, on loopback unless told otherwise
connections     an end to those that do nothing

Routes:
incidents       list, detail, changes, comments
points          what detectors counted in an incident over time
incident_query  filters of lists
changes         what people ask to be changed
answers         what answers hold
versions        ETag and If-Match
stream          what happens, as it happens
broadcast       one look at the database for all who listen
entities        one client, user or route
silences        tell nobody for a while
deliveries      who was told when
detectors       what is watched for
learning        how far what learns has learned
rules           each rule as it is written and compiled
endpoints       what answers
traffic         requests, errors and durations over time, and the routes and countries asked most
exports         an incident as a file
gaps            when Vedette was blind
keys            who may use the API
sessions        log-in links, sessions of the page
audit           who did what, and who was refused
page            the page to work in

How the service fares:
status          alive and ready
health          what readiness reports
storage         what the database says
metrics         all of it for Prometheus
request_metrics requests to the API, counted
histogram       counts of values by size
"""
