"""What can be found in a log: every detector, and every OWASP risk, against what it really fills.

- `filled`: which columns the events have, and how many of them
- `sight`: what each detector can see, as `detectors.needs` works it out from the rules
- `owasp`: the OWASP API Security Top 10 (2023), and what of it no access log shows
- `snippets`: what to add to the log formats of nginx, Apache, Envoy, Traefik and Caddy
- `coverage_screen`: all of it on a terminal, and as JSON
"""
