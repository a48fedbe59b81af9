"""Who is told of an incident.

matchers  which incidents something is about
routes    routes in their order, as in Alertmanager
target    where messages go: one address under a name
mentions  where texts and matchers name somebody
"""
