"""What incidents are: no database, no clock.

content    which findings belong together, and what they amount to
stages     stages of an attack, and the severity that they add up to
summary    the sentence that says what happened
story      an incident told in the order of the kill chain
lifecycle  what becomes of an incident and of people's decisions as it grows and joins
decisions  what people may decide about it
rollup     which incidents about clients are part of one about many
views      an incident as the terminal, the API and messages show it
"""
