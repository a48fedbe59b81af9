"""Settings that people's decisions about incidents suggest; a person applies them, or not.

- `decisions`: what people decided, as labels and as findings that were right or wrong
- `detectors`: precision of each detector, and a limit that would have spared false alarms
- `exceptions`: who or what alone made false alarms, excepted for a while
- `proposals`: both as lines of settings, with the incidents they would have lost
"""
