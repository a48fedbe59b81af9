"""Who may use the API and the page, and what they did.

keys      API keys, kept only as a keyed digest
sessions  sessions of the page, and the codes that begin them
secret    the server's secret
audit     who changed what, and who was refused
"""
