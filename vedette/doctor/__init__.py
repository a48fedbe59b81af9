"""vedette doctor: looks at an installation and says what to fix. It changes nothing.

registry       the checks, in the order in which they are shown
examination    runs them side by side, each within a time limit
remark         what a check says: ok, warn, fail or skipped; what was seen; what to do
surroundings   what checks look at: settings, folders, the time
bounded        jobs in threads that are waited for only so long
configuration  the settings file, variables, what is set and does nothing
rules          rules compile; exceptions that are over
secret         the server's secret: mode, owner
disk           room for the database and the state folder
clock          this clock against the database's, and against records of topics; time zones
database       reachable, its schema, WAL, damage, copies
stored         what is in it: lease, gaps, quarantine, messages
logs           files of sources: there, readable, of a known format
brokers        clusters of sources: reachable, their topics, how long these keep records
targets        receivers of messages: address, template, host; nothing is sent
geo            geo data: there, of use, how old
server         the API: its port, its certificate
issuer         of tokens: it answers, and has keys
certificates   from when to when a certificate is good
"""
