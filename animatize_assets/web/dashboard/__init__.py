"""The dashboard: pages that a person looks at, and the events that keep them up to date.

Belongs here: what each page shows, its templates, styles and scripts. Does not belong here: HTTP
(``routes.dashboard``), the figures themselves (the rooms below).
"""
